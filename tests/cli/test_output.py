"""Every command with a closed reader, as with `| head -1`, and with output that cannot be written."""

import json
import os
import re
import resource
import subprocess
import urllib.request

import pytest
from environment import CLEAN

EXAMPLE = ["--market", "UK", "--customer-key", "d9528030-509c-4e0f-b585-7168f1e9feca",
           "--session-key", "b106299c-eac0-4f6f-96d2-93e57c255784", "--ticket", "abc"]


class Unread:
    """Runs the command with pipes whose readers are closed."""

    def __init__(self, command):
        self.command = str(command)

    def __call__(self, *arguments, streams=("stdout", "stderr"), env=None):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            unread = {stream: writer for stream in streams}
            read = {stream: subprocess.PIPE for stream in ("stdout", "stderr") if stream not in streams}
            return subprocess.run([self.command, *map(str, arguments)], **unread, **read, text=True, timeout=60,
                                  env={**CLEAN, **(env or {})})
        finally:
            os.close(writer)


@pytest.fixture
def unread(command):
    return Unread(command)


def subcommands(command, path=()):
    """Every command and subcommand, from the help texts."""
    help_text = subprocess.run([str(command), *path, "--help"], capture_output=True, text=True, check=True, env=CLEAN).stdout
    yield path
    listed = re.split(r"\n(?:Commands|Kinds):\n", help_text)[1:]
    for name in re.findall(r"^  ([a-z-]+)\s", "".join(listed).split("\n\n")[0], re.MULTILINE):
        if name != "help":
            yield from subcommands(command, (*path, name))


def test_help_exits_0_when_its_output_is_not_read(command, unread):
    paths = list(subcommands(command))
    assert {("send", "payment"), ("queue", "dead", "retry"), ("doctor",), ("sandbox",), ("demo",)} <= set(paths)
    for path in paths:
        for flag in ("-h", "--help"):
            assert unread(*path, flag).returncode == 0, (path, flag)
        assert unread("help", *path).returncode == 0, path
    assert unread("--version").returncode == 0


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["send"], ["queue"], ["drain"], ["sandbox", "--tls", "best"],
                                       ["sandbox", "--listen", "192.0.2.1:1"], ["completions"],
                                       ["demo", "--run", "no-equals-sign"]])
def test_command_exits_2_on_wrong_usage_when_its_output_is_closed(unread, arguments):
    assert unread(*arguments).returncode == 2


@pytest.mark.parametrize("streams", [["stdout"], ["stderr"], ["stdout", "stderr"]])
@pytest.mark.parametrize("answers, code", [("204", 0), ("400", 3), ("503:times=3", 4)])
def test_send_exits_by_outcome_when_its_output_is_not_read(unread, sandbox, answers, code, streams):
    for form in ([], ["--json"]):
        sandbox.script(answers)
        sent = unread("send", "add-to-cart", *EXAMPLE, "--base-url", sandbox.base_url, "--backoff-ms", "0", *form, streams=streams)
        assert sent.returncode == code, sent
        assert "panicked" not in (sent.stderr or "") + (sent.stdout or "")


def test_send_exits_0_when_only_its_first_line_is_read(command, sandbox):
    """The report of a write error, through a real shell."""
    pipeline = f"set -o pipefail; '{command}' send add-to-cart {' '.join(EXAMPLE)} --base-url {sandbox.base_url} | head -1"
    done = subprocess.run(["bash", "-c", pipeline], capture_output=True, text=True, timeout=60, env=CLEAN)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.startswith("ESALES_DELIVERED")


@pytest.mark.parametrize("arguments", [["options"], ["options", "--json"], ["completions", "bash"],
                                       ["completions", "zsh"], ["completions", "fish"], ["completions", "elvish"],
                                       ["completions", "powershell"], ["demo"], ["demo", "--missing", "PHP=somehow"]])
def test_commands_exit_0_when_their_output_is_not_read(unread, arguments):
    assert unread(*arguments).returncode == 0


def test_demo_exits_1_when_it_fails_and_its_output_is_not_read(unread):
    assert unread("demo", "--run", "C=echo ESALES_DELIVERED made-up").returncode == 1


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_doctor_exits_by_its_findings_when_its_output_is_not_read(unread, sandbox, form, tmp_path):
    env = {"PATH": str(tmp_path)}
    assert unread("doctor", "--base-url", sandbox.base_url, *form, env=env).returncode == 0
    warned = {**env, "ESALES_COLOUR": "blue"}
    assert unread("doctor", "--base-url", sandbox.base_url, "--strict", *form, env=warned).returncode == 1
    assert unread("doctor", *form, env=env).returncode == 2


def test_queue_and_drain_exit_by_outcome_when_their_output_is_not_read(command, unread, sandbox, tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    env = {"ESALES_SPOOL": str(folder / "spool"), "ESALES_BASE_URL": sandbox.base_url}
    sandbox.script("503:times=4")
    queued = unread("send", "add-to-cart", *EXAMPLE, "--id", "queued", "--on-failure", "queue", "--backoff-ms", "0", "--delivery", "none",
                    env=env)
    assert queued.returncode == 0
    for form in ([], ["--json"]):
        assert unread("queue", "status", *form, env=env).returncode == 0
        assert unread("queue", "show", "queued", *form, env=env).returncode == 0
        assert unread("queue", "show", "unknown", *form, env=env).returncode == 3
        assert unread("queue", "dead", "list", *form, env=env).returncode == 0
        assert unread("queue", "dead", "show", "unknown", *form, env=env).returncode == 3
    assert unread("queue", "status", "--prometheus", env=env).returncode == 0
    # The gate may still be closed; the exit code then means that notifications are left.
    assert unread("drain", "--once", "--gate-min-ms", "10", "--gate-max-ms", "20", env=env).returncode == 0
    assert unread("drain", "--once", "--json", env=env).returncode == 0
    assert unread("queue", "dead", "retry", "--all", env=env).returncode == 0
    assert unread("queue", "dead", "drop", "--all", env=env).returncode == 0
    assert unread("queue", "purge", "--customer-key", "nobody", env=env).returncode == 0
    assert unread("queue", "status", env={"ESALES_SPOOL": str(folder / "missing")}).returncode == 6


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_sandbox_keeps_serving_when_its_output_is_no_longer_read(command, form):
    listening = [str(command), "sandbox", "--listen", "127.0.0.1:0", "--until-stdin-closes", *form]
    sandbox = subprocess.Popen(listening, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=CLEAN)
    try:
        first = sandbox.stdout.readline()
        base_url = json.loads(first)["base_url"] if form else first.split()[-1]
        sandbox.stdout.close()
        for _ in range(3):
            sent = subprocess.run([str(command), "send", "add-to-cart", *EXAMPLE, "--base-url", base_url], env=CLEAN, capture_output=True)
            assert sent.returncode == 0, sent
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(base_url + "/sandbox/status") as answer:
            assert json.load(answer)["received"] == 3
        assert sandbox.poll() is None
        sandbox.stdin.close()
        assert sandbox.wait(timeout=60) == 0
        assert sandbox.stderr.read() == ""
    finally:
        sandbox.kill()
        sandbox.wait()
        for stream in (sandbox.stdin, sandbox.stdout, sandbox.stderr):
            stream.close()


def full(arguments, env, tmp_path):
    with open("/dev/full", "w") as target:
        return subprocess.run(arguments, stdout=target, stderr=subprocess.PIPE, text=True, timeout=60, env=env)


def limited(arguments, env, tmp_path):
    """Standard output is a file, and files may have 0 bytes."""
    with open(tmp_path / "output", "w") as target:
        return subprocess.run(arguments, stdout=target, stderr=subprocess.PIPE, text=True, timeout=60, env=env,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY)))


def closed(arguments, env, tmp_path):
    return subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *arguments], stderr=subprocess.PIPE, text=True, timeout=60, env=env)


def all_closed(arguments, env, tmp_path):
    return subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *arguments], timeout=60, env=env)


@pytest.mark.parametrize("output", [full, limited, closed, all_closed])
def test_every_command_exits_by_outcome_when_its_output_cannot_be_written(command, sandbox, output, tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    env = {**CLEAN, "ESALES_SPOOL": str(folder / "spool"), "ESALES_BASE_URL": sandbox.base_url, "ESALES_GATE_MIN_MS": "10",
           "ESALES_GATE_MAX_MS": "20"}
    send = ["send", "add-to-cart", *EXAMPLE, "--backoff-ms", "0"]
    sandbox.script("503:times=3")
    queued = [str(command), *send, "--id", "waits", "--on-failure", "queue", "--delivery", "none"]
    assert subprocess.run(queued, env=env, capture_output=True).returncode == 0
    expected = {"queue status": 0, "queue status --json": 0, "queue status --prometheus": 0, "queue list": 0, "queue list --json": 0,
                "queue show waits": 0, "queue show waits --json": 0, "queue show unknown": 3, "queue dead list": 0,
                "queue dead list --json": 0, "queue dead show unknown": 3, "queue dead retry --all": 0, "queue dead drop --all": 0,
                "queue purge --customer-key nobody": 0, "demo --missing C=none": 0, "--help": 0, "--version": 0, "queue --help": 0,
                "nonsense": 2, "send": 2}
    # These commands write to the disk themselves.
    if output is not limited:
        expected |= {"drain --once --log-level debug": 0, f"queue backup {tmp_path}/backup": 0,
                     f"queue salvage {tmp_path}/backup": 0}
    # These commands only print, and a closed output is not written.
    lost = 1 if output in (full, limited) else 0
    expected |= {f"options {form}".strip(): lost for form in ("", "--json")}
    expected |= {f"completions {shell}": lost for shell in ("bash", "zsh", "fish", "elvish", "powershell")}
    for line, code in expected.items():
        done = output([str(command), *line.split()], env, tmp_path)
        assert done.returncode == code, (line, done)
        assert "panicked" not in (done.stderr or ""), (line, done)
    for answer, code in (("204", 0), ("400", 3), ("503:times=3", 4)):
        sandbox.script(answer)
        before = sandbox.status()["received"]
        done = output([str(command), *send], {**env, "ESALES_SPOOL": ""}, tmp_path)
        assert done.returncode == code, done
        assert sandbox.status()["received"] == before + (3 if code == 4 else 1)


def test_command_reports_a_full_disk_and_exits_by_outcome(command, sandbox):
    def run(*arguments):
        with open("/dev/full", "w") as full:
            return subprocess.run([str(command), *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
                                  env=CLEAN)

    sent = run("send", "add-to-cart", *EXAMPLE, "--base-url", sandbox.base_url)
    assert sent.returncode == 0 and sent.stderr.count("standard output: No space left") == 1, sent
    # These commands only print.
    for arguments in (["options", "--json"], ["completions", "bash"]):
        done = run(*arguments)
        assert done.returncode == 1 and "No space left" in done.stderr, done
