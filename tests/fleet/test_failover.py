"""Replicas: confirmed events, lost events, and the primary after a failover."""

import pytest
from conftest import LONG_S, SLACK_MS, queued
from test_promises import after
from waiting import wait_for

SENTINEL = """sentinel monitor shop 127.0.0.1 {port} 2
sentinel down-after-milliseconds shop 1000
sentinel failover-timeout shop 5000
sentinel parallel-syncs shop 1
"""


@pytest.fixture
def pair(start_engine, start_proxy, kind):
    """A primary, and a replica that reaches it through a proxy."""
    primary = start_engine(server=kind)
    proxy = start_proxy(primary.port)
    replica = start_engine("--replicaof", f"127.0.0.1 {proxy.port}", "--repl-timeout", "60", server=kind)
    wait_for(lambda: replica.info("master_link_status") == "up", "the replica does not follow", LONG_S)
    return primary, replica, proxy


def partition(pair):
    """Cuts the replica off. (Stopping its process would not be a partition, because the kernel would still accept
    bytes.)"""
    pair[2].mode = "hole"


def promote(replica):
    replica("REPLICAOF", "NO", "ONE")


def test_confirmed_events_survive_a_failover_when_durability_is_replica(pair, produce, drain, settle):
    primary, replica, _ = pair
    hosts = f"redis://127.0.0.1:{primary.port},127.0.0.1:{replica.port}/0?name=shop"
    producer = produce("a", 0, 400, 5, spool=hosts, durability="replica", enqueue_timeout_ms=400)
    after(producer, 100)
    partition(pair)
    wait_for(lambda: producer.calls[-1]["status"] != "ESALES_QUEUED", "everything is confirmed", LONG_S)
    unconfirmed = producer.calls[-1]
    assert "not confirmed by a replica in time: it may yet be accepted" in unconfirmed["detail"]
    assert unconfirmed["ms"] < 400 + SLACK_MS
    primary.kill()
    promote(replica)
    # The new primary has no replica that could confirm, so the rest is pushed without confirmation.
    producer.kill()
    drain(spool=hosts)
    report, _ = settle(hosts, producer)
    assert (report.lost, report.unexpected) == ([], []), report


def test_lost_events_are_counted_or_pushed_again_when_a_cut_off_replica_is_promoted(pair, produce, drain, settle, status):
    primary, replica, proxy = pair
    hosts = f"redis://127.0.0.1:{primary.port},127.0.0.1:{replica.port}/0?name=shop"
    producer = produce("a", 0, 100000, spool=hosts)
    after(producer, 200)
    partition(pair)
    cut_off = len(producer.calls)
    after(producer, cut_off + 200)
    producer.process.send_signal(19)
    primary.kill()
    promote(replica)
    # The counters add up on the promoted node although events are missing, so the counter invariant proves nothing.
    before = status(hosts)
    assert before["is_balanced"] and before["accepted"] < len(queued(producer.calls))
    producer.process.send_signal(18)
    after(producer, len(producer.calls) + 50)
    producer.kill()
    drain(spool=hosts)
    report, counters = settle(hosts, producer)
    # The events of the last seconds were pushed again with their ids. The missing ones are reported.
    assert report.unexpected == []
    assert len(report.lost) <= counters["lost"] + 1, (report, counters)
    assert len(report.lost) < 200


def test_old_primary_is_not_used_when_it_comes_back(pair, produce, drain, settle):
    primary, replica, proxy = pair
    hosts = f"redis://127.0.0.1:{primary.port},127.0.0.1:{replica.port}/0?name=shop"
    producer = produce("a", 0, 600, 5, spool=hosts)
    drain(spool=hosts)
    after(producer, 100)
    primary.kill()
    promote(replica)
    after(producer, 300)
    # The old primary returns, as after a restart by an operator or a Sentinel.
    primary.settings += ["--replicaof", f"127.0.0.1 {replica.port}"]
    primary.start()
    wait_for(lambda: primary.info("master_link_status") == "up", "the old primary does not follow", LONG_S)
    producer.finish()
    report, _ = settle(hosts, producer)
    assert (report.lost, report.unexpected) == ([], []), report
    assert len(report.duplicated) <= 8


def test_new_primary_is_found_when_sentinels_promote_it(start_engine, stack, tmp_path, produce, drain, settle):
    from engines import Engine

    primary = start_engine()
    replica = start_engine("--replicaof", f"127.0.0.1 {primary.port}")
    wait_for(lambda: replica.info("master_link_status") == "up", "the replica does not follow", LONG_S)
    sentinels = []
    for n in range(3):
        sentinel = Engine(tmp_path / f"sentinel-{n}", sentinel=SENTINEL.format(port=primary.port))
        stack.callback(sentinel.kill)
        sentinels.append(sentinel.start())
    known = lambda s: dict(zip(*[iter(s("SENTINEL", "MASTER", "shop"))] * 2))  # noqa: E731
    wait_for(lambda: all(known(s)["num-other-sentinels"] == "2" and known(s)["num-slaves"] == "1" for s in sentinels),
             "the sentinels do not find each other", LONG_S)
    hosts = ",".join(f"127.0.0.1:{s.port}" for s in sentinels)
    spool = f"redis://{hosts}/0?name=shop&sentinel=shop"
    producer = produce("a", 0, 600, 10, spool=spool, enqueue_timeout_ms=500)
    drain(spool=spool)
    after(producer, 100)
    primary.kill()
    sentinels[0].kill()
    wait_for(lambda: replica.info("role") == "master", "the sentinels promote no replica", LONG_S)
    promoted = len(producer.calls)
    producer.finish()
    assert producer.calls[-1]["status"] == "ESALES_QUEUED"
    assert promoted < 600
    report, _ = settle(spool, producer)
    assert report.unexpected == [] and report.lost == [], report


def test_message_names_the_primary_when_the_sentinels_do_not_know_it(stack, tmp_path, produce):
    from engines import Engine

    sentinel = Engine(tmp_path / "sentinel", sentinel="sentinel monitor other 127.0.0.1 1 1\n")
    stack.callback(sentinel.kill)
    sentinel.start()
    call = produce("a", 0, 1, spool=f"redis://127.0.0.1:{sentinel.port}/0?name=x&sentinel=shop").finish()[0]
    assert call["status"] == "ESALES_SPOOL_FAILED" and "no primary named shop" in call["detail"]


def test_call_follows_a_cluster_to_the_node_that_has_the_slot(start_engine, kind, produce, drain, settle):
    cluster = ("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
    nodes = [start_engine(*cluster, server=kind) for _ in range(2)]
    nodes[0]("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    nodes[1]("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
    wait_for(lambda: "cluster_state:ok" in nodes[1]("CLUSTER", "INFO"), "the nodes do not find each other", LONG_S)
    spool = nodes[1].url()
    producer = produce("a", 0, 50, spool=spool)
    drain(spool=spool)
    assert len(queued(producer.finish())) == 50
    report, _ = settle(spool, producer)
    assert report == ([], [], [], [])
    assert nodes[1]("DBSIZE") == 0 and nodes[0]("DBSIZE") > 0


def test_call_keeps_its_deadline_when_an_engine_does_not_listen(produce):
    from ports import free_port

    for call in produce("a", 0, 3, spool=f"redis://127.0.0.1:{free_port()}/0?name=x", enqueue_timeout_ms=300).finish():
        assert call["status"] == "ESALES_SPOOL_FAILED" and "refused" in call["detail"]
        assert call["ms"] < 300 + SLACK_MS
