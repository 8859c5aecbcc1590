"""The alert rules and the dashboard use existing metrics."""

import json
import re
import subprocess

import pytest
from agent import cart
from waiting import wait_for

#: The functions, keywords and labels of the expressions.
WORDS = {"max", "min", "sum", "by", "rate", "increase", "and", "or", "histogram_quantile", "spool", "status", "origin", "code", "le"}


@pytest.fixture(scope="session")
def promtool(root):
    tool = root / "target/promtool/promtool"
    assert tool.is_file(), "tools/install-test-tools.sh puts it there"
    return tool


@pytest.fixture
def folder_of_rules(root):
    return root / "packaging/monitoring"


@pytest.fixture
def series(agent):
    """The series of an agent that has delivered and refused notifications."""
    assert agent.post(cart("series")).status == 202 and agent.post("{}").status == 400
    page = wait_for(lambda: (text := agent.get("/metrics").body.decode()) and "attempt_seconds_count" in text
                    and "esales_queue_origin_pending{" in text and text, "no metrics")
    return {re.split(r"[{ ]", line)[0] for line in page.splitlines() if not line.startswith("#")}


def names_in(expression):
    without_labels = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", expression)
    return set(re.findall(r"[a-z_]{2,}", without_labels)) - WORDS


def rules_of(text):
    """The expressions of the rules file, whose shape promtool has checked."""
    found = re.findall(r"^        expr: (?:>-\n((?:          .*\n)+)|(.*)\n)", text, re.M)
    return [folded or line for folded, line in found]


def test_alert_rules_are_valid_and_fire_as_their_tests_expect(promtool, folder_of_rules):
    for arguments in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run([promtool, *arguments], cwd=folder_of_rules, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test(folder_of_rules):
    alerts = set(re.findall(r"- alert: (\w+)", (folder_of_rules / "alerts.yaml").read_text()))
    tests = (folder_of_rules / "alerts_test.yaml").read_text()
    assert {name for name in alerts if re.search(rf"alertname: {name}\n\s+exp_alerts:", tests)} == alerts


def test_alert_rules_use_only_existing_metrics(folder_of_rules, series):
    expressions = rules_of((folder_of_rules / "alerts.yaml").read_text())
    assert len(expressions) == (folder_of_rules / "alerts.yaml").read_text().count("- alert: ")
    for expression in expressions:
        assert names_in(expression) and names_in(expression) <= series, expression


def test_dashboard_uses_only_existing_metrics(folder_of_rules, series):
    dashboard = json.loads((folder_of_rules / "dashboard.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 5
    places = [tuple(panel["gridPos"][key] for key in "xy") for panel in panels]
    assert len(set(places)) == len(places)
    for panel in panels:
        assert panel["title"] and panel["description"] and panel["targets"]
        for target in panel["targets"]:
            expression = target["expr"]
            assert 'spool=~"$spool"' in expression and names_in(expression) <= series, expression
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource", "spool"]


def test_expressions_of_the_dashboard_parse(promtool, folder_of_rules, tmp_path):
    """The expressions are checked as rules, because promtool cannot check a dashboard. Grafana's variable is
    replaced by a duration."""
    dashboard = json.loads((folder_of_rules / "dashboard.json").read_text())
    expressions = [target["expr"].replace("$__rate_interval", "5m") for panel in dashboard["panels"] for target in panel["targets"]]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(expressions)]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_metrics_page_is_read_by_a_text_file_collector(promtool, agent):
    """The text file collector reads the older text format."""
    def check(page):
        return subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, timeout=120).stderr

    agent.post(cart("page"))
    assert b"text format parsing error" not in check(agent.get("/metrics").body)
    assert b"text format parsing error" in check(b"no metric\n")
