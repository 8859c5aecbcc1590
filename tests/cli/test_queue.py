"""`queue`, as an operator uses it: status, list, show, retry, dead letters, purge, and wrong usage."""

import ctypes
import json
import pathlib
import re
import stat

import pytest
from sandbox import Sandbox
from spool_operator import contents, damage, ids_of, numbered, samples_of
from waiting import wait_for


# queue status

def test_queue_status_is_the_same_in_every_form_and_its_counters_add_up(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("e", 3))
    operator.empty(sandbox.base_url)
    operator.fill(sandbox.base_url, numbered("f", 3))
    sandbox.script("400, 403, 404")
    operator.empty(sandbox.base_url)
    operator.fill(sandbox.base_url, ["waiting"])
    operator.json("queue", "dead", "drop", next(row["id"] for row in operator.json("queue", "dead", "list")))
    status = operator.status()
    assert [status[name] for name in ("accepted", "delivered", "dead", "dropped", "pending")] == [7, 3, 2, 1, 1]
    assert sum(status["dead_by_status"].values()) == 2

    page = operator("queue", "status", "--prometheus")
    assert page.returncode == 0 and f'{{spool="{operator.spool}"}}' in page.stdout
    samples = samples_of(page.stdout)
    counted = lambda name: samples["esales_queue_" + name]  # noqa: E731
    dead = sum(value for name, value in samples.items() if name.startswith("esales_queue_dead_letters{status="))
    assert counted("accepted_total") == 7 == (
        counted("delivered_total") + dead + counted("expired_total") + counted("dropped_total") + counted("pending"))
    assert counted("balanced") == 1 and counted("pending_bytes") > 0 and counted("oldest_age_seconds") >= 0
    assert counted("drainer") == counted("set_aside_files") == 0
    quantiles = [counted(f'recent_attempt_seconds{{quantile="{q}"}}') for q in ("0.5", "0.95", "0.99")]
    assert 0 < quantiles[0] <= quantiles[1] <= quantiles[2] < 60
    ages = [counted(f'recent_delivery_age_seconds{{quantile="{q}"}}') for q in ("0.5", "0.95", "0.99")]
    # Nothing was delivered since the status was read.
    assert [age * 1000 for age in ages] == pytest.approx([status["delivery_age_ms"][p] for p in ("p50", "p95", "p99")])
    assert 0 < ages[0] <= ages[1] <= ages[2] < 3600
    url = status["origins"][0]["url"]
    assert counted(f'origin_pending{{origin="{url}"}}') == status["origins"][0]["pending"]
    assert counted(f'backing_off{{origin="{url}"}}') == 0

    human = operator("queue", "status").stdout
    assert re.search(r"^accepted +7$", human, re.M) and re.search(rf"{re.escape(url)}: \d pending, deliveries go through$", human, re.M)
    assert re.search(r"^delivered by +no process$", human, re.M)


def test_queue_status_changes_nothing_in_the_spool(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("s", 3))
    before = contents(operator.spool)
    for arguments in (["status"], ["list"], ["show", "s-1"], ["dead", "list"]):
        assert operator("queue", *arguments).returncode == 0
    assert contents(operator.spool) == before


# queue list

def test_queue_list_returns_pages_of_everything_pending_in_order(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("l", 25), token="s3cret-token")
    seen, after = [], []
    while True:
        page = operator.json("queue", "list", "--limit", "10", *after)
        seen += [row["id"] for row in page["pending"]]
        if page["next"] is None:
            break
        after = ["--after", page["next"]]
    assert seen == numbered("l", 25)
    row = page["pending"][0]
    assert (row["status_name"], row["attempts"], row["http_status"]) == ("ESALES_QUEUED", 0, None)
    assert row["origin"].startswith(sandbox.base_url) and 0 <= row["age_ms"] < 600_000
    assert (row["body"]["customerKey"], row["body"]["token"]) == ("a-visitor", "...")
    assert not any("s3cret" in text for text in operator.printed)


def test_queue_list_prints_the_next_page_and_the_last_failure(operator, sandbox):
    assert operator("queue", "list").returncode == 6
    operator.fill(sandbox.base_url, numbered("l", 3))
    sandbox.script("503:retry-after=600")
    operator.empty(sandbox.base_url, "--concurrency", "1", "--max-wait-s", "5", code=4)
    listed = operator("queue", "list", "--limit", "2")
    first, second = listed.stdout.splitlines()
    assert re.match(r"l-0 +.*1 attempt .*HTTP 503$", first), first
    assert re.match(r"l-1 +.*0 attempts", second), second
    cursor = re.search(r"there are more: continue with --after (\S+)", listed.stderr)[1]
    rest = operator("queue", "list", "--after", cursor)
    assert re.match(r"l-2 ", rest.stdout) and rest.stderr == ""
    sandbox.script("")
    operator.json("queue", "retry", "--now")
    operator.empty(sandbox.base_url)
    assert operator("queue", "list").stdout == "no pending notifications\n"
    assert operator.json("queue", "list") == {"pending": [], "next": None}


# queue retry --now

def test_retry_now_ends_the_pause_of_a_running_drain(operator, sandbox):
    operator.fill(sandbox.base_url, ["r"])
    sandbox.script("503:retry-after=600")
    with operator.drain("--base-url", sandbox.base_url) as draining:
        wait_for(lambda: "are failing" in draining.log.read_text(), "the outage was not reported")
        assert operator.json("queue", "retry", "--now") == {"probes": 1}
        wait_for(lambda: ids_of(sandbox) == ["r"], "not tried at once")
        wait_for(lambda: operator.status()["origins"][0]["gate_failures"] == 0, "still backing off")
    assert operator("queue", "retry", "--now").stdout == "deliveries are not backing off\n"
    assert operator.json("queue", "retry", "--now") == {"probes": 0}


def test_retry_now_ends_the_pause_of_the_next_drain(operator, sandbox):
    operator.fill(sandbox.base_url, ["r"])
    sandbox.script("503:retry-after=600")
    operator.empty(sandbox.base_url, "--max-wait-s", "5", code=4)
    assert operator("queue", "retry", "--now").stdout == "one delivery is tried at once for 1 origin\n"
    assert operator.status()["origins"][0]["next_probe_ms"] == 0
    assert operator.empty(sandbox.base_url, "--max-wait-s", "30")["delivered"] == 1


# queue show, dead, purge

def keys(operator, private_key, customer_id):
    """Customer key and token, as the shop makes them."""
    library, key, token = ctypes.CDLL(operator.library), ctypes.create_string_buffer(65), ctypes.create_string_buffer(65)
    assert library.esales_customer_key(customer_id.encode(), key) == 0
    assert library.esales_customer_token(private_key.encode(), key.value, token) == 0
    return key.value.decode(), token.value.decode()


def test_dead_retry_signs_with_the_new_key_after_a_rotation(operator, command):
    key, old_token = keys(operator, "old-private-key", "4711")
    _, new_token = keys(operator, "new-private-key", "4711")
    with Sandbox(command, "--private-key", "new-private-key") as sandbox:
        operator.fill(sandbox.base_url, ["i-1", "i-2"], customer_key=key, token=old_token)
        assert operator.empty(sandbox.base_url)["dead"] == 2

        listed = operator.json("queue", "dead", "list")
        assert [(row["id"], row["status_name"], row["http_status"]) for row in listed] == [
            ("i-1", "ESALES_FORBIDDEN", 403), ("i-2", "ESALES_FORBIDDEN", 403)]
        shown = operator.json("queue", "dead", "show", "i-1")
        assert (shown["body"]["customerKey"], shown["body"]["token"]) == (key, "...")
        assert shown["accepted_at_ms"] <= shown["died_at_ms"] and shown["origin"].startswith(sandbox.base_url)
        assert operator.json("queue", "show", "i-1")["body"]["token"] == "..."
        for arguments in (["dead", "list"], ["dead", "show", "i-2"], ["show", "i-2"]):
            human = operator("queue", *arguments)
            assert human.returncode == 0 and "ESALES_FORBIDDEN" in human.stdout and "i-2" in human.stdout

        # Without the key they become dead letters again; with the key they arrive.
        assert operator.json("queue", "dead", "retry", "i-1") == {"retried": 1, "left": 0}
        assert operator.empty(sandbox.base_url)["dead"] == 1
        env = {"ESALES_PRIVATE_KEY": "new-private-key"}
        assert operator.json("queue", "dead", "retry", "i-1", env=env) == {"retried": 1, "left": 0}
        assert "1 enqueued again" in operator("queue", "dead", "retry", "--all", "--private-key", "new-private-key").stdout
        assert operator.json("queue", "show", "i-2")["status_name"] == "ESALES_QUEUED"
        assert operator.empty(sandbox.base_url, "--log-level", "debug")["delivered"] == 2
        assert [r["token_valid"] for r in sandbox.received()][-2:] == [True, True]
    assert operator.json("queue", "show", "i-1")["status_name"] == "ESALES_DELIVERED"
    assert operator.json("queue", "dead", "list") == []
    assert "no dead letters" in operator("queue", "dead", "list").stdout
    assert operator.status()["delivered"] == 2
    for secret in (old_token, new_token, "new-private-key", "old-private-key"):
        assert not any(secret in text for text in operator.printed), "a secret was printed"


def test_dead_retry_warns_that_old_tokens_are_sent_when_no_private_key_is_given(operator, sandbox):
    key, token = keys(operator, "any", "4711")
    operator.fill(sandbox.base_url, ["w-1", "w-2"], customer_key=key, token=token)
    operator.fill(sandbox.base_url, ["w-3"])
    sandbox.script("403:times=3")
    operator.empty(sandbox.base_url)
    warned = operator("queue", "dead", "retry", "--all")
    assert warned.returncode == 0 and "3 enqueued again" in warned.stdout
    assert "2 of them died with ESALES_FORBIDDEN and are sent again with the old token" in warned.stderr
    assert "ESALES_PRIVATE_KEY" in warned.stderr
    sandbox.script("403:times=3")
    operator.empty(sandbox.base_url)
    silent = operator("queue", "dead", "retry", "--all", env={"ESALES_PRIVATE_KEY": "any"})
    assert "3 enqueued again" in silent.stdout and silent.stderr == "", silent


LINE = ["--line", "product=P1,quantity=1,price=199.50"]


def enqueue(operator, sandbox, kind, identity, *own, env=None):
    """Enqueues a notification by a blocking call that failed."""
    sandbox.script("503")
    sent = operator("send", kind, "--id", identity, "--market", "UK", "--session-key", "one-visit", "--base-url", sandbox.base_url, "--max-attempts", "1",
                    "--on-failure", "queue", "--delivery", "none", *own, env=env)
    assert sent.returncode == 0 and sent.stdout.startswith("ESALES_QUEUED"), sent
    # The blocking call has closed no gate.
    operator.json("queue", "retry", "--now")


@pytest.fixture
def secured(command):
    with Sandbox(command, "--private-key", "s3cret-key") as sandbox:
        yield sandbox


KEY = {"ESALES_PRIVATE_KEY": "s3cret-key"}
LOST = "may have arrived: "


def test_queue_shows_the_kind_of_every_notification(operator, secured):
    ticket, product = ["--ticket", "t"], ["--product-key", "P1"]
    for kind, own in (("add-to-cart", ticket), ("click", ticket), ("non-esales-click", product), ("payment", LINE),
                      ("non-esales-add-to-cart", product), ("secure-payment", LINE), ("end", [])):
        enqueue(operator, secured, kind, f"the-{kind}", *own, env=KEY)
    kinds = {row["id"]: row["kind"] for row in operator.json("queue", "list")["pending"]}
    assert len(kinds) == 7 and all(kind == identity[4:].replace("-", "_") for identity, kind in kinds.items())
    human = operator("queue", "list").stdout
    for identity, kind in kinds.items():
        assert re.search(rf"^{identity} +{kind} ", human, re.M), human
        assert operator.json("queue", "show", identity)["kind"] == kind
        assert f"  kind      {kind}\n" in operator("queue", "show", identity).stdout
    operator.empty(secured.base_url)
    assert operator.json("queue", "show", "the-click")["kind"] is None, "it has left the spool"
    assert not any("paymentToken" in text or "s3cret" in text for text in operator.printed)
    assert secured.received()[-1]["kind"] == "end", "it waits for the rest of its session"


@pytest.mark.parametrize("answer", ["500", "close", "garbage"])
def test_payment_that_may_have_arrived_becomes_a_dead_letter_with_that_reason(operator, sandbox, answer):
    enqueue(operator, sandbox, "payment", "paid", *LINE)
    sandbox.script(answer)
    assert operator.empty(sandbox.base_url)["dead"] == 1
    letter, = operator.json("queue", "dead", "list")
    assert (letter["id"], letter["kind"], letter["may_have_arrived"]) == ("paid", "payment", True)
    assert letter["detail"].startswith(LOST)
    assert operator.json("queue", "show", "paid")["may_have_arrived"] is True
    for arguments in (["dead", "show", "paid"], ["show", "paid"]):
        assert "caution   it may have arrived" in operator("queue", *arguments).stdout
    assert re.search(rf"^paid +payment .* {LOST}", operator("queue", "dead", "list").stdout)
    assert len([r for r in sandbox.received() if r["answer"] == answer]) == 1


def test_payment_is_not_sent_again_when_its_drainer_was_killed(operator, sandbox, tmp_path):
    enqueue(operator, sandbox, "payment", "paid", *LINE)
    sandbox.script("hang")
    with operator.drain("--base-url", sandbox.base_url, "--timeout-ms", "60000") as draining:
        wait_for(lambda: len(sandbox.received()) == 2, "it is not sent")
        listed, = operator.json("queue", "list")["pending"]
        assert listed["may_have_arrived"] is True
        assert "is being sent, or may have arrived" in operator("queue", "list").stdout
        draining.kill()
        draining.wait()
    # A copy must not lead to a second payment either.
    copy = operator.at(tmp_path / "copy")
    operator.json("queue", "backup", copy.spool)
    other = operator.at(tmp_path / "other")
    other.fill(sandbox.base_url, ["another"])
    salvaged = other.json("queue", "salvage", copy.spool, code=4)
    assert (salvaged["enqueued"], salvaged["may_have_arrived_left"]) == (0, 1)
    assert "1 payment skipped" in other("queue", "salvage", copy.spool).stderr
    assert other.json("queue", "salvage", copy.spool, "--may-count-twice")["enqueued"] == 1
    sandbox.script("")
    assert operator.empty(sandbox.base_url)["dead"] == 1
    letter, = operator.json("queue", "dead", "list")
    assert letter["may_have_arrived"] and letter["detail"].startswith(LOST)
    assert len(sandbox.received()) == 2


def test_dead_retry_leaves_payments_that_may_have_arrived_unless_they_may_count_twice(operator, sandbox):
    enqueue(operator, sandbox, "payment", "paid", *LINE)
    enqueue(operator, sandbox, "click", "clicked", "--ticket", "t")
    sandbox.script("500, 404")
    assert operator.empty(sandbox.base_url, "--concurrency", "1")["dead"] == 2
    for which in (["paid"], ["--all"]):
        left = operator("queue", "dead", "retry", *which)
        assert left.returncode == 4, left
        for words in ("1 payment skipped", "counts a repeated payment twice", "--may-count-twice", "queue dead drop"):
            assert words in left.stderr, left
    assert [row["id"] for row in operator.json("queue", "dead", "list")] == ["paid"]
    assert operator.json("queue", "dead", "retry", "paid", code=4) == {"retried": 0, "left": 1}
    assert operator.json("queue", "dead", "retry", "paid", "--may-count-twice") == {"retried": 1, "left": 0}
    assert operator.empty(sandbox.base_url)["delivered"] == 2


def test_dead_retry_retries_a_payment_that_was_refused(operator, sandbox):
    enqueue(operator, sandbox, "payment", "paid", *LINE)
    sandbox.script("403")
    assert operator.empty(sandbox.base_url)["dead"] == 1
    assert operator.json("queue", "dead", "list")[0]["may_have_arrived"] is False
    assert operator.json("queue", "dead", "retry", "--all") == {"retried": 1, "left": 0}


def test_dead_retry_signs_a_secure_payment_again(operator, secured):
    old = {"ESALES_PRIVATE_KEY": "old-key"}
    enqueue(operator, secured, "secure-payment", "paid", *LINE, "--customer-id", "4711", env=old)
    secured.script("")
    assert operator.empty(secured.base_url)["dead"] == 1
    assert "old token" in operator("queue", "dead", "retry", "paid").stderr
    assert operator.empty(secured.base_url)["dead"] == 1
    assert operator.json("queue", "dead", "retry", "paid", env=KEY) == {"retried": 1, "left": 0}
    assert operator.empty(secured.base_url)["delivered"] == 1
    received = secured.received()
    assert [r["payment_token_valid"] for r in received[1:]] == [False, False, True]
    assert [r["token_valid"] for r in received[1:]] == [False, False, True]
    assert not any("paymentToken" in text or "s3cret" in text or "old-key" in text for text in operator.printed)


def test_dead_drop_counts_the_letters_as_dropped(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("j", 3))
    sandbox.script("400:times=3")
    operator.empty(sandbox.base_url)
    assert operator.json("queue", "dead", "drop", "j-0") == {"dropped": 1}
    assert "2 dropped" in operator("queue", "dead", "drop", "--all").stdout
    status = operator.status()
    assert (status["dead"], status["dropped"]) == (0, 3)


def test_dead_letters_can_be_retried_and_dropped_while_a_drain_runs(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("w", 4))
    sandbox.script("404:times=4")
    with operator.drain("--base-url", sandbox.base_url):
        wait_for(lambda: operator.status()["dead"] == 4, "they do not die")
        assert operator.json("queue", "dead", "drop", "w-0") == {"dropped": 1}
        assert operator.json("queue", "dead", "retry", "--all") == {"retried": 3, "left": 0}
        wait_for(lambda: operator.status()["delivered"] == 3, "not delivered")
    status = operator.status()
    assert (status["dead"], status["dropped"]) == (0, 1)
    assert sorted(ids_of(sandbox)) == ["w-1", "w-2", "w-3"]


def test_purge_leaves_nothing_of_the_visitor_on_the_disk(operator, sandbox):
    key, token = keys(operator, "any", "4711")
    operator.fill(sandbox.base_url, ["k-0", "k-5"], customer_key="anonymous-visitor")
    sandbox.script("404, 204")
    operator.empty(sandbox.base_url, "--concurrency", "1")
    operator.fill(sandbox.base_url, ["k-1"], customer_key=key, token=token)
    operator.fill(sandbox.base_url, ["k-2", "k-3"], customer_key="anonymous-visitor")
    operator.fill(sandbox.base_url, ["k-4"], customer_key="stays")
    assert operator.json("queue", "purge", "--customer-id", "4711") == {"purged": 1}
    # k-0 is a dead letter, and k-5 was delivered.
    assert "3 erased" in operator("queue", "purge", "--customer-key", "anonymous-visitor").stdout
    assert operator.json("queue", "purge", "--customer-key", "anonymous-visitor") == {"purged": 0}
    status = operator.status()
    assert (status["pending"], status["dropped"], status["delivered"], status["dead"]) == (1, 4, 1, 0)
    for name, (content, _, _) in contents(operator.spool).items():
        for trace in (key, token, "anonymous-visitor"):
            assert trace.encode() not in content, (name, trace)
    assert operator.listed() == ["k-4"]
    operator.empty(sandbox.base_url)
    assert ids_of(sandbox) == ["k-5", "k-4"]


def test_purge_works_while_a_drain_runs_and_after_damage(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("other", 3), customer_key="someone-else")
    operator.fill(sandbox.base_url, ["k-1", "k-2"], customer_key="the-visitor")
    damage(operator.spool, "other-1")
    sandbox.script("503:retry-after=600")
    with operator.drain("--base-url", sandbox.base_url, "--concurrency", "1") as draining:
        wait_for(lambda: "are failing" in draining.log.read_text(), "the outage was not reported")
        assert operator.json("queue", "purge", "--customer-key", "the-visitor") == {"purged": 2}
        for name, (content, _, _) in contents(operator.spool).items():
            assert b"the-visitor" not in content, name
        sandbox.script("")
        operator.json("queue", "retry", "--now")
        wait_for(lambda: json.loads(operator("queue", "status", "--json").stdout)["pending"] == 0, "not delivered")
    assert sorted(ids_of(sandbox)) == ["other-0", "other-2"]


# Wrong usage

@pytest.mark.parametrize("arguments", [["show", "nobody"], ["dead", "show", "nobody"], ["dead", "retry", "dead", "nobody"],
                                       ["dead", "drop", "dead", "nobody"]])
def test_queue_exits_3_when_the_id_is_unknown(operator, sandbox, arguments):
    operator.fill(sandbox.base_url, ["dead"])
    sandbox.script("400")
    operator.empty(sandbox.base_url)
    for form in ([], ["--json"]):
        result = operator("queue", *arguments, *form)
        assert result.returncode == 3 and result.stdout == "" and "the id nobody" in result.stderr, result
    assert operator.status()["dead"] == 1


@pytest.mark.parametrize(
    "arguments, message",
    [(["queue", "dead", "retry"], "--all"), (["queue", "dead", "drop"], "--all"),
     (["queue", "dead", "drop", "x", "--all"], "--all"), (["queue", "purge"], "--customer-key"),
     (["queue", "purge", "--customer-key", "k", "--customer-id", "i"], "cannot be used with"),
     (["queue", "status", "--json", "--prometheus"], "--prometheus"), (["queue"], "Usage"), (["queue", "show"], "<ID>"),
     (["queue", "list", "--limit", "0"], "--limit"), (["queue", "retry"], "--now"), (["queue", "backup"], "<DIR>"),
     (["queue", "salvage"], "<DIR>"), (["queue", "status", "--spool", ""], "spool"), (["drain"], "cluster_id"),
     (["drain", "--max-wait-s", "5", "--base-url", "http://127.0.0.1:9"], "--once"),
     (["drain", "--log-level", "loud"], "loud"), (["drain", "--once", "--max-wait-s", "soon"], "soon")],
)
def test_queue_exits_2_on_wrong_usage_and_names_the_argument(operator, arguments, message):
    result = operator(*arguments)
    assert result.returncode == 2 and message in result.stdout + result.stderr, result
    assert not pathlib.Path(operator.spool).exists()


def test_queue_list_refuses_a_foreign_cursor(operator, sandbox):
    operator.fill(sandbox.base_url, ["x"])
    refused = operator("queue", "list", "--after", "../x")
    assert refused.returncode == 2 and "after is not a cursor" in refused.stderr, refused


def test_queue_exits_2_without_the_option_spool(operator):
    for arguments in (["queue", "status"], ["queue", "dead", "list"], ["drain", "--base-url", "http://127.0.0.1:9"]):
        result = operator(*arguments, env={"ESALES_SPOOL": ""})
        assert result.returncode == 2 and "spool is missing" in result.stderr, result


LOOKERS = (["queue", "status"], ["queue", "list"], ["queue", "salvage", "/tmp"],
           ["drain", "--once", "--base-url", "http://127.0.0.1:9"])
ALL = (*LOOKERS, ["drain", "--base-url", "http://127.0.0.1:9"])


def test_queue_exits_6_and_makes_no_spool_when_there_is_none(operator):
    for arguments in LOOKERS:
        result = operator(*arguments)
        assert result.returncode == 6 and operator.spool in result.stderr, result
    assert not pathlib.Path(operator.spool).exists()


def test_queue_exits_6_when_the_folder_of_the_spool_is_missing(operator):
    pathlib.Path(operator.spool).parent.rmdir()
    for arguments in ALL:
        result = operator(*arguments)
        assert result.returncode == 6 and "No such file or directory" in result.stderr, result


def test_queue_exits_2_when_the_path_of_the_spool_is_relative(operator, tmp_path):
    for arguments in ALL:
        result = operator(*arguments, env={"ESALES_SPOOL": "place/spool"}, cwd=tmp_path)
        assert result.returncode == 2 and "absolute path" in result.stderr, result
    assert list((tmp_path / "place").iterdir()) == []


def test_queue_exits_6_when_the_spool_is_a_file(operator):
    foreign = pathlib.Path(operator.spool)
    foreign.write_text("a letter\n" * 100)
    foreign.chmod(0o644)
    for arguments in ALL:
        result = operator(*arguments)
        assert result.returncode == 6 and "a spool is a directory" in result.stderr, result
    assert foreign.read_text().startswith("a letter") and stat.S_IMODE(foreign.stat().st_mode) == 0o644


def test_queue_exits_6_when_the_directory_has_other_files(operator):
    foreign = pathlib.Path(operator.spool)
    foreign.mkdir(mode=0o755)
    (foreign / "letter.txt").write_text("a letter\n")
    before = contents(foreign)
    for arguments in ALL:
        result = operator(*arguments)
        assert result.returncode == 6 and operator.spool in result.stderr, result
    assert contents(foreign) == before and stat.S_IMODE(foreign.stat().st_mode) == 0o755
