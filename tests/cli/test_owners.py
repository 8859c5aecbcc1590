"""The owners of the files of a spool: root, the shop's user and another user in one folder."""

import json
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

import pytest
from environment import CLEAN
from spool_operator import contents, segments

SHOP, STRANGER = pwd.getpwnam("nobody").pw_uid, 65533
#: An address without a service, so that notifications stay in the queue.
NOWHERE = "http://127.0.0.1:9"


class Place:
    """A folder of the shop's user, a spool in it, and the command where every user can reach it."""

    def __init__(self, folder, command):
        self.folder, self.spool = folder / "place", folder / "place" / "spool"
        self.command = str(shutil.copy(command, folder / "esales-notify"))
        self.folder.mkdir()
        self.open_to(0o700, SHOP)

    def open_to(self, mode, owner):
        os.chown(self.folder, owner, owner)
        self.folder.chmod(mode)

    def run(self, *arguments, user=SHOP, **more):
        return subprocess.run(
            [self.command, *map(str, arguments), "--spool", str(self.spool)], capture_output=True, text=True, timeout=60,
            cwd="/", env=CLEAN, user=user, group=user, extra_groups=[], **more,
        )

    def enqueue(self, user=SHOP, **more):
        """Returns the output of an enqueue, which contains `ESALES_QUEUED` if the notification was accepted."""
        done = self.run("send", "add-to-cart", "--ticket", "t", "--customer-key", "k", "--market", "UK", "--base-url", NOWHERE,
                        "--on-failure", "queue", user=user, **more)
        return done.stdout + done.stderr

    def pending(self, user=SHOP):
        done = self.run("queue", "status", "--json", user=user)
        assert done.returncode == 0, done
        return json.loads(done.stdout)["pending"]

    def owners(self):
        return {path.name: path.stat().st_uid for path in [self.spool, *self.spool.iterdir()]}


@pytest.fixture
def place(command):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        yield Place(folder, command)


def test_spool_that_root_makes_in_the_shops_folder_belongs_to_the_shop(place):
    assert "ESALES_QUEUED" in place.enqueue(user=0)
    assert set(place.owners().values()) == {SHOP}, place.owners()
    assert place.spool.stat().st_mode & 0o777 == 0o700
    assert "ESALES_QUEUED" in place.enqueue()
    assert place.pending() == place.pending(user=0) == 2


def test_files_that_root_makes_in_the_shops_spool_belong_to_the_shop(place, sandbox):
    assert "ESALES_QUEUED" in place.enqueue()
    assert "ESALES_QUEUED" in place.enqueue(user=0)
    drained = place.run("drain", "--once", "--max-wait-s", "1", "--base-url", sandbox.base_url, user=0)
    assert drained.returncode in (0, 4), drained
    assert place.run("queue", "backup", place.folder / "copy", user=0).returncode == 0
    assert set(place.owners().values()) == {SHOP}, place.owners()
    assert "ESALES_QUEUED" in place.enqueue()
    drained = place.run("drain", "--once", "--max-wait-s", "1", "--base-url", sandbox.base_url)
    assert drained.returncode in (0, 4), drained


def test_root_refuses_another_users_spool_in_a_world_writable_folder(place):
    place.open_to(0o1777, 0)
    assert "ESALES_QUEUED" in place.enqueue(user=STRANGER)
    before = contents(place.spool)
    refused = place.enqueue(user=0)
    assert "ESALES_QUEUED" not in refused and str(place.spool) in refused, refused
    drained = place.run("drain", "--once", "--base-url", NOWHERE, user=0)
    assert drained.returncode in (2, 6) and str(place.spool) in drained.stderr, drained
    assert contents(place.spool) == before


def test_other_user_cannot_use_the_shops_spool(place):
    place.open_to(0o755, SHOP)
    assert "ESALES_QUEUED" in place.enqueue()
    before = contents(place.spool)
    assert "ESALES_QUEUED" not in place.enqueue(user=STRANGER)
    assert place.run("queue", "status", user=STRANGER).returncode == 6
    assert contents(place.spool) == before


def test_shop_refuses_a_spool_that_another_user_made(place):
    place.open_to(0o1777, 0)
    assert "ESALES_QUEUED" in place.enqueue(user=STRANGER)
    # A spool that the shop can open, as made by an attacker who wants the shop's events.
    place.spool.chmod(0o777)
    for path in place.spool.iterdir():
        path.chmod(0o666)
    before = contents(place.spool)
    refused = place.enqueue()
    assert "ESALES_QUEUED" not in refused and str(place.spool) in refused, refused
    assert contents(place.spool) == before


@pytest.mark.parametrize("user", [SHOP, 0])
@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_segment_of_another_user_is_not_appended_to(place, mode, user):
    assert "ESALES_QUEUED" in place.enqueue()
    segment = segments(place.spool)[-1]
    os.chown(segment, STRANGER, STRANGER)
    segment.chmod(mode)
    before = segment.read_bytes()
    refused = place.enqueue(user)
    assert "ESALES_SPOOL_FAILED" in refused and segment.name in refused, refused
    assert (segment.stat().st_uid, segment.stat().st_mode & 0o777, segment.read_bytes()) == (STRANGER, mode, before)


def test_spool_that_was_made_under_umask_0777_can_be_opened_again(place):
    assert "ESALES_QUEUED" in place.enqueue(umask=0o777)
    assert place.spool.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in place.spool.iterdir())
    assert "ESALES_QUEUED" in place.enqueue(umask=0o777)
    assert "ESALES_QUEUED" in place.enqueue(umask=0o000)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in place.spool.iterdir())
    assert place.pending() == 3
