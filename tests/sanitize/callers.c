/* Four threads share a client, each with receipts and statistics of its own: for Valgrind's DRD, which is too slow for
 * threads.c. */
#include <pthread.h>
#include <stdio.h>

#include "esales_notify.h"

static void *work(void *client) {
    esales_visitor visitor = ESALES_VISITOR_INIT;
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    esales_stats stats = ESALES_STATS_INIT;
    int i;
    visitor.market = "UK";
    visitor.customer_key = visitor.session_key = "k";
    for (i = 0; i < 20; i++) {
        int failed = esales_enqueue_add_to_cart(client, &visitor, "t", NULL, &receipt) != ESALES_QUEUED ||
                     receipt.status != ESALES_QUEUED || esales_client_stats(client, &stats) != 0 || stats.accepted == 0 ||
                     esales_client_receipt(client, receipt.id, &receipt) != 0 || receipt.id[0] == '\0';
        if (failed) return "failed";
    }
    return NULL;
}

int main(void) {
    esales_client *client;
    pthread_t threads[4];
    void *failed = NULL, *result;
    int i;
    if (esales_client_new(NULL, &client) != 0) return 1;
    for (i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, client);
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], &result);
        if (result) failed = result;
    }
    esales_client_free(client);
    if (failed) fprintf(stderr, "%s\n", esales_last_error());
    return failed != NULL;
}
