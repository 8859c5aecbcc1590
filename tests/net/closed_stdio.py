"""A host that closed its standard descriptors, and checks whether a connected socket gets one of their numbers, because
its output would go there.

usage: closed_stdio.py REPORT-FILE OPTIONS-AS-JSON
"""

import ctypes
import json
import os
import sys
import threading

from esales_notify import Client, NotifyError, Visitor, new_key

CALLS, WAIT_S = 3, 10
libc = ctypes.CDLL(None)


def is_connected(descriptor):
    peer, length = ctypes.create_string_buffer(128), ctypes.c_uint32(128)
    return libc.getpeername(descriptor, peer, ctypes.byref(length)) == 0


def main():
    report = os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600), 100)
    options = json.loads(sys.argv[2])
    visitor = Visitor.anonymous(new_key(), new_key())
    done, low, outcomes = threading.Event(), set(), []

    def watch():
        while not done.is_set():
            low.update(filter(is_connected, range(3)))

    for descriptor in range(3):
        os.close(descriptor)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    for call in range(CALLS):
        # With another keep_alive_s, a client makes connections of its own.
        with Client(**options, keep_alive_s=call) as client:
            try:
                client.notify_add_to_cart(visitor, "t")
                client.enqueue_add_to_cart(visitor, "t")
                outcomes.append(client.flush(WAIT_S))
            except NotifyError as e:
                outcomes.append(e.name)
    done.set()
    watcher.join()
    os.write(report, json.dumps({"outcomes": outcomes, "low": sorted(low)}).encode())


main()
