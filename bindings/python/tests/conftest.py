from __future__ import annotations

import os
from typing import Callable, Dict, Iterator, List

import pytest

from esales_notify import Client, Visitor
from service import BUDGET_MS, COMMAND_VARIABLE, FOLDER, LIBRARY_VARIABLE, Sandbox, library, vectors, what_is_missing


def pytest_configure(config: pytest.Config) -> None:
    missing = what_is_missing()
    if missing:
        raise pytest.UsageError("; ".join(missing))


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the option variables of the machine."""
    for name in list(os.environ):
        if name.startswith("ESALES_") and name not in (LIBRARY_VARIABLE, COMMAND_VARIABLE):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Sandbox:
    """A sandbox without a script or received requests."""
    shared_sandbox.clear()
    return shared_sandbox


@pytest.fixture
def start_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Starts sandboxes for one test."""
    started: List[Sandbox] = []

    def start(*arguments: str) -> Sandbox:
        started.append(Sandbox(*arguments))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with Client(base_url=sandbox.base_url, timeout_ms=BUDGET_MS) as client:
        yield client


@pytest.fixture(scope="session")
def example() -> Dict[str, str]:
    """The example of the vendor's reference."""
    row: Dict[str, str] = vectors("notifications.json")[0]
    return row


@pytest.fixture(scope="session")
def visitor(example: Dict[str, str]) -> Visitor:
    return Visitor.anonymous(example["customer_key"], example["session_key"], example["market"])


@pytest.fixture(scope="session")
def ticket(example: Dict[str, str]) -> str:
    return example["ticket"]


@pytest.fixture
def environment() -> Dict[str, str]:
    """The environment for a program that a test runs, in any directory."""
    ours = {"PYTHONPATH": str(FOLDER / "src"), "PYTHONDONTWRITEBYTECODE": "1", LIBRARY_VARIABLE: library()}
    return {**os.environ, **ours}
