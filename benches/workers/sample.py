"""The measuring loop of every Python worker: see sample.h."""

import os
import time


def sample(one):
    for _ in range(int(os.environ["BENCH_WARMUP"])):
        one()
    took = []
    clock = time.perf_counter_ns
    for _ in range(int(os.environ["BENCH_COUNT"])):
        start = clock()
        one()
        took.append(clock() - start)
    print("\n".join(map(str, took)))


def check(status):
    if status != 204:
        raise SystemExit(f"not a 204: {status}")


def visitor():
    from esales_notify import Visitor

    return Visitor.anonymous(
        "d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784", market="UK")
