"""The page for operators: what it watches is printed, what it configures exists. test_code runs its other commands."""

import re
import subprocess

from markdown import ROOT, indented

PAGE = (ROOT / "docs/operations.md").read_text()


def test_operations_page_watches_only_metrics_that_are_printed(command, tmp_path):
    env = {"ESALES_SPOOL": str(tmp_path / "spool"), "ESALES_MARKET": "UK", "ESALES_TICKET": "abc"}
    sent = [str(command), "send", "click", "--on-failure", "queue", "--delivery", "none", "--base-url", "http://127.0.0.1:9"]
    subprocess.run(sent, env=env, check=True, stdout=subprocess.DEVNULL)
    status = [str(command), "queue", "status", "--prometheus"]
    printed = subprocess.run(status, env=env, check=True, capture_output=True, text=True).stdout
    watched = set(re.findall(r"esales_queue_\w+", PAGE))
    assert watched
    assert watched <= set(re.findall(r"^(\w+)[{ ]", printed, re.M)), watched


def test_operations_page_explains_every_alert():
    rules = (ROOT / "packaging/monitoring/alerts.yaml").read_text()
    assert set(re.findall(r"`(Esales\w+)`", PAGE)) == set(re.findall(r"- alert: (\w+)", rules))


def test_operations_page_explains_only_log_lines_of_the_source():
    """The fixed parts of each, in their order, in one string of the source."""
    sources = "".join(path.read_text() for path in (ROOT / "src").rglob("*.rs"))
    table = PAGE.split("## Log lines")[1].split("## Sizing")[0]
    rows = re.findall(r"^\| (`.*?) \| (?:info|warn|error) \|", table, re.M)
    lines = [line for row in rows for line in re.findall(r"`([^`]+)`", row)]
    assert len(lines) > 8
    for line in lines:
        parts = [re.escape(part.strip()) for part in re.split(r"…|\b5 s\b", line) if part.strip()]
        assert re.search("[^\\n]*".join(parts), sources), line


def test_operations_page_switches_the_unit_on(tmp_path):
    """systemctl works on a folder here; tests/cli shows that the unit delivers."""
    commands = [line for line in indented(PAGE).values() if line.startswith("systemctl")]
    assert commands == ["systemctl enable --now esales-notify-drain"]
    units = tmp_path / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    unit = (ROOT / "packaging/systemd/esales-notify-drain.service").read_text()
    (units / "esales-notify-drain.service").write_text(unit)
    enable = ["systemctl", f"--root={tmp_path}", "enable", "esales-notify-drain"]
    done = subprocess.run(enable, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "etc/systemd/system/multi-user.target.wants/esales-notify-drain.service").is_symlink()
    assert "EnvironmentFile=/etc/esales-notify.env" in unit and "`/etc/esales-notify.env`" in PAGE
    file = "".join(f"{line}\n" for line in indented(PAGE).values() if re.match(r"#|ESALES_CLUSTER|ESALES_SPOOL", line))
    assert file == (ROOT / "examples/deployment/drain.env").read_text()


def test_operations_page_recommends_limits_that_are_accepted(command):
    lines = dict(line.split("=") for line in indented(PAGE).values() if line.startswith("ESALES_MAX"))
    assert set(lines) == {"ESALES_MAX_ITEMS", "ESALES_MAX_BYTES"}
    env = {"ESALES_CLUSTER_ID": "x", **lines}
    done = subprocess.run([str(command), "send", "click", "--ticket", ""], env=env, capture_output=True, text=True)
    assert "ESALES_INVALID_ARGUMENT" in done.stdout + done.stderr, done
