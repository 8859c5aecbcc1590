"""`esales-notify sandbox` as a program: what it prints, and when it ends."""

import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

PATIENCE_S = 60

RUNNER = """
import sys
sys.path.insert(0, sys.argv[1])
from sandbox import Sandbox
with Sandbox(sys.argv[2]) as sandbox:
    print(sandbox.base_url, flush=True)
    sys.stdin.read()
"""


def is_listening(base_url):
    address = urlsplit(base_url)
    try:
        socket.create_connection((address.hostname, address.port)).close()
    except ConnectionRefusedError:
        return False
    return True


def wait_until_gone(base_url):
    deadline = time.monotonic() + PATIENCE_S
    while is_listening(base_url):
        assert time.monotonic() < deadline, "the sandbox outlives the program that started it"
        time.sleep(0.01)


def test_it_ends_with_a_test_runner_that_is_killed_outright(root, command):
    runner = subprocess.Popen([sys.executable, "-c", RUNNER, str(root / "tests" / "support"), str(command)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        base_url = runner.stdout.readline().strip()
        assert is_listening(base_url)
    finally:
        runner.send_signal(signal.SIGKILL)
        runner.wait()
        runner.stdin.close()
        runner.stdout.close()
    wait_until_gone(base_url)


def test_it_ends_well_when_its_input_does(command):
    listening = [str(command), "sandbox", "--listen", "127.0.0.1:0", "--until-stdin-closes"]
    with subprocess.Popen(listening, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sandbox:
        assert "listening on" in sandbox.stdout.readline()
        # What is written is of no interest.
        sandbox.stdin.write("hello\n")
        sandbox.stdin.flush()
        assert sandbox.poll() is None
        sandbox.stdin.close()
        assert sandbox.wait(PATIENCE_S) == 0


def test_without_that_option_its_input_is_of_no_interest(command):
    listening = [str(command), "sandbox", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(listening, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as sandbox:
        base_url = sandbox.stdout.readline().split()[-1]
        sandbox.stdout.readline()
        # The page's address, for a person to open.
        assert f"open {base_url}/ in a browser" in sandbox.stdout.readline()
        assert is_listening(base_url)
        assert sandbox.poll() is None
        sandbox.kill()
