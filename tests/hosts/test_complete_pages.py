"""The complete pages of the documentation, each under the server that its page names."""

import pytest

from complete_page import (
    assert_first_visit_without_cookies_is_served,
    assert_is_complete,
    assert_page_is_served_when_an_event_is_refused,
    signing_sandbox,
)
from wsgi import Gunicorn, Uwsgi


@pytest.fixture
def sandbox(command, tmp_path):
    with signing_sandbox(command, tmp_path) as running:
        yield running


@pytest.mark.parametrize("server", [Gunicorn, Uwsgi])
def test_python_page_serves_the_first_visit_without_cookies(python_shop, sandbox, server):
    with server(python_shop, sandbox.base_url, program="shop:application") as running:
        assert_first_visit_without_cookies_is_served(f"{running.address}/", sandbox)
        running.assert_well()
