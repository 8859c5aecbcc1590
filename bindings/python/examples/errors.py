from esales_notify import Client, FinalError, InvalidArgumentError, RetryableError, Visitor

visitor = Visitor.anonymous("d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784", market="UK")
with Client() as client:
    for ticket in ("", "a ticket", "a ticket", "a ticket"):
        try:
            client.notify_add_to_cart(visitor, ticket)
            print("delivered")
        except RetryableError as error:  # to send it again, pass id=error.receipt.id
            print("may succeed later:", error.detail)
        except FinalError as error:
            print("refused for good:", error.detail)
        except InvalidArgumentError as error:
            print("nothing was sent:", error.detail)
