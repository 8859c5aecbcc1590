"""A C++ host with signal handlers and interval timers: its signals run on its threads, and the library raises none."""

import contextlib
import random
import re
import signal
import socket
import struct
import subprocess
import threading

import pytest

from counting import Service
from environment import CLEAN, as_environment
from sandbox import TlsSandbox
from waiting import wait_for


class Resetting:
    """A relay to the service that resets connections: before, within and after a request, and while they idle."""

    def __init__(self, target):
        self._target = target
        self._dice = random.Random(4711)
        self.resets = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client):
        with contextlib.suppress(OSError), client, socket.create_connection(self._target) as server:
            left = self._dice.randrange(0, 4000)
            while left > 0:
                data = client.recv(min(left, 65536))
                if not data:
                    return
                left -= len(data)
                server.sendall(data)
                if left > 0 and data.endswith(b"}"):
                    client.sendall(server.recv(65536))
            # A reset: the next write would raise SIGPIPE in a program that does not prevent it.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.resets += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def start(compiled, library_dir, tmp_path):
    program = compiled("signals.cpp", f"-L{library_dir}", "-lesales_notify", f"-Wl,-rpath,{library_dir}")

    def start(**options):
        env = {**CLEAN, **as_environment(options)}
        # Into a file, because a pipe would be full before it is read.
        with open(tmp_path / "taken", "w") as taken:
            return subprocess.Popen([str(program), "300"], env=env, text=True, stdout=taken, stderr=subprocess.PIPE)

    return start


@pytest.fixture
def stop(tmp_path):
    return lambda process: stopped(process, tmp_path / "taken")


def stopped(process, taken):
    """Stops the host like a service manager; the host flushes accepted notifications. Returns the host's counts and
    the accepted ids."""
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    seen = {name: int(value) for name, value in re.findall(r"(\w+) (\d+)", err.splitlines()[-1])}
    # A thousand signals per second; signals that are due while the process gets no CPU are merged. SIGPROF is due by
    # its CPU time, as finely as the kernel's tick shows it, which is 100 to 1,000 a second.
    assert seen["ALRM"] >= seen["ms"] / 4 and seen["PROF"] >= seen["cpu_ms"] / 20, err
    # The host had only its own children, and the library raised no SIGPIPE.
    assert seen["children"] >= 1 and seen["CHLD"] >= 1, err
    assert seen["PIPE"] == 0 and seen["TERM"] == 1, err
    # Threads of the library existed and were checked.
    assert seen["threads"] >= 2, err
    ids = [line for line in taken.read_text().split() if line != "ready"]
    assert len(ids) == len(set(ids)) == seen["sent"] + seen["enqueued"]
    assert seen["sent"] > 10 and seen["enqueued"] > 10, err
    return seen, set(ids)


def test_host_stops_gracefully_during_many_signals(start, stop):
    with Service() as service:
        process = start(base_url=service.base_url, timeout_ms=60000)
        wait_for(lambda: len(service.ids) >= 5000, "the host does not send", 240)
        seen, ids = stop(process)
        assert ids == set(service.ids) and seen["lost"] == 0


def test_tls_calls_succeed_during_many_signals(start, stop, command, tmp_path):
    with TlsSandbox(command, tmp_path / "ca.pem") as sandbox:
        # keep_alive_s is 0, so every notification has a handshake.
        process = start(base_url=sandbox.base_url, ca_file=sandbox.ca_file, timeout_ms=60000, keep_alive_s=0)
        wait_for(lambda: sandbox.status()["received"] >= 300, "the host does not send", 240)
        seen, ids = stop(process)
        assert seen["lost"] == 0 and sandbox.status()["received"] == len(ids)
        assert {one["notification"]["id"] for one in sandbox.received()} <= ids


def test_host_gets_no_sigpipe_when_the_peer_resets_connections(start, stop):
    with Service() as service, Resetting(("127.0.0.1", service.port)) as relay:
        process = start(base_url=relay.base_url, timeout_ms=60000, gate_min_ms=10, gate_max_ms=20, max_attempts=5, backoff_ms=1)
        wait_for(lambda: relay.resets >= 300 and len(service.ids) >= 1500, "the host does not send", 240)
        _, ids = stop(process)
        assert ids <= set(service.ids)
