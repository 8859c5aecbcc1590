"""What a host does with threads that is rare: much thread-local data, a main thread that ends first."""

import subprocess

import pytest
from sandbox import TlsSandbox


@pytest.mark.parametrize("kib", [0, 313, 490, 504, 1024, 4096])
def test_host_delivers_when_it_has_much_static_thread_local_data(compiled, command, library_dir, plain_environment, tmp_path, kib):
    """By name and with TLS, so that each sort of thread is started: for the look-up, for delivery, for callbacks."""
    program = compiled("big_tls.c", f"-DSIZE={max(kib << 10, 8)}", f"-L{library_dir}", "-lesales_notify", f"-Wl,-rpath,{library_dir}",
                       target=f"big_tls_{kib}")
    with TlsSandbox(command, tmp_path / "ca.pem") as sandbox:
        env = {**plain_environment, "ESALES_BASE_URL": sandbox.base_url.replace("127.0.0.1", "localhost"),
               "ESALES_CA_FILE": str(tmp_path / "ca.pem"), "ESALES_TIMEOUT_MS": "60000"}
        done = subprocess.run([program], env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{kib} KiB: {done.returncode} {done.stderr}"
        assert [one["notification"]["id"] for one in sandbox.received()] == ["sent", "enqueued"]
