#include <esales_notify.h>
#include <stdio.h>

int main(void) {
    esales_client *client; /* ESALES_SPOOL names the directory that holds the queue */
    if (esales_client_new(NULL, &client) < 0) return fprintf(stderr, "%s\n", esales_last_error()), 1;
    esales_visitor visitor = ESALES_VISITOR_INIT;
    visitor.market = "UK";
    visitor.customer_key = "d9528030-509c-4e0f-b585-7168f1e9feca";
    visitor.session_key = "b106299c-eac0-4f6f-96d2-93e57c255784";
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    esales_enqueue_add_to_cart(client, &visitor, "a ticket", NULL, &receipt);
    printf("%s %s\n", esales_status_name(receipt.status), receipt.id);

    /* A server goes on here. A program that ends waits, or what is in the memory of its process is lost. */
    esales_stats stats = ESALES_STATS_INIT;
    if (esales_client_flush(client, 5000, &stats) < 0) printf("%llu still wait\n", (unsigned long long)stats.pending);
    esales_receipt outcome = ESALES_RECEIPT_INIT;
    esales_client_receipt(client, receipt.id, &outcome);
    printf("%s %s\n", esales_status_name(outcome.status), outcome.id);
    esales_client_free(client);
    return outcome.status < 0;
}
