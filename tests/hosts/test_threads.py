"""Rare uses of threads: much thread-local data, a main thread that ends first."""

import contextlib
import pathlib
import signal
import subprocess

import pytest

from counting import Service
from environment import CLEAN
from sandbox import TlsSandbox
from waiting import wait_for


@pytest.mark.parametrize("kib", [0, 313, 490, 504, 1024, 4096])
def test_host_delivers_when_it_has_much_static_thread_local_data(compiled, command, library_dir, tmp_path, kib):
    """With a host name and TLS, so that every kind of thread is started: for the look-up, for delivery, for
    callbacks."""
    program = compiled("big_tls.c", f"-DSIZE={max(kib << 10, 8)}", f"-L{library_dir}", "-lesales_notify", f"-Wl,-rpath,{library_dir}",
                       target=f"big_tls_{kib}")
    with TlsSandbox(command, tmp_path / "ca.pem") as sandbox:
        env = {**CLEAN, "ESALES_BASE_URL": sandbox.base_url.replace("127.0.0.1", "localhost"),
               "ESALES_CA_FILE": str(tmp_path / "ca.pem"), "ESALES_TIMEOUT_MS": "60000"}
        done = subprocess.run([program], env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{kib} KiB: {done.returncode} {done.stderr}"
        assert [one["notification"]["id"] for one in sandbox.received()] == ["sent", "enqueued"]


LONG_S = 60


def only_ours_are_left(process):
    """Whether the main thread has ended, and with it every thread of the host."""
    names = []
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        with contextlib.suppress(OSError):
            if ") Z " not in (task / "stat").read_text():
                names.append((task / "comm").read_text())
    return bool(names) and all(name.startswith("esales-") for name in names)


def heed_signals():
    """In the child, because nohup and background shells ignore these signals, and programs inherit that."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def start(compiled, library_dir, tmp_path):
    """Starts main_exits.c, whose queue has a notification that the service does not accept."""
    program = compiled("main_exits.c", f"-L{library_dir}", "-lesales_notify", f"-Wl,-rpath,{library_dir}")
    running = []

    def start(*arguments, in_file, base_url="http://127.0.0.1:9"):
        env = {**CLEAN, "ESALES_BASE_URL": base_url}
        if in_file:
            env["ESALES_SPOOL"] = str(tmp_path / "spool")
        process = subprocess.Popen([program, *arguments], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   preexec_fn=heed_signals)
        running.append(process)
        assert process.stdout.readline() == "ready\n", process.communicate()
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("in_file", [False, True], ids=["memory", "file"])
@pytest.mark.parametrize("who", ["main", "late", "delayed", "early", "bystander"])
def test_sigterm_ends_the_process_when_only_threads_of_the_library_are_left(start, who, in_file):
    process = start(who, in_file=in_file)
    wait_for(lambda: only_ours_are_left(process), "a thread of the host stays", LONG_S)
    process.send_signal(signal.SIGTERM)
    assert process.wait(LONG_S) == -signal.SIGTERM


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGALRM"])
def test_other_signals_end_the_process_when_only_threads_of_the_library_are_left(start, name):
    process = start("main", in_file=True)
    process.send_signal(signal.Signals[name])
    assert process.wait(LONG_S) == -signal.Signals[name]


def test_sigterm_ends_the_process_when_the_host_had_blocked_it_in_threads_that_ended(start):
    process = start("main", str(int(signal.SIGTERM)), in_file=True)
    process.send_signal(signal.SIGTERM)
    assert process.wait(LONG_S) == -signal.SIGTERM


def test_handler_runs_on_a_thread_of_the_host_when_the_main_thread_has_ended(start):
    process = start("handler", in_file=True)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=LONG_S)[0] == "on the host's thread\n"
    assert process.returncode == 7


def test_host_thread_receives_a_signal_by_sigwait_when_the_main_thread_has_ended(start):
    process = start("waiter", in_file=True)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=LONG_S)[0] == f"waited for {int(signal.SIGTERM)}\n"
    assert process.returncode == 7


def test_process_ends_after_the_last_delivery_when_the_host_has_no_thread(start):
    """The exit status is the same as without the library."""
    with Service() as service:
        process = start("main", in_file=False, base_url=service.base_url)
        assert process.wait(LONG_S) == 0
        assert set(service.ids) == {"id"}


@pytest.mark.parametrize("how", ["throw", "pthread_exit"])
@pytest.mark.parametrize("where", ["log", "delivery"])
def test_process_is_aborted_when_a_callback_is_left_without_a_return(compiled, library_dir, where, how):
    """As the header documents: on a thread of the host, which calls the log callback, and on one of the library."""
    program = compiled("leaving_callbacks.cpp", f"-L{library_dir}", "-lesales_notify", f"-Wl,-rpath,{library_dir}")
    env = {**CLEAN, "ESALES_BASE_URL": "http://127.0.0.1:9", "ESALES_MAX_AGE_S": "1"}
    done = subprocess.run([program, where, how], env=env, capture_output=True, text=True, timeout=LONG_S)
    assert done.returncode == -signal.SIGABRT, done.stdout
