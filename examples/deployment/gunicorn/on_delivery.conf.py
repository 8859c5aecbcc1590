# The same file, where the shop wants to hear what became of its events.
def post_worker_init(worker):
    from shop import client

    if client:
        client.on_delivery(lambda receipt: worker.log.info("%s %s", receipt.id, receipt.name))
