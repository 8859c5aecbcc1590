"""Access to the agent: programs on this machine may use it, web pages in a browser may not."""

import os
import pwd
import stat
import subprocess

import pytest
from agent import ADD_TO_CART, JSON, Agent, cart
from environment import CLEAN

FOREIGN = {
    "DNS rebinding": {"Host": "evil.example"},
    "DNS rebinding with a loopback prefix": {"Host": "127.0.0.1.evil.example"},
    "a page of another origin": {"Origin": "https://evil.example"},
    "a page without an origin": {"Origin": "null"},
    "a page of another port": {"Origin": "http://127.0.0.1:1"},
    "a page of another site": {"Sec-Fetch-Site": "cross-site"},
    "a page of a sibling": {"Sec-Fetch-Site": "same-site"},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
def test_agent_refuses_requests_of_a_foreign_page(agent, sandbox, headers):
    posted = agent.ask("POST", ADD_TO_CART, cart("foreign").encode(), {**JSON, **headers})
    assert posted.status == 403 and posted.json()["message"], posted
    for path in ("/metrics", "/receipts/x", "/healthz"):
        assert agent.ask("GET", path, None, headers).status == 403
    assert not any(name.lower().startswith("access-control") for name in posted.headers)
    assert agent.get("/receipts/foreign").status == 404 and sandbox.received() == []


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                                          "text/plain; application/json"])
def test_content_type_of_a_form_is_refused(agent, content_type):
    assert agent.ask("POST", ADD_TO_CART, cart("form").encode(), {"Content-Type": content_type}).status == 415


def test_agent_accepts_an_allowed_host_name(start):
    agent = start("--allow-host", "agent.internal")
    assert agent.get("/readyz", Host="agent.internal:8181").status == 200
    assert agent.get("/readyz", Host="other.internal").status == 403
    assert agent.get("/readyz", is_local=True, Host="anything").status == 200


def test_agent_socket_has_mode_0660_or_the_given_one_and_is_removed_at_the_end(start, folder):
    def mode():
        return stat.S_IMODE(os.stat(folder / "socket").st_mode)

    agent = start()
    assert mode() == 0o660
    assert agent.stop() == 0 and not (folder / "socket").exists()
    start("--socket-mode", "0600")
    assert mode() == 0o600


def test_socket_that_root_makes_in_the_shops_folder_belongs_to_the_shop(start, folder):
    shop = pwd.getpwnam("nobody")
    os.chown(folder, shop.pw_uid, shop.pw_gid)
    start()
    made = os.stat(folder / "socket")
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (shop.pw_uid, shop.pw_gid, 0o660)


def test_socket_belongs_to_root_when_every_user_may_write_into_its_folder(start, folder):
    shop = pwd.getpwnam("nobody")
    sockets = folder / "sockets"
    sockets.mkdir()
    os.chown(sockets, shop.pw_uid, shop.pw_gid)
    sockets.chmod(0o1777)
    start("--listen", f"unix:{sockets / 'socket'}")
    assert os.stat(sockets / "socket").st_uid == 0


def test_socket_is_replaced_when_it_is_stale_and_refused_when_it_is_live(start, command, folder, sandbox):
    agent = start()
    with pytest.raises(AssertionError, match="another process listens there"):
        Agent(command, folder, sandbox.base_url).__enter__()
    assert agent.get("/readyz", is_local=True).status == 200
    agent.kill()
    assert (folder / "socket").exists()
    assert start().get("/readyz", is_local=True).status == 200


@pytest.mark.parametrize("arguments, code, says", [
    (["--listen", "0.0.0.0:0"], 7, "--insecure-listen-on-network"),
    (["--listen", "[::]:0"], 7, "--insecure-listen-on-network"),
    (["--listen", "localhost:80"], 2, "IP address with a port"),
    (["--listen", "unix:relative"], 2, "absolute"),
    (["--listen", "unix:/proc/no/such/folder"], 7, "--listen unix:/proc/no/such/folder"),
    (["--listen", "127.0.0.1:0", "--socket-mode", "999"], 2, "octal"),
    (["--listen", "127.0.0.1:0", "--once"], 2, "--once"),
])
def test_drain_ends_at_once_when_it_cannot_listen(command, folder, arguments, code, says):
    env = {**CLEAN, "ESALES_SPOOL": str(folder / "spool"), "ESALES_BASE_URL": "http://127.0.0.1:9"}
    done = subprocess.run([command, "drain", *arguments], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == code and says in done.stderr, done


def test_agent_listens_on_a_network_address_only_with_the_flag(start):
    agent = start("--listen", "0.0.0.0:0", "--insecure-listen-on-network")
    assert "listening on http://0.0.0.0:" in agent.log.read_text()
