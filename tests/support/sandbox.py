"""The sandbox as a child process, for suites written in Python."""

import json
import ssl
import subprocess
import urllib.request


class Sandbox:
    """`esales-notify sandbox`. It is stopped by its own handle, and when this process ends in any way."""

    def __init__(self, command, *arguments, listen="127.0.0.1:0"):
        self._arguments = [str(command), "sandbox", "--listen", listen, "--json", "--until-stdin-closes",
                           *map(str, arguments)]

    def __enter__(self):
        self._process = subprocess.Popen(self._arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started = self._process.stdout.readline()
        assert started, "the sandbox did not start"
        self.base_url = json.loads(started)["base_url"]
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def _handlers(self):
        return []

    def _ask(self, method, path, body=None):
        # Never through a proxy of the environment, because this is loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *self._handlers())
        request = urllib.request.Request(self.base_url + path, data=body, method=method)
        with opener.open(request) as answer:
            return answer.read()

    def received(self):
        return json.loads(self._ask("GET", "/sandbox/received"))

    def clear(self):
        self._ask("DELETE", "/sandbox/received")

    def status(self):
        return json.loads(self._ask("GET", "/sandbox/status"))

    def script(self, answers):
        self._ask("PUT", "/sandbox/script", answers.encode())


class TlsSandbox(Sandbox):
    """A sandbox with TLS. `ca_file` is written when it starts."""

    def __init__(self, command, ca_file):
        super().__init__(command, "--tls", "--ca-file", ca_file)
        self.ca_file = ca_file

    def _handlers(self):
        return [urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self.ca_file)))]
