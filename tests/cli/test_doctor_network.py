"""The checks of the network, with real servers on loopback: each step succeeds and fails."""

import contextlib
import http.server
import json
import select
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
from conftest import Diagnosis
from environment import CLEAN
from sandbox import Sandbox

STEPS = ["name", "connection", "proxy", "tls", "service", "clock"]


def walked(diagnosis, failed):
    """Asserts that this check fails, that the earlier ones are ok, and that the later ones are skipped."""
    assert diagnosis.code == 2
    states = diagnosis.states("network")
    at = STEPS.index(failed)
    assert set(states[:at]) <= {"ok", "skipped"} and states[at] == "failed" and set(states[at + 1:]) <= {"skipped"}, states
    for step in STEPS[at + 1:]:
        assert f"because {failed} failed" in diagnosis[f"network.{step}"]["found"]
    return diagnosis[f"network.{failed}"]


class Threaded:
    """Runs `serve` on a thread until the end of the test."""

    def __init__(self, serve):
        self._serve, self._stop = serve, socket.socketpair()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while True:
            ready, _, _ = select.select([self.listener, self._stop[0]], [], [])
            if self._stop[0] in ready:
                return
            connection, _ = self.listener.accept()
            with connection, contextlib.suppress(OSError):
                self._serve(connection)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop[1].close()
        self._thread.join()
        self.listener.close()
        self._stop[0].close()


# name

@pytest.mark.parametrize("behaviour, budget, reason, advice", [
    ("silent", "400", "looking up the host name", "the name server does not answer"),
    ("nxdomain", "20000", "shop.test", "check the name"),
])
def test_doctor_reports_name_servers_that_fail(root, command, behaviour, budget, reason, advice):
    """The real getaddrinfo, in a separate network namespace."""
    done = subprocess.run(
        [sys.executable, str(root / "tests/net/in_namespace.py"), behaviour, str(command), "doctor", "--json",
         "--base-url", "https://shop.test", "--timeout-ms", budget, "--php", "/nonexistent"],
        capture_output=True, text=True, env=CLEAN, timeout=60)
    check = walked(Diagnosis(done), "name")
    assert reason in check["found"] and advice in check["advice"], check


def test_doctor_looks_up_a_name_and_not_an_address(doctor, sandbox):
    by_name = doctor("--base-url", sandbox.base_url.replace("127.0.0.1", "localhost"))
    assert "127.0.0.1" in by_name.expect("network.name", "ok", "localhost is")["addresses"]
    doctor("--base-url", sandbox.base_url).expect("network.name", "ok", "nothing to look up")


# connection

def test_doctor_reports_a_port_that_refuses_connections(doctor):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        check = walked(doctor("--base-url", f"http://{address}"), "connection")
    assert f"{address}: Connection refused" in check["found"] and "nothing listens" in check["advice"]
    assert check["facts"] == {"open": 0, "tried": 1}


@contextlib.contextmanager
def black_hole():
    """A port whose backlog is full, so that the kernel drops packets, as a firewall does."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield "127.0.0.1:%d" % listener.getsockname()[1]


def test_doctor_reports_a_port_that_drops_packets(doctor):
    with black_hole() as address:
        check = walked(doctor("--base-url", f"http://{address}", "--timeout-ms", "200"), "connection")
    assert "ended while connecting" in check["found"] and "firewall" in check["advice"]


def test_doctor_warns_when_one_address_of_two_is_unreachable(doctor, command, sandbox, tmp_path):
    """A name with two addresses, one of them dead, in a mount namespace with another hosts file."""
    port = sandbox.base_url.rpartition(":")[2]
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.2 shop.test\n127.0.0.1 shop.test\n")
    # The sandbox listens at 127.0.0.1 only.
    mounted = f"mount --bind {hosts} /etc/hosts && exec {command} doctor --json --php /nonexistent --allow-http true"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", f"{mounted} --base-url http://shop.test:{port}"],
                          capture_output=True, text=True, env=CLEAN, timeout=60)
    checks = {check["check"]: check for check in json.loads(done.stdout)["checks"]}
    check = checks["network.connection"]
    assert check["state"] == "warning" and check["facts"] == {"open": 1, "tried": 2}, check
    assert "127.0.0.2" in check["found"] and "loses time" in check["advice"]
    # The sandbox knows no shop.test, but it answers.
    assert checks["network.service"]["state"] == "ok"


# proxy

def tunnel(answer="200 OK", heads=None):
    """A CONNECT proxy that serves one connection at a time."""

    def serve(down):
        head = b""
        while b"\r\n\r\n" not in head:
            part = down.recv(4096)
            if not part:
                return
            head += part
        if heads is not None:
            heads.append(head.decode())
        down.sendall(f"HTTP/1.1 {answer}\r\n\r\n".encode())
        if not answer.startswith("200"):
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port))) as up:
            while True:
                ready, _, _ = select.select([down, up], [], [])
                for one, other in ((down, up), (up, down)):
                    if one in ready:
                        part = one.recv(65536)
                        if not part:
                            return
                        other.sendall(part)

    return Threaded(serve)


def test_doctor_reaches_the_service_through_a_proxy(doctor, sandbox):
    heads = []
    with tunnel(heads=heads) as proxy:
        through = doctor("--base-url", sandbox.base_url, "--proxy", f"http://user:s3cret@{proxy.address}")
    assert through.code == 0, through.text
    through.expect("network.name", "ok", "(the proxy)")
    assert through.expect("network.proxy", "ok", "opens a tunnel")["proxy"] == proxy.address
    assert all(head.startswith("CONNECT ") and "Proxy-Authorization: Basic " in head for head in heads) and heads
    assert "s3cret" not in through.text
    assert [r["method"] for r in sandbox.received()] == ["HEAD"]


def test_doctor_shows_the_services_certificate_through_a_proxy(doctor, command, tmp_path):
    with Sandbox(command, "--tls", "valid", "--ca-file", tmp_path / "ca.pem") as sandbox, tunnel() as proxy:
        through = doctor("--base-url", sandbox.base_url, "--ca-file", tmp_path / "ca.pem", "--proxy", f"http://{proxy.address}")
    assert through.code == 0, through.text
    through.expect("network.tls", "ok", "CN=esales-notify sandbox")


def test_doctor_fails_when_the_proxy_is_down(doctor, sandbox):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        check = walked(doctor("--base-url", sandbox.base_url, "--proxy", f"http://{address}"), "connection")
    assert address in check["found"]
    assert sandbox.received() == []


@pytest.mark.parametrize("answer, advice", [
    ("407 Proxy Authentication Required", "user:password"), ("403 Forbidden", "allow CONNECT"), ("502 Bad Gateway", "can reach"),
])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_doctor_fails_with_advice_when_the_proxy_refuses(doctor, scheme, answer, advice):
    with tunnel(answer) as proxy:
        refused = doctor("--base-url", f"{scheme}://127.0.0.1:1", "--proxy", f"http://user:s3cret@{proxy.address}")
    check = walked(refused, "proxy")
    assert answer[:3] in check["found"] and advice in check["advice"], check
    assert "s3cret" not in refused.text


def test_doctor_reports_a_proxy_that_no_proxy_excludes(doctor, sandbox):
    around = doctor("--base-url", sandbox.base_url, "--proxy", "http://127.0.0.1:1", "--no-proxy", "127.0.0.1")
    around.expect("network.proxy", "skipped", "no_proxy names 127.0.0.1")
    assert around.code == 0
    # The proxy of the environment is not used for loopback.
    doctor("--base-url", sandbox.base_url, env={"http_proxy": "http://127.0.0.1:1"}).expect("network.proxy", "skipped", "no proxy")


# TLS

@pytest.fixture
def tls(command, tmp_path):
    @contextlib.contextmanager
    def run(identity):
        with Sandbox(command, "--tls", identity, "--ca-file", tmp_path / "ca.pem") as sandbox:
            yield ["--base-url", sandbox.base_url, "--ca-file", tmp_path / "ca.pem", "--market", "UK"]

    return run


def test_doctor_accepts_a_valid_certificate(doctor, tls, tmp_path):
    with tls("valid") as arguments:
        good = doctor(*arguments, "--strict")
    assert good.code == 0, good.text
    facts = good.expect("network.tls", "ok", f"trusted: the one authority in ca_file {tmp_path}/ca.pem")
    assert facts["names"] == ["localhost", "127.0.0.1", "::1"] and 360 < facts["days_left"] < 366
    assert facts["subject"] == "CN=esales-notify sandbox" and facts["issuer"] == "CN=esales-notify sandbox CA"
    good.expect("network.service", "ok", "HTTP 405")


def test_doctor_warns_when_the_certificate_expires_soon(doctor, tls):
    with tls("expiring") as arguments:
        soon = doctor(*arguments)
    assert soon.code == 0
    assert soon.expect("network.tls", "warning", "2 days left", "renew")["days_left"] == 2


CHAIN = """
authority() { openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.pem" -subj "/CN=$1" -days 365; }
signed() {  # NAME BY DAYS EXTENSIONS
    openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1"
    printf '%s\\n' "$4" > "$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days "$3" -extfile "$1.ext" -out "$1.pem"
}
set -e
authority root
signed between root "$1" basicConstraints=critical,CA:TRUE
signed own "$3" "$2" subjectAltName=IP:127.0.0.1
cat own.pem between.pem > chain.pem
"""


@pytest.mark.parametrize("between, own, issuer, state, days_left, found, advice", [
    # The expiry of the certificate itself, and that of another one in the chain, are reported separately.
    (4, 300, "between", "warning", 299, "3 days left for that of CN=between", "renew its chain"),
    (300, 4, "between", "warning", 3, ": 3 days left", "renew the certificate"),
    (100, 300, "between", "ok", 299, "in its chain, the certificate of CN=between only until", ""),
    (300, 100, "between", "ok", 99, "valid until", ""),
    # An expired certificate that is not needed, because the authority signed the server's certificate directly.
    (-1, 300, "root", "ok", 299, "in its chain, the certificate of CN=between only until", ""),
    (-1, 300, "between", "failed", 299, "in its chain, the certificate of CN=between only until", "must renew"),
])
def test_doctor_names_the_certificate_of_the_chain_that_expires_first(doctor, tmp_path, between, own, issuer, state, days_left, found, advice):
    subprocess.run(["sh", "-c", CHAIN, "sh", str(between), str(own), issuer], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain.pem", tmp_path / "own.key")

    def serve(connection):
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(4096)
            tls.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")

    with Threaded(serve) as server:
        seen = doctor("--base-url", f"https://{server.address}", "--ca-file", tmp_path / "root.pem")
    facts = seen.expect("network.tls", state, found, advice)
    assert facts["days_left"] == days_left and facts["subject"] == "CN=own"
    assert ("CN=between only until" in seen["network.tls"]["found"]) == (between < own)


@pytest.mark.parametrize("identity, reason, advice", [
    ("expired", "has expired", "clock"), ("wrong-host", "is for wrong.example,", "a name that the certificate is for"),
    ("self-signed", "not trusted", "ca_file"), ("unknown-ca", r"issued by CN=esales-notify sandbox\, another CA", "ca_file"),
])
def test_doctor_fails_with_advice_when_the_certificate_is_refused(doctor, tls, command, identity, reason, advice):
    with tls(identity) as arguments:
        bad = doctor(*arguments)
        sent = subprocess.run([str(command), "send", "add-to-cart", "--json", "--ticket", "t", *map(str, arguments)], capture_output=True,
                              text=True, env=CLEAN)
    check = walked(bad, "tls")
    assert reason in check["found"] and advice in check["advice"], check
    # The message is the same as for a notification, except for times.
    receipt = json.loads(sent.stdout)
    assert receipt["status_name"] == "ESALES_TLS_FAILED"
    assert check["found"].startswith(receipt["detail"].partition("(")[0]), (check, receipt)


def test_doctor_names_the_trusted_authorities(doctor, command, tmp_path):
    with Sandbox(command, "--tls", "valid", "--ca-file", tmp_path / "ca.pem") as sandbox:
        refused = walked(doctor("--base-url", sandbox.base_url), "tls")
        assert "authorities of this system" in refused["found"] or "bundled" in refused["found"]
        file = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
        doctor("--base-url", sandbox.base_url, env=file).expect("network.tls", "ok", f"SSL_CERT_FILE={tmp_path}/ca.pem")


def test_doctor_fails_when_the_port_does_not_speak_tls(doctor, sandbox):
    check = walked(doctor("--base-url", sandbox.base_url.replace("http:", "https:")), "tls")
    assert "does not speak TLS" in check["found"]


def test_doctor_fails_when_the_tls_handshake_hangs(doctor):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = "127.0.0.1:%d" % silent.getsockname()[1]
        check = walked(doctor("--base-url", f"https://{address}", "--timeout-ms", "5000"), "tls")
    assert "ended while setting up TLS" in check["found"] and "--timeout-ms" in check["advice"]


# service and clock

@contextlib.contextmanager
def service(status=404, date=None):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response_only(status)
            if date is not None:
                self.send_header("Date", self.date_time_string(date) if isinstance(date, float) else date)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield "http://127.0.0.1:%d" % server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("offset, state, reason", [
    (0, "ok", "agrees"), (30, "ok", "agrees"), (-3600, "warning", "s ahead of the service's"),
    (3600, "warning", "s behind the service's"),
])
def test_doctor_reports_the_skew_of_the_clock(doctor, offset, state, reason):
    with service(date=time.time() + offset) as base_url:
        facts = doctor("--base-url", base_url).expect("network.clock", state, reason)
    expected = -offset if state == "warning" else facts["skew_s"]
    assert abs(facts["skew_s"] - expected) < 60 and (facts["skew_s"] < 0) == (offset > 0)


@pytest.mark.parametrize("date", [None, "yesterday, perhaps"])
def test_doctor_skips_the_clock_check_when_the_answer_has_no_date(doctor, date):
    with service(date=date) as base_url:
        undated = doctor("--base-url", base_url)
    undated.expect("network.clock", "skipped", "no date")
    assert undated.code == 0


@pytest.mark.parametrize("status, state", [(200, "ok"), (302, "ok"), (404, "ok"), (500, "warning"), (503, "warning")])
def test_doctor_judges_the_status_of_the_service(doctor, status, state):
    with service(status) as base_url:
        facts = doctor("--base-url", base_url).expect("network.service", state, f"HTTP {status} to HEAD")
    assert facts["http_status"] == status


@pytest.mark.parametrize("answer, reason", [
    (b"", "the connection broke"), (b"SSH-2.0-nothing\r\n\r\n", "not valid HTTP"), (None, "waiting for the answer"),
])
def test_doctor_fails_when_the_server_is_not_the_service(doctor, answer, reason):
    def serve(connection):
        connection.recv(4096)
        if answer is None:
            # Until the other side closes the connection.
            connection.recv(4096)
        else:
            connection.sendall(answer)

    with Threaded(serve) as server:
        check = walked(doctor("--base-url", f"http://{server.address}", "--timeout-ms", "5000"), "service")
    assert reason in check["found"], check
