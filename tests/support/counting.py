"""A service that counts requests without keeping them, and can fail on request."""

import contextlib
import http.server
import json
import socket
import sys
import threading
import time

from waiting import wait_for


class Service:
    """Answers with `status` and `headers`. `ids` has a list of arrival times for every id, and `bodies` the bodies.
    Malformed requests are in `defects`, which fail the test that stops the service."""

    def __init__(self, status=204, headers=None, port=0, host="127.0.0.1"):
        self.status, self.headers = status, headers or {}
        self.ids, self.bodies, self.times, self.defects = {}, {}, [], []
        self._lock = threading.Lock()
        self._connections = set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                """Used by `rest`: a connection that is answered was accepted after all earlier ones."""
                self.send_response(204)
                self.end_headers()

            def do_POST(self):
                # A killed sender or a relay may cut the request off, in the headers or in the body.
                length = int(self.headers.get("content-length") or -1)
                body = self.rfile.read(max(length, 0))
                arrived = time.monotonic()
                if len(body) != length:
                    self.close_connection = True
                    return
                with outer._lock:
                    outer.times.append(arrived)
                    status, headers = outer.answer()
                    if status == 204:
                        sent = json.loads(body)
                        # A payment has no id: spooler.c puts it into the product key.
                        identity = sent.get("id") or sent["lines"][0]["productKey"]
                        outer.ids.setdefault(identity, []).append(arrived)
                        if outer.bodies.setdefault(identity, body) != body:
                            outer.defects.append(f"{identity} came with other bytes: {body!r}, {outer.bodies[identity]!r}")
                outer.before_answer()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
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
                if not isinstance(error, OSError):
                    with outer._lock:
                        outer.defects.append(repr(error))

        self.server = Server((host, port), Handler)
        self.port = self.server.server_address[1]
        self.base_url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

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
