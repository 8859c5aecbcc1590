"""One process that enqueues. Its options are in ESALES_*.

    producer.py PREFIX FROM TO [PAUSE_MS]

Prints a line of JSON for each call: id, status, milliseconds, detail; `started` before the first one. A call that is cut off
by a kill has printed its id as `trying`. Then answers questions on stdin: `stats`, `receipt ID`, `push ID`, `notify ID`. An answer to
`receipt` that could not be had is the error's name.
"""

import json
import os
import sys
import time

from esales_notify import Client, NotifyError, Visitor

VISITOR = Visitor(customer_key="d9528030-509c-4e0f-b585-7168f1e9feca", session_key="b106299c-eac0-4f6f-96d2-93e57c255784",
                  market="UK")


def tell(**line):
    # Each line is one unbuffered write, and an incomplete line after a kill does not count.
    os.write(1, (json.dumps(line) + "\n").encode())


def push(call, name):
    start = time.monotonic()
    try:
        receipt = call(VISITOR, "T" * 100, name)
        status, detail = receipt.name, receipt.detail
    except NotifyError as error:
        status, detail = error.name, error.detail
    tell(id=name, status=status, ms=(time.monotonic() - start) * 1000, detail=detail)


def main(prefix, first, end, pause_ms=0):
    with Client() as client:
        tell(started=True)
        for n in range(int(first), int(end)):
            tell(trying=f"{prefix}-{n}")
            push(client.enqueue_add_to_cart, f"{prefix}-{n}")
            time.sleep(float(pause_ms) / 1000)
        tell(done=True)
        for line in sys.stdin:
            question, *names = line.split()
            if question == "stats":
                stats = client.stats()
                tell(accepted=stats.spool.accepted, pending=stats.spool.pending, lost=stats.lost,
                     process=stats.process.accepted)
            elif question == "receipt":
                try:
                    receipt = client.receipt(names[0])
                except NotifyError as error:
                    receipt = error
                tell(receipt=receipt and receipt.name, detail=receipt and receipt.detail)
            else:
                push({"push": client.enqueue_add_to_cart, "notify": client.notify_add_to_cart}[question], names[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
