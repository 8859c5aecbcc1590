"""No socket of the library gets the number of a standard descriptor that the host has closed."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from sandbox import Sandbox

HERE = pathlib.Path(__file__).parent


@pytest.fixture
def closed_stdio(root, library, tmp_path):
    """Runs closed_stdio.py with these options; returns its report."""

    def run(options, *before):
        report = tmp_path / "report"
        env = {**os.environ, "PYTHONPATH": str(root / "bindings/python/src"), "ESALES_NOTIFY_LIBRARY": str(library)}
        options = json.dumps({"market": "UK", "proxy": "", **options})
        subprocess.run([*before, sys.executable, str(HERE / "closed_stdio.py"), str(report), options], env=env, check=True,
                       timeout=120)
        return json.loads(report.read_text())

    return run


@pytest.mark.parametrize("tls", [False, True])
def test_sockets_are_above_2_when_stdio_is_closed(closed_stdio, command, tmp_path, tls):
    ca_file = tmp_path / "ca.pem"
    with Sandbox(command, *(["--tls", "valid", "--ca-file", str(ca_file)] if tls else [])) as sandbox:
        options = {"base_url": sandbox.base_url.replace("127.0.0.1", "localhost"), "timeout_ms": 20000}
        report = closed_stdio({**options, "ca_file": str(ca_file)} if tls else options)
    assert report == {"outcomes": [True] * 3, "low": []}


def test_resolver_sockets_are_above_2_while_the_name_server_is_silent(closed_stdio):
    options = {"base_url": "http://shop.test", "allow_http": True, "timeout_ms": 1000, "max_attempts": 1}
    report = closed_stdio(options, sys.executable, str(HERE / "in_namespace.py"), "silent")
    assert report == {"outcomes": ["ESALES_TIMEOUT"] * 3, "low": []}


def test_spool_has_no_output_of_the_host_when_it_prints_to_closed_stdio(root, library, command, tmp_path):
    env = {**os.environ, "PYTHONPATH": str(root / "bindings/python/src"), "ESALES_NOTIFY_LIBRARY": str(library)}
    with Sandbox(command) as sandbox:
        host = [sys.executable, str(HERE / "printing_host.py"), str(tmp_path), sandbox.base_url, "200"]
        assert subprocess.run(host, env=env, timeout=300).returncode == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 200
    assert [path for path in files if b"HOST" in path.read_bytes()] == []


def test_no_file_that_can_be_written_or_read_gets_a_standard_descriptor(root, library, command, tmp_path):
    """While one file had such a number for a moment, another thread would take it for open, and could be given it next."""
    env = {**os.environ, "PYTHONPATH": str(root / "bindings/python/src"), "ESALES_NOTIFY_LIBRARY": str(library)}
    calls = tmp_path / "calls"
    with Sandbox(command) as sandbox:
        host = [sys.executable, str(HERE / "printing_host.py"), str(tmp_path), sandbox.base_url, "3"]
        tracer = ["strace", "-f", "-qq", "-e", "trace=open,openat,socket,dup,dup3,fcntl", "-e", "signal=none", "-o", str(calls)]
        assert subprocess.run([*tracer, *host], env=env, timeout=300).returncode == 0
    # What Python opens before it closes its descriptors gets other numbers.
    low = [call for call in calls.read_text().splitlines()
           if re.search(r"\) = [012]$", call) and "fcntl(" not in call]
    placeholders = [call for call in low if "O_PATH" in call]
    assert placeholders, "the library opened nothing"
    assert [call for call in low if call not in placeholders] == []
