from decimal import Decimal

from esales_notify import Client, Line, Notification, Visitor

visitor = Visitor.anonymous("d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784", market="UK")
order = [  # prices are sent exactly as given: str, Decimal or int
    Line(product_key="P_125383", variant_key="P_125383-0014_UK", quantity=1, selling_price=Decimal("199.50"), cost="80"),
    Line(product_key="P_4711", quantity=2, selling_price="24.90"),
]
events = [
    Notification.click("a ticket"),  # a product that the service showed
    Notification.non_esales_click("P_4711"),  # a product that your shop showed without the service
    Notification.non_esales_add_to_cart("P_4711", "P_4711-0002_UK"),
    Notification.secure_payment(order, "a private key"),  # when the order is paid; the key of your cluster
    Notification.end(),  # when the visitor signs out
]
with Client() as client:
    for event in events:
        receipt = client.notify(visitor, event)  # or enqueue
        print(receipt.name)
