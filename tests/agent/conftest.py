import contextlib

import pytest
from agent import Agent


@pytest.fixture
def folder(tmp_path):
    """A folder of mode 0700 for the spool and the socket."""
    folder = tmp_path / "a"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def start(command, folder, sandbox):
    """Starts an agent whose service is the sandbox; it does not outlive the test."""
    with contextlib.ExitStack() as started:
        def start(*arguments, base_url=sandbox.base_url, **options):
            return started.enter_context(Agent(command, folder, base_url, *arguments, **options))
        yield start


@pytest.fixture
def agent(start):
    return start()
