"""A host with two copies of the library: copies.py FOLDER COUNT LIBRARY LIBRARY. Options of both clients are in ESALES_*.

Enqueues COUNT events through each in turn, prints each accepted id, then "done"; ends when stdin ends.
"""

import os
import sys


def main():
    folder, count, *libraries = sys.argv[1:]
    sys.path.insert(0, folder)
    from esales_notify import Client, Visitor, new_key

    clients = [Client(library=library) for library in libraries]
    visitor = Visitor.anonymous(new_key(), new_key())
    with open("/proc/self/maps") as maps:
        loaded = {line.split()[-1] for line in maps if "esales" in line}
    assert {os.path.realpath(library) for library in libraries} <= loaded, loaded
    for n in range(int(count)):
        for name, client in zip("ab", clients):
            print(client.enqueue_add_to_cart(visitor, "ticket", id=f"{name}{n}").id, flush=True)
    print("done", flush=True)
    sys.stdin.read()
    for client in clients:
        client.close()


main()
