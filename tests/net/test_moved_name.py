"""The service's name, or the proxy's, moves to another address while the server at the old one still answers."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import threading

import pytest
from waiting import wait_for

HERE = pathlib.Path(__file__).parent
LONG_S = 60
#: Half of what the defaults of dns_cache_s and of keep_alive_s are.
MOVE_S = 30


class Server:
    """Answers every request with 204, and CONNECT with 200, as a proxy does; what follows is answered here too."""

    def __init__(self, address, port=0):
        self.listening = socket.create_server((address, port))
        self.port = self.listening.getsockname()[1]
        self.received = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.listening.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as requests:
            while request := requests.readline():
                length = 0
                while (field := requests.readline().rstrip()) != b"":
                    name, _, value = field.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                requests.read(length)
                if request.startswith(b"CONNECT"):
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    self.received += 1
                    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    def close(self):
        self.listening.close()


@pytest.fixture
def servers():
    old = Server("127.0.0.2")
    new = Server("127.0.0.3", old.port)
    yield old, new
    old.close()
    new.close()


@pytest.mark.parametrize("call", ["notify", "enqueue"])
@pytest.mark.parametrize("whose", ["service", "proxy"])
def test_traffic_follows_a_name_that_moved_when_the_old_server_still_answers(root, library, servers, tmp_path, call, whose):
    old, new = servers
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.0.0.2 moving.test\n")
    moving, options = f"http://moving.test:{old.port}", {"dns_cache_s": 1, "keep_alive_s": 2, "timeout_ms": 20000}
    if whose == "service":
        options.update(base_url=moving, allow_http=True, proxy="")
    else:
        options.update(base_url="http://shop.invalid", allow_http=True, proxy=moving)
    env = {**os.environ, "PYTHONPATH": str(root / "bindings/python/src"), "ESALES_NOTIFY_LIBRARY": str(library)}
    # In a mount namespace of its own, the names are those of this file.
    inside = f'mount --bind "{hosts}" /etc/hosts && exec "$@"'
    host = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", inside, "-", sys.executable, str(HERE / "moving_host.py"), call, json.dumps(options)],
        env=env, stdin=subprocess.PIPE)
    try:
        wait_for(lambda: old.received > 10, "nothing arrives", LONG_S)
        # The same file, because the mount shows no file that replaces it.
        with open(hosts, "r+") as file:
            file.write("127.0.0.1 localhost\n127.0.0.3 moving.test\n")
        wait_for(lambda: new.received, "the traffic stays at the old address", MOVE_S)
        host.communicate(b"\n", timeout=LONG_S)
        assert host.returncode == 0
    finally:
        host.kill()
        host.wait()
