"""A shop that only enqueues, as a separate process, through the C API.

Usage: fill.py LIBRARY SPOOL BASE_URL < events, where events is a JSON list of
{"id", "customer_key", "token" (or null)}. Exits with 0 when all were accepted.
"""

import ctypes
import json
import sys


class Visitor(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("market", ctypes.c_char_p), ("customer_key", ctypes.c_char_p),
                ("session_key", ctypes.c_char_p), ("token", ctypes.c_char_p)]


def main(library, spool, base_url):
    esales = ctypes.CDLL(library)
    config, client = ctypes.c_void_p(), ctypes.c_void_p()
    assert esales.esales_config_new(ctypes.byref(config)) == 0
    for name, value in (("spool", spool), ("base_url", base_url), ("delivery", "none"), ("market", "UK")):
        assert esales.esales_config_set(config, name.encode(), value.encode()) == 0, name
    assert esales.esales_client_new(config, ctypes.byref(client)) == 0
    esales.esales_config_free(config)
    for event in json.load(sys.stdin):
        token = event["token"].encode() if event["token"] else None
        visitor = Visitor(ctypes.sizeof(Visitor), None, event["customer_key"].encode(), b"session", token)
        status = esales.esales_enqueue_add_to_cart(client, ctypes.byref(visitor), b"a-ticket", event["id"].encode(), None)
        assert status == 1, (status, event["id"])
    esales.esales_client_free(client)


if __name__ == "__main__":
    main(*sys.argv[1:])
