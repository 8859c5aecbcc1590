"""One page view of a shop, like page.php: prints as JSON the outcome of the event, and the descriptors that a child
process inherits."""

import json
import os
import subprocess
import sys
import traceback
import urllib.parse

from esales_notify import Client, Visitor

VISITOR = Visitor.anonymous("d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784")
# Made at import time: before the fork, where the server preloads the program.
client = Client()
heard = []


def log(**words):
    """Writes a line to the server's log."""
    sys.stderr.write(f"PAGE {json.dumps({'pid': os.getpid(), **words})}\n")
    sys.stderr.flush()


if os.environ.get("SHOP_USES_IT_AT_IMPORT"):
    for call in (client.notify_add_to_cart, client.enqueue_add_to_cart):
        receipt = call(VISITOR, "ticket")
        log(id=receipt.id, status=receipt.name)


def hear(receipt):
    heard.append(receipt.id)
    log(heard=receipt.id)


def own():
    """The targets of the descriptors of this process."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            pass  # The folder itself was one of the descriptors.
    return found


def inherited():
    """The same for a program that is started here and inherits everything that it can."""
    command = ["find", "/proc/self/fd", "-type", "l", "-printf", "%l\\n"]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, close_fds=False).stdout.decode().splitlines()


def answer(query):
    words = {"pid": os.getpid()}
    if "listen" in query:
        client.on_delivery(hear)
    if query.get("do") in ("enqueue", "send"):
        call = client.notify_add_to_cart if query["do"] == "send" else client.enqueue_add_to_cart
        for number in range(1, int(query.get("times", 1))):
            call(VISITOR, "ticket", f"{query['id']}-{number}")
        receipt = call(VISITOR, "ticket", query["id"])
        words.update(status=receipt.name, id=receipt.id)
    if "flush" in query:
        words["flushed"] = client.flush(float(query["flush"]))
    if "descriptors" in query:
        words.update(own=own(), inherited=inherited())
    return {**words, "heard": list(heard)}


def application(environ, start_response):
    try:
        status, words = "200 OK", answer(dict(urllib.parse.parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)))
    except Exception:
        status, words = "500 Internal Server Error", {"status": "failed", "words": traceback.format_exc()}
    body = json.dumps(words).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
