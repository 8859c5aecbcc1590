"""`esales-notify drain --listen` as a child process, and the requests that are sent to it."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

from environment import CLEAN
from waiting import wait_for

JSON = {"Content-Type": "application/json"}
ADD_TO_CART = "/api/v1/notifications/adding-to-cart"
VISITOR = {"market": "UK", "customerKey": "d9528030-509c-4e0f-b585-7168f1e9feca",
           "sessionKey": "b106299c-eac0-4f6f-96d2-93e57c255784"}


def cart(identity, **more):
    return json.dumps({**VISITOR, "id": identity, "ticket": "a ticket", **more})


class Local(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, **options):
        super().__init__("localhost", **options)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body!r}"


class Agent:
    """An agent that listens on a free port and on the socket `socket` of the folder. It is stopped by its own
    handle."""

    def __init__(self, command, folder, base_url, *arguments, spool=None, within=(), env=None):
        self.folder = pathlib.Path(folder)
        self.spool = str(spool or self.folder / "spool")
        self.socket = str(self.folder / "socket")
        self.log = self.folder / f"agent-{len(list(self.folder.iterdir()))}.log"
        self._command = [*within, str(command), "drain", "--listen", "127.0.0.1:0", "--listen", f"unix:{self.socket}",
                         *map(str, arguments)]
        self._env = {**CLEAN, "ESALES_SPOOL": self.spool, "ESALES_BASE_URL": base_url, **(env or {})}

    def __enter__(self):
        with self.log.open("w") as log:
            self.process = subprocess.Popen(self._command, env=self._env, stdout=subprocess.DEVNULL, stderr=log)
        try:
            # The delivery logs from another thread, in between.
            listening = wait_for(lambda: self._has_ended() or re.search(r"listening on http://127.0.0.1:(\d+)\n(?s:.*)listening on unix:",
                                                                        self.log.read_text()), "the agent does not listen")
            assert listening is not True, self.log.read_text()
        except BaseException:
            self.kill()
            raise
        self.port = int(listening[1])
        self.base_url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_):
        self.kill()

    def _has_ended(self):
        return self.process.poll() is not None

    def kill(self):
        self.process.kill()
        return self.process.wait()

    def stop(self):
        """Sends SIGTERM, waits for the end, and returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    @contextlib.contextmanager
    def connection(self, is_local=False, timeout=60):
        made = Local(self.socket, timeout=timeout) if is_local else http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(made):
            yield made

    def ask(self, method, path, body=None, headers=None, is_local=False):
        with self.connection(is_local) as connection:
            connection.request(method, path, body, headers or {})
            return Answer(connection.getresponse())

    def post(self, body, path=ADD_TO_CART, is_local=False, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", path, body.encode() if isinstance(body, str) else body, {**JSON, **named}, is_local)

    def get(self, path, is_local=False, **headers):
        return self.ask("GET", path, None, headers, is_local)

    def raw(self):
        """A connection on which the test writes raw bytes."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))
