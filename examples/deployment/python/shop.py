# /var/www/shop/shop.py
import json
from http.cookies import SimpleCookie

from esales_notify import Client, Visitor

# One for the whole process, made when the program is imported: before the fork, if the server preloads it.
client = Client()


def application(environ, start_response):
    """POST /cart with the ticket of the product."""
    cookies = SimpleCookie(environ.get("HTTP_COOKIE", ""))
    visitor = Visitor.anonymous(cookies["customer"].value, cookies["session"].value)
    ticket = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
    receipt = client.enqueue_add_to_cart(visitor, ticket)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"status": receipt.name, "id": receipt.id}).encode()]
