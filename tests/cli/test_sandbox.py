"""`esales-notify sandbox` as a program: its output, and its end."""

import hashlib
import hmac
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

LIMIT_S = 60

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
    deadline = time.monotonic() + LIMIT_S
    while is_listening(base_url):
        assert time.monotonic() < deadline, "the sandbox outlives the program that started it"
        time.sleep(0.01)


def test_sandbox_ends_when_the_process_that_started_it_is_killed(root, command):
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


def test_sandbox_exits_0_when_its_standard_input_ends(command):
    listening = [str(command), "sandbox", "--listen", "127.0.0.1:0", "--until-stdin-closes"]
    with subprocess.Popen(listening, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sandbox:
        assert "listening on" in sandbox.stdout.readline()
        # The output does not matter.
        sandbox.stdin.write("hello\n")
        sandbox.stdin.flush()
        assert sandbox.poll() is None
        sandbox.stdin.close()
        assert sandbox.wait(LIMIT_S) == 0


def test_sandbox_ignores_its_standard_input_without_the_option(command):
    listening = [str(command), "sandbox", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(listening, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as sandbox:
        base_url = sandbox.stdout.readline().split()[-1]
        sandbox.stdout.readline()
        # The address of the page, for a person.
        assert f"open {base_url}/ in a browser" in sandbox.stdout.readline()
        assert is_listening(base_url)
        assert sandbox.poll() is None
        sandbox.kill()


VISITOR = {"market": "UK", "customerKey": "k", "sessionKey": "s"}
PRIVATE_KEY = "sandbox-private-key"


def post(base_url, path, body):
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=LIMIT_S)
    connection.request("POST", f"/api/v1/notifications/{path}", body, {"Content-Type": "application/json"})
    connection.getresponse().read()
    connection.close()


def signature(text):
    return hmac.new(PRIVATE_KEY.encode(), text, hashlib.sha256).hexdigest()


def test_sandbox_console_shows_kind_and_lines_and_hides_tokens(command):
    listening = [str(command), "sandbox", "--listen", "127.0.0.1:0", "--until-stdin-closes"]
    environment = {**os.environ, "ESALES_PRIVATE_KEY": PRIVATE_KEY}
    with subprocess.Popen(listening, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as sandbox:
        base_url = sandbox.stdout.readline().split()[-1]
        sandbox.stdout.readline(), sandbox.stdout.readline()

        def shown(path, count, **members):
            body = json.dumps({**VISITOR, **members}).encode()
            token = signature(body)
            post(base_url, path.replace("TOKEN", token), body)
            printed = [sandbox.stdout.readline().rstrip("\n") for _ in range(count)]
            assert token not in "".join(printed)
            return [printed[0].split("-> ")[1], *(line.strip() for line in printed[2:])]

        product = {"productKey": "P1", "quantity": 2, "sellingPrice": 199.5}
        assert shown("click", 2, id="1", ticket="t") == ["204  anonymous, click"]
        assert shown("non-esales-click", 2, id="2", productKey="P") == ["204  anonymous, non-eSales click"]
        assert shown("non-esales-adding-to-cart", 3, id="3", variantKey="V") == [
            "400  anonymous, non-eSales add to cart",
            "answered: Product key is missing. Sandbox: there is only a variant key, which the service may refuse; the sandbox "
            "always does."]
        secure = [{**product, "variantKey": "V1", "cost": 80}, {"variantKey": "V2", "quantity": 1, "sellingPrice": 5}]
        order = ["line: 2 of P1 (V1) at 199.5, cost 80", "line: 1 of V2 at 5"]
        assert shown("payment?paymentToken=TOKEN", 4, lines=secure) == ["204  anonymous, secure payment", *order]
        assert shown("payment?paymentToken=TOKEN", 5, lines=secure) == [
            "204  anonymous, secure payment (duplicate)", *order,
            "warning: counted twice: number 4 was a payment with the same bytes, and was received successfully"]
        assert shown("payment", 8, lines=[product] * 7) == ["204  anonymous, payment", *["line: 2 of P1 at 199.5"] * 5, "and 2 more lines"]
        assert shown("end", 2) == ["204  anonymous, end of session"]
        assert shown("favorite", 3)[0] == "404  -, -"
        key = hashlib.sha256(b"customer").hexdigest()
        token = signature(key.encode())
        post(base_url, "end", json.dumps({**VISITOR, "customerKey": key, "token": token}).encode())
        assert "signed in, end of session" in sandbox.stdout.readline()
        assert token[:8] in (body := sandbox.stdout.readline()) and token not in body
        sandbox.stdin.close()
