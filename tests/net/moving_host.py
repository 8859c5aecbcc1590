"""A host that sends a notification each 0.1 s, until a line arrives on its standard input.

usage: moving_host.py notify|enqueue OPTIONS-AS-JSON
"""

import json
import select
import sys
import time

from esales_notify import Client, Visitor, new_key


def main():
    call, options = sys.argv[1:]
    visitor = Visitor.anonymous(new_key(), new_key())
    with Client(market="UK", **json.loads(options)) as client:
        send = client.notify_add_to_cart if call == "notify" else client.enqueue_add_to_cart
        while not select.select([sys.stdin], [], [], 0)[0]:
            send(visitor, "t")
            time.sleep(0.1)


main()
