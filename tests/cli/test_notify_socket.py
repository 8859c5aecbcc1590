"""`drain` under a service manager whose socket has an abstract name, as in containers."""

import signal
import socket
import subprocess

import pytest
from environment import CLEAN



@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """A service manager's socket, and the value of NOTIFY_SOCKET for it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(60)
        if request.param == "path":
            listening.bind(str(tmp_path / "notify"))
            yield listening, str(tmp_path / "notify")
        else:
            # The kernel chooses a free abstract name.
            listening.bind("")
            yield listening, "@" + listening.getsockname()[1:].decode()


def test_drain_reports_its_states_to_the_notify_socket(command, sandbox, manager, tmp_path):
    listening, name = manager
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    env = {**CLEAN, "NOTIFY_SOCKET": name, "ESALES_SPOOL": str(folder / "spool"), "WATCHDOG_USEC": "200000"}

    def expect(line):
        seen = []
        while line not in seen:
            seen += listening.recv(4096).decode().splitlines()
        return seen

    draining = subprocess.Popen([str(command), "drain", "--base-url", sandbox.base_url], env=env, stderr=subprocess.DEVNULL)
    try:
        assert any(line.startswith("STATUS=") for line in expect("READY=1"))
        expect("WATCHDOG=1")
        draining.send_signal(signal.SIGTERM)
        expect("STOPPING=1")
        assert draining.wait(timeout=60) == 0
    finally:
        draining.kill()
        draining.wait()


def test_drain_works_when_the_notify_socket_has_no_listener(command, sandbox, tmp_path):
    for name in ("@esales-notify-nobody", str(tmp_path / "nobody"), "@" + "x" * 200, "vsock:2:1", "relative", ""):
        folder = tmp_path / "spool"
        # An empty spool, because `drain --once` refuses a missing one, whose name may be wrong.
        (folder / "spool").mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "spool/FORMAT").write_text("esales-notify spool, format 1\n")
        env = {**CLEAN, "NOTIFY_SOCKET": name, "ESALES_SPOOL": str(folder / "spool"), "ESALES_BASE_URL": sandbox.base_url,
               "ESALES_MARKET": "UK", "ESALES_ON_FAILURE": "queue", "ESALES_DELIVERY": "none"}
        sent = subprocess.run([str(command), "send", "add-to-cart", "--ticket", "t"], env=env, capture_output=True, timeout=60)
        assert sent.returncode == 0, sent
        del env["ESALES_DELIVERY"]
        done = subprocess.run([str(command), "drain", "--once"], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (name, done)
