"""The page about options: its table is the code's, and the sets that it recommends are accepted."""

import json
import re
import subprocess

import pytest
from environment import CLEAN
from markdown import ROOT, blocks

PAGE = (ROOT / "docs/options.md").read_text()
SETS = [dict(re.findall(r"^export (\w+)=(.*)$", block.code, re.M)) for block in blocks(PAGE)]


def options(command):
    return json.loads(subprocess.run([str(command), "options", "--json"], check=True, capture_output=True, text=True).stdout)


def test_options_page_explains_every_option(command):
    groups = PAGE.split("## What belongs together")[1].split("## The table")[0]
    assert set(re.findall(r"`([a-z]+_?[a-z_]*)`", groups)) - {"http"} == {o["name"] for o in options(command)}


def tried(command, settings):
    """The words of a client that is made with these, for a call that is refused before anything is sent."""
    done = subprocess.run([str(command), "send", "add-to-cart", "--ticket", ""], env={**CLEAN, **settings}, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize("settings", SETS, ids=lambda s: " ".join(s))
def test_documented_option_sets_are_accepted(command, tmp_path, settings):
    assert settings
    if "ESALES_SPOOL" in settings:
        settings = {**settings, "ESALES_SPOOL": str(tmp_path / "spool")}
    assert tried(command, settings).startswith("ESALES_INVALID_ARGUMENT: "), settings


def test_option_set_check_fails_on_a_wrong_set(command):
    assert "ESALES_INVALID_CONFIG: durability" in tried(command, {"ESALES_CLUSTER_ID": "x", "ESALES_DURABILITY": "perhaps"})
    assert "ESALES_INVALID_CONFIG: ca_file" in tried(command, {"ESALES_CLUSTER_ID": "x", "ESALES_CA_FILE": "/nowhere"})
