"""Payments and mixed kinds, compared with libcurl sending the same bodies."""

import json

from ..measure import Way, compare
from ..report import Found, plain, timings
from .wire import KEEP_ALIVE

LINE = {"productKey": "P_125383-0014", "variantKey": "P_125383-0014_UK", "quantity": 2, "sellingPrice": 199.5}
LINES = 50


def kinds(stage):
    env = stage.variables("http")
    payment = json.dumps({**{key: json.loads(stage.body)[key] for key in ("market", "customerKey", "sessionKey")},
                          "lines": [LINE] * LINES}, separators=(",", ":"))
    order = {**env, "BENCH_URL": env["BENCH_URL"].replace("adding-to-cart", "payment"), "BENCH_BODY": payment}
    count = stage.effort.count(3000)
    payments = compare([
        Way("libcurl, new handle", (stage.peers(), "libcurl-new"), count, order, stage.cpu),
        Way("ours", (stage.notify(), "payment"), count, env, stage.cpu),
    ], stage.effort.rounds, stage.say)
    mixed = compare([
        Way("libcurl, carts alone", (stage.peers(), "libcurl"), count, env, stage.cpu),
        Way("ours, carts alone", (stage.notify(), "send"), count, env, stage.cpu),
        Way("ours, carts and clicks in turn", (stage.notify(), "mixed"), count, env, stage.cpu),
    ], stage.effort.rounds, stage.say)
    return Found(
        [timings(f"C, payment of {LINES} lines, HTTP", payments,
                 note=f"A body of {len(payment):,} bytes, which ours makes anew each time. A payment is not sent on a kept"
                      " connection, which the server might close just then: the sender would not know whether it arrived."),
         timings("C, two kinds in turn, HTTP keep-alive", mixed, note=KEEP_ALIVE)],
        {}, {"payment": plain(payments), "kinds in turn": plain(mixed)})
