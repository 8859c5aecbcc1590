"""Visitors of a shop's pages, in a separate process: python visitors.py ADDRESS PREFIX PAGES AT_ONCE PAUSE_MS [DO...]

Prints a line of JSON for each page view: its id, HTTP status (0: no answer), the page's text, its milliseconds.
A visitor waits for the page, pauses at random, PAUSE_MS on average, and asks for the next. PAGES may be "any": until SIGTERM.
"""

import asyncio
import itertools
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

SECONDS = 90  # A page that takes longer counts as hanging.


async def view(streams, address, target):
    """(HTTP status, body, streams to use again or None)."""
    if streams is None:
        streams = await asyncio.open_connection(address.hostname, address.port)
    reader, writer = streams
    writer.write(f"GET {target} HTTP/1.1\r\nHost: shop\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    if "content-length: " in head:
        body = await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
    else:
        assert "transfer-encoding: chunked" in head, head
        body = b""
        while size := int((await reader.readline()).strip(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    if "connection: close" in head:
        writer.close()
        streams = None
    return int(head.split()[1]), body.decode(), streams


async def visitor(address, ids, pause, out):
    streams = None
    for id, do in ids:
        await asyncio.sleep(random.uniform(0, 2 * pause))
        began = time.perf_counter()
        try:
            target = f"/page.php?do={do}&id={id}"
            status, body, streams = await asyncio.wait_for(view(streams, address, target), SECONDS)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as broken:
            status, body, streams = 0, repr(broken), None
        milliseconds = (time.perf_counter() - began) * 1000
        out.write(json.dumps({"id": id, "http": status, "body": body, "ms": milliseconds}) + "\n")


async def main(address, prefix, pages, at_once, pause_ms, does):
    has_ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, has_ended.set)
    numbers = itertools.takewhile(lambda _: not has_ended.is_set(), itertools.count()) if pages == "any" else range(int(pages))
    ids = ((f"{prefix}{n}", does[n % len(does)]) for n in numbers)
    address = urllib.parse.urlsplit(address)
    await asyncio.gather(*(visitor(address, ids, float(pause_ms) / 1000, sys.stdout) for _ in range(int(at_once))))


class Visits:
    """Running page views. `done()` waits for them and returns a list of dicts. With `pages` None they continue until
    `done()`, which may be called after the first page."""

    def __init__(self, address, prefix, pages, at_once, pause_ms=0, does=("enqueue",)):
        arguments = [address, prefix, "any" if pages is None else pages, at_once, pause_ms, *does]
        # A file, because a pipe would not be read while the visitors run.
        self._seen = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen([sys.executable, __file__, *map(str, arguments)], stdout=self._seen)
        self._pages = pages

    def under_way(self):
        return self._process.poll() is None

    def done(self):
        if self._pages is None:
            self._process.terminate()
        assert self._process.wait() == 0
        with self._seen as seen:
            seen.seek(0)
            views = [json.loads(line) for line in seen]
        assert self._pages in (None, len(views))
        return views


if __name__ == "__main__":
    address, prefix, pages, at_once, pause_ms, *does = sys.argv[1:]
    asyncio.run(main(address, prefix, pages, at_once, pause_ms, does))
