"""The page about options: its table is the code's, and the sets that it recommends are accepted."""

import json
import os
import re
import subprocess

import pytest
from markdown import ROOT, blocks

PAGE = (ROOT / "docs/options.md").read_text()
SETS = [dict(re.findall(r"^export (\w+)=(.*)$", block.code, re.M)) for block in blocks(PAGE)]


def options(command, form):
    return subprocess.run([str(command), "options", form], check=True, capture_output=True, text=True).stdout


def test_the_table_is_the_codes_and_stands_in_one_place(command):
    table = options(command, "--markdown")
    assert PAGE.endswith(table)
    row = table.splitlines()[2]
    assert row not in (ROOT / "README.md").read_text()


def test_every_option_is_explained_with_what_it_belongs_to(command):
    groups = PAGE.split("## What belongs together")[1].split("## The table")[0]
    assert set(re.findall(r"`([a-z]+_?[a-z_]*)`", groups)) - {"http"} == {o["name"] for o in json.loads(options(command, "--json"))}


@pytest.mark.parametrize("settings", SETS, ids=lambda s: " ".join(s))
def test_a_set_is_accepted(command, tmp_path, settings):
    """By a delivery of an empty spool, which needs nobody. Paths of a real machine stand for paths here."""
    assert settings
    if "ESALES_CA_FILE" in settings:
        assert os.path.exists(settings["ESALES_CA_FILE"]), "Debian's ca-certificates"
    env = {name: value for name, value in os.environ.items() if not name.startswith("ESALES_")}
    env.update(settings, ESALES_SPOOL=str(tmp_path / "spool.db"))
    done = subprocess.run([str(command), "drain", "--once"], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_set_that_is_wrong_would_be_found(command, tmp_path):
    env = {**os.environ, "ESALES_CLUSTER_ID": "x", "ESALES_DURABILITY": "perhaps", "ESALES_SPOOL": str(tmp_path / "s.db")}
    done = subprocess.run([str(command), "drain", "--once"], env=env, capture_output=True, text=True)
    assert done.returncode == 2 and "durability" in done.stderr, done
