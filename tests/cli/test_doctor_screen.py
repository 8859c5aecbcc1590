"""`doctor` on a terminal, and with the variables of a file."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import pytest
from environment import CLEAN

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(doctor, *arguments, columns=80, env=None):
    """The output of doctor on a terminal of this width."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen([doctor.command, "doctor", *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=terminal,
                          env={**CLEAN, "PATH": doctor.path, "TERM": "xterm", **(env or {})}):
        os.close(terminal)
        printed = b""
        try:
            while part := os.read(controller, 65536):
                printed += part
        except OSError:
            pass  # Linux reports the end of a terminal as this error
    os.close(controller)
    return printed.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
def test_doctor_wraps_its_output_to_the_terminal(doctor, columns):
    arguments = ["--base-url", "http://192.0.2.1", "--allow-http", "true", "--timeout-ms", "50", "--spool", "/tmp/one/two"]
    printed = COLOUR.sub("", on_terminal(doctor, *arguments, columns=columns))
    longest_word = max(map(len, printed.split()))
    assert max(map(len, printed.splitlines())) <= max(columns, longest_word + 24)
    if columns >= 80:
        assert max(map(len, printed.splitlines())) <= columns
    plain = doctor.raw(*arguments).stdout

    def words(text):
        return re.sub(r"\d+ MiB free|\d+\.\d ms", "N", " ".join(text.split()))

    assert words(printed) == words(plain)
    # The text of a check is indented to the column where it begins.
    if columns == 80:
        assert re.search(r"^  ok       name {9}\S.*$", printed, re.M)
        assert re.search(r"^  warning  options .*\n {24}\S", printed, re.M), printed
        assert re.search(r"^ {24}-> .*\n {27}\S", printed, re.M), printed


def test_doctor_prints_one_line_for_each_text_when_its_output_is_not_a_terminal(doctor):
    said = doctor.raw("--base-url", "http://192.0.2.1", "--allow-http", "true", "--timeout-ms", "50", env={"TERM": "xterm", "COLUMNS": "40"})
    assert "\x1b" not in said.stdout
    assert max(map(len, said.stdout.splitlines())) > 100


def test_doctor_colours_its_states_on_a_terminal(doctor):
    arguments = ["--base-url", "http://127.0.0.1:1", "--no-proxy", "a.example"]
    printed = on_terminal(doctor, *arguments)
    for state, colour in (("ok", "32"), ("warning", "33"), ("failed", "31"), ("skipped", "2")):
        assert re.search(rf"^  (\x1b\[[0-9;]*m)*\x1b\[(?:[0-9;]*;)?{colour}m{state} *\x1b\[0m", printed, re.M), (state, printed)


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_doctor_uses_no_colours_when_they_are_switched_off(doctor, env):
    assert "\x1b" not in on_terminal(doctor, "--base-url", "http://127.0.0.1:1", env=env)


# --env-file

@pytest.fixture
def variables(tmp_path):
    def write(text, name="shop.env"):
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


def test_variables_of_an_env_file_are_used(doctor, sandbox, variables):
    file = variables(f"# the shop\nESALES_BASE_URL={sandbox.base_url}\nexport ESALES_MARKET='SE'\nESALES_TIMEOUT=1\n")
    for spelling in (["--env-file", file], [f"--env-file={file}"]):
        read = doctor(*spelling)
        read.expect("configuration.options", "ok", f"base_url {sandbox.base_url}, market SE")
        # The variables themselves are checked too.
        read.expect("configuration.variables", "warning", "ESALES_TIMEOUT")
        assert read.states("network").count("ok") == 4 and read.code == 0
    assert doctor.raw("--strict", "--env-file", file).returncode == 1, "the other flags count"


def test_env_file_overrides_the_environment_and_a_flag_overrides_both(doctor, variables):
    first = variables("ESALES_BASE_URL=http://127.0.0.1:1\nESALES_MARKET=UK\n", "first.env")
    second = variables("ESALES_MARKET=SE\n", "second.env")
    env = {"ESALES_MARKET": "DE", "ESALES_BASE_URL": "http://127.0.0.1:2"}
    read = doctor("--env-file", first, "--env-file", second, env=env)
    read.expect("configuration.options", "ok", "base_url http://127.0.0.1:1, market SE")
    doctor("--env-file", first, "--market", "FI", env=env).expect("configuration.options", "ok", "market FI")


def test_proxy_of_an_env_file_is_used(doctor, variables):
    file = variables("ESALES_BASE_URL=http://192.0.2.1\nESALES_ALLOW_HTTP=true\nhttp_proxy=http://127.0.0.1:1\nESALES_TIMEOUT_MS=500\n")
    doctor("--env-file", file).expect("network.connection", "failed", "127.0.0.1:1")


@pytest.mark.parametrize("text, message", [
    (None, "No such file"), ("ESALES_MARKET=UK\ns3cret\n", "line 2 is not NAME=VALUE"),
    ("ESALES_PRIVATE_KEY='s3cret\n", "line 1: the value of ESALES_PRIVATE_KEY has a quote that is not closed on its line"),
])
def test_env_file_that_cannot_be_read_is_wrong_usage_and_shows_no_secret(doctor, variables, tmp_path, text, message):
    file = tmp_path / "missing.env" if text is None else variables(text)
    refused = doctor.raw("--env-file", file)
    assert refused.returncode == 2 and refused.stdout == ""
    assert f"--env-file {file}: " in refused.stderr and message in refused.stderr and "s3cret" not in refused.stderr


def test_secrets_of_an_env_file_are_not_shown(doctor, sandbox, variables):
    file = variables(f"ESALES_BASE_URL={sandbox.base_url}\nESALES_PRIVATE_KEY=s3cret\nESALES_TOKEN=s3cret\n")
    for form in ([], ["--json"]):
        said = doctor.raw("--env-file", file, *form)
        assert said.returncode == 0 and "s3cret" not in said.stdout + said.stderr
