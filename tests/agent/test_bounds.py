"""The agent survives slow, silent and very many clients."""

import contextlib
import errno
import resource
import select
import socket
import time

from agent import ADD_TO_CART, cart
from waiting import wait_for

HEAD = f"POST {ADD_TO_CART} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def end_of(client):
    """Reads until the agent closes the connection."""
    read = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            read += part
    return read


def test_slow_clients_are_disconnected_and_do_not_delay_others(agent):
    """All clients at once, because each takes the whole time-out."""
    cut_off = {"nothing of a head": "P", "half a head": HEAD, "a body that does not begin": HEAD + "Content-Length: 100\r\n\r\n",
               "half a body": HEAD + "Content-Length: 100\r\n\r\n{", "half a chunk": HEAD + "Transfer-Encoding: chunked\r\n\r\n5\r\n{"}
    with contextlib.ExitStack() as open_ones:
        clients = {name: open_ones.enter_context(agent.raw()) for name in cut_off}
        for name, bytes_ in cut_off.items():
            clients[name].sendall(bytes_.encode())
        drip = open_ones.enter_context(agent.raw())
        deadline = time.monotonic() + 60
        with contextlib.suppress(ConnectionError):
            while not select.select([drip], [], [], 0.2)[0]:
                assert time.monotonic() < deadline, "a dripping head is read for ever"
                drip.sendall(b"x")
        assert agent.post(cart("meanwhile")).status == 202
        for name, client in clients.items():
            read = end_of(client)
            assert read.startswith(b"HTTP/1.1 408 ") if "body" in name or "chunk" in name else read == b"", (name, read)


def test_agent_refuses_a_request_head_that_is_too_long(agent):
    with agent.raw() as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(HEAD.encode() + b"X: " + b"x" * 100_000)
        assert end_of(client)[:13] in (b"HTTP/1.1 431 ", b"HTTP/1.1 400 ", b"")
    assert agent.post(cart("next")).status == 202


def test_ten_thousand_connections_stay_within_the_bound_and_the_next_client_is_served(start):
    agent = start("--max-connections", "50")
    before = agent.descriptors()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 12_000), hard))
    most, flood = 0, []
    try:
        for number in range(10_000):
            client = socket.socket()
            client.setblocking(False)
            assert client.connect_ex(("127.0.0.1", agent.port)) in (0, errno.EINPROGRESS)
            flood.append(client)
            if number % 500 == 0:
                most = max(most, agent.descriptors())
        # Idle connections are closed to make room.
        assert agent.post(cart("through"), is_local=True).status == 202
        most = max(most, agent.descriptors())
    finally:
        for client in flood:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert most <= before + 50 + 10
    wait_for(lambda: agent.post(cart("after")).status == 202, "no client is served after the flood")


def test_agent_memory_is_bounded_when_bodies_do_not_end(agent):
    """40 bodies of 2 MiB without their last bytes exceed the limit together."""
    size = 2 * 1024 * 1024
    refused = 0
    with contextlib.ExitStack() as open_ones:
        clients = [open_ones.enter_context(agent.raw()) for _ in range(40)]
        for client in clients:
            with contextlib.suppress(ConnectionError):
                client.sendall(f"{HEAD}Content-Length: {size}\r\n\r\n".encode() + b"x" * (size - 1))
            with contextlib.suppress(BlockingIOError, ConnectionError):
                client.setblocking(False)
                refused += client.recv(4096).startswith(b"HTTP/1.1 503 ")
        wait_for(lambda: refused or any(readable(client) for client in clients), "nothing is refused")
        with open(f"/proc/{agent.process.pid}/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    assert peak < 160 * 1024
    assert agent.post(cart("after")).status == 202


def readable(client):
    return bool(select.select([client], [], [], 0)[0])
