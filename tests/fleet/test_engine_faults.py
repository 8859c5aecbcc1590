"""Faults of an engine, its settings and the network: each call ends at its time limit, with a message that names the
fault."""

import threading

import pytest
from conftest import HERE, LONG_S, SLACK_MS, queued
from environment import CLEAN
from test_promises import after
from waiting import wait_for

BOUND_MS = 400


def one(produce, spool, **options):
    return produce("x", 0, 1, spool=spool, **options).finish()[0]


def refused(call, *expected):
    assert call["status"] == "ESALES_SPOOL_FAILED", call
    for word in expected:
        assert word in call["detail"], call
    return True


@pytest.mark.parametrize("mode", ["hole", "drip", 0, 1, 3])
def test_calls_keep_their_deadlines_when_the_network_misbehaves(mode, start_engine, start_proxy, produce):
    engine = start_engine()
    proxy = start_proxy(engine.port)
    producer = produce("a", 0, 1, spool=engine.url(port=proxy.port), enqueue_timeout_ms=BOUND_MS)
    producer.finish()
    # The first calls may be slow on a busy machine.
    wait_for(lambda: producer.ask("push a-0")["status"] == "ESALES_QUEUED", "the engine does not answer", LONG_S)
    proxy.mode, proxy.passed = mode, 0
    for n in range(1, 4):
        call = producer.ask(f"push a-{n}")
        refused(call, "spool redis://")
        assert call["ms"] < BOUND_MS + SLACK_MS, call
    # Calls work again afterwards, because connections with unfinished exchanges are not reused.
    proxy.mode = "pass"
    wait_for(lambda: producer.ask("push a-9")["status"] == "ESALES_QUEUED", "the engine does not answer", LONG_S)
    assert producer.ask("receipt a-9")["receipt"] == "ESALES_QUEUED"


def test_call_ends_with_an_error_when_the_connection_breaks_within_a_reply(start_engine, start_proxy, produce, status):
    engine = start_engine()
    proxy = start_proxy(engine.port)
    producer = produce("a", 0, 1, spool=engine.url(port=proxy.port), enqueue_timeout_ms=5000)
    producer.finish()
    for cut in range(0, 4):
        # The next reply on the pooled connection is `:1\r\n`.
        proxy.mode, proxy.passed = cut, 0
        call = producer.ask(f"push b-{cut}")
        # The new connection is reset too.
        refused(call)
        proxy.mode = "pass"
        # The same id again is accepted once, whatever the result of the first call was.
        assert producer.ask(f"push b-{cut}")["status"] == "ESALES_QUEUED"
    counters = status(engine.url())
    assert counters["accepted"] == 5 and counters["lost"] == 0
    assert producer.ask("stats") == {"accepted": 5, "pending": 5, "lost": 0, "process": 5}


def test_call_succeeds_when_scripts_or_connections_are_gone(kind, start_engine, produce, drain, settle):
    engine = start_engine(server=kind)
    producer = produce("a", 0, 400, 2, spool=engine.url())
    drain(spool=engine.url())
    for times in range(1, 7):
        after(producer, times * 50)
        engine("SCRIPT", "FLUSH") if times % 2 else engine("CLIENT", "KILL", "TYPE", "normal")
    producer.finish()
    assert len(queued(producer.calls)) == 400
    report, _ = settle(engine.url(), producer)
    assert (report.lost, report.unexpected) == ([], [])
    assert len(report.duplicated) <= 6 * 8


@pytest.mark.parametrize("setting, expected", [
    (("--maxmemory", "1mb", "--maxmemory-policy", "allkeys-lru"), ("maxmemory-policy is allkeys-lru", "noeviction")),
    (("--appendonly", "no"), ("appendonly is no", "allow_volatile")),
    (("--min-replicas-to-write", "1"), ("min-replicas-to-write", "NOREPLICAS")),
    (("--requirepass", "geheim"), ("spool_password", "NOAUTH")),
    (("--maxmemory", "1"), ("maxmemory", "OOM")),
])
def test_engine_is_refused_with_the_name_of_its_setting(setting, expected, start_engine, produce, operate):
    engine = start_engine(*setting, wait="--requirepass" not in setting)
    if "--requirepass" in setting:
        wait_for(lambda: answers(engine), "the server does not start", LONG_S)
    call = one(produce, engine.url())
    refused(call, *expected)
    assert "may yet" not in call["detail"]


def test_delivery_and_operators_commands_work_when_the_memory_of_the_engine_is_full(
        kind, start_engine, produce, drain, settle, status, operate, service):
    engine = start_engine(server=kind)
    spool = engine.url()
    service.tell(400)
    producer = produce("a", 0, 20, spool=spool)
    producer.finish()
    first = drain(spool=spool)
    wait_for(lambda: status(spool)["dead"] == 20, "no dead letters", LONG_S)
    first.kill()
    first.wait()
    service.tell(503)
    more = produce("b", 0, 200, spool=spool)
    more.finish()
    engine("CONFIG", "SET", "maxmemory", "1")
    refused(more.ask("push b-200"), "maxmemory", "OOM")
    drain(spool=spool)
    wait_for(lambda: status(spool)["origins"][0]["gate_failures"] > 0, "the gate stays open", LONG_S)
    for arguments in (["queue", "retry", "--now"], ["queue", "dead", "retry", "a-0"], ["queue", "dead", "drop", "a-1"],
                      ["queue", "purge", "--customer-key", "nobody"]):
        done = operate(*arguments, spool=spool)
        assert done.returncode == 0, done
    service.tell(204)
    report, counters = settle(spool, more)
    assert (report.lost, report.duplicated) == ([], [])
    assert (counters["accepted"], counters["delivered"], counters["dead"], counters["dropped"]) == (220, 201, 18, 1), counters
    engine("CONFIG", "SET", "maxmemory", "0")
    assert more.ask("push b-200")["status"] == "ESALES_QUEUED"


def test_replica_loading_and_busy_engines_are_refused(kind, start_engine, produce):
    primary = start_engine(server=kind)
    replica = start_engine("--replicaof", f"127.0.0.1 {primary.port}", server=kind)
    wait_for(lambda: replica.info("master_link_status") == "up", "the replica does not follow", LONG_S)
    refused(one(produce, replica.url()), "read-only replica", "sentinel=")
    # Another program's script.
    primary("CONFIG", "SET", "busy-reply-threshold", "50")
    endless = threading.Thread(target=lambda: pytest.raises(Exception, primary, "EVAL", "while true do end", "0"))
    endless.start()
    wait_for(lambda: is_busy(primary), "the engine is not busy", LONG_S)
    refused(one(produce, primary.url()), "BUSY")
    primary("SCRIPT", "KILL")
    endless.join()
    producer = produce("a", 0, 600, spool=primary.url())
    producer.finish()
    primary.kill()
    # A delay in microseconds for each command of the file. The engine answers occasionally meanwhile.
    primary.settings += ["--key-load-delay", "1000"]
    primary.start(wait=False)
    wait_for(lambda: is_loading(primary), "the engine does not load", LONG_S)
    refused(producer.ask("push a-600"), "LOADING")


def answers(engine):
    try:
        engine("PING")
    except Exception as error:
        return "NOAUTH" in str(error)
    return True


def is_busy(engine):
    try:
        engine("PING")
    except Exception as error:
        return "BUSY" in str(error)
    return False


def is_loading(engine):
    try:
        return engine.info("loading") == "1"
    except OSError:
        return False


def test_primary_is_looked_up_again_when_it_becomes_a_replica(start_engine, produce):
    one_, two = start_engine(), start_engine()
    hosts = f"redis://127.0.0.1:{one_.port},127.0.0.1:{two.port}/0?name=shop"
    producer = produce("a", 0, 2, spool=hosts)
    producer.finish()
    one_("REPLICAOF", "127.0.0.1", two.port)
    # The pooled connection returns READONLY, or was closed.
    assert producer.ask("push a-2")["status"] == "ESALES_QUEUED"
    assert two("DBSIZE") > 0


RULE = next(line for line in (HERE.parent.parent / "docs/fleet.md").read_text().splitlines() if "ACL SETUSER" in line)
RIGHTS = RULE.strip("` ").split(">PASSWORD ")[1].replace("NAME", "shop")


def test_documented_rights_are_enough_and_each_is_needed(start_engine, produce, drain, settle, operate, tmp_path):
    engine = start_engine(server="valkey")
    engine("ACL", "SETUSER", "esales", "on", ">geheim", *RIGHTS.split())
    spool = engine.url().replace("redis://", "redis://esales@")
    password = tmp_path / "password"
    password.write_text("geheim\n")
    options = {"spool": spool, "spool_password_file": password}
    producer = produce("a", 0, 50, **options)
    drain(**options)
    producer.finish()
    report, _ = settle(spool, producer, spool_password_file=password)
    assert report == ([], [], [], [])
    for arguments in (["purge", "--customer-key", "x"], ["dead", "list"], ["retry", "--now"], ["list"]):
        done = operate("queue", *arguments, **options)
        assert "NOPERM" not in done.stdout + done.stderr and "permission" not in done.stderr, done
    checked = operate("doctor", **options, base_url="http://127.0.0.1:9")
    assert "geheim" not in checked.stdout + checked.stderr
    missing = []
    for right in RIGHTS.split():
        if not right.startswith("+"):
            continue
        engine("ACL", "SETUSER", "esales", f"-{right[1:]}")
        engine("CLIENT", "KILL", "USER", "esales")
        call = one(produce, **options)
        if call["status"] == "ESALES_QUEUED":
            missing.append(right)
        else:
            assert "NOPERM" in call["detail"] or "permission" in call["detail"], call
            assert "geheim" not in call["detail"]
        engine("ACL", "SETUSER", "esales", right)
    # These are used only with a certain `durability`, or may be refused.
    assert set(missing) <= {"+wait", "+waitaof", "+config|get", "+select", "+ping", "+eval", "+evalsha"}


def test_wrong_password_is_reported_and_not_shown(start_engine, produce, operate):
    engine = start_engine()
    engine("ACL", "SETUSER", "esales", "on", ">geheim", "~*", "+@all")
    spool = engine.url().replace("redis://", "redis://esales@")
    call = one(produce, spool, spool_password="verkehrt")
    refused(call, "spool_password", "WRONGPASS")
    assert "verkehrt" not in call["detail"]
    done = operate("doctor", "--json", spool=spool, spool_password="verkehrt", base_url="http://127.0.0.1:9")
    assert "WRONGPASS" in done.stdout and "verkehrt" not in done.stdout + done.stderr
    good = one(produce, spool, spool_password="geheim")
    assert good["status"] == "ESALES_QUEUED"


def test_key_of_the_wrong_type_is_refused_and_nothing_is_changed(start_engine, produce):
    engine = start_engine()
    for key in ("c", "q:1", "r:x-0"):
        engine("FLUSHALL")
        engine("SET", "esales:{shop}:q:1", "x") if key == "q:1" else engine("RPUSH", f"esales:{{shop}}:{key}", "x")
        before = engine("DBSIZE")
        call = one(produce, engine.url())
        assert call["status"] == "ESALES_SPOOL_FAILED", (key, call)
        assert engine("DBSIZE") == before, key


def test_id_is_not_known_when_the_stream_refused_its_entry(start_engine, produce):
    engine = start_engine()
    one(produce, engine.url())
    engine("DEL", "esales:{shop}:q:1")
    engine("SET", "esales:{shop}:q:1", "x")
    before = engine("HGETALL", "esales:{shop}:c")
    producer = produce("y", 0, 1, spool=engine.url())
    refused(producer.finish()[0], "WRONGTYPE")
    assert engine("EXISTS", "esales:{shop}:r:y-0") == 0
    assert engine("HGETALL", "esales:{shop}:c") == before


def test_spool_is_refused_when_its_counters_were_evicted(start_engine, produce, drain, status, operate):
    engine = start_engine()
    produce("a", 0, 5, spool=engine.url()).finish()
    engine("DEL", "esales:{shop}:c")
    refused(produce("b", 0, 1, spool=engine.url()).finish()[0], "the counters of the spool are gone")
    assert operate("queue", "status", spool=engine.url()).returncode == 6


def test_spool_is_reported_as_lost_and_starts_empty_when_it_was_deleted(kind, start_engine, produce, drain, settle, status):
    engine = start_engine(server=kind)
    producer = produce("a", 0, 1500, spool=engine.url())
    producer.finish()
    engine("FLUSHALL")
    assert producer.ask("push a-1500")["status"] == "ESALES_QUEUED"
    counters = status(engine.url())
    # Without a failover nothing is pushed again, and the loss is reported.
    assert counters["accepted"] == 1 and counters["lost"] == 1500
    drain(spool=engine.url())
    report, _ = settle(engine.url(), producer)
    assert len(report.lost) == 1500


def test_child_uses_a_connection_of_its_own_after_a_fork(start_engine, root, library, service):
    import subprocess
    import sys

    engine = start_engine()
    program = """
import os
from esales_notify import Client, Visitor
visitor = Visitor(customer_key="c", session_key="s", market="UK")
with Client() as client:
    client.enqueue_add_to_cart(visitor, "t", "parent-0")
    children = []
    for n in range(4):
        child = os.fork()
        if child == 0:
            for i in range(50):
                client.enqueue_add_to_cart(visitor, "t", f"child-{n}-{i}")
            os._exit(0)
        children.append(child)
    for i in range(50):
        client.enqueue_add_to_cart(visitor, "t", f"parent-{i + 1}")
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    print(client.stats().spool.accepted)
"""
    env = {**CLEAN, "ESALES_SPOOL": engine.url(),
           "ESALES_BASE_URL": service.base_url, "ESALES_DELIVERY": "none", "ESALES_NOTIFY_LIBRARY": str(library),
           "PYTHONPATH": str(root / "bindings/python/src")}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=LONG_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["251"]


def test_doctor_names_the_fault_of_the_engine(start_engine, produce, operate):
    engine = start_engine("--maxmemory-policy", "allkeys-lru")
    done = operate("doctor", spool=engine.url(), base_url="http://127.0.0.1:9")
    assert "allkeys-lru" in done.stdout and "evicts the queue" in done.stdout
    engine("CONFIG", "SET", "maxmemory-policy", "noeviction")
    done = operate("doctor", spool=engine.url(), base_url="http://127.0.0.1:9")
    for part in (engine.info("redis_version"), "appendonly yes", "noeviction", "maxclients", "nothing was ever", "primary"):
        assert part in done.stdout or part == "nothing was ever", done.stdout
