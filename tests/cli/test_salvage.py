"""Damage to a spool, and `queue backup` and `queue salvage`."""

import json
import pathlib
import re
import shutil
import stat

from environment import QUICK
from spool_operator import contents, damage, ids_of, numbered, samples_of, segments
from waiting import wait_for


# Damage

def test_damaged_record_loses_no_other_notification_and_is_reported(operator, sandbox):
    operator.fill(sandbox.base_url, numbered("damage", 9))
    damage(operator.spool, "damage-4")
    assert operator("queue", "list").returncode in (0, 6)
    summary = operator("drain", "--once", "--base-url", sandbox.base_url, *QUICK)
    assert summary.returncode == 0 and "damaged" in summary.stderr, summary
    others = [identity for identity in numbered("damage", 9) if identity != "damage-4"]
    assert sorted(ids_of(sandbox)) == others
    status = json.loads(operator("queue", "status", "--json").stdout)
    assert status["delivered"] == 8 and status["pending"] == 0
    aside = [pathlib.Path(path) for path in status["set_aside"]]
    assert aside and all(path.parent == pathlib.Path(operator.spool) and path.name.startswith("damaged-") for path in aside)
    assert str(aside[0]) in operator("queue", "status").stdout
    page = samples_of(operator("queue", "status", "--prometheus").stdout)
    assert page["esales_queue_set_aside_files"] == len(aside)
    kept = b"".join(path.read_bytes() for path in aside)
    assert b"a-ticket" in kept, "the damaged record is kept for a person to read"


def test_drainer_alone_sets_a_segment_of_garbage_aside(operator, sandbox):
    operator.fill(sandbox.base_url, ["lost"])
    segment, = segments(operator.spool)
    garbage = b"damage" * 1000
    segment.write_bytes(garbage)
    operator("queue", "status")
    assert segment.read_bytes() == garbage
    operator.fill(sandbox.base_url, ["next"])
    drained = operator("drain", "--once", "--base-url", sandbox.base_url, *QUICK)
    assert drained.returncode == 0 and "damaged" in drained.stderr, drained
    assert ids_of(sandbox) == ["next"]
    aside = json.loads(operator("queue", "status", "--json").stdout)["set_aside"]
    assert any(b"damage" * 100 in pathlib.Path(path).read_bytes() for path in aside)


def test_spool_of_another_version_is_left_alone(operator, sandbox):
    operator.fill(sandbox.base_url, ["v"])
    version = pathlib.Path(operator.spool) / "FORMAT"
    version.write_text(re.sub(r"\d+", "99", version.read_text()))
    before = contents(operator.spool)
    for arguments in (["queue", "status"], ["drain", "--base-url", sandbox.base_url]):
        refused = operator(*arguments)
        assert refused.returncode == 6 and "version" in refused.stderr, refused
    assert contents(operator.spool) == before


# queue backup

def test_backup_has_everything_accepted_when_no_process_delivers(operator, sandbox, tmp_path):
    operator.fill(sandbox.base_url, numbered("b", 50))
    copy = tmp_path / "copy"
    assert operator.json("queue", "backup", copy) == {"pending": 50}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in copy.iterdir())
    assert operator.at(copy).listed() == operator.listed() == numbered("b", 50)
    # The copy is a complete spool.
    assert operator.at(copy).empty(sandbox.base_url)["delivered"] == 50
    assert operator.status()["pending"] == 50


def test_backup_is_consistent_while_a_drain_delivers(operator, sandbox, tmp_path):
    with operator.drain("--base-url", sandbox.base_url):
        for round_ in range(5):
            ids = numbered(f"b{round_}", 40)
            operator.fill(sandbox.base_url, ids)
            copy = operator.at(tmp_path / f"copy-{round_}")
            operator.json("queue", "backup", copy.spool)
            status = copy.status()
            assert status["accepted"] == 40 * (round_ + 1) and status["leader"] is None
            # Notifications that are not pending in the copy had been delivered.
            assert set(ids) <= set(copy.listed()) | set(ids_of(sandbox))
        wait_for(lambda: operator.status()["pending"] == 0, "not delivered")
    assert sorted(ids_of(sandbox)) == sorted(i for round_ in range(5) for i in numbered(f"b{round_}", 40))


def test_backup_refuses_an_existing_directory_and_one_inside_the_spool(operator, sandbox, tmp_path):
    operator.fill(sandbox.base_url, ["x"])
    (tmp_path / "there").mkdir()
    before = contents(operator.spool)
    for place, message in ((tmp_path / "there", "exists already"), (pathlib.Path(operator.spool) / "copy", "inside the spool"),
                           (tmp_path / "no" / "such", "No such file")):
        refused = operator("queue", "backup", place)
        assert refused.returncode == 2 and message in refused.stderr, refused
    assert contents(operator.spool) == before and list((tmp_path / "there").iterdir()) == []


# queue salvage

def test_salvage_enqueues_only_notifications_that_the_spool_does_not_have(operator, sandbox, tmp_path):
    operator.fill(sandbox.base_url, numbered("s", 6))
    operator.json("queue", "backup", tmp_path / "copy")
    # s-0 is a dead letter by now, s-1 to s-5 are delivered, and new ones are pending.
    sandbox.script("404")
    operator.empty(sandbox.base_url, "--concurrency", "1")
    operator.fill(sandbox.base_url, ["new"])
    known = {"enqueued": 0, "already_there": 6, "dead_letters_left": 0, "may_have_arrived_left": 0, "unreadable": []}
    assert operator.json("queue", "salvage", tmp_path / "copy") == known
    assert operator.listed() == ["new"]

    other = operator.at(tmp_path / "other")
    other.fill(sandbox.base_url, ["mine", "s-2"])
    before = contents(tmp_path / "copy")
    assert other.json("queue", "salvage", tmp_path / "copy") == {**known, "enqueued": 5, "already_there": 1}
    assert other.json("queue", "salvage", tmp_path / "copy") == known
    assert other.listed() == ["mine", "s-2", "s-0", "s-1", "s-3", "s-4", "s-5"]
    assert contents(tmp_path / "copy") == before, "salvage changed what it read"
    sandbox.clear()
    sandbox.script("")
    assert other.empty(sandbox.base_url)["delivered"] == 7
    assert other.json("queue", "salvage", tmp_path / "copy") == known
    assert other.status()["pending"] == 0 and len(ids_of(sandbox)) == 7


def test_salvage_skips_damaged_records_of_a_copied_spool(operator, sandbox, tmp_path):
    operator.fill(sandbox.base_url, numbered("copied", 9))
    shutil.copytree(operator.spool, tmp_path / "copy")
    damage(tmp_path / "copy", "copied-4")
    other = operator.at(tmp_path / "other")
    other.fill(sandbox.base_url, ["mine"])
    done = other.json("queue", "salvage", tmp_path / "copy")
    assert (done["enqueued"], len(done["unreadable"]) > 0) == (8, True)
    output = other("queue", "salvage", tmp_path / "copy").stdout
    assert "8 notifications skipped" in output and "unreadable: segment-0000000001.log has a damaged line" in output
    other.empty(sandbox.base_url)
    assert sorted(ids_of(sandbox)) == sorted(["mine"] + [i for i in numbered("copied", 9) if i != "copied-4"])


def test_salvage_of_a_backup_restores_a_record_that_was_damaged_later(operator, sandbox, tmp_path):
    operator.fill(sandbox.base_url, numbered("damage", 4))
    operator.json("queue", "backup", tmp_path / "copy")
    damage(operator.spool, "damage-2")
    assert operator("drain", "--once", "--base-url", sandbox.base_url, *QUICK).returncode == 0
    done = operator.json("queue", "salvage", tmp_path / "copy")
    assert (done["enqueued"], done["already_there"]) == (1, 3)
    operator("drain", "--once", "--base-url", sandbox.base_url, *QUICK)
    assert sorted(ids_of(sandbox)) == numbered("damage", 4)


def test_salvage_takes_dead_letters_only_with_the_flag(operator, sandbox, tmp_path):
    operator.fill(sandbox.base_url, ["d-1", "d-2"])
    sandbox.script("404:times=2")
    operator.empty(sandbox.base_url)
    operator.json("queue", "backup", tmp_path / "copy")
    other = operator.at(tmp_path / "other")
    other.fill(sandbox.base_url, ["mine"])
    assert "2 dead letters skipped: --dead" in other("queue", "salvage", tmp_path / "copy").stdout
    assert other.json("queue", "salvage", tmp_path / "copy", "--dead")["enqueued"] == 2
    assert other.listed() == ["mine", "d-1", "d-2"]


def test_salvage_stops_at_a_full_queue_and_a_second_run_continues(operator, sandbox, tmp_path):
    operator.fill(sandbox.base_url, numbered("f", 5))
    operator.json("queue", "backup", tmp_path / "copy")
    other = operator.at(tmp_path / "other")
    other.fill(sandbox.base_url, ["mine"])
    full = other("queue", "salvage", tmp_path / "copy", "--max-items", "3")
    assert full.returncode == 4 and "ESALES_QUEUE_FULL" in full.stderr and "enqueued before that: 2" in full.stderr, full
    assert other.json("queue", "salvage", tmp_path / "copy")["enqueued"] == 3


def test_salvage_refuses_the_spool_itself_and_other_directories(operator, sandbox, tmp_path):
    operator.fill(sandbox.base_url, ["x"])
    itself = operator("queue", "salvage", operator.spool)
    assert itself.returncode == 2 and "is the spool itself" in itself.stderr, itself
    for nothing in (tmp_path / "nothing", tmp_path):
        refused = operator("queue", "salvage", nothing)
        assert refused.returncode in (2, 6) and str(nothing) in refused.stderr, refused
    assert operator.listed() == ["x"]
