"""The examples of every language, as their readers run them."""

import json
import shutil
import subprocess
import urllib.error
import urllib.request

import pytest
from environment import CLEAN
from ports import free_port
from waiting import wait_for

#: The command of each example, and whether the example can use a Unix socket.
EXAMPLES = {
    "curl.sh": (["sh"], True),
    # Without FFI, and with no PHP extension except curl.
    "streams.php": (["php", "-n"], False),
    "curl.php": (["php", "-n", "-d", "extension=curl"], True),
    "agent.mjs": (["node"], True),
    "agent.rb": (["ruby"], False),
    "Agent.java": (["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1"], False),
    "agent.go": (["go", "run"], True),
}


@pytest.fixture(scope="module")
def go_cache(tmp_path_factory):
    """Go's caches are in the test's folder."""
    folder = tmp_path_factory.mktemp("go")
    yield {"GOCACHE": str(folder), "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOPROXY": "off", "HOME": str(folder)}
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_enqueues_and_fails_when_the_agent_is_gone(root, agent, sandbox, go_cache, name):
    command, has_socket = EXAMPLES[name]
    example = root / "examples/agent" / name

    def run(**env):
        return subprocess.run([*command, example], env={**CLEAN, **go_cache, **env}, capture_output=True, text=True, timeout=120)

    ways = [{"AGENT_URL": agent.base_url}]
    if has_socket:
        # A name that resolves only through the socket.
        ways.append({"AGENT_URL": "http://localhost:9", "AGENT_SOCKET": agent.socket})
    ids = []
    for way in ways:
        done = run(**way)
        assert done.returncode == 0, done
        ids.append(json.loads(done.stdout)["id"])
    received = wait_for(lambda: len(sandbox.received()) == len(ways) and sandbox.received(), "not delivered")
    assert {row["notification"]["id"] for row in received} == set(ids)
    agent.kill()
    assert run(**ways[0]).returncode != 0


def test_every_example_is_run(root):
    assert {path.name for path in (root / "examples/agent").iterdir()} == set(EXAMPLES)


def test_shop_page_of_the_compose_file_enqueues(root, agent, sandbox):
    port = free_port()
    page = subprocess.Popen(["php", "-S", f"127.0.0.1:{port}", "-t", root / "packaging/container/shop"],
                            env={**CLEAN, "AGENT_SOCKET": agent.socket}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def added(method="POST"):
            try:
                with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/", method=method, data=b""), timeout=60) as answer:
                    return answer.read().decode()
            except urllib.error.URLError:
                return None

        shown = wait_for(added, "the page is not served")
        assert "The agent accepted it: {&quot;id&quot;" in shown, shown
        received, = wait_for(sandbox.received, "not delivered")
        assert received["kind"] == "non_esales_add_to_cart"
        agent.kill()
        assert "Not accepted (0)" in added()
    finally:
        page.kill()
        page.wait()
