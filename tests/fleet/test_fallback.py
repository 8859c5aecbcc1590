"""A log on this machine stores notifications while the engine does not answer, and forwards them later with the same
ids."""

import json

import pytest
from conftest import LONG_S, SLACK_MS, queued
from test_promises import after
from waiting import wait_for


@pytest.fixture
def spool(start_engine, start_proxy, tmp_path):
    """An engine behind a proxy, and the options of a machine with a fallback."""
    # Otherwise an engine with a busy disk forgets up to two seconds when it is killed.
    engine = start_engine("--appendfsync", "always")
    proxy = start_proxy(engine.port)
    return engine, proxy, {"spool": engine.url(port=proxy.port), "spool_fallback": tmp_path / "fallback"}


@pytest.mark.parametrize("fault", ["hangs", "killed", "cut off"])
def test_events_are_stored_in_the_fallback_and_forwarded_when_the_engine_fails(fault, spool, produce, drain, settle):
    engine, proxy, options = spool
    producer = produce("a", 0, 400, 5, **options, enqueue_timeout_ms=400)
    drain(**options)
    after(producer, 100)
    if fault == "hangs":
        engine.hang()
    elif fault == "killed":
        engine.kill()
    else:
        proxy.mode = "hole"
    after(producer, 300)
    elsewhere = [call for call in producer.calls if "fallback" in call["detail"]]
    assert elsewhere and all(str(options["spool_fallback"]) in call["detail"] for call in elsewhere)
    if fault == "hangs":
        engine.wake()
    elif fault == "killed":
        engine.start()
    else:
        proxy.mode = "pass"
    producer.finish()
    # Every call was accepted within its time limit.
    assert len(queued(producer.calls)) == 400
    assert max(call["ms"] for call in producer.calls) < 400 + SLACK_MS
    # Only the first call and the few that tried the engine again waited for it, not each of the 200.
    slow = [call for call in producer.calls if call["ms"] > 250]
    assert len(slow) <= 40, slow
    report, counters = settle(options["spool"], producer, spool_fallback=options["spool_fallback"])
    assert (report.lost, report.unexpected) == ([], []), report
    assert len(report.duplicated) <= 8
    assert counters["delivered"] == 400


def test_receipt_is_found_in_the_engine_and_in_the_fallback(spool, produce, drain, service):
    engine, proxy, options = spool
    # A call asks the engine for three quarters of this time, and then the log: a busy machine needs some time for each.
    producer = produce("a", 0, 1, **options, enqueue_timeout_ms=2000)
    producer.finish()
    engine.hang()
    there = producer.ask("push b")
    assert there["status"] == "ESALES_QUEUED" and "to be forwarded to the engine" in there["detail"]
    waiting = producer.ask("receipt b")
    assert waiting["receipt"] == "ESALES_QUEUED" and "fallback" in waiting["detail"]
    # What is not in the log, only the engine knows: the answer is a failure, and not that nothing is known.
    assert producer.ask("receipt a-0")["receipt"] == "ESALES_SPOOL_FAILED"
    engine.wake()
    drain(**options)
    wait_for(lambda: "b" in service.ids, "the event does not arrive", LONG_S)
    for name in ("b", "a-0"):
        wait_for(lambda: producer.ask(f"receipt {name}")["receipt"] == "ESALES_DELIVERED", "the receipt does not say so", LONG_S)
    assert len(service.ids["b"]) == 1


def test_each_machine_forwards_its_own_fallback_while_another_one_delivers(spool, produce, drain, settle, status, tmp_path):
    engine, _, options = spool
    seed = produce("seed", 0, 1, **options)
    seed.finish()
    first = drain(**{**options, "spool_fallback": tmp_path / "of-another-machine"})
    wait_for(lambda: status(options["spool"])["leader"], "no process leads", LONG_S)
    drain(**options)
    producer = produce("a", 0, 1, **options, enqueue_timeout_ms=400)
    producer.finish()
    engine.hang()
    assert "fallback" in producer.ask("push b")["detail"]
    engine.wake()
    report, counters = settle(options["spool"], producer, seed, spool_fallback=options["spool_fallback"])
    assert report == ([], [], [], []) and counters["delivered"] == 3
    assert first.poll() is None


def test_other_processes_skip_the_engine_when_one_has_found_that_it_hangs(spool, produce, drain, settle):
    engine, _, options = spool
    producers = [produce(name, 0, 1, **options, enqueue_timeout_ms=4000) for name in "abcd"]
    for producer in producers:
        producer.finish()
    engine.hang()
    found, *others = [producer.ask(f"push {n}") for n, producer in enumerate(producers)]
    assert all("fallback" in call["detail"] for call in (found, *others))
    # The first call waits for three quarters of its time, and one more may try the engine briefly.
    assert max(call["ms"] for call in others) < found["ms"] / 2, (found, others)
    outage = options["spool_fallback"] / "outage"
    assert outage.exists()
    engine.wake()
    # Its process forwards, so it is the first to know that the engine is back.
    drain(**options)
    wait_for(lambda: not outage.exists(), "the outage does not end", LONG_S)
    again = [producer.ask(f"push again-{n}") for n, producer in enumerate(producers)]
    assert not any("fallback" in call["detail"] for call in again), again
    report, counters = settle(options["spool"], *producers, spool_fallback=options["spool_fallback"])
    assert (report.lost, report.unexpected) == ([], []), report
    assert counters["delivered"] == 12


def test_next_blocking_calls_do_not_wait_for_the_engine_when_one_has_found_that_it_hangs(spool, produce):
    engine, _, options = spool
    producer = produce("a", 0, 1, **options, enqueue_timeout_ms=4000, timeout_ms=16000, on_failure="queue")
    producer.finish()
    engine.hang()
    found, following = producer.ask("notify b"), producer.ask("notify c")
    assert (found["status"], following["status"]) == ("ESALES_DELIVERED", "ESALES_DELIVERED")
    assert following["ms"] < found["ms"] / 2


def test_pending_count_and_purge_include_the_engine_and_the_fallback(spool, produce, operate):
    _, proxy, options = spool
    producer = produce("a", 0, 3, **options, enqueue_timeout_ms=400)
    producer.finish()
    # The engine never receives this notification. One that it had read before it hung would be pending in both.
    proxy.mode = "hole"
    assert "fallback" in producer.ask("push b")["detail"]
    proxy.cut()
    proxy.mode = "pass"
    counters = json.loads(operate("queue", "status", "--json", **options).stdout)
    assert (counters["accepted"], counters["pending"], counters["is_balanced"]) == (4, 4, True)
    done = operate("queue", "purge", "--customer-key", "d9528030-509c-4e0f-b585-7168f1e9feca", **options)
    assert done.returncode == 0, done
    counters = json.loads(operate("queue", "status", "--json", **options).stdout)
    assert counters["pending"] == 0
    kept = b"".join(file.read_bytes() for file in options["spool_fallback"].iterdir())
    assert b"d9528030" not in kept


def test_fallback_is_full_when_its_own_limit_is_reached(spool, produce):
    engine, _, options = spool
    producer = produce("a", 0, 1, **options, enqueue_timeout_ms=400, max_items=2)
    producer.finish()
    engine.hang()
    answers = [producer.ask(f"push b-{n}")["status"] for n in range(3)]
    assert answers == ["ESALES_QUEUED", "ESALES_QUEUED", "ESALES_QUEUE_FULL"]
