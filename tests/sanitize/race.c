/* A planted defect: two threads write one receipt. */
#include <pthread.h>

#include "esales_notify.h"

static esales_receipt shared = ESALES_RECEIPT_INIT;

static void *work(void *client) {
    esales_visitor visitor = ESALES_VISITOR_INIT;
    int i;
    visitor.market = "UK";
    visitor.customer_key = "k";
    visitor.session_key = "s";
    for (i = 0; i < 20; i++) esales_enqueue_add_to_cart(client, &visitor, "t", NULL, &shared);
    return NULL;
}

int main(void) {
    esales_client *client;
    pthread_t threads[2];
    if (esales_client_new(NULL, &client) != 0) return 1;
    pthread_create(&threads[0], NULL, work, client);
    pthread_create(&threads[1], NULL, work, client);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    esales_client_free(client);
    return 0;
}
