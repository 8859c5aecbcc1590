"""`doctor` as a whole: its JSON, its exit codes, its messages, its checks of the configuration, its secrets, its
page."""

import json
import os
import pwd
import re
import shutil
import subprocess

import pytest
from sandbox import Sandbox
from spool_operator import Operator

#: Every check of every run, in this order.
CHECKS = [
    "configuration.options", "configuration.variables",
    "network.name", "network.connection", "network.proxy", "network.tls", "network.service", "network.clock",
    "notification.send",
    "spool.path", "spool.permissions", "spool.filesystem", "spool.space", "spool.contents", "spool.drainer", "spool.waiting", "spool.dead",
    "php.cli", "php.web",
]
STATES = {"ok": "ok", "warning": "warnings", "failed": "failed", "skipped": "skipped"}


def shape_of(report):
    """Checks the JSON format that docs/doctor.md promises."""
    assert set(report) == {"version", "state", "failed", "warnings", "ok", "skipped", "checks"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", report["version"])
    assert [check["check"] for check in report["checks"]] == CHECKS
    for check in report["checks"]:
        assert set(check) == {"check", "state", "found", "advice", "facts"}
        assert check["found"] and isinstance(check["facts"], dict)
        assert (check["advice"] is not None) == (check["state"] in ("warning", "failed")), check
    states = [check["state"] for check in report["checks"]]
    for state, counter in STATES.items():
        assert report[counter] == states.count(state)
    assert report["state"] == next(s for s in ("failed", "warning", "ok") if s in states)
    return True


def test_doctor_exits_0_when_every_check_is_ok(doctor, sandbox):
    well = doctor("--base-url", sandbox.base_url, "--market", "UK")
    assert (well.code, well.report["state"], well.stderr) == (0, "ok", ""), well.text
    assert shape_of(well.report)
    assert well.states("network") == ["ok", "ok", "skipped", "skipped", "ok", "ok"]
    assert doctor.raw("--base-url", sandbox.base_url, "--market", "UK", "--strict").returncode == 0


def test_doctor_json_has_every_check_when_nothing_can_be_checked(doctor):
    nothing = doctor()
    assert nothing.code == 2 and shape_of(nothing.report)
    nothing.expect("configuration.options", "failed", "cluster_id is missing")
    assert nothing.states("network") == ["skipped"] * 6
    assert "not tried, because options failed" in nothing["network.name"]["found"]


def test_doctor_exit_code_follows_its_worst_check(doctor, sandbox):
    warned = ["--base-url", sandbox.base_url, "--no-proxy", "a.example"]
    for arguments, lenient, strict in (([], 2, 2), (["--base-url", sandbox.base_url], 0, 0), (warned, 0, 1)):
        for form in ([], ["--json"]):
            assert doctor.raw(*arguments, *form).returncode == lenient
            assert doctor.raw(*arguments, *form, "--strict").returncode == strict
    for usage in (["--send", "nonsense"], ["--nonsense"], ["too", "much"]):
        refused = doctor.raw("--base-url", sandbox.base_url, *usage)
        assert refused.returncode == 2 and refused.stdout == "" and refused.stderr, refused


def test_doctor_prints_findings_and_advice_as_text(doctor):
    said = doctor.raw("--base-url", "http://127.0.0.1:1")
    assert said.returncode == 2 and said.stderr == ""
    groups = re.findall(r"^(\w+)$", said.stdout, re.M)
    assert groups == ["configuration", "network", "notification", "spool", "php"]
    assert re.search(r"^  failed   connection   .*\n +-> nothing listens there", said.stdout, re.M), said.stdout
    assert "  skipped  proxy, tls, service, clock: not tried, because connection failed\n" in said.stdout
    assert said.stdout.splitlines()[-1] == "1 failed, 0 with a warning, 3 ok, 15 skipped"


# configuration

def test_doctor_reports_every_refused_option(doctor):
    bad = doctor("--timeout-ms", "soon", env={"ESALES_CONCURRENCY": "0", "ESALES_CLUSTER_ID": "a.b"})
    for name in ("timeout_ms", "concurrency", "cluster_id"):
        bad.expect("configuration.options", "failed", name)
    assert bad.states("spool") == ["skipped"] * 8


@pytest.mark.parametrize("options, expected", [
    ({"CLUSTER_ID": "a", "BASE_URL": "https://h"}, "contradict"),
    ({"BASE_URL": "http://shop.test"}, "allow_http"),
    ({"CLUSTER_ID": "a", "DELIVERY": "none"}, "spool is not set"),
    ({"CLUSTER_ID": "a", "GATE_MIN_MS": "1001", "GATE_MAX_MS": "1000"}, "gate_max_ms"),
    ({"CLUSTER_ID": "a", "CA_FILE": "/nonexistent/ca.pem"}, "cannot be read"),
    ({"CLUSTER_ID": "a", "PROXY": "socks5://user:secret@h:1"}, "proxy must be an HTTP proxy"),
])
def test_doctor_reports_contradicting_options_with_the_librarys_message(doctor, options, expected):
    env = {f"ESALES_{name}": value for name, value in options.items()}
    bad = doctor(env=env)
    bad.expect("configuration.options", "failed", expected, "esales-notify options")
    assert bad.code == 2 and "secret" not in bad.text
    assert set(bad.states("network") + bad.states("spool")) == {"skipped"}


def test_doctor_warns_of_variables_without_effect(doctor, sandbox):
    env = {"ESALES_TIMEOUT": "100", "ESALES_MARKT": "UK", "ESALES_COLOUR_OF_TRUCKS": "red", "ESALES_PRIVATE_KEY": "k",
           "ESALES_NOTIFY_LIBRARY": doctor.command, "ESALES_TICKET": "t", "ESALES_NOTIFY_ANYTHING": "1"}
    odd = doctor("--base-url", sandbox.base_url, env=env)
    facts = odd.expect("configuration.variables", "warning", advice="ESALES_TIMEOUT: did you mean ESALES_TIMEOUT_MS?")
    odd.expect("configuration.variables", "warning", advice="ESALES_MARKT: did you mean ESALES_MARKET?")
    odd.expect("configuration.variables", "warning", advice="ESALES_COLOUR_OF_TRUCKS: nothing reads it")
    assert facts["unknown"] == ["ESALES_COLOUR_OF_TRUCKS", "ESALES_MARKT", "ESALES_TIMEOUT"]
    assert "red" not in odd["configuration.variables"]["found"]


def test_doctor_warns_when_the_library_path_does_not_exist(doctor, sandbox):
    odd = doctor("--base-url", sandbox.base_url, env={"ESALES_NOTIFY_LIBRARY": "/nonexistent/libesales_notify.so"})
    facts = odd.expect("configuration.variables", "warning", "/nonexistent/libesales_notify.so", "cannot load")
    assert facts["unknown"] == []


def test_doctor_reports_every_variable_that_is_wrong(doctor, sandbox):
    env = {"ESALES_NOTIFY_LIBRARY": "/nonexistent/libesales_notify.so", "ESALES_TIMEOUT": "100"}
    odd = doctor("--base-url", sandbox.base_url, env=env)
    facts = odd.expect("configuration.variables", "warning", "ESALES_TIMEOUT", "did you mean ESALES_TIMEOUT_MS?")
    odd.expect("configuration.variables", "warning", "/nonexistent/libesales_notify.so", "cannot load")
    assert facts["unknown"] == ["ESALES_TIMEOUT"]


@pytest.mark.parametrize("arguments, expected", [
    (["--base-url", "http://192.0.2.1", "--allow-http", "true"], "unencrypted"),
    (["--base-url", "http://127.0.0.1:1", "--ca-file", "/etc/ssl/ca.pem"], "ca_file has no effect"),
    (["--base-url", "http://127.0.0.1:1", "--no-proxy", "a"], "no_proxy has no effect"),
    (["--base-url", "http://127.0.0.1:1", "--proxy", "http://127.0.0.1:1", "--no-proxy", "a.test,b.test:443,10.*,*.c.test"],
     "the option no_proxy has entries that match no host: b.test:443, 10.*. Write"),
])
def test_doctor_warns_of_options_without_effect_or_with_a_cost(doctor, arguments, expected):
    doctor(*arguments, "--timeout-ms", "50").expect("configuration.options", "warning", advice=expected)


@pytest.mark.parametrize("no_proxy, expected", [("localhost,*.a.test,[::1]", "the variable no_proxy has entries that match no host: *.a.test, [::1]."),
                                             ("localhost,.a.test,10.0.0.0/8", None)])
def test_doctor_warns_of_entries_of_the_variable_no_proxy_that_match_no_host(doctor, no_proxy, expected):
    found = doctor("--base-url", "http://192.0.2.1", "--allow-http", "true", "--timeout-ms", "50",
                   env={"http_proxy": "http://127.0.0.1:1", "no_proxy": no_proxy})
    if expected:
        found.expect("configuration.options", "warning", advice=expected)
    else:
        assert "match no host" not in found.text


# the test notification, and secrets

def test_doctor_sends_no_notification_without_the_flag_send(doctor, sandbox):
    assert doctor("--base-url", sandbox.base_url, env={"ESALES_TICKET": "t"}).code == 0
    arrived = sandbox.received()
    assert [(r["method"], r["body"]) for r in arrived] == [("HEAD", "")]
    sent = doctor("--base-url", sandbox.base_url, "--market", "UK", "--send", "add-to-cart", "--ticket", "a-ticket")
    facts = sent.expect("notification.send", "ok", "ESALES_DELIVERED")
    posted = [r for r in sandbox.received() if r["method"] == "POST"]
    assert [r["notification"]["id"] for r in posted] == [facts["id"]]
    assert posted[0]["notification"]["ticket"] == "a-ticket"


def test_doctor_send_uses_the_named_kind(doctor, sandbox):
    base = ["--base-url", sandbox.base_url, "--market", "UK"]
    lines = ["--line", "product=P1,quantity=1,price=1"]
    for kind, own in (("click", ["--ticket", "t"]), ("non-esales-click", ["--product-key", "P1"]), ("payment", lines), ("end", [])):
        # Variables of other kinds are ignored.
        env = {} if own[:1] == ["--ticket"] else {"ESALES_TICKET": "t"}
        facts = doctor(*base, "--send", kind, *own, env=env).expect("notification.send", "ok", kind.replace("-", "_"))
        assert facts["kind"] == sandbox.received()[-1]["kind"] == kind.replace("-", "_")
    refused = doctor(*base, "--send", "end", "--ticket", "t")
    refused.expect("notification.send", "failed", "ticket does not belong to end")


@pytest.mark.parametrize("kind, answer, advice", [
    ("payment", "403", "--send secure-payment"), ("secure-payment", "403", "payment token"), ("payment", "500", "may have arrived"),
])
def test_doctor_send_gives_advice_for_a_refused_payment(doctor, sandbox, kind, answer, advice):
    sandbox.script(answer)
    sent = doctor("--base-url", sandbox.base_url, "--market", "UK", "--send", kind, "--line", "product=P1,quantity=1,price=1",
                  env={"ESALES_PRIVATE_KEY": "s3cret"})
    sent.expect("notification.send", "failed", kind.replace("-", "_"), advice)
    assert "s3cret" not in sent.text


@pytest.mark.parametrize("answer, name, advice", [
    ("400", "ESALES_BAD_REQUEST", "exactly as the service returned it"), ("403", "ESALES_FORBIDDEN", "private key"),
    ("404", "ESALES_REJECTED", "v1 API"), ("503", "ESALES_SERVER_ERROR", "try again later"),
])
def test_doctor_send_reports_the_answer_with_advice(doctor, sandbox, tmp_path, answer, name, advice):
    sandbox.script(answer)
    # A failed test notification is not enqueued, whatever on_failure is.
    queue = ["--on-failure", "queue", "--spool", tmp_path / "spool", "--delivery", "none"]
    sent = doctor("--base-url", sandbox.base_url, "--market", "UK", "--max-attempts", "1", "--send", "add-to-cart", "--ticket", "t", *queue)
    facts = sent.expect("notification.send", "failed", name, advice)
    assert sent.code == 2 and facts["http_status"] == int(answer)
    assert not (tmp_path / "spool").exists()


def test_doctor_send_uses_a_signed_in_visitor(doctor, command):
    with Sandbox(command, "--private-key", "right-key") as sandbox:
        for key, state in (("right-key", "ok"), ("wrong-key", "failed")):
            sent = doctor("--base-url", sandbox.base_url, "--market", "UK", "--send", "add-to-cart", "--ticket", "t", "--customer-id", "4711",
                          env={"ESALES_PRIVATE_KEY": key})
            sent.expect("notification.send", state)
            assert key not in sent.text
        lonely = doctor("--base-url", sandbox.base_url, "--market", "UK", "--send", "add-to-cart", "--ticket", "t", "--customer-id", "4711")
        lonely.expect("notification.send", "failed", "private-key")


def test_doctor_shows_no_secret(doctor, sandbox):
    secrets = {"ESALES_PRIVATE_KEY": "s3cret-key", "ESALES_TOKEN": "s3cret-token", "ESALES_CUSTOMER_KEY": "s3cret-customer",
               "ESALES_SESSION_KEY": "s3cret-session", "ESALES_TICKET": "s3cret-ticket", "ESALES_UNKNOWN_KEY": "s3cret-unknown",
               "ESALES_PROXY": "http://us3cret:s3cret-password@127.0.0.1:1", "http_proxy": "http://s3cret:s3cret@127.0.0.1:1"}
    for arguments in ([], ["--send", "add-to-cart"]):
        for form in ([], ["--json"]):
            said = doctor.raw("--base-url", sandbox.base_url, "--market", "UK", *arguments, *form, env=secrets)
            assert "s3cret" not in said.stdout + said.stderr, said
            assert "127.0.0.1:1" in said.stdout
    # Also a password that was put into the address by mistake.
    said = doctor.raw(env={"ESALES_BASE_URL": "https://u:s3cret@h"})
    assert said.returncode == 2 and "credentials" in said.stdout and "s3cret" not in said.stdout


def test_doctor_escapes_control_characters_from_outside(doctor):
    said = doctor.raw(env={"ESALES_\x1b[2J": "x"})
    assert "\x1b" not in said.stdout and "u{1b}" in said.stdout


def test_doctor_exits_by_its_findings_when_its_output_is_closed_early(doctor):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([doctor.command, "doctor"], stdout=write, stderr=subprocess.PIPE, text=True, env={"PATH": doctor.path})
    os.close(write)
    assert (done.returncode, done.stderr) == (2, "")


def test_doctor_help_lists_exit_codes_and_examples(doctor):
    long, short = doctor.raw("--help"), doctor.raw("-h")
    assert long.returncode == short.returncode == 0
    text = " ".join(long.stdout.split())
    for said in ("Exit code: 0 no check failed; 1 with --strict", "sends no notification without --send", "--timeout-ms",
                 "No key, token or password is shown", "Examples:"):
        assert said in text, said
    assert "--strict" in short.stdout and "Exit code" in short.stdout


# its page

def test_doctor_page_names_every_check_and_state(root):
    page = (root / "docs/doctor.md").read_text()
    checks, facts = page.split("## For monitoring")
    assert re.findall(r"^\| `(\w+\.\w+)` \|", checks, re.M) == CHECKS
    assert re.findall(r"^\| `(\w+\.\w+)`", facts, re.M) == CHECKS
    shown, = re.findall(r"```json\n(.*?)```", page, re.S)
    assert set(json.loads(shown)) == {"check", "state", "found", "advice", "facts"}


def test_doctor_page_names_every_fact(root, doctor, sandbox, command, tmp_path):
    page = (root / "docs/doctor.md").read_text().split("## For monitoring")[1]
    promised = {}
    for names, facts in re.findall(r"^\| (`\w+\.\w+`[^|]*) \| (.*) \|$", page, re.M):
        facts = set(re.findall(r"`(\w+)`", facts))
        promised.update((name, facts) for name in re.findall(r"`(\w+\.\w+)`", names))
    spool = tmp_path / "spool"
    Operator(command, os.environ["ESALES_NOTIFY_LIBRARY"], spool).fill(sandbox.base_url, ["a"])
    plain = doctor("--base-url", sandbox.base_url, "--market", "UK", "--send", "add-to-cart", "--ticket", "t", "--spool", spool,
                   "--php", shutil.which("php"), "--php", shutil.which("php-fpm8.2", path="/usr/sbin:/usr/bin"))
    with Sandbox(command, "--tls", "valid", "--ca-file", tmp_path / "ca.pem") as secure:
        tls = doctor("--base-url", secure.base_url, "--ca-file", tmp_path / "ca.pem")
    proxy = doctor("--base-url", "http://127.0.0.1:1", "--proxy", sandbox.base_url)
    seen = {name: set(check["facts"]) for name, check in plain.checks.items()}
    seen["network.tls"] = set(tls["network.tls"]["facts"])
    seen["network.proxy"] = set(proxy["network.proxy"]["facts"])
    assert seen == promised


def test_doctor_page_names_only_existing_tests_and_pages(root):
    page = (root / "docs/doctor.md").read_text()
    sources = "".join(path.read_text() for path in (root / "tests/cli").glob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", page):
        assert f"def {name}(" in sources, name
    for target in re.findall(r"\]\(([^)]+)\)", page):
        assert (root / "docs" / target.partition("#")[0]).exists(), target


def test_doctor_page_shows_the_actual_output(root, command, library, doctor, sandbox, tmp_path):
    """The example of the page, with its port, folder, disk size and times replaced."""
    folder = tmp_path / "esales-notify"
    folder.mkdir(mode=0o700)
    operator = Operator(command, library, folder / "spool")
    operator.fill(sandbox.base_url, ["1", "2"])
    sandbox.script("403, 403")
    operator.empty(sandbox.base_url)
    operator.fill(sandbox.base_url, ["3"])
    said = doctor.raw("--base-url", sandbox.base_url, "--market", "UK", "--spool", folder / "spool",
                      env={"ESALES_TIMEOUT": "500"})
    printed = said.stdout.replace(sandbox.base_url, "http://127.0.0.1:8080").replace(str(folder), "/var/lib/esales-notify")
    printed = printed.replace(sandbox.base_url.rpartition("/")[2], "127.0.0.1:8080")
    printed = printed.replace(f"only {pwd.getpwuid(os.getuid()).pw_name} may", "only www-data may")
    example, = re.findall(r"```text\n(.*?)```", (root / "docs/doctor.md").read_text(), re.S)

    def times(text):
        text = re.sub(r"in \d+\.\d ms", "in N ms", re.sub(r"\d+ MiB free", "N MiB free", text))
        return re.sub(r"\(\d+ bytes\), the oldest for \d+ m?s", "(N bytes), the oldest for N", text)

    assert times(printed) == times(example)
    assert said.returncode == 2


@pytest.mark.parametrize("key, looks_like", [("anna@example.com", "an e-mail address"), ("4711", "a number"),
                                             ("19811218-9876", "a national id"), ("anna.svensson", "a user name")])
def test_doctor_warns_when_the_customer_key_is_personal_data(doctor, sandbox, key, looks_like):
    base = ["--base-url", sandbox.base_url, "--market", "UK", "--customer-key", key]
    for arguments, received in ((base, 0), ([*base, "--send", "add-to-cart", "--ticket", "t"], 1)):
        diagnosis = doctor(*arguments)
        diagnosis.expect("notification.send", "warning", looks_like, "--customer-id")
        assert key not in diagnosis.text and diagnosis.code == 0
        assert len([r for r in sandbox.received() if r["method"] == "POST"]) == received


def test_doctor_does_not_warn_of_a_customer_key_that_is_a_uuid(doctor, sandbox):
    diagnosis = doctor("--base-url", sandbox.base_url, "--customer-key", "d9528030-509c-4e0f-b585-7168f1e9feca")
    diagnosis.expect("notification.send", "skipped")
