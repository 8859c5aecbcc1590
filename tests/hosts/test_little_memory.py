"""A host whose address space is used up: calls fail, but the host lives, and nothing is written to its stderr."""

import itertools
import subprocess

import pytest

from environment import CLEAN
from sandbox import Sandbox, TlsSandbox

# Around each size that the library allocates at once: a stack of 512 KiB or 8 MiB, an arena, buffers.
EXTRA = [0, 50_000, 150_000, 300_000, 600_000, 1_000_000, 2_000_000, 4_000_000, 9_000_000, 9_500_000, 20_000_000, 80_000_000]


@pytest.mark.parametrize("kind", ["address-space", "data"])
@pytest.mark.parametrize("threads", [0, 8])
@pytest.mark.parametrize("form", ["plain", "tls", "spool"])
def test_host_survives_when_its_memory_is_used_up(compiled, command, library_dir, tmp_path, form, threads, kind):
    program = compiled("little_memory.c", f"-L{library_dir}", "-lesales_notify", f"-Wl,-rpath,{library_dir}")
    env = {**CLEAN, "ESALES_TIMEOUT_MS": "2000", "ESALES_MAX_ATTEMPTS": "1"}
    if form == "tls":
        env["ESALES_CA_FILE"] = str(tmp_path / "ca.pem")
    if form == "spool":
        env["ESALES_SPOOL"] = str(tmp_path / "spool")
    with TlsSandbox(command, tmp_path / "ca.pem") if form == "tls" else Sandbox(command) as sandbox:
        env["ESALES_BASE_URL"] = sandbox.base_url
        ended = []
        for when, extra in itertools.product(("early", "late"), EXTRA):
            done = subprocess.run([program, when, str(extra), str(threads), *(["data"] if kind == "data" else [])], env=env,
                                  capture_output=True, text=True, timeout=120)
            if done.returncode != 0 or done.stderr:
                ended.append((when, extra, done.returncode, done.stderr[:200]))
        assert not ended, f"{len(ended)} of {2 * len(EXTRA)}: {ended}"
