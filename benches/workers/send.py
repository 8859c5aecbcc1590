"""One blocking POST per call, by the named way: `ours`, or a peer that keeps its connection or session.

Each peer is used in the fastest way that its documentation describes, with a prepared body. `ours` makes its own body.
"""

import http.client
import io
import os
import ssl
import sys
import urllib.parse

from sample import check, sample, visitor

URL, BODY, CA = os.environ["BENCH_URL"], os.environ["BENCH_BODY"].encode(), os.environ.get("BENCH_CA")
HEADERS = {"Content-Type": "application/json"}


def ours():
    from esales_notify import Client

    client, who, ticket = Client(), visitor(), os.environ["BENCH_TICKET"]
    return lambda: client.notify_add_to_cart(who, ticket)


def pycurl():
    import pycurl

    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, URL)
    curl.setopt(pycurl.POSTFIELDS, BODY)
    curl.setopt(pycurl.HTTPHEADER, ["Content-Type: application/json"])
    curl.setopt(pycurl.WRITEDATA, io.BytesIO())
    curl.setopt(pycurl.TIMEOUT_MS, 3000)
    if CA:
        curl.setopt(pycurl.CAINFO, CA)

    def one():
        curl.perform()
        check(curl.getinfo(pycurl.RESPONSE_CODE))

    return one


def http_client():
    parts = urllib.parse.urlsplit(URL)
    if CA:
        connection = http.client.HTTPSConnection(parts.netloc, timeout=3, context=ssl.create_default_context(cafile=CA))
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=3)

    def one():
        connection.request("POST", parts.path, BODY, HEADERS)
        answer = connection.getresponse()
        answer.read()
        check(answer.status)

    return one


def urllib3():
    import urllib3

    pool = urllib3.PoolManager(timeout=3, ca_certs=CA)
    return lambda: check(pool.request("POST", URL, body=BODY, headers=HEADERS).status)


def httpx():
    import httpx

    client = httpx.Client(timeout=3, verify=ssl.create_default_context(cafile=CA) if CA else True)
    return lambda: check(client.post(URL, content=BODY, headers=HEADERS).status_code)


def requests():
    import requests

    session = requests.Session()
    session.verify = CA or True
    return lambda: check(session.post(URL, data=BODY, headers=HEADERS, timeout=3).status_code)


if __name__ == "__main__":
    sample(globals()[sys.argv[1].replace(".", "_")]())
