"""The sandbox, run as a process, and what the tests share."""

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

#: The longest that a test waits for something that should have happened long before, in seconds.
PATIENCE_S = 60

#: The option ``timeout_ms`` where a test is not about time: a busy machine may stop for seconds.
BUDGET_MS = 60_000

_occupied: List[socket.socket] = []


def occupy(port: int = 0) -> int:
    """Takes a port, or any, for as long as this process lives: nobody listens there. What an earlier test left in a
    queue for it then meets no later sandbox."""
    taken = socket.socket()
    _occupied.append(taken)
    # Connections that were there may still be closing.
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", port))
    return int(taken.getsockname()[1])


def what_is_missing() -> List[str]:
    """In words, what of the environment the suite cannot do without."""
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
    """Asks again and again, and not for ever."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, f"it was awaited that {what}"
        time.sleep(0.005)


def watch_frees(client: Client) -> List[int]:
    """What is freed of this client from here on."""
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
    """Runs one of programs.py, which has nothing to say."""
    done = subprocess.run(
        # Python 3.12 warns of any fork with threads; that it works with this library is what is tested.
        [sys.executable, "-W", "ignore::DeprecationWarning", str(FOLDER / "tests" / "programs.py"), name, base_url],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=3 * PATIENCE_S,
        check=False,
    )
    # pytest writes out the assertions of its test files only.
    words = done.stdout.decode()
    assert (done.returncode, words) == (0, ""), f"{done.returncode}: {words}"


class Control:
    """Looks into a sandbox that is running, and tells it what to answer."""

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
        """Asks until this many notifications came; each question is answered by the sandbox, so nothing spins."""
        for _ in range(100_000):
            if len(self.received()) >= count:
                return
        raise AssertionError(f"{count} notifications were awaited, {len(self.received())} came")

    def _ask(self, method: str, path: str, body: Optional[str] = None) -> bytes:
        address = urlsplit(self.base_url)
        host, port = address.hostname or "", address.port
        if address.scheme == "https":
            # Whom the tests trust is another question: this only asks what came in.
            context = ssl._create_unverified_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=PATIENCE_S, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        assert answer.status < 300, f"{method} {path}: {answer.status} {content!r}"
        return content


class Sandbox(Control):
    """One `esales-notify sandbox`: serves until it is stopped, or this process ends, however that ends."""

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
        """Ends it; every connection breaks. Stopping twice is fine."""
        if self._process.returncode is None:
            self._end()
            # Somebody else may have been quicker; then there is nothing to take.
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
