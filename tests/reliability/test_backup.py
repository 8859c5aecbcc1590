"""`esales-notify queue backup` at any moment: the copy holds every event that was pending."""

import json
import threading

import pytest
from counting import Service
from spool_files import attempts, enqueued_ids
from test_disk import mounted, produced, remount
from test_kill import Accepted, kill
from waiting import wait_for


@pytest.fixture
def service():
    with Service() as running:
        yield running


@pytest.fixture
def options(service, tmp_path):
    return {"base_url": service.base_url, "spool": tmp_path / "spool", "gate_min_ms": 10, "gate_max_ms": 50}


def backup(esales_notify, options, copy):
    """The number of pending events that the command reports."""
    return json.loads(esales_notify("queue", "backup", copy, "--json", spool=options["spool"]).stdout)["pending"]


def delivered_from(spooler, counters, service, options, copy):
    """Delivers the copy to the same address; returns what arrived since."""
    before = set(service.ids)
    drainer = spooler("drain", options={**options, "spool": copy})
    wait_for(lambda: counters(copy)["pending"] == 0, "the copy is not delivered", 120)
    kill(drainer)
    return set(service.ids) - before


@pytest.mark.parametrize("events", [0, 1, 50, 20_000])
def test_backup_has_all_events_when_no_process_drains(spooler, esales_notify, counters, service, options, tmp_path, events):
    ids = produced(spooler, "x", events, options)[0] if events else produced(spooler, "x", 1, options)[0]
    copy = tmp_path / "copy"
    assert backup(esales_notify, options, copy) == len(ids)
    assert enqueued_ids(copy) == ids
    if events <= 50:
        assert delivered_from(spooler, counters, service, options, copy) == set(ids)
    # The spool itself is unchanged.
    report = counters(options["spool"])
    assert (report["accepted"], report["pending"]) == (len(ids), len(ids)), report


def test_backup_leaves_no_file_when_the_disk_is_full(spooler, esales_notify, options, tmp_path):
    ids, _, _ = produced(spooler, "x", 8000, options)
    with mounted(tmp_path / "disk", "size=1m") as disk:
        copy = disk / "copy"
        failed = esales_notify("queue", "backup", copy, spool=options["spool"], code=6)
        assert "the disk is full" in failed.stderr, failed
        assert list(disk.iterdir()) == []
        remount(disk, "size=64m")
        assert backup(esales_notify, options, copy) == len(ids) == 8000


def test_backup_has_all_pending_events_when_it_is_made_in_an_outage(
        spooler, esales_notify, counters, service, options, tmp_path):
    service.tell(503)
    drainer = spooler("drain", options=options)
    ids, _, _ = produced(spooler, "x", 50, options)
    wait_for(lambda: attempts(options["spool"]), "no attempt", 120)
    copies = [tmp_path / f"copy-{n}" for n in range(5)]
    for copy in copies:
        assert backup(esales_notify, options, copy) == 50
    kill(drainer)
    service.tell(204)
    assert delivered_from(spooler, counters, service, options, copies[-1]) == set(ids)


def test_every_backup_is_consistent_when_it_is_made_under_load(
        spooler, esales_notify, counters, service, options, tmp_path, soak):
    """Every event is delivered, or pending in the copy, or was accepted later. None is lost, whenever the backup was
    made."""
    drainer = spooler("drain", options=options)
    # A segment holds some 500 events; 500 a second: segments are begun, retired and deleted all the time.
    env = {"SPOOLER_TICKET": "8000", "SPOOLER_PAUSE_US": "2000"}
    producer = Accepted(spooler("produce", "x", 100_000, options={**options, "delivery": "none"}, env=env))
    made = []
    for n in range(40 if soak else 10):
        wait_for(lambda: len(producer.ids) > 300 * n, "nothing is enqueued", 120)
        before = list(producer.ids)
        copy = tmp_path / f"copy-{n}"
        backup(esales_notify, options, copy)
        made.append((copy, before))
    producer._process.kill()
    ids = producer.done()
    wait_for(lambda: set(ids) <= set(service.ids), "lost", 120)
    wait_for(lambda: counters(options["spool"])["pending"] == 0, "the deliveries are not in the journal", 120)
    kill(drainer)
    assert all(len(times) == 1 for times in service.ids.values())
    for copy, before in made:
        report = counters(copy)
        assert report["accepted"] >= len(before), report
        listed = pending_ids(esales_notify, copy)
        # Whatever was accepted before the backup and is not pending in it had been delivered by then.
        assert report["accepted"] == report["delivered"] + len(listed), report
        assert len(set(listed)) == len(listed)


def pending_ids(esales_notify, spool):
    ids, after = [], []
    while True:
        page = json.loads(esales_notify("queue", "list", "--json", *after, spool=spool).stdout)
        ids += [row["id"] for row in page["pending"]]
        if not page["next"]:
            return ids
        after = ["--after", page["next"]]


def test_two_concurrent_backups_are_both_complete(spooler, esales_notify, service, options, tmp_path):
    ids, _, _ = produced(spooler, "x", 2000, options)
    copies = [tmp_path / f"copy-{n}" for n in range(4)]
    threads = [threading.Thread(target=backup, args=(esales_notify, options, copy)) for copy in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(enqueued_ids(copy) == ids for copy in copies)


def test_backup_is_refused_when_its_directory_is_not_empty(spooler, esales_notify, options, tmp_path):
    produced(spooler, "x", 1, options)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter").write_text("somebody needs it")
    done = esales_notify("queue", "backup", tmp_path / "full", spool=options["spool"], code=None)
    assert done.returncode != 0 and "needs a new directory" in done.stderr
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["letter"]
