"""A C host that uses dlopen, forks in every way, and unloads the library: nothing leaks, nothing hangs, and every
accepted notification arrives."""

import itertools
import os
import re
import signal
import subprocess

import pytest

from counting import Service
from environment import CLEAN
from sandbox import Sandbox, TlsSandbox
from waiting import wait_for

# The allowed growth of memory after the warm-up. It is measured in pages, and threads come and go.
FLAT_KIB = 512
LONG_S = 500


def run(program, *arguments, env):
    """Its stdout and stderr; if it hangs, it and its children are killed."""
    process = subprocess.Popen([str(program), *map(str, arguments)], env=env, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True)
    try:
        out, err = process.communicate(timeout=LONG_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    assert process.returncode == 0, err
    return out, err


def all_arrived(service, out, once=True):
    ids = out.split()
    assert ids and len(set(ids)) == len(ids)
    lost = set(ids) - set(service.ids)
    assert not lost, f"{len(lost)} lost, such as {sorted(lost)[:5]}"
    assert set(service.ids) == set(ids), "something arrived that was not accepted"
    twice = [id for id, times in service.ids.items() if len(times) > 1]
    assert not (once and twice), twice[:5]


def flat(words):
    """Growth in KiB, and in descriptors for each third of the rounds: a thread that begins late may add its connection to one
    of them, and what leaks grows in each."""
    memory, open_files = zip(*((int(kib), int(count)) for kib, count in re.findall(r"^flat: (\d+) (\d+)$", words, re.M)))
    assert len(memory) >= 4
    return memory[-1] - memory[0], min(after - before for before, after in itertools.pairwise(open_files))


@pytest.fixture
def service():
    with Service() as service:
        yield service


@pytest.fixture
def environment(library, service):
    return {**CLEAN, "HOST_LIBRARY": str(library), "ESALES_BASE_URL": service.base_url}


def test_memory_stays_flat_when_the_library_is_loaded_and_unloaded_many_times(compiled, environment, service, soak, capsys):
    rounds = 100_000 if soak else 10_000
    out, err = run(compiled("native_load.c"), 500, rounds, env=environment)
    all_arrived(service, out)
    with capsys.disabled():
        print(f"\n  {rounds} rounds of dlopen, use, dlclose: {flat(err)[0]} KiB, {flat(err)[1]} descriptors more")
    assert flat(err)[0] <= FLAT_KIB and flat(err)[1] <= 0, err


def test_memory_check_fails_when_a_host_leaks(compiled, environment, service):
    out, err = run(compiled("native_load.c"), 500, 5000, "leak", env=environment)
    all_arrived(service, out)
    assert flat(err)[0] > FLAT_KIB, err


def test_library_can_be_loaded_and_unloaded_by_many_threads(compiled, environment, service, soak):
    out, _ = run(compiled("native_load.c"), "threads", 16, 2000 if soak else 100, env=environment)
    all_arrived(service, out)


def test_every_kind_of_forked_child_delivers_while_threads_are_busy(compiled, environment, service, soak, tmp_path, capsys):
    """Plain, double, from a thread, then exec, then threads of the child; in memory and with a spool. native_fork.c
    checks that an exec'd program has no descriptor of the library and the parent no zombie."""
    rounds = 3000 if soak else 1000
    out, err = run(compiled("native_fork.c"), "forks", 120, rounds, tmp_path / "spool", env=environment)
    # A child that ends during a delivery from the spool leaves its requests in flight, which are sent again.
    all_arrived(service, out, once=False)
    for who in ("child", "grandchild", "thread", "before-exec", "parent-sent", "parent-enqueued"):
        assert f"\n{who}-" in out, who
    with capsys.disabled():
        print(f"\n  {rounds} forks: {flat(err)[0]} KiB, {flat(err)[1]} descriptors more in the parent")
    # On purpose a queue remembers its last 20,000 receipts, and a spool its last 1,000 producers; each child is one.
    assert flat(err)[0] <= FLAT_KIB + 4096 and flat(err)[1] <= 0, err


def test_memory_check_fails_when_a_forking_parent_leaks(compiled, environment, tmp_path):
    _, err = run(compiled("native_fork.c"), "forks", 30, 150, tmp_path / "spool", "leak", env=environment)
    assert flat(err)[0] > FLAT_KIB and flat(err)[1] >= 50, err


def test_call_of_a_forked_child_ends_when_the_fork_interrupts_a_look_up(compiled, environment, service, soak, capsys):
    """A new connection for each notification, by four threads of the parent and by the child. glibc's locks stay locked
    in the child if a thread of the parent had them."""
    env = {**environment, "ESALES_BASE_URL": f"http://localhost:{service.port}", "ESALES_DNS_CACHE_S": "0",
           "ESALES_KEEP_ALIVE_S": "0", "ESALES_TIMEOUT_MS": "20000"}
    rounds = 1000 if soak else 100
    out, err = run(compiled("native_fork.c"), "resolve", rounds, env=env)
    all_arrived(service, out)
    unable = int(re.search(r"^unable: (\d+)$", err, re.M)[1])
    assert len({f"child-{n}" for n in range(rounds)} & set(out.split())) == rounds - unable
    with capsys.disabled():
        print(f"\n  {unable} of {rounds} forked children could not look names up")
    assert unable <= rounds // 50


@pytest.mark.parametrize("in_file", [False, True], ids=["memory", "file"])
def test_daemonised_process_keeps_sending_and_enqueueing(compiled, environment, service, tmp_path, in_file):
    """Double fork, setsid, all descriptors closed: the daemon continues to send and enqueue."""
    report = tmp_path / "report"
    out, _ = run(compiled("native_fork.c"), "daemon", tmp_path / "spool" if in_file else "-", report, env=environment)
    wait_for(lambda: report.exists() and report.read_text().endswith(("done\n", "failed\n")), "the daemon hangs", 120)
    *ids, end = report.read_text().split()
    assert end == "done" and len(ids) == 10, report.read_text()
    all_arrived(service, out + "\n".join(ids))


@pytest.mark.parametrize("in_file", [False, True], ids=["memory", "file"])
def test_forked_child_sends_when_the_fork_interrupts_the_first_use(compiled, command, environment, soak, tmp_path, in_file):
    """The process forks during the initialisation of TLS and of a spool."""
    with TlsSandbox(command, tmp_path / "ca.pem") as sandbox:
        env = {**environment, "ESALES_BASE_URL": sandbox.base_url, "ESALES_CA_FILE": str(tmp_path / "ca.pem"),
               "ESALES_TIMEOUT_MS": "60000", "ESALES_ENQUEUE_TIMEOUT_MS": "60000"}
        if in_file:
            env["ESALES_SPOOL"] = str(tmp_path / "spool")
        taken, received = [], []
        # A sandbox remembers 10,000.
        rounds = 1000 if soak else 150
        for seed, longest_us in itertools.product(range(5 if soak else 1), (300, 3000)):
            out, _ = run(compiled("native_fork.c"), "first", rounds, longest_us, seed, env=env)
            # Ids contain the process id, which the system reuses at some time.
            assert len(out.split()) == 4 * rounds
            taken += out.split()
            received += [one["notification"]["id"] for one in sandbox.received()]
            sandbox.clear()
        if in_file:
            # The delivering process may end meanwhile, and another one sends its requests again.
            taken, received = set(taken), set(received)
        assert sorted(received) == sorted(taken)


@pytest.mark.parametrize("uses_tls", [False, True], ids=["http", "https"])
def test_forked_child_delivers_when_the_fork_interrupts_any_allocation_of_the_first_use(
        compiled, command, environment, tmp_path, capsys, uses_tls):
    """A value that a library keeps for the whole process must not stay half-made in the child."""
    with TlsSandbox(command, tmp_path / "ca.pem") if uses_tls else Sandbox(command) as sandbox:
        env = {**environment, "ESALES_BASE_URL": sandbox.base_url, "ESALES_TIMEOUT_MS": "60000"}
        if uses_tls:
            env["ESALES_CA_FILE"] = str(tmp_path / "ca.pem")
        out, err = run(compiled("fork_in_allocation.c"), env=env)
        allocations = int(re.fullmatch(r"allocations: (\d+)\n", err)[1])
        assert allocations > 50
        with capsys.disabled():
            print(f"\n  forked at each of {allocations} allocations")
        taken = out.split()
        assert len(taken) == 4 * allocations + 2
        assert sorted(one["notification"]["id"] for one in sandbox.received()) == sorted(taken)


def test_worker_without_rights_uses_the_ca_file_that_its_master_read(compiled, command, environment, tmp_path):
    """A server starts as root, reads the ca_file, which only root may read, and its workers drop the rights."""
    ca_file = tmp_path / "ca.pem"
    with TlsSandbox(command, ca_file) as sandbox:
        ca_file.chmod(0o600)
        env = {**environment, "ESALES_BASE_URL": sandbox.base_url, "ESALES_CA_FILE": str(ca_file), "ESALES_TIMEOUT_MS": "60000"}
        out, _ = run(compiled("native_fork.c"), "worker", env=env)
        assert out.split() == ["master-0", "worker-0", "worker-1", "worker-2"]


# --- loading alone ---

ENVIRONMENTS = [
    {},
    {"ESALES_BASE_URL": "http://127.0.0.1:9", "ESALES_SPOOL": "/nowhere/spool", "ESALES_DELIVERY": "background"},
    {"ESALES_TIMEOUT_MS": "not a number", "ESALES_CA_FILE": "/nowhere/ca.pem", "http_proxy": "http://127.0.0.1:9"},
    {"RUST_BACKTRACE": "full", "RUST_LOG": "trace", "RUST_MIN_STACK": "1", "SSL_CERT_FILE": "/nowhere"},
]


def calls_while_loading(program, library, env, trace):
    """The system calls from the mark before dlopen to the process's end, as far as they are not addresses and sizes. Mapping
    the file, in as many parts as it has, is one step."""
    run("strace", "-f", "-o", trace, program, library, env=env)
    text = trace.read_text()
    calls = []
    for line in text[text.index('"begin"'):].splitlines()[1:]:
        line = line.split(None, 1)[1]
        if line.startswith("+++"):
            calls.append(line)
            continue
        name = line.split("(", 1)[0]
        paths = re.findall(r'"(/[^"]*)"', line)
        call = (name, *("LIBRARY" if path == str(library) else path for path in paths))
        if name == "mmap" and re.search(r"MAP_FIXED|MAP_PRIVATE\|MAP_DENYWRITE, \d", line):
            call = ("map a part of a file",)
            if calls[-1] == call:
                continue
        calls.append(call)
    return calls


def test_loading_the_library_has_no_side_effect(compiled, library, tmp_path):
    program = compiled("load_only.c")
    (tmp_path / "empty.c").touch()
    empty = tmp_path / "empty.so"
    dynamic = subprocess.run(["readelf", "-d", library], check=True, capture_output=True, text=True).stdout
    needed = [f"-l:{name}" for name in re.findall(r"NEEDED.*\[(.*)\]", dynamic)]
    subprocess.run(["gcc", "-shared", tmp_path / "empty.c", "-Wl,--no-as-needed", "-nodefaultlibs", *needed, "-o", empty], check=True)
    nothing = calls_while_loading(program, empty, CLEAN, tmp_path / "trace")
    assert ("openat", "LIBRARY") in nothing and ("exit_group",) in nothing
    for extra in ENVIRONMENTS:
        assert calls_while_loading(program, library, {**CLEAN, **extra}, tmp_path / "trace") == nothing, extra


def test_side_effect_check_fails_when_a_library_has_one(compiled, tmp_path):
    program = compiled("load_only.c")
    sources = {
        "nothing": "",
        "reads a file": '#include <fcntl.h>\n__attribute__((constructor)) static void at_load(void) { (void)open("/etc/hosts", 0); }',
        "a thread": "#include <pthread.h>\nstatic void *f(void *p) { return p; }\n"
                    "__attribute__((constructor)) static void at_load(void) { pthread_t t; pthread_create(&t, 0, f, 0); pthread_join(t, 0); }",
        "a handler": "#include <signal.h>\n__attribute__((constructor)) static void at_load(void) { signal(SIGPIPE, SIG_IGN); }",
        "atexit": '#include <stdlib.h>\n#include <unistd.h>\nstatic void end(void) { (void)!write(-1, "", 0); }\n'
                  "__attribute__((constructor)) static void at_load(void) { atexit(end); }",
    }
    seen = {}
    for name, source in sources.items():
        (tmp_path / "guest.c").write_text(source)
        subprocess.run(["gcc", "-shared", "-fPIC", tmp_path / "guest.c", "-o", tmp_path / "guest.so"], check=True)
        seen[name] = calls_while_loading(program, tmp_path / "guest.so", CLEAN, tmp_path / "trace")
    for name in sources:
        assert (seen[name] == seen["nothing"]) == (name == "nothing"), name
