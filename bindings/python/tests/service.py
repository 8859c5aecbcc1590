"""The sandbox, run as a process, and common parts of the tests."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Type
from urllib.parse import urlsplit

from esales_notify import Client

LIBRARY_VARIABLE = "ESALES_NOTIFY_LIBRARY"
COMMAND_VARIABLE = "ESALES_NOTIFY_COMMAND"
FOLDER = Path(__file__).resolve().parent.parent
REPOSITORY = FOLDER.parent.parent
VECTORS = REPOSITORY / "tests" / "vectors"

#: The longest time that a test waits for an event, in seconds.
LIMIT_S = 60

#: The option ``timeout_ms`` where a test is not about time: a busy machine may stop for seconds.
BUDGET_MS = 60_000

_occupied: List[socket.socket] = []


def occupy(port: int = 0) -> int:
    """Binds a port, or any port, until this process ends, without listening. Notifications of an earlier test for
    this port then reach no later sandbox."""
    taken = socket.socket()
    _occupied.append(taken)
    # Old connections may still be closing.
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", port))
    return int(taken.getsockname()[1])


def what_is_missing() -> List[str]:
    """Describes the missing requirements of the suite."""
    missing = []
    for variable, what in ((LIBRARY_VARIABLE, "the built libesales_notify.so"), (COMMAND_VARIABLE, "esales-notify")):
        path = os.environ.get(variable)
        if not path:
            missing.append(f"{variable} is not set: it must be the path of {what}")
        elif not os.path.isfile(path):
            missing.append(f"{variable} is {path}, and there is no such file: it must be the path of {what}")
    return missing


def library() -> str:
    return os.path.abspath(os.environ[LIBRARY_VARIABLE])


def vectors(name: str) -> Any:
    return json.loads((VECTORS / name).read_text("utf-8"))


def until(what: str, is_so: Callable[[], bool]) -> None:
    """Calls the function until it succeeds or the time is over."""
    deadline = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline, f"it was awaited that {what}"
        time.sleep(0.005)


def watch_frees(client: Client) -> List[int]:
    """Records the frees of this client from here on."""
    handle = client._handle
    assert handle is not None
    freed: List[int] = []
    really_free = handle._free

    def free(pointer: int) -> None:
        freed.append(pointer)
        really_free(pointer)

    handle._free = free
    return freed


def run_program(name: str, base_url: str, environment: Dict[str, str]) -> None:
    """Runs a program of programs.py, which must print nothing."""
    done = subprocess.run(
        # Python 3.12 warns of any fork with threads; these tests show that it works with this library.
        [sys.executable, "-W", "ignore::DeprecationWarning", str(FOLDER / "tests" / "programs.py"), name, base_url],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=3 * LIMIT_S,
        check=False,
    )
    # pytest explains only the assertions in test files.
    output = done.stdout.decode()
    assert (done.returncode, output) == (0, ""), f"{done.returncode}: {output}"


class Control:
    """Reads the requests of a running sandbox, and sets its script."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def script(self, answers: str) -> None:
        self._ask("PUT", "/sandbox/script", answers)

    def clear(self) -> None:
        self.script("")
        self._ask("DELETE", "/sandbox/received")

    def received(self) -> List[Dict[str, Any]]:
        return list(json.loads(self._ask("GET", "/sandbox/received")))

    def ids(self) -> List[str]:
        return [one["notification"]["id"] for one in self.received()]

    def wait_for(self, count: int) -> None:
        """Asks until this many notifications have arrived; the sandbox answers each question with a pause."""
        for _ in range(100_000):
            if len(self.received()) >= count:
                return
        raise AssertionError(f"{count} notifications were awaited, {len(self.received())} came")

    def _ask(self, method: str, path: str, body: Optional[str] = None) -> bytes:
        address = urlsplit(self.base_url)
        host, port = address.hostname or "", address.port
        if address.scheme == "https":
            # Without verification: this only reads the received requests.
            context = ssl._create_unverified_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=LIMIT_S, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=LIMIT_S)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        assert answer.status < 300, f"{method} {path}: {answer.status} {content!r}"
        return content


class Sandbox(Control):
    """One `esales-notify sandbox`: serves until it is stopped or this process ends in any way."""

    def __init__(self, *arguments: str) -> None:
        command = os.path.abspath(os.environ[COMMAND_VARIABLE])
        self._process = subprocess.Popen(
            [command, "sandbox", "--listen", "127.0.0.1:0", "--json", "--until-stdin-closes", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._end()
            raise RuntimeError(f"the sandbox ended without a word, with {self._process.returncode}")
        said = json.loads(line)
        super().__init__(said["base_url"])
        self.ca_file: Optional[str] = said["ca_file"]

    def stop(self) -> None:
        """Ends it, which closes every connection. A second call does nothing."""
        if self._process.returncode is None:
            self._end()
            # Another thread may have taken it already.
            with contextlib.suppress(OSError):
                occupy(urlsplit(self.base_url).port or 0)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.stop()
