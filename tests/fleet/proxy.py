"""A proxy between a client and an engine, or between two engines, which can misbehave on request."""

import contextlib
import selectors
import socket
import struct
import threading
import time


class Proxy:
    """Forwards bytes. `mode`: "pass"; "hole": reads everything and forwards nothing; "drip": one byte of a reply at a
    time; or a number: that many bytes of replies, then a reset."""

    def __init__(self, port):
        self.target, self.mode, self.passed = port, "pass", 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._open, self._lock, self._stops = set(), threading.Lock(), False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError), client, socket.create_connection(("127.0.0.1", self.target)) as server:
            with self._lock:
                self._open |= {client, server}
            selector = selectors.DefaultSelector()
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while not self._stops:
                for key, _ in selector.select(0.05):
                    if self.mode == "hole":
                        time.sleep(0.01)
                        continue
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    if key.fileobj is server and not self._answer(client, data):
                        return
                    if key.fileobj is client:
                        server.sendall(data)

    def _answer(self, client, data):
        if self.mode == "drip":
            for byte in data:
                client.sendall(bytes([byte]))
                time.sleep(0.3)
        elif isinstance(self.mode, int):
            left = max(0, self.mode - self.passed)
            client.sendall(data[:left])
            self.passed += len(data[:left])
            if left < len(data):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
        else:
            client.sendall(data)
        return True

    def cut(self):
        """Closes every connection."""
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._stops = True
        # A close alone does not end `accept`, which would accept a connection of the next test's proxy: its listener gets the
        # same descriptor.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.cut()
