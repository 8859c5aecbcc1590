"""How far a blocking call runs over timeout_ms while a server misbehaves and every CPU is busy.

usage: overrun.py [--rounds N] [--only WORD]

It sends to 41 kinds of server over HTTP, and to these and ten more over TLS, while one busy process runs on each CPU.
It prints the worst overrun for each kind and, as a control, that of poll(), which only waits. The promise is
timeout_ms + 100 ms; the exit code is 1 if a call took longer.
"""

import argparse
import multiprocessing
import os
import pathlib
import select
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
os.environ.setdefault("ESALES_NOTIFY_LIBRARY", str(ROOT / "target/release/libesales_notify.so"))
sys.path.insert(0, str(ROOT / "bindings/python/src"))

BUDGET_MS, PROMISE_MS = 500, 100
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
FOREVER = 3600


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def request(connection):
    seen = b""
    while b'"ticket"' not in seen or not seen.endswith(b"}"):
        piece = connection.recv(65536)
        if not piece:
            raise OSError("the client has gone")
        seen += piece


def drip(connection, data, pause):
    for i in range(len(data)):
        connection.sendall(data[i:i + 1])
        time.sleep(pause)


def flood(connection, data):
    while True:
        connection.sendall(data)


def hang(connection):
    time.sleep(FOREVER)


def after_request(*steps):
    def serve(connection):
        while True:
            request(connection)
            for step in steps:
                step(connection) if callable(step) else connection.sendall(step)
    return serve


def answer_once(serve):
    """Answers the first request on a connection, and passes the later ones to `serve`."""
    def both(connection):
        request(connection)
        connection.sendall(NO_CONTENT)
        serve(connection)
    return both


def wait(seconds):
    return lambda connection: time.sleep(seconds)


def dripping(data, pause=0.02):
    return lambda connection: drip(connection, data, pause)


def flooding(data):
    return lambda connection: flood(connection, data)


def closing(connection):
    raise OSError("the server closes")


def resetting(connection):
    reset(connection)
    raise OSError("the server resets")


def slow_reader(connection):
    while connection.recv(1):
        time.sleep(0.01)


LATE = BUDGET_MS / 1000 - 0.005
BIG = b"x" * 65536
SERVERS = {
    "reads nothing": hang,
    "closes at once": closing,
    "resets at once": resetting,
    "reads slowly": slow_reader,
    "never answers": after_request(hang),
    "closes after the request": after_request(closing),
    "resets after the request": after_request(resetting),
    "status line drips": after_request(dripping(NO_CONTENT * 9)),
    "half a status line": after_request(b"HTTP/1.1 2", hang),
    "half a status line, then closes": after_request(b"HTTP/1.1 2", closing),
    "status line without end": after_request(flooding(b"HTTP/1.1 200 " + BIG)),
    "interim answers drip": after_request(dripping(b"HTTP/1.1 103 -\r\n\r\n" * 99, 0.001)),
    "interim answers flood": after_request(flooding(b"HTTP/1.1 103 -\r\n\r\n" * 999)),
    "empty lines flood": after_request(flooding(b"\r\n" * 9999)),
    "noise": after_request(b"\x00\xff" * 99, hang),
    "noise floods": after_request(flooding(bytes(range(256)) * 256)),
    "fields drip": after_request(NO_CONTENT[:-2], dripping(b"x: y\r\n" * 99)),
    "fields flood": after_request(NO_CONTENT[:-2], flooding(b"x: y\r\n" * 9999)),
    "a field without end": after_request(NO_CONTENT[:-2] + b"x: ", flooding(BIG)),
    "body drips": after_request(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n", dripping(BIG)),
    "body floods": after_request(b"HTTP/1.1 200 OK\r\n\r\n", flooding(BIG)),
    "body never comes": after_request(b"HTTP/1.1 200 OK\r\n\r\n", hang),
    "body is short": after_request(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\nxx", closing),
    "chunks drip": after_request(CHUNKED, dripping(b"1\r\nx\r\n" * 99)),
    "chunks flood": after_request(CHUNKED, flooding(b"1\r\nx\r\n" * 9999)),
    "a chunk without end": after_request(CHUNKED + b"ffffffff\r\n", flooding(BIG)),
    "chunks that are none": after_request(CHUNKED + b"zz\r\n\r\n", hang),
    "503 at once": after_request(b"HTTP/1.1 503 -\r\ncontent-length: 0\r\n\r\n"),
    "503 after 200 ms": after_request(wait(0.2), b"HTTP/1.1 503 -\r\ncontent-length: 0\r\n\r\n"),
    "503 with Retry-After: 0": after_request(b"HTTP/1.1 503 -\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n"),
    "429 with Retry-After: 1": after_request(b"HTTP/1.1 429 -\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"),
    "500 whose body drips": after_request(b"HTTP/1.1 500 -\r\n\r\n", dripping(BIG)),
    "500 whose long message does not end": after_request(b"HTTP/1.1 500 -\r\n\r\n" + b"a0b1C2-%41&#65;" * 700, hang),
    "302 to itself": after_request(b"HTTP/1.1 302 -\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"),
    "408 before the request": lambda c: (c.sendall(b"HTTP/1.1 408 -\r\ncontent-length: 0\r\n\r\n"), hang(c)),
    "answers just before the deadline": after_request(wait(LATE), NO_CONTENT),
    "answers just after the deadline": after_request(wait(LATE + 0.01), NO_CONTENT),
    "kept: never answers again": answer_once(after_request(hang)),
    "kept: closes": answer_once(after_request(closing)),
    "kept: drips": answer_once(after_request(dripping(NO_CONTENT * 9))),
    "kept: reads nothing more": answer_once(hang),
}


class Listening:
    """Serves each connection on a thread. `raw` gets the connection before TLS."""

    def __init__(self, serve, context=None, raw=None):
        self.serve, self.context, self.raw = serve, context, raw
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        try:
            if self.raw:
                self.raw(connection)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            self.serve(connection)
        except OSError:
            pass
        finally:
            connection.close()


def relaying(port, forward):
    """A proxy between the client and a TLS server of the test. `forward` sends the server's bytes to the client."""
    def serve(connection):
        with socket.create_connection(("127.0.0.1", port)) as up:
            def send():
                try:
                    while piece := connection.recv(65536):
                        up.sendall(piece)
                except OSError:
                    pass
            threading.Thread(target=send, daemon=True).start()
            passed = 0
            while piece := up.recv(65536):
                passed = forward(connection, piece, passed)
    return serve


def drip_on(connection, piece, passed):
    drip(connection, piece, 0.001)
    return passed


def stop_after(limit):
    def forward(connection, piece, passed):
        connection.sendall(piece[:max(0, limit - passed)])
        if passed + len(piece) > limit:
            time.sleep(FOREVER)
        return passed + len(piece)
    return forward


def late_by(seconds):
    def forward(connection, piece, passed):
        if not passed:
            time.sleep(seconds)
        connection.sendall(piece)
        return passed + len(piece)
    return forward


def record(kind, body):
    return struct.pack(">BHH", kind, 0x0303, len(body)) + body


def make_certificate(folder):
    certificate, key = f"{folder}/cert.pem", f"{folder}/key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{folder}/ca.key",
         "-out", f"{folder}/ca.pem", "-days", "2", "-subj", "/CN=authority"], check=True, capture_output=True)
    subprocess.run(
        ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", f"{folder}/csr",
         "-subj", "/CN=server"], check=True, capture_output=True)
    pathlib.Path(f"{folder}/ext").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    subprocess.run(
        ["openssl", "x509", "-req", "-in", f"{folder}/csr", "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key", "-CAcreateserial",
         "-days", "2", "-extfile", f"{folder}/ext", "-out", certificate], check=True, capture_output=True)
    return certificate, key


def serve_all(folder, out):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_certificate(folder))
    ports = {("HTTP", name): Listening(serve).port for name, serve in SERVERS.items()}
    ports |= {("TLS", name): Listening(serve, context).port for name, serve in SERVERS.items()}
    good = Listening(after_request(NO_CONTENT), context).port
    hang_inside = Listening(after_request(hang), context).port
    for name, serve in {
        "handshake never begins": hang,
        "handshake drips": relaying(good, drip_on),
        "handshake stops in ServerHello": relaying(good, stop_after(50)),
        "handshake stops in the certificate": relaying(good, stop_after(600)),
        "handshake ends just before the deadline": relaying(hang_inside, late_by(LATE - 0.015)),
        "handshake ends after the deadline": relaying(good, late_by(LATE + 0.005)),
        "noise instead of a handshake": flooding(bytes(range(256)) * 256),
        "alerts flood": flooding(record(21, b"\x01\x5a") * 999),
        "empty records flood": flooding(record(22, b"") * 999),
        "resets in the handshake": lambda c: (c.recv(9), resetting(c)),
    }.items():
        ports["TLS", name] = Listening(serve).port
    out.send(ports)
    time.sleep(FOREVER)


def spin():
    while True:
        pass


def control():
    start = time.monotonic()
    reader, writer = os.pipe()
    poller = select.poll()
    poller.register(reader, select.POLLIN)
    poller.poll(BUDGET_MS)
    os.close(reader)
    os.close(writer)
    return (time.monotonic() - start) * 1000 - BUDGET_MS


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    from esales_notify import Client, NotifyError, Visitor, new_key

    folder = tempfile.mkdtemp()
    reports, out = multiprocessing.Pipe(duplex=False)
    others = [multiprocessing.Process(target=serve_all, args=(folder, out), daemon=True)]
    others[0].start()
    ports = reports.recv()
    others += [multiprocessing.Process(target=spin, daemon=True) for _ in range(os.cpu_count() or 1)]
    for process in others[1:]:
        process.start()
    visitor, worst, waited = Visitor.anonymous(new_key(), new_key()), {}, []
    for _ in range(arguments.rounds):
        waited += [control() for _ in range(4)]
        for (scheme, name), port in ports.items():
            if arguments.only not in f"{scheme} {name}":
                continue
            options = {"base_url": f"http{'s' if scheme == 'TLS' else ''}://127.0.0.1:{port}", "market": "UK", "proxy": "",
                       "timeout_ms": BUDGET_MS, "backoff_ms": 10}
            if scheme == "TLS":
                options["ca_file"] = f"{folder}/ca.pem"
            with Client(**options) as client:
                for _ in range(2):
                    start = time.monotonic()
                    try:
                        outcome = client.notify_add_to_cart(visitor, "t" * 8000).status
                    except NotifyError as error:
                        outcome = error.name
                    took = (time.monotonic() - start) * 1000 - BUDGET_MS
                    if took > worst.get((scheme, name), (-BUDGET_MS - 1, ""))[0]:
                        worst[scheme, name] = took, outcome
    for process in others:
        process.kill()
    print(f"control: poll() ran over by {max(waited):.0f} ms at most, {sorted(waited)[len(waited) // 2]:.0f} ms in the median")
    late = False
    for scheme in ("HTTP", "TLS"):
        of_scheme = {name: value for (its, name), value in worst.items() if its == scheme}
        for name, (over, outcome) in sorted(of_scheme.items(), key=lambda item: -item[1][0]):
            print(f"{scheme:4} {over:+7.0f} ms  {name}: {outcome}")
            late |= over > PROMISE_MS
    for scheme in ("HTTP", "TLS"):
        of_scheme = [over for (its, _), (over, _) in worst.items() if its == scheme]
        if of_scheme:
            print(f"{scheme}: {len(of_scheme)} kinds, timeout_ms {max(of_scheme):+.0f} ms at most")
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
