"""Makes the picture of the inspector in the README: usage: screenshot.py COMMAND FILE [light|dark] [WIDTH] [HEIGHT]

The command sends its contents, as in the demo: the vendor's example, a signed-in visitor, a service that is
busy twice, a rotated key, a missing ticket. The other kinds are sent directly.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import sys
import urllib.request
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from PIL import Image  # noqa: E402

from browser import chromium  # noqa: E402
from environment import CLEAN  # noqa: E402
from sandbox import Sandbox  # noqa: E402

KEY = "demo-private-key"
VISITORS = [("d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784"),
            ("7f0f3a86-4e0b-4a7e-9f0f-0f5c1f6f7a11", "0b5d2f0e-8a53-4f39-a9a5-0f4a54b1c2d3")]


def ticket(page, product):
    return base64.b64encode(f";/dynamic-pages/{page};#;product_key;{product};#;;;NONE:NONE;61;".encode()).decode()


def fill(command, sandbox):
    def send(*arguments, key=KEY):
        subprocess.run([command, "send", "add-to-cart", "--base-url", sandbox.base_url, "--backoff-ms", "0", *arguments],
                       env={**CLEAN, "ESALES_PRIVATE_KEY": key}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def anonymous(visitor, market, page, product):
        keys = ["--customer-key", VISITORS[visitor][0], "--session-key", VISITORS[visitor][1]]
        send("--market", market, *keys, "--ticket", ticket(page, product))

    def signed_in(customer, market, page, product, key=KEY):
        send("--market", market, "--customer-id", customer, "--ticket", ticket(page, product), key=key)

    def by_hand(visitor, path, secure=False, **members):
        keys = {"market": "UK", "customerKey": VISITORS[visitor][0], "sessionKey": VISITORS[visitor][1]}
        body = json.dumps({**keys, **members}).encode()
        query = f"?paymentToken={hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()}" if secure else ""
        request = urllib.request.Request(f"{sandbox.base_url}/api/v1/notifications/{path}{query}", body,
                                         {"Content-Type": "application/json"})
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()

    by_hand(0, "click", id=str(uuid.uuid4()), ticket=ticket("start/esales-start-1", "P_125383-0014_UK"))
    anonymous(0, "UK", "start/esales-start-1", "P_125383-0014_UK")
    by_hand(1, "non-esales-click", id=str(uuid.uuid4()), productKey="P_118204-0003_UK", variantKey=None)
    signed_in("customer-4711", "UK", "category/shoes", "P_125383-0021_UK")
    by_hand(0, "payment", secure=True, lines=[{"productKey": "P_125383-0014_UK", "quantity": 2, "sellingPrice": 199.5, "cost": 80},
                                              {"productKey": "P_101442-0001_UK", "quantity": 1, "sellingPrice": 49.9, "cost": 20}])
    anonymous(1, "SE", "search/results", "P_118204-0003_SE")
    sandbox.script("503:body=\"Try again in a moment.\", 503")
    anonymous(0, "UK", "product/recommendations", "P_117733-0014_UK")
    signed_in("customer-1204", "DE", "start/esales-start-1", "P_120011-0042_DE")
    anonymous(1, "SE", "category/jackets", "P_118204-0007_SE")
    signed_in("customer-4711", "UK", "cart/upsell", "P_125383-0014_UK", key="old-private-key")
    anonymous(0, "UK", "search/results", "P_101442-0001_UK")
    sandbox.script("400:body=\"Ticket is missing.\"")
    anonymous(1, "SE", "start/esales-start-2", "P_118204-0003_SE")
    anonymous(0, "UK", "category/shoes", "P_125383-0031_UK")
    signed_in("customer-1204", "DE", "search/results", "P_120011-0007_DE")
    anonymous(1, "SE", "product/recommendations", "P_118210-0002_SE")
    by_hand(0, "end")


def main(command, file, scheme="light", width="1280", height="680"):
    with Sandbox(command, "--private-key", KEY) as sandbox, chromium() as browser:
        fill(command, sandbox)
        page = browser.new_page(viewport={"width": int(width), "height": int(height)}, color_scheme=scheme)
        page.goto(sandbox.base_url)
        page.get_by_text("token not valid").first.click()
        page.mouse.move(0, 0)
        page.screenshot(path=file)
    # A page of text has few colours, so a palette makes the picture a third as large.
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(256).save(file, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
