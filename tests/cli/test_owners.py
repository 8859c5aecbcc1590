"""Whose the files of a spool are: two users at one place, as root makes them."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest
from conftest import CLEAN

SHOP, STRANGER = 65534, 65533


class Place:
    """A folder in which anybody may make files, and the command, where every user can reach it."""

    def __init__(self, folder, command):
        self.folder, self.spool = folder / "spool", folder / "spool" / "spool.db"
        self.command = str(shutil.copy(command, folder / "esales-notify"))
        self.folder.mkdir()
        self.folder.chmod(0o1777)

    def run(self, *arguments, user=SHOP):
        return subprocess.run(
            [self.command, *map(str, arguments), "--spool", str(self.spool)], capture_output=True, text=True, timeout=60,
            cwd="/", env=CLEAN, user=user, group=user, extra_groups=[],
        )

    def enqueue(self, user=SHOP):
        """Nobody listens at the address: it is queued."""
        return self.run("send", "--ticket", "t", "--customer-key", "k", "--market", "UK", "--base-url", "http://127.0.0.1:9",
                        "--on-failure", "queue", user=user)

    def pending(self, user=SHOP):
        return json.loads(self.run("queue", "status", "--json", user=user).stdout)["pending"]

    def beside(self, suffix):
        return pathlib.Path(f"{self.spool}{suffix}")


@pytest.fixture
def place(command):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        yield Place(folder, command)


def test_what_root_makes_is_the_spools_owners(place):
    assert "ESALES_QUEUED" in place.enqueue().stdout
    for suffix in [".lock", "-inbox", "-wal", "-shm"]:
        place.beside(suffix).unlink()
    assert place.run("queue", "status", user=0).returncode in (0, 1)
    assert "ESALES_QUEUED" in place.enqueue(user=0).stdout
    owners = {file.name: file.stat().st_uid for file in place.folder.iterdir()}
    assert set(owners.values()) == {SHOP} and len(owners) == 5, owners
    assert "ESALES_QUEUED" in place.enqueue().stdout
    assert place.pending() == place.pending(user=0) >= 2


@pytest.mark.parametrize("mode", [0o600, 0o666])
@pytest.mark.parametrize("suffix, user", [
    # To root, the spool's owner is whoever owns the file itself.
    ("", SHOP), *((suffix, user) for suffix in ["-wal", "-shm", "-inbox", ".lock"] for user in [SHOP, 0]),
])
def test_a_strangers_file_is_not_used(place, suffix, user, mode):
    if suffix:
        assert "ESALES_QUEUED" in place.enqueue().stdout
    file = place.beside(suffix)
    content = file.read_bytes() if file.exists() else b""
    file.unlink(missing_ok=True)
    file.write_bytes(content)
    file.chmod(mode)
    os.chown(file, STRANGER, STRANGER)
    began = time.monotonic()
    refused = place.enqueue(user)
    assert "ESALES_SPOOL_FAILED" in refused.stdout + refused.stderr
    assert f"{file} belongs to uid {STRANGER}, and must belong to uid {SHOP}" in refused.stdout + refused.stderr
    assert time.monotonic() - began < 20
    assert (file.stat().st_uid, file.stat().st_mode & 0o777, file.read_bytes()) == (STRANGER, mode, content)
