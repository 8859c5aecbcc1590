"""Python hosts that fork children, and threaded ones that start processes."""

import json
import os
import signal
import subprocess
import sys

import pytest

from counting import Service
from environment import CLEAN


@pytest.fixture
def run(root, library, tmp_path):
    """Runs python_fork.py with a separate sandbox; returns the accepted ids and the received ids."""

    def run_program(*arguments, spool=None, works=True):
        with Service() as service:
            env = {**CLEAN, "PYTHONPATH": str(root / "bindings/python/src"), "PYTHONWARNINGS": "ignore",
                   "ESALES_NOTIFY_LIBRARY": str(library), "ESALES_BASE_URL": service.base_url, "ESALES_TIMEOUT_MS": "60000",
                   "ESALES_ENQUEUE_TIMEOUT_MS": "60000"}
            if spool:
                env["ESALES_SPOOL"] = str(spool)
            out = tmp_path / "out"
            with open(out, "ab") as taken:
                process = subprocess.Popen([sys.executable, str(root / "tests/hosts/python_fork.py"), *map(str, arguments)],
                                           env=env, stdout=taken, stderr=subprocess.PIPE, start_new_session=True)
            try:
                output = process.communicate(timeout=300)[1].decode()
            finally:
                # Also ends processes that hang.
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
            assert (process.returncode == 0) == works, output
            assert not works or output == ""
            return out.read_text().split() if works else output, service.ids

    return run_program


def assert_accounted_for(taken, arrived, asked_for):
    assert len(taken) == len(set(taken))
    assert set(taken) <= set(arrived), sorted(set(taken) - set(arrived))[:5]
    tasks = {id for id in arrived if id.startswith("task-")}
    assert tasks <= asked_for
    assert {id for id in arrived if id not in tasks} <= set(taken)


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_pool_of_forked_processes_sends_and_enqueues(run, soak, tmp_path, kind):
    tasks = 4000 if soak else 300
    taken, arrived = run("pool", tasks, 10, spool=tmp_path / "spool" if kind == "file" else None)
    all_tasks = {f"task-{number}" for number in range(tasks)}
    assert all_tasks <= set(taken)
    assert_accounted_for(taken, arrived, all_tasks)


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_prefork_children_deliver_while_they_are_recycled_and_killed(run, command, soak, tmp_path, kind):
    tasks, spool = 4000 if soak else 300, tmp_path / "spool"
    taken, arrived = run("prefork", tasks, 10, spool=spool if kind == "file" else None)
    assert_accounted_for(taken, arrived, {f"task-{number}" for number in range(tasks)})
    if kind == "memory":
        assert {id for id in taken if id.startswith("task-")} == {f"task-{number}" for number in range(tasks)}
        return
    output = subprocess.run([str(command), "queue", "status", "--json"], env={"ESALES_SPOOL": str(spool)}, check=True,
                           stdout=subprocess.PIPE).stdout
    status = json.loads(output)
    assert status["is_balanced"] and status["accepted"] == status["delivered"] > 0, status


def test_started_process_inherits_no_descriptor_of_the_library(run, soak, tmp_path):
    taken, arrived = run("started", tmp_path, 500 if soak else 25)
    assert set(taken) == set(arrived) and len(taken) > 20


def test_descriptor_check_fails_when_a_descriptor_leaks(run, tmp_path):
    output, _ = run("started", tmp_path, 1, "leaks", works=False)
    assert "AssertionError" in output and "/leaks'" in output, output
