"""A service that counts requests without keeping them, and can fail on request."""

import contextlib
import http
import json
import socket
import socketserver
import sys
import threading
import time

import httptools
from waiting import wait_for

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


class Service:
    """Answers with `status` and `headers`. `ids` has a list of arrival times for every id, and `bodies` the bodies.
    Malformed requests are in `defects`, which fail the test that stops the service."""

    def __init__(self, status=204, headers=None, port=0, host="127.0.0.1"):
        self.status, self.headers = status, headers or {}
        self.ids, self.bodies, self.times, self.defects = {}, {}, [], []
        self._lock = threading.Lock()
        self._connections = set()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            """One connection, read by the parser of Node.js: http.server takes a third of a millisecond for a request."""

            def setup(self):
                self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.parser = httptools.HttpRequestParser(self)
                self.has_ended = False

            def handle(self):
                # A killed sender or a relay may cut the request off, in the headers or in the body.
                while not self.has_ended and (received := self.request.recv(65536)):
                    self.parser.feed_data(received)

            def on_message_begin(self):
                self.body = b""

            def on_body(self, part):
                self.body += part

            def on_message_complete(self):
                self.has_ended = not self.parser.should_keep_alive()
                # GET is used by `rest`: a connection that is answered was accepted after all earlier ones.
                self.request.sendall(NO_CONTENT if self.parser.get_method() == b"GET" else outer._answer_to(self.body))

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            request_queue_size = 128

            def process_request(self, request, client_address):
                with outer._lock:
                    outer._connections.add(request)
                super().process_request(request, client_address)

            def shutdown_request(self, request):
                with outer._lock:
                    outer._connections.discard(request)
                super().shutdown_request(request)

            def handle_error(self, *_):
                """A client that was killed breaks its connection; anything else is a defect."""
                error = sys.exc_info()[1]
                # The parser's own error is about the function that failed.
                error = error.__context__ or error
                if not isinstance(error, OSError):
                    with outer._lock:
                        outer.defects.append(repr(error))

        self.server = Server((host, port), Handler)
        self.port = self.server.server_address[1]
        self.base_url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def _answer_to(self, body):
        arrived = time.monotonic()
        with self._lock:
            self.times.append(arrived)
            status, headers = self.answer()
            if status == 204:
                sent = json.loads(body)
                # A payment has no id: spooler.c puts it into the product key.
                identity = sent.get("id") or sent["lines"][0]["productKey"]
                self.ids.setdefault(identity, []).append(arrived)
                if self.bodies.setdefault(identity, body) != body:
                    self.defects.append(f"{identity} came with other bytes: {body!r}, {self.bodies[identity]!r}")
        self.before_answer()
        if status == 204 and not headers:
            return NO_CONTENT
        lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        if status != 204:
            lines.append("Content-Length: 0")
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()

    def answer(self):
        """The status and the headers of the next answer. The lock is held."""
        return self.status, self.headers

    def before_answer(self):
        """Called when a request was counted, and is not answered yet."""

    def tell(self, status, **headers):
        with self._lock:
            self.status, self.headers = status, {k.replace("_", "-"): v for k, v in headers.items()}

    def rest(self):
        """Waits until all requests of clients that have ended have arrived."""
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while last.recv(4096):
                pass
        wait_for(lambda: not self._connections, "somebody still sends")

    def __enter__(self):
        return self

    def __exit__(self, exception, *_):
        self._close()
        # A failed test has its own message.
        assert exception or not self.defects, self.defects

    def stop(self):
        """Closes the connections, and refuses new ones from now on."""
        self._close()
        assert not self.defects, self.defects

    def _close(self):
        if self._thread.is_alive():
            self.server.shutdown()
            self.server.server_close()
            self._thread.join()
            with self._lock:
                connections = list(self._connections)
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
