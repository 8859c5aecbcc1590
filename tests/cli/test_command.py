"""The esales-notify command, for new users and for scripts."""

import http.client
import json
import socket
import subprocess

import pytest
from environment import CLEAN

EXAMPLE = ["--market", "UK", "--customer-key", "d9528030-509c-4e0f-b585-7168f1e9feca",
           "--session-key", "b106299c-eac0-4f6f-96d2-93e57c255784", "--ticket", "abc"]


@pytest.fixture
def run(command):
    def run_command(*arguments, env=None):
        return subprocess.run([str(command), *arguments], env={**CLEAN, **(env or {})}, capture_output=True, text=True)

    return run_command


@pytest.mark.parametrize(
    "answers, code, name",
    [("204", 0, "ESALES_DELIVERED"), ("400", 3, "ESALES_BAD_REQUEST"), ("403", 3, "ESALES_FORBIDDEN"),
     ("404", 3, "ESALES_REJECTED"), ("503:times=3", 4, "ESALES_SERVER_ERROR"), ("429:times=3", 4, "ESALES_THROTTLED")],
)
def test_send_exits_by_outcome(run, sandbox, answers, code, name):
    for extra in ([], ["--json"]):
        sandbox.script(answers)
        sent = run("send", "add-to-cart", *EXAMPLE, "--base-url", sandbox.base_url, "--backoff-ms", "0", *extra)
        assert sent.returncode == code, sent
        if extra:
            receipt = json.loads(sent.stdout)
            assert receipt["status_name"] == name
            assert receipt["id"] == sandbox.received()[-1]["notification"]["id"]
        else:
            assert sent.stdout.startswith(name)


def test_send_reads_options_from_the_environment(run, sandbox):
    env = {"ESALES_BASE_URL": sandbox.base_url, "ESALES_MARKET": "SE", "ESALES_TICKET": "from-env", "ESALES_TOKEN": ""}
    assert run("send", "add-to-cart", env={k: v for k, v in env.items() if v}).returncode == 0
    notification = sandbox.received()[0]["notification"]
    assert (notification["market"], notification["ticket"]) == ("SE", "from-env")
    assert len(notification["customerKey"]) == len(notification["sessionKey"]) == 36


def test_endpoint_flag_overrides_the_variable_of_the_other_endpoint_option(run, sandbox):
    sent = run("send", "add-to-cart", *EXAMPLE, "--base-url", sandbox.base_url, env={"ESALES_CLUSTER_ID": "w1"})
    assert sent.returncode == 0, sent
    sent = run("send", "add-to-cart", *EXAMPLE, env={"ESALES_BASE_URL": sandbox.base_url, "ESALES_CLUSTER_ID": "w1"})
    assert sent.returncode == 2 and "contradict" in sent.stderr


def test_send_makes_the_token_of_a_signed_in_visitor(run, command):
    from sandbox import Sandbox

    with Sandbox(command, "--private-key", "right") as sandbox:
        for key, code in (("right", 0), ("wrong", 3)):
            sent = run("send", "add-to-cart", "--base-url", sandbox.base_url, "--market", "UK", "--ticket", "t", "--customer-id", "4711",
                       env={"ESALES_PRIVATE_KEY": key})
            assert sent.returncode == code, sent
            assert key not in sent.stdout + sent.stderr
        assert [r["token_valid"] for r in sandbox.received()] == [True, False]


def test_send_refuses_on_failure_queue_without_a_spool(run, sandbox):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    by_flag = ["--on-failure", "queue"]
    for base_url in (nobody, sandbox.base_url):
        for flags, env in ((by_flag, {}), ([], {"ESALES_ON_FAILURE": "queue"}), (by_flag, {"ESALES_SPOOL": ""})):
            refused = run("send", "add-to-cart", *EXAMPLE, "--base-url", base_url, *flags, env=env)
            assert refused.returncode == 2, refused
            assert "requires a spool" in refused.stderr and "ESALES_SPOOL" in refused.stderr and refused.stdout == ""
    assert sandbox.received() == []


def test_send_queues_a_failed_notification_when_there_is_a_spool(run, tmp_path):
    tmp_path.chmod(0o700)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    sent = run("send", "add-to-cart", *EXAMPLE, "--base-url", nobody, "--on-failure", "queue", "--delivery", "none",
               "--spool", str(tmp_path / "spool"))
    assert sent.returncode == 0 and sent.stdout.startswith("ESALES_QUEUED"), sent


@pytest.mark.parametrize("text", ["right", "right\n", "right\r\n", "\ufeffright\r\n"])
def test_private_key_is_read_from_a_file(run, command, tmp_path, text):
    from sandbox import Sandbox

    file = tmp_path / "key"
    file.write_bytes(text.encode())
    with Sandbox(command, "--private-key-file", file) as sandbox:
        arguments = ["--base-url", sandbox.base_url, "--market", "UK", "--ticket", "t", "--customer-id", "4711"]
        # The file overrides the environment.
        sent = run("send", "add-to-cart", *arguments, "--private-key-file", str(file), env={"ESALES_PRIVATE_KEY": "wrong"})
        assert sent.returncode == 0 and sent.stderr == "", sent
        assert [r["token_valid"] for r in sandbox.received()] == [True]


def test_command_warns_of_a_private_key_on_the_command_line(run, command, sandbox):
    arguments = ["send", "add-to-cart", "--base-url", sandbox.base_url, "--market", "UK", "--ticket", "t", "--customer-id", "4711"]
    sent = run(*arguments, "--private-key", "s3cret")
    assert sent.returncode == 3 and "warning" in sent.stderr and "--private-key-file" in sent.stderr, sent
    assert "s3cret" not in sent.stdout + sent.stderr
    assert run(*arguments, env={"ESALES_PRIVATE_KEY": "s3cret"}).stderr == ""
    listening = [str(command), "sandbox", "--listen", "127.0.0.1:0", "--until-stdin-closes", "--private-key", "s3cret"]
    serving = subprocess.run(listening, input="", capture_output=True, text=True, timeout=60)
    assert serving.returncode == 0 and "warning" in serving.stderr and "s3cret" not in serving.stderr, serving


def test_unusable_private_key_file_is_refused_by_name(run, tmp_path):
    empty, long, binary = tmp_path / "empty", tmp_path / "long", tmp_path / "binary"
    empty.write_text("\n")
    long.write_text("x" * 5000)
    binary.write_bytes(b"\xff\xfe")
    for file in (empty, long, binary, tmp_path / "missing", tmp_path):
        for arguments in (["sandbox", "--listen", "127.0.0.1:0"],
                          ["send", "add-to-cart", *EXAMPLE[:2], "--ticket", "t", "--customer-id", "1", "--base-url", "http://127.0.0.1:9"]):
            refused = run(*arguments, "--private-key-file", str(file))
            assert refused.returncode == 2 and str(file) in refused.stderr, refused
    both = run("sandbox", "--private-key", "a", "--private-key-file", str(long))
    assert both.returncode == 2 and "contradict" in both.stderr


@pytest.mark.parametrize(
    "arguments, expected",
    [(["send"], "add-to-cart"), (["send", "--ticket", "t"], "cluster_id"), (["send", "add-to-cart"], "--ticket"), (["send", "add-to-cart", "--ticket", "t"], "cluster_id"),
     (["send", "add-to-cart", "--ticket", "t", "--cluster-id", "x@evil.example/"], "cluster_id"),
     (["send", "add-to-cart", "--ticket", "t", "--base-url", "http://127.0.0.1:9", "--timeout-ms", "0"], "timeout_ms"),
     (["send", "add-to-cart", "--ticket", "", "--base-url", "http://127.0.0.1:9", "--market", "UK"], "ticket"),
     (["send", "add-to-cart", "--ticket", "t", "--customer-id", "1"], "--private-key"),
     (["sandbox", "--answers", "soon"], "soon"), (["sandbox", "--tls", "best"], "best"), (["nonsense"], "nonsense")],
)
def test_wrong_usage_exits_2_with_the_reason(run, arguments, expected):
    result = run(*arguments)
    assert result.returncode == 2, result
    assert expected in result.stdout + result.stderr


def test_options_command_prints_every_form(run):
    rows = json.loads(run("options", "--json").stdout)
    assert {"timeout_ms", "cluster_id", "ca_file"} <= {row["name"] for row in rows}
    human, flags = run("options").stdout, run("completions", "bash").stdout
    for row in rows:
        assert row["name"] in human and row["environment_variable"] in human
        assert "--" + row["name"].replace("_", "-") + " " in flags


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_printed_for_every_shell(run, shell):
    script = run("completions", shell)
    assert script.returncode == 0 and "sandbox" in script.stdout


def test_bash_accepts_the_completions(run, tmp_path):
    script = tmp_path / "completions"
    script.write_text(run("completions", "bash").stdout)
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_sandbox_console_shows_what_it_receives(command, run):
    serving = subprocess.Popen([str(command), "sandbox", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        base_url = serving.stdout.readline().split()[-1]
        assert "ESALES_BASE_URL" in serving.stdout.readline()
        assert f"open {base_url}/ in a browser" in serving.stdout.readline()
        assert run("send", "add-to-cart", *EXAMPLE, "--base-url", base_url, "--id", "seen").returncode == 0
        assert "-> 204  anonymous" in serving.stdout.readline()
        assert "seen" in serving.stdout.readline()
    finally:
        serving.kill()
        serving.wait()
        serving.stdout.close()


def test_sandbox_console_shows_the_body_with_control_characters_escaped(command):
    listening = [str(command), "sandbox", "--listen", "127.0.0.1:0", "--until-stdin-closes"]
    serving = subprocess.Popen(listening, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        base_url = serving.stdout.readline().split()[-1]
        serving.stdout.readline(), serving.stdout.readline()

        def shown(body, content_type="application/json"):
            connection = http.client.HTTPConnection(base_url.split("//")[1], timeout=60)
            connection.request("POST", "/api/v1/notifications/adding-to-cart", body=body.encode(),
                               headers={"Content-Type": content_type})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            return [serving.stdout.readline().rstrip("\n") for _ in range(2)][1]

        members = {"market": "UK", "customerKey": "k-åäö", "sessionKey": "s'1", "id": "1", "ticket": 'a"b\\c'}
        body = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
        assert shown(body) == "    " + body
        # A line break between two members, and a member whose name has terminal control characters, which must not
        # reach the terminal in the warning either.
        assert shown('{"a":\n1,"\\u001b[2J":2}') == r'    {"a":\n1,"\u001b[2J":2}'
        # Four members are missing, two are unknown.
        warnings = "".join(serving.stdout.readline() for _ in range(6))
        assert r"`\u{1b}[2J` is not a member" in warnings and "\x1b" not in warnings, warnings
    finally:
        serving.kill()
        serving.wait()
        serving.stdin.close()
        serving.stdout.close()


def test_demo_explains_400_and_403(run):
    demo = run("demo", "--missing", "PHP=apt-get install php-cli")
    assert demo.returncode == 0, demo
    for expected in ("Ticket is missing.", "could not be validated", "503, 503, 204", "PHP is not installed"):
        assert expected in demo.stdout, demo.stdout


def test_demo_exits_1_when_an_example_fails(run):
    demo = run("demo", "--run", "C=echo it broke >&2; false")
    assert demo.returncode != 0 and "it broke" in demo.stderr
    silent = run("demo", "--run", "C=echo ESALES_DELIVERED made-up")
    assert silent.returncode != 0, "an example that sent nothing passed"


def test_proxy_variable_is_used_except_for_loopback(run, sandbox):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        env = {"http_proxy": f"http://127.0.0.1:{proxy.getsockname()[1]}", "no_proxy": ""}
        assert run("send", "add-to-cart", *EXAMPLE, "--base-url", sandbox.base_url, env=env).returncode == 0
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()
        # The proxy would look the name up; it accepts the connection and sends nothing.
        sent = run("send", "add-to-cart", *EXAMPLE, "--base-url", "http://shop.test", "--allow-http", "true", "--timeout-ms", "2000", env=env)
        assert sent.returncode == 4, sent
        proxy.setblocking(True)
        with proxy.accept()[0] as connection:
            assert connection.recv(100).startswith(b"CONNECT shop.test:80 ")


def test_proxy_variable_that_is_not_http_is_refused_by_name(run):
    env = {"https_proxy": "", "HTTPS_PROXY": "", "all_proxy": "socks5://user:secret@127.0.0.1:9"}
    arguments = ["send", "add-to-cart", *EXAMPLE, "--base-url", "https://shop.test", "--timeout-ms", "200"]
    refused = run(*arguments, env=env)
    assert refused.returncode == 2 and "all_proxy" in refused.stderr, refused
    assert "secret" not in refused.stdout + refused.stderr


def test_demo_ignores_the_callers_cluster_variable(run, command):
    example = f"E='{command}'; $E send add-to-cart --json --ticket t --market UK | sed 's/.*\"id\":\"\\([^\"]*\\)\".*/ESALES_DELIVERED \\1/'"
    demo = run("demo", "--run", f"Command={example}", env={"ESALES_CLUSTER_ID": "w1", "ESALES_TIMEOUT_MS": "1"})
    assert demo.returncode == 0, demo
