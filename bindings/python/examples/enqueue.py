from esales_notify import Client, Visitor

visitor = Visitor.anonymous("d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784", market="UK")
ticket = "Oy9keW5hbWljLXBhZ2VzL3N0YXJ0L2VzYWxlcy1zdGFydC0xOyM7cHJvZHVjdF9rZXk7UF8xMjUzODMtMDAxNF9VSzsjOztOT05FOk5PTkU7NjE7"
with Client() as client:  # ESALES_SPOOL names the directory that holds the queue
    receipt = client.enqueue_add_to_cart(visitor, ticket)
    print(receipt.name, receipt.id)
    # A server continues here. A program that ends must flush a queue in memory, or its notifications are lost:
    if not client.flush(timeout=5):
        print(client.stats().spool.pending, "still wait")
    outcome = client.receipt(receipt.id)
    print(outcome.name if outcome else "unknown", receipt.id)
