# /var/www/shop/shop.py
import logging
import os
import re
import uuid
from urllib.parse import parse_qs

from esales_notify import Client, Line, Notification, Visitor, customer_key, customer_token

log = logging.getLogger("shop")
try:
    # One for the whole process, made when the program is imported: before the fork, if the server preloads it.
    client = Client()
except Exception as error:  # a wrong option, or no library: the shop works without events
    log.error("esales-notify: %s", error)
    client = None


def application(environ, start_response):
    """POST `ticket`: its product was added to the cart. POST `order`: the order with this number is paid."""
    form = parse_qs(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode(errors="replace"))
    headers = [("Content-Type", "text/plain")]
    customer = key_of(environ, headers, "customer", "; Max-Age=31536000")
    session = key_of(environ, headers, "session", "")
    # Your shop does its own work here. Then:
    if "ticket" in form:
        tell(environ, customer, session, lambda: Notification.add_to_cart(form["ticket"][0]))
    if "order" in form:
        tell(environ, customer, session, lambda: Notification.secure_payment(
            lines_of(form["order"][0]), os.environ.get("ESALES_PRIVATE_KEY", "")))
    start_response("200 OK", headers)
    return [b"Thank you\n"]


def key_of(environ, headers, cookie, lifetime):
    """The key in the visitor's cookie. On the first visit the page makes a key, and `headers` set the cookie."""
    found = re.search(rf"(?:^|; *){cookie}=([0-9a-f-]{{36}})(?:;|$)", environ.get("HTTP_COOKIE", ""))
    if found:
        return found[1]
    key = str(uuid.uuid4())
    secure = "; Secure" if environ["wsgi.url_scheme"] == "https" else ""
    headers.append(("Set-Cookie", f"{cookie}={key}; Path=/; HttpOnly; SameSite=Lax{lifetime}{secure}"))
    return key


def visitor(environ, customer, session):
    """Your shop knows who is signed in. Here the web server sets the header, and removes any that a visitor sends."""
    customer_id = environ.get("HTTP_X_REMOTE_USER")
    if not customer_id:
        return Visitor.anonymous(customer, session)
    key = customer_key(customer_id)
    return Visitor.signed_in(key, session, customer_token(os.environ.get("ESALES_PRIVATE_KEY", ""), key))


def lines_of(order):
    """The lines of the order, from your database. Return them once: an order that is sent twice is counted twice."""
    return [Line(product_key="P_125383", variant_key="P_125383-0014_UK", quantity=1, selling_price="199.50", cost="80")]


def tell(environ, customer, session, notification):
    """Puts the event into the queue. Every failure is logged: no page fails because of an event."""
    if client is None:
        return
    try:
        client.enqueue(visitor(environ, customer, session), notification())
    except Exception as error:
        log.error("esales-notify: %s", error)
