"""A spool in a Redis or Valkey server, under load and with faults: real engines, real processes, and an account of
every event."""

import contextlib
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "reliability")]

from accounting import judge  # noqa: E402
from counting import Service  # noqa: E402
from engines import SERVERS, Engine  # noqa: E402
from environment import CLEAN, as_environment  # noqa: E402
from proxy import Proxy  # noqa: E402
from waiting import wait_for  # noqa: E402

LONG_S = int(os.environ.get("FLEET_LONG_S", "120"))
#: How far a call may exceed its time limit, in milliseconds: the promised 100, and the pauses of a busy machine.
#: A call without a time limit waits until the fault ends.
SLACK_MS = 100 + 3000
#: How long it takes until another drainer leads: the lease, and how often a process on standby looks. The machine may be
#: busy.
TAKEOVER_S = 5 + 1 + 20


@pytest.fixture
def stack():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def service(stack):
    return stack.enter_context(Service())


@pytest.fixture(params=list(SERVERS))
def kind(request):
    """The engine of the test: Redis or Valkey."""
    return request.param


@pytest.fixture
def start_engine(stack, tmp_path):
    """Starts an engine with an append-only file, unless the settings differ."""
    count = iter(range(100))

    def start(*settings, server="redis", wait=True, **more):
        engine = Engine(tmp_path / f"engine-{next(count)}", "--appendonly", "yes", *settings, server=server, **more)
        stack.callback(engine.kill)
        return engine.start(wait)

    return start


@pytest.fixture
def start_proxy(stack):
    def start(port):
        proxy = Proxy(port)
        stack.callback(proxy.close)
        return proxy

    return start


class Producer:
    """tests/fleet/producer.py, and the status of each of its calls."""

    def __init__(self, process):
        self.process, self.calls, self.trying, self._answers = process, [], None, queue.Queue()
        self.is_done = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            if "id" in said:
                self.calls.append(said)
                self.trying = None
                if self.is_done.is_set():
                    self._answers.put(said)
            elif "trying" in said:
                self.trying = said["trying"]
            elif "done" in said:
                self.is_done.set()
            elif "started" not in said:
                self._answers.put(said)
        self.is_done.set()
        # Nothing answers any more.
        self._answers.put(None)

    def ask(self, question):
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        answer = self._answers.get(timeout=LONG_S)
        assert answer is not None, f"the producer ended before it answered: {question}"
        return answer

    def finish(self):
        """Waits for the last call."""
        assert self.is_done.wait(LONG_S)
        return self.calls

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        if self.trying:
            self.calls.append({"id": self.trying, "status": "killed", "ms": 0, "detail": ""})
            self.trying = None
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()


@pytest.fixture
def produce(root, library, stack, service):
    """Starts a producer that does not deliver."""

    def start(prefix, first, end, pause_ms=0, **options):
        options = {"base_url": service.base_url, "delivery": "none", "enqueue_timeout_ms": 5000, **options}
        env = {**CLEAN, **as_environment(options), "ESALES_NOTIFY_LIBRARY": str(library),
               "PYTHONPATH": str(root / "bindings/python/src")}
        process = subprocess.Popen(
            [sys.executable, str(HERE / "producer.py"), prefix, str(first), str(end), str(pause_ms)], env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        producer = Producer(process)
        stack.callback(producer.kill)
        return producer

    return start


@pytest.fixture
def drain(command, stack, service, tmp_path):
    """Starts `esales-notify drain`; it is killed after the test."""
    count = iter(range(100))

    def start(**options):
        # It ends if it cannot open the spool within enqueue_timeout_ms, which may be long on a busy machine.
        options = {"base_url": service.base_url, "concurrency": 8, "enqueue_timeout_ms": 30000, **options}
        log = open(tmp_path / f"drain-{next(count)}.log", "w", encoding="utf-8")
        process = subprocess.Popen([str(command), "drain"], env={**CLEAN, **as_environment(options)},
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        process.log = log.name

        def end():
            code = process.poll()
            process.kill()
            process.wait()
            log.close()
            # Unless the test killed it. Otherwise whatever the test waited for would be blamed.
            assert code in (None, -signal.SIGKILL), f"the drainer had ended with {code}: {pathlib.Path(log.name).read_text()}"

        stack.callback(end)
        return process

    return start


@pytest.fixture
def operate(command):
    """Runs a command, such as `queue status`, and returns its output."""

    def run(*arguments, within=(), **options):
        return subprocess.run([*within, str(command), *arguments], env={**CLEAN, **as_environment(options)},
                              capture_output=True, text=True, timeout=LONG_S)

    return run


@pytest.fixture
def status(operate):
    def ask(spool, **options):
        done = operate("queue", "status", "--json", spool=spool, **options)
        assert done.returncode in (0, 5), done
        return json.loads(done.stdout)

    return ask


@pytest.fixture
def settle(service, status):
    """Waits until nothing is pending, and returns the account of the events and the counters."""

    def wait(spool, *producers, **options):
        wait_for(lambda: status(spool, **options)["pending"] == 0, "something stays pending", LONG_S)
        counters = status(spool, **options)
        assert counters["is_balanced"] and counters["faults"] == [], counters
        calls = [call for producer in producers for call in producer.calls]
        return judge(calls, {name: len(times) for name, times in service.ids.items()}), counters

    return wait


def queued(calls):
    return [call["id"] for call in calls if call["status"] == "ESALES_QUEUED"]
