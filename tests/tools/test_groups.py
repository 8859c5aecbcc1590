"""Tests of one group run in one process, one after another, when `make test` runs several at a time."""

import os

import pytest


@pytest.mark.xdist_group("groups")
@pytest.mark.parametrize("number", range(2))
def test_group_is_kept_together_when_tests_run_in_parallel(request, number):
    """pytest-xdist recognises a group by the end of the test's id, which a new pytest might not allow."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@groups")
