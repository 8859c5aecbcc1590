"""The checks of the spool, with real files, processes and users."""

import grp
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest
from environment import CLEAN, QUICK
from spool_operator import contents, damage, numbered
from waiting import wait_for

NAMES = ["path", "permissions", "filesystem", "space", "contents", "drainer", "waiting", "dead"]
NOBODY = pwd.getpwnam("nobody").pw_uid
USER = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def look(doctor, folder, sandbox):
    """Runs doctor on the spool, with everything else in order."""

    def run(*arguments, spool=folder / "spool", **more):
        return doctor("--base-url", sandbox.base_url, "--market", "UK", "--spool", spool, *arguments, **more)

    return run


def states(diagnosis):
    return dict(zip(NAMES, diagnosis.states("spool"), strict=True))


def test_doctor_skips_the_spool_when_the_option_is_not_set(doctor, sandbox):
    without = doctor("--base-url", sandbox.base_url)
    assert set(states(without).values()) == {"skipped"} and "memory of each process" in without["spool.path"]["found"]


def test_doctor_accepts_a_spool_that_does_not_exist_yet_and_makes_nothing(look, folder):
    new = look("--max-bytes", "1024")
    assert new.code == 0
    facts = new.expect("spool.path", "ok", "the first enqueue makes it")
    assert facts == {"path": str(folder / "spool"), "exists": False}
    assert list(states(new).values()) == ["ok"] * 4 + ["skipped"] * 4
    assert list(folder.iterdir()) == [], "doctor made a file"


def test_doctor_accepts_a_sound_spool_and_changes_nothing(look, operator, sandbox):
    operator.fill(sandbox.base_url, numbered("a", 3))
    operator.empty(sandbox.base_url)
    before = contents(operator.spool)
    well = look("--strict", "--max-bytes", "1024")
    assert well.code == 0, well.text
    assert set(states(well).values()) == {"ok"}
    facts = well.expect("spool.contents", "ok", "3 accepted = 3 delivered + 0 dead + 0 expired + 0 dropped + 0 pending")
    assert facts["accepted"] == facts["delivered"] == 3 and facts["set_aside"] == facts["faults"] == []
    assert contents(operator.spool) == before


# path

@pytest.mark.parametrize("make, message, advice", [
    (lambda folder: folder.rmdir(), "No such file or directory", "mode 0700"),
    (lambda folder: folder.chmod(0o777), "every user may replace it", "mode 0700"),
    (lambda folder: (folder / "spool").symlink_to("/etc"), "symbolic link", "mode 0700"),
    (lambda folder: (folder / "spool").write_text("a letter"), "a spool is a directory", "a directory inside it"),
    (lambda folder: (folder / "spool").write_bytes(b"SQLite format 3\0" + bytes(4080)), "a spool is a directory",
     "a spool is a directory now"),
], ids=["no-folder", "world-writable", "symlink", "file", "old-sqlite-file"])
def test_doctor_reports_a_refused_spool_with_the_librarys_message(look, folder, command, sandbox, make, message, advice):
    make(folder)
    bad = look()
    bad.expect("spool.path", "failed", message, advice)
    assert bad.code == 2 and list(states(bad).values()) == ["failed"] + ["skipped"] * 7
    sent = subprocess.run([str(command), "send", "add-to-cart", "--ticket", "t", "--market", "UK", "--base-url", sandbox.base_url,
                           "--spool", str(folder / "spool")], capture_output=True, text=True, env=CLEAN)
    assert sent.returncode == 2 and bad["spool.path"]["found"] in sent.stderr


def test_doctor_refuses_a_relative_path(look, folder):
    bad = look(spool="place/spool", cwd=folder.parent)
    bad.expect("spool.path", "failed", "absolute path", "absolute path, such as /var/lib/esales-notify/spool")
    assert bad.code == 2 and list(folder.iterdir()) == []


# permissions

def test_doctor_warns_of_a_world_writable_folder(look, folder):
    folder.chmod(0o1777)
    look().expect("spool.permissions", "warning", f"every user may create files in {folder}, and so replace this spool", f"chmod 0700 {folder}")


def test_doctor_names_the_group_that_may_write_into_the_folder(look, folder):
    group = grp.getgrgid(1).gr_name
    os.chown(folder, 0, 1)
    folder.chmod(0o770)
    found = look()["spool.permissions"]
    assert found["state"] in ("warning", "failed") and f"every member of {group}" in found["found"], found


def test_doctor_warns_of_a_spool_that_was_open_to_other_users(look, operator, sandbox):
    operator.fill(sandbox.base_url, ["a"])
    spool = pathlib.Path(operator.spool)
    spool.chmod(0o755)
    look().expect("spool.permissions", "warning", "mode 0755", "the library sets the mode to 0700")
    assert spool.stat().st_mode & 0o777 == 0o700
    look().expect("spool.permissions", "ok", f"only {USER} may use it")


def given_to(uid, *paths):
    for path in paths:
        os.chown(path, uid, uid)


def test_doctor_as_root_checks_another_users_spool_and_names_the_owner(look, folder, operator, sandbox):
    operator.fill(sandbox.base_url, ["a"])
    spool = pathlib.Path(operator.spool)
    given_to(NOBODY, folder, spool, *spool.iterdir())
    before = contents(spool)
    foreign = look()
    assert foreign.expect("spool.permissions", "ok", "it belongs to nobody")["owner"] == "nobody"
    assert foreign["spool.contents"]["state"] == "ok" and foreign["spool.waiting"]["facts"]["pending"] == 1
    assert contents(spool) == before


def test_doctor_as_root_does_not_open_another_users_spool_in_a_shared_folder(look, folder, operator, sandbox):
    operator.fill(sandbox.base_url, ["a"])
    spool = pathlib.Path(operator.spool)
    folder.chmod(0o1777)
    given_to(NOBODY, spool, *spool.iterdir())
    foreign = look()
    foreign.expect("spool.permissions", "failed", "nobody", "sudo -u nobody esales-notify doctor")
    assert list(states(foreign).values()) == ["ok", "failed"] + ["skipped"] * 6


@pytest.fixture
def as_nobody(doctor, sandbox, command):
    """Runs doctor as an ordinary user. The command is copied into a folder that this user can reach."""
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        place.chmod(0o755)
        doctor.command = str(shutil.copy(command, place / "esales-notify"))
        folder = place / "place"
        folder.mkdir(mode=0o700)
        given_to(NOBODY, folder)

        def run():
            return doctor("--base-url", sandbox.base_url, "--spool", folder / "spool", user=NOBODY, group=NOBODY,
                          extra_groups=[], cwd="/")

        run.folder, run.spool = folder, folder / "spool"
        yield run


def test_doctor_accepts_a_spool_of_its_own_user(as_nobody):
    assert list(states(as_nobody()).values())[:4] == ["ok"] * 4


def test_doctor_names_both_users_when_the_spool_belongs_to_another(as_nobody):
    as_nobody.folder.chmod(0o755)
    as_nobody.spool.mkdir(mode=0o700)
    other = as_nobody()
    facts = other.expect("spool.permissions", "failed", "belongs to root", "sudo -u root esales-notify doctor")
    assert facts == {"owner": "root"} and "nobody" in other["spool.permissions"]["found"] and other.code == 2


def test_doctor_reports_a_folder_that_the_user_may_not_write(as_nobody):
    as_nobody.folder.chmod(0o500)
    as_nobody().expect("spool.permissions", "failed", f"nobody may not write into {as_nobody.folder}", "chown nobody")


def test_doctor_names_a_file_in_the_spool_that_belongs_to_another_user(as_nobody):
    as_nobody.spool.mkdir(mode=0o700)
    given_to(NOBODY, as_nobody.spool)
    (as_nobody.spool / "lease").touch(0o600)
    as_nobody().expect("spool.permissions", "failed", f"{as_nobody.spool}/lease belongs to root, and the spool to nobody",
                       f"chown -R nobody {as_nobody.spool}")


def test_doctor_reports_a_disk_that_cannot_be_written(look, folder):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], check=True)
    try:
        look().expect("spool.permissions", "failed", "Read-only file system")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


# file system and space

def test_doctor_accepts_a_local_file_system(look):
    assert look().expect("spool.filesystem", "ok", "local") == {"network": None}


@pytest.mark.parametrize("size, max_bytes, state", [
    ("4m", 1024, "ok"), ("4m", 16 << 20, "warning"), ("512k", 1024, "failed"),
])
def test_doctor_compares_free_space_with_max_bytes(look, folder, size, max_bytes, state):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)], check=True)
    try:
        facts = look("--max-bytes", max_bytes).expect("spool.space", state, "MiB free")
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    assert 0 < facts["free_bytes"] <= 4 << 20


# contents

def test_doctor_reports_files_that_were_set_aside_and_advises_salvage(look, operator, sandbox):
    operator.fill(sandbox.base_url, numbered("damage", 5))
    damage(operator.spool, "damage-2")
    operator("drain", "--once", "--base-url", sandbox.base_url, *QUICK)
    check = look()["spool.contents"]
    assert check["state"] in ("warning", "failed") and "damaged-" in json.dumps(check), check
    assert check["facts"]["set_aside"] and all("/damaged-" in path for path in check["facts"]["set_aside"])
    look().expect("spool.contents", "warning", "damaged files were set aside", "esales-notify queue salvage")


def test_doctor_leaves_a_damaged_spool_as_it_is(look, operator, sandbox):
    operator.fill(sandbox.base_url, numbered("damage", 5))
    damage(operator.spool, "damage-2")
    before = contents(operator.spool)
    look()
    assert contents(operator.spool) == before


def test_doctor_advises_an_update_for_a_spool_of_a_newer_version(look, operator, sandbox):
    operator.fill(sandbox.base_url, ["a"])
    version = pathlib.Path(operator.spool) / "FORMAT"
    version.write_text(re.sub(r"\d+", "99", version.read_text()))
    bad = look()
    bad.expect("spool.contents", "failed", "version", "update this command and the library")
    assert list(states(bad).values())[5:] == ["skipped"] * 3 and "contents failed" in bad["spool.dead"]["found"]


# drainer, waiting, dead letters

def test_doctor_names_the_drainer_and_fails_when_notifications_wait_without_one(look, operator, sandbox):
    operator.fill(sandbox.base_url, ["a"])
    dead = look("--delivery", "none")
    assert dead.code == 2
    facts = dead.expect("spool.drainer", "failed", "1 notification waits, and no process", "esales-notify drain")
    assert facts == {"has_drainer": False, "leader": None}
    look().expect("spool.drainer", "failed", advice="from the next event on")
    with operator.drain("--base-url", sandbox.base_url) as draining:
        wait_for(lambda: operator.status()["delivered"] == 1, "not delivered")
        alive = look("--delivery", "none")
        facts = alive.expect("spool.drainer", "ok", "delivers this spool")
        assert facts["has_drainer"] is True and str(draining.pid) in facts["leader"]
        assert alive.code == 0
        draining.send_signal(signal.SIGTERM)
        assert draining.wait(timeout=30) == 0
    look().expect("spool.drainer", "ok", "nothing waits")
    look("--delivery", "none").expect("spool.drainer", "warning", "no process delivers")


def test_doctor_does_not_disturb_a_running_drain(look, operator, sandbox):
    operator.fill(sandbox.base_url, ["first"])
    with operator.drain("--base-url", sandbox.base_url, *QUICK) as draining:
        wait_for(lambda: operator.status()["delivered"] == 1, "not delivered")
        for _ in range(5):
            assert str(draining.pid) in look()["spool.drainer"]["facts"]["leader"]
        operator.fill(sandbox.base_url, numbered("more", 5))
        wait_for(lambda: operator.status()["delivered"] == 6, "not delivered after doctor")


def test_doctor_fails_when_the_oldest_has_waited_for_half_of_max_age_s(look, operator, sandbox):
    operator.fill(sandbox.base_url, numbered("a", 2))
    facts = look().expect("spool.waiting", "ok", "2 notifications wait (")
    assert facts["pending"] == 2 and facts["pending_bytes"] > 0
    time.sleep(1.2)
    facts = look("--max-age-s", "2").expect("spool.waiting", "failed", advice="they expire after 2 s")
    assert facts["oldest_age_ms"] > 1000


def test_doctor_reports_deliveries_that_fail_and_how_to_end_the_pause(look, operator, sandbox):
    operator.fill(sandbox.base_url, ["a"])
    sandbox.script("503:retry-after=600")
    operator.empty(sandbox.base_url, "--max-wait-s", "5", code=4)
    failing = look()
    failing.expect("spool.waiting", "warning", "1 failure in a row, next try in 9 min", "deliveries fail")
    failing.expect("spool.waiting", "warning", f"1 for {sandbox.base_url}", "queue retry --now")


@pytest.mark.parametrize("count, limit", [(9, ["--max-items", "10"]), (10, ["--max-bytes", "1024"])])
def test_doctor_warns_of_a_queue_that_is_nearly_full(look, operator, sandbox, count, limit):
    # A little over 100 bytes each.
    operator.fill(sandbox.base_url, numbered("a", count))
    look(*limit).expect("spool.waiting", "warning", advice="nearly full")


def test_doctor_counts_dead_letters_by_status_with_advice_for_each(look, operator, sandbox):
    assert states(look())["dead"] == "skipped"
    operator.fill(sandbox.base_url, numbered("a", 4), customer_key="s3cret-customer", token="s3cret-token")
    sandbox.script("400, 403, 403, 404")
    operator.empty(sandbox.base_url)
    dead = look()
    facts = dead.expect("spool.dead", "warning", "ESALES_FORBIDDEN", "dead list")
    assert facts["by_status"] == {"ESALES_BAD_REQUEST": 1, "ESALES_FORBIDDEN": 2, "ESALES_REJECTED": 1}
    for part in ("no ticket", "ESALES_PRIVATE_KEY", "v1 API"):
        dead.expect("spool.dead", "warning", advice=part)
    assert "s3cret" not in dead.text
    operator.json("queue", "dead", "drop", "--all")
    look().expect("spool.dead", "ok", "no dead letters")
