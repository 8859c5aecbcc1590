"""kill -9 of drainers that send payments: no payment arrives twice unless an operator asks for it."""

import json
import random

import pytest
from counting import Service
from test_disk import produced
from test_kill import kill
from waiting import wait_for

LONG_S = 120
PAYMENTS = {"SPOOLER_PAYMENTS": "1"}


def dead_letters(esales_notify, spool):
    return json.loads(esales_notify("queue", "dead", "list", "--json", spool=spool).stdout)


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_payment_is_a_dead_letter_until_an_operator_retries_it_when_its_drainer_is_killed_before_the_answer(
    spooler, esales_notify, counters, sandbox, tmp_path, durability
):
    spool = tmp_path / "spool"
    options = {"base_url": sandbox.base_url, "spool": spool, "durability": durability}
    sandbox.script("hang, 204:times=forever")
    ids, messages, code = produced(spooler, "p", 1, options, env=PAYMENTS)
    assert (ids, code) == (["p-0"], 0), messages
    drainer = spooler("drain", options=options)
    wait_for(lambda: sandbox.received(), "the payment is not sent", LONG_S)
    kill(drainer)

    drainer = spooler("drain", options=options)
    wait_for(lambda: counters(spool)["dead"] == 1, "the payment is no dead letter", LONG_S)
    # The drainer works, and would have sent the payment by now.
    clicked, messages, code = produced(spooler, "c", 1, options)
    wait_for(lambda: counters(spool)["delivered"] == 1, messages, LONG_S)
    (letter,) = dead_letters(esales_notify, spool)
    assert (letter["id"], letter["kind"], letter["status_name"]) == ("p-0", "payment", "ESALES_MAY_HAVE_ARRIVED")
    assert letter["detail"].startswith("may have arrived"), letter
    first, click = sandbox.received()
    assert first["path"].endswith("/payment") and not click["path"].endswith("/payment")

    esales_notify("queue", "dead", "retry", "p-0", spool=spool, code=4)
    esales_notify("queue", "dead", "retry", "p-0", "--may-count-twice", spool=spool)
    wait_for(lambda: counters(spool)["delivered"] == 2, "the payment is not sent again", LONG_S)
    again = sandbox.received()[2]
    assert (again["path"], again["body"]) == (first["path"], first["body"])
    kill(drainer)


def test_payment_is_sent_again_by_the_next_drainer_when_payment_repeat_is_always(spooler, counters, sandbox, tmp_path):
    spool = tmp_path / "spool"
    options = {"base_url": sandbox.base_url, "spool": spool, "payment_repeat": "always"}
    sandbox.script("hang, 204:times=forever")
    produced(spooler, "p", 1, options, env=PAYMENTS)
    drainer = spooler("drain", options=options)
    wait_for(lambda: sandbox.received(), "the payment is not sent", LONG_S)
    kill(drainer)
    drainer = spooler("drain", options=options)
    wait_for(lambda: counters(spool)["delivered"] == 1, "the payment is not sent again", LONG_S)
    kill(drainer)
    first, again = sandbox.received()
    assert first["body"] == again["body"]


@pytest.mark.parametrize("durability, rounds, soaked", [("process", 30, 300), ("disk", 10, 100)], ids=["process", "disk"])
def test_every_payment_arrives_at_most_once_when_drainers_are_killed_at_random(
    spooler, esales_notify, counters, soak, tmp_path, durability, rounds, soaked
):
    rounds = soaked if soak else rounds
    dice = random.Random(4711)
    spool = tmp_path / "spool"
    with Service() as service:
        options = {"base_url": service.base_url, "spool": spool, "durability": durability, "concurrency": 4,
                   "gate_min_ms": 10, "gate_max_ms": 50}
        accepted = []
        for n in range(rounds):
            drainer = spooler("drain", options=options)
            ids, messages, code = produced(spooler, f"r{n}", 40, options, env={**PAYMENTS, "SPOOLER_PAUSE_US": "500"})
            assert code == 0, messages
            accepted += ids
            enough = dice.randrange(1, len(ids))
            wait_for(lambda: sum(identity in service.ids for identity in ids) >= enough, f"round {n}: nothing arrives", LONG_S)
            kill(drainer)
            service.rest()
        drainer = spooler("drain", options=options)
        wait_for(lambda: counters(spool)["pending"] == 0, "the queue is not empty", LONG_S)
        kill(drainer)
        again = {identity: times for identity, times in service.ids.items() if len(times) > 1}
        assert not again, again
        numbers = counters(spool)
        assert numbers["accepted"] == len(accepted) == numbers["delivered"] + numbers["dead"], numbers
        letters = dead_letters(esales_notify, spool)
        assert all(letter["detail"].startswith("may have arrived") for letter in letters), letters
        # Payments that were not sent have been delivered; payments that were sent but not recorded are dead letters.
        assert set(accepted) == set(service.ids) | {letter["id"] for letter in letters}
        # A drainer has at most `concurrency` requests whose answers are not recorded.
        assert len(letters) <= rounds * options["concurrency"], letters
        print(f"{durability}: {len(accepted)} accepted, {rounds} drainers killed, {len(letters)} dead letters")
