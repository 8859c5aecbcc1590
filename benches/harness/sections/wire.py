"""Blocking sends over loopback: with keep-alive, with a new connection for each, and to a server that reads the
whole request before it answers."""

from ..measure import Way, compare
from ..report import Found, plain, timings

KEEP_ALIVE = "One connection, used again. Server and client on one CPU."


def from_c(stage):
    notify, peers = stage.notify(), stage.peers()
    count = stage.effort.count(5000)

    def ways(scheme, *names):
        env = stage.variables(scheme)
        return [Way(name, (peers, name) if name != "ours" else (notify, "send"), count, env, stage.cpu) for name in names]

    http = compare(ways("http", "socket", "libcurl", "ours"), stage.effort.rounds, stage.say)
    https = compare(ways("https", "libcurl", "ours"), stage.effort.rounds, stage.say)
    return Found(
        [timings("C, HTTP keep-alive", http, note=KEEP_ALIVE), timings("C, HTTPS keep-alive", https, note=KEEP_ALIVE)],
        {
            "c/libcurl": http["ours"].p50 / http["libcurl"].p50,
            "c/socket": http["ours"].p50 / http["socket"].p50,
            "c/https": https["ours"].p50 / https["libcurl"].p50,
        },
        {"c/http": plain(http), "c/https": plain(https)},
    )


def slow_reader(stage):
    """`two writes` shows the effect of delayed acknowledgements."""
    notify, peers = stage.notify(), stage.peers()
    with stage.reader() as port:
        env = stage.variables("http", port)

        def way(name, command, usual):
            return Way(name, command, stage.effort.count(usual), env, stage.cpu)

        found = compare([
            way("socket", (peers, "socket"), 2000),
            way("socket, two writes with Nagle", (peers, "socket-two"), 40),
            way("libcurl", (peers, "libcurl"), 2000),
            way("ours", (notify, "send"), 2000),
        ], stage.effort.rounds, stage.say)
    note = ("The server answers when it has read the whole body. A client that sends head and body apart, and does not"
            " turn Nagle's algorithm off, then waits for the server's delayed acknowledgement.")
    return Found([timings("C, HTTP keep-alive, to a server that reads first", found, note=note)], {},
                 {"reader": plain(found)})


def cold(stage):
    notify, peers = stage.notify(), stage.peers()
    tables, numbers = [], {}
    for scheme, usual in (("http", 2000), ("https", 500)):
        env = stage.variables(scheme)
        count = stage.effort.count(usual)
        ways = [
            Way("libcurl, new handle", (peers, "libcurl-new"), count, env, stage.cpu),
            Way("ours, keep_alive_s=0", (notify, "send"), count, {**env, "ESALES_KEEP_ALIVE_S": 0}, stage.cpu),
        ]
        if scheme == "http":
            ways.insert(0, Way("socket", (peers, "socket-new"), count, env, stage.cpu))
        found = compare(ways, stage.effort.rounds, stage.say)
        tables.append(timings(f"C, {scheme.upper()}, a connection for each", found))
        numbers[f"cold/{scheme}"] = plain(found)
    return Found(tables, {}, numbers)
