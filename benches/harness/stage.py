"""The environment of the benchmarks: compiled workers, certificates, nginx and the slow reader, all in one folder
and on loopback."""

import contextlib
import os
import pathlib
import random
import shutil
import socket
import subprocess
import time

from .measure import environment, pinned

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKERS = ROOT / "benches/workers"
ADD_TO_CART = "/api/v1/notifications/adding-to-cart"
BODY_SIZE = 350

# keepalive_requests: with nginx's default of 1000, every thousandth sample would have a new connection.
NGINX = """\
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/tmp;
    fastcgi_temp_path {folder}/tmp;
    proxy_temp_path {folder}/tmp;
    scgi_temp_path {folder}/tmp;
    uwsgi_temp_path {folder}/tmp;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    # As in today's services. The default of this nginx has no TLS 1.3.
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    server {{
        listen 127.0.0.1:{http} backlog=1024;
        listen 127.0.0.1:{https} ssl backlog=1024;
        location / {{ return 204; }}
    }}
}}
"""


def body():
    """Returns the body that the library makes, and its ticket. The size is that of the first measurements."""
    def text(ticket):
        return (
            '{"market":"UK","customerKey":"d9528030-509c-4e0f-b585-7168f1e9feca",'
            '"sessionKey":"b106299c-eac0-4f6f-96d2-93e57c255784","id":"22ff97fa-b635-4527-9318-dd9116fbfe91",'
            f'"ticket":"{ticket}"}}'
        )
    ticket = "Oy9keW5hbWljLXBhZ2Vz" * 20
    ticket = ticket[: BODY_SIZE - len(text(""))]
    return text(ticket), ticket


def free_port():
    """A free port below the system's range for automatic ports, so that no other program gets it before the server
    binds it."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.randrange(10000, 32768)))
            return probe.getsockname()[1]


def wait_for(condition, what, seconds=30):
    """Polls: there is no event to wait for in another process."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(what)
        time.sleep(0.02)


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Stage:
    """Everything that the sections need. `with` starts the servers, and stops them by their handles."""

    def __init__(self, library, command, effort, say, is_baseline=False):
        self.library, self.command = pathlib.Path(library).resolve(), pathlib.Path(command).resolve()
        self.effort, self.say, self.is_baseline = effort, say, is_baseline
        self.folder = ROOT / "target/bench"
        # The last CPU, because the first one often serves the interrupts.
        self.cpu = max(os.sched_getaffinity(0))
        self.body, self.ticket = body()
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "tmp").mkdir(exist_ok=True)
        self._make_library_folder()
        self._make_certificates()
        with self._stack:
            self.http, self.https = self._start_nginx()
            self._keep = self._stack.pop_all()
        return self

    def __exit__(self, *_):
        self._keep.close()

    def _make_library_folder(self):
        """Installs the library under its SONAME and under the name for -l."""
        self.library_folder = self.folder / "lib"
        self.library_folder.mkdir(exist_ok=True)
        for name in ("libesales_notify.so.0", "libesales_notify.so"):
            link = self.library_folder / name
            link.unlink(missing_ok=True)
            link.symlink_to(self.library)

    def _make_certificates(self):
        """Makes an authority and a server's certificate, both P-256, and a copy of the system's CA bundle with the
        authority."""
        self.ca, self.bundle = self.folder / "ca.pem", self.folder / "bundle.pem"
        config = self.folder / "openssl.cnf"
        config.write_text("[req]\ndistinguished_name = dn\n[dn]\n")
        common = ["openssl", "req", "-x509", "-config", str(config), "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                  "-nodes", "-days", "30"]
        for more in (
            ["-subj", "/CN=esales-notify bench authority", "-keyout", "ca.key", "-out", "ca.pem",
             "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"],
            ["-subj", "/CN=127.0.0.1", "-keyout", "server.key", "-out", "server.pem", "-CA", "ca.pem", "-CAkey", "ca.key",
             "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE",
             "-addext", "extendedKeyUsage=serverAuth"],
        ):
            subprocess.run([*common, *more], cwd=self.folder, check=True, capture_output=True)
        self.bundle.write_text(pathlib.Path("/etc/ssl/certs/ca-certificates.crt").read_text() + self.ca.read_text())

    def start(self, *command, **options):
        """Starts a server on the common CPU. It is stopped with the stage."""
        process = subprocess.Popen(pinned(self.cpu, *command), env=environment({}), **options)
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        return process

    def _start_nginx(self):
        http, https = free_port(), free_port()
        user = "user root root;" if os.geteuid() == 0 else ""
        config = self.folder / "nginx.conf"
        config.write_text(NGINX.format(user=user, folder=self.folder, http=http, https=https))
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        process = self.start(nginx, "-p", self.folder, "-c", config)
        wait_for(lambda: process.poll() is None and listens(http) and listens(https), "nginx does not start")
        return http, https

    @contextlib.contextmanager
    def reader(self):
        """The port of the server that reads the whole request first."""
        process = subprocess.Popen(pinned(self.cpu, self.compiled("reader", "-pthread")), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait()
            process.stdout.close()

    def compiled(self, name, *flags):
        """Compiles a C worker. A worker that links the library uses the library under test."""
        program = self.folder / name
        source = WORKERS / f"{name}.c"
        subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", str(source), "-o",
                        str(program), *flags], check=True)
        return program

    def notify(self):
        return self.compiled("notify", f"-L{self.library_folder}", f"-Wl,-rpath,{self.library_folder}", "-lesales_notify")

    def peers(self):
        return self.compiled("peers", "-lcurl")

    def base_url(self, scheme):
        return f"{scheme}://127.0.0.1:{self.port(scheme)}"

    def port(self, scheme):
        return self.https if scheme == "https" else self.http

    def variables(self, scheme, port=None):
        """The environment of a worker, the library's or a peer's."""
        port = port or self.port(scheme)
        base = f"{scheme}://127.0.0.1:{port}"
        known = {
            "BENCH_URL": base + ADD_TO_CART, "BENCH_PORT": port, "BENCH_BODY": self.body, "BENCH_TICKET": self.ticket,
            "ESALES_BASE_URL": base, "ESALES_NOTIFY_LIBRARY": self.library,
        }
        if scheme == "https":
            known.update(BENCH_CA=self.ca, ESALES_CA_FILE=self.ca)
        return known

    @staticmethod
    def python():
        """The Python interpreter with the peers, installed by tools/install-test-tools.sh."""
        return ROOT / "target/bench-venv/bin/python"
