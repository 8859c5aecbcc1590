"""Hosts in Python that fork and start processes: python python_fork.py NAME ARGUMENTS

It prints each accepted id at once, on a line of stdout; ESALES_* has the options. It fails if a child fails, and
leaves no child.
"""

import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import threading

from esales_notify import Client, Visitor

VISITOR = Visitor.anonymous("d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784", "UK")
LIMIT_S = 120
IN_FILE = "ESALES_SPOOL" in os.environ
client = Client()


def took(id):
    """Prints in one write, because several processes and threads print."""
    os.write(1, f"{id}\n".encode())


def tell(number, name):
    """Every second notification is enqueued."""
    call = client.notify_add_to_cart if number % 2 else client.enqueue_add_to_cart
    took(call(VISITOR, "ticket", f"{name}-{number}").id)


class Busy:
    """Threads that send and enqueue with the program's client, from before the first fork to after the last."""

    def __init__(self, threads):
        self._ends, self._failed, self._has_begun = threading.Event(), [], threading.Barrier(threads + 1)
        self._threads = [threading.Thread(target=self._work, args=(f"parent-{n}",)) for n in range(threads)]

    def _work(self, name):
        try:
            number = 0
            while not self._ends.is_set():
                tell(number, name)
                number += 1
                if number == 2:
                    self._has_begun.wait(LIMIT_S)
        except BaseException as error:
            self._failed.append(error)
            self._has_begun.abort()
            raise

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self._has_begun.wait(LIMIT_S)

    def __exit__(self, *_):
        self._ends.set()
        for thread in self._threads:
            thread.join(LIMIT_S)
            assert not thread.is_alive()
        assert not self._failed, self._failed


def task(number):
    signal.alarm(LIMIT_S)
    tell(number, "task")
    # The pool kills its processes.
    assert IN_FILE or client.flush(LIMIT_S)
    return os.getpid()


def pool(tasks, each):
    """multiprocessing with the method fork; a process ends after `each` tasks."""
    with Busy(3), multiprocessing.get_context("fork").Pool(4, maxtasksperchild=each) as workers:
        pids = workers.map(task, range(tasks), chunksize=1)
        workers.close()
        workers.join()
    assert len(set(pids)) >= tasks // each


def prefork(tasks, each):
    """Like Celery: children take tasks, end after `each` of them or are killed, and are replaced."""
    dice = random.Random(tasks)
    waiting, write = os.pipe()
    os.write(write, b"".join(b"%8d" % number for number in range(tasks)))
    os.close(write)
    children, killed, ended = set(), set(), 0

    def fork():
        pid = os.fork()
        if pid:
            children.add(pid)
            return
        signal.alarm(LIMIT_S)
        code = 0
        for _ in range(each):
            number = os.read(waiting, 8)
            if not number:
                code = 3
                break
            tell(int(number), "task")
        assert IN_FILE or client.flush(LIMIT_S)
        # Some end normally, some with os._exit.
        sys.exit(code) if dice.random() < 0.5 else os._exit(code)

    with Busy(3):
        for _ in range(4):
            fork()
        while children:
            # A queue in memory would end with its child.
            if IN_FILE and dice.random() < 0.3:
                victim = dice.choice(sorted(children))
                os.kill(victim, signal.SIGKILL)
                killed.add(victim)
            pid, status = os.wait()
            children.remove(pid)
            code = os.waitstatus_to_exitcode(status)
            assert code in (0, 3) or (code == -signal.SIGKILL and pid in killed), code
            ended += 1
            if code != 3:
                fork()
    assert ended > tasks // each // 2 and bool(killed) == IN_FILE


def inherited(**options):
    """The targets of the descriptors of a started process, without numbers."""
    command = ["find", "/proc/self/fd", "-type", "l", "-printf", "%l\\n"]
    found = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, **options).stdout
    return sorted(re.sub(r"\d+", "N", name) for name in found.decode().splitlines())


def started(folder, rounds, leaks=""):
    """Threads start processes that inherit everything that they can, while other threads make the library open
    descriptors."""
    ways = [{"close_fds": False}, {"close_fds": False, "start_new_session": True},
            {"close_fds": False, "preexec_fn": os.getpid}, {"close_fds": True}]
    expected = [inherited(**way) for way in ways]
    if leaks:
        os.set_inheritable(os.open(os.path.join(folder, "leaks"), os.O_CREAT | os.O_RDWR), True)
    failed, ends = [], threading.Event()

    def open_again_and_again(name):
        number = 0
        while not ends.is_set():
            # A new connection for each notification, and another spool.
            options = {"base_url": os.environ["ESALES_BASE_URL"], "keep_alive_s": 0, "gate_min_ms": 10}
            with Client(spool=os.path.join(folder, f"{name}-{number % 8}"), **options) as another:
                took(another.notify_add_to_cart(VISITOR, "ticket", f"sent-{name}-{number}").id)
                took(another.enqueue_add_to_cart(VISITOR, "ticket", f"queued-{name}-{number}").id)
                assert another.flush(LIMIT_S)
            number += 1

    def start():
        for _ in range(rounds):
            found = [inherited(**way) for way in ways]
            assert found == expected, found

    def caught(work, *arguments):
        try:
            work(*arguments)
        except BaseException as error:
            failed.append(error)
            raise

    users = [threading.Thread(target=caught, args=(open_again_and_again, n)) for n in range(4)]
    starters = [threading.Thread(target=caught, args=(start,)) for _ in range(4)]
    for thread in users + starters:
        thread.start()
    for thread in starters:
        thread.join()
    ends.set()
    for thread in users:
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    assert not failed, failed


if __name__ == "__main__":
    signal.alarm(4 * LIMIT_S)
    name, *arguments = sys.argv[1:]
    {"pool": pool, "prefork": prefork, "started": started}[name](*(int(a) if a.isdigit() else a for a in arguments))
    assert client.flush(LIMIT_S) and client.stats().is_balanced
    try:
        left = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        pass
    else:
        raise AssertionError(f"a child is left, perhaps as a zombie: {left}")
