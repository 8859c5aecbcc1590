"""Accepts one event per call: `ours` into a spool, the SDKs into the memory of the process, from which nothing is sent.

This is the SDKs' best case, because their sending threads would compete for the interpreter.
"""

import os
import sys

from sample import sample, visitor

ROOM = 10_000_000
PROPERTIES = {"market": "UK", "session_key": "b106299c-eac0-4f6f-96d2-93e57c255784", "ticket": os.environ["BENCH_TICKET"]}
WHO, EVENT = "d9528030-509c-4e0f-b585-7168f1e9feca", "adding-to-cart"
HOST = os.environ["ESALES_BASE_URL"]


def ours():
    from esales_notify import Client

    client, who, ticket = Client(), visitor(), os.environ["BENCH_TICKET"]
    return lambda: client.enqueue_add_to_cart(who, ticket)


def without_sender(client):
    """With send=False it has started no thread, but from now on it fills its queue."""
    client.send = True
    return client


def segment():
    from segment.analytics.client import Client

    client = without_sender(Client("key", host=HOST, send=False, max_queue_size=ROOM))

    def one():
        if not client.track(WHO, EVENT, PROPERTIES)[0]:
            raise SystemExit("the queue is full")

    return one


def posthog():
    from posthog import Posthog

    client = without_sender(Posthog("key", host=HOST, send=False, max_queue_size=ROOM))
    return lambda: client.capture(EVENT, distinct_id=WHO, properties=dict(PROPERTIES))


def sentry():
    import sentry_sdk

    kept = []

    class Memory(sentry_sdk.Transport):
        def capture_envelope(self, envelope):
            kept.append(envelope)

    sentry_sdk.init(dsn=HOST.replace("://", "://key@") + "/1", transport=Memory, default_integrations=False)
    return lambda: sentry_sdk.capture_event({"message": EVENT, "user": {"id": WHO}, "extra": dict(PROPERTIES)})


if __name__ == "__main__":
    sample(globals()[sys.argv[1]]())
