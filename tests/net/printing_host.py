"""A host that closed its standard descriptors and prints continuously nevertheless, while it uses a spool.

usage: printing_host.py FOLDER BASE-URL ROUNDS
"""

import os
import pathlib
import sys
import threading

from esales_notify import Client, Visitor, new_key

WAIT_S = 60


def main():
    folder, base_url, rounds = sys.argv[1:]
    visitor, done = Visitor.anonymous(new_key(), new_key()), threading.Event()

    def write():
        while not done.is_set():
            for descriptor in range(3):
                try:
                    os.write(descriptor, b"HOST")
                except OSError:
                    pass

    for descriptor in range(3):
        os.close(descriptor)
    printer = threading.Thread(target=write)
    printer.start()
    try:
        for number in range(int(rounds)):
            spool = pathlib.Path(folder, f"spool{number}")
            with Client(base_url=base_url, market="UK", proxy="", keep_alive_s=0, spool=str(spool)) as client:
                client.enqueue_add_to_cart(visitor, "t")
                if not client.flush(WAIT_S):
                    sys.exit(3)
    finally:
        done.set()
        printer.join()


main()
