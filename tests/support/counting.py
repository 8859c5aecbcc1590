"""A service of our own that counts requests without keeping them, and can be told to fail."""

import contextlib
import http.server
import json
import socket
import threading
import time


class Service:
    """Answers with `status` and `headers`; `ids` has a list of arrival times for every id."""

    def __init__(self, status=204, headers=None, port=0):
        self.status, self.headers = status, headers or {}
        self.ids, self.bodies, self.times = {}, {}, []
        self._lock = threading.Lock()
        self._connections = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                with outer._lock:
                    outer._connections.append(self.connection)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                arrived = time.monotonic()
                with outer._lock:
                    outer.times.append(arrived)
                    status, headers = outer.status, outer.headers
                    if status == 204:
                        identity = json.loads(body)["id"]
                        outer.ids.setdefault(identity, []).append(arrived)
                        assert outer.bodies.setdefault(identity, body) == body, "the same id with other bytes"
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

            def handle_error(self, *_):
                """A client that was killed."""

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def tell(self, status, **headers):
        with self._lock:
            self.status, self.headers = status, {k.replace("_", "-"): v for k, v in headers.items()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Its connections are closed, and new ones refused from now on."""
        if self._thread.is_alive():
            self.server.shutdown()
            self.server.server_close()
            self._thread.join()
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def wait_for(condition, what, seconds=60):
    """Polls: there is no event to wait for in another process."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
