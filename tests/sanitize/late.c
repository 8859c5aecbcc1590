/* A planted defect: a thread reads a receipt while another thread writes it. */
#include <pthread.h>

#include "esales_notify.h"

static esales_receipt shared = ESALES_RECEIPT_INIT;

static void *receive(void *client) {
    esales_visitor visitor = ESALES_VISITOR_INIT;
    visitor.market = "UK";
    visitor.customer_key = "k";
    visitor.session_key = "s";
    esales_enqueue_add_to_cart(client, &visitor, "t", NULL, &shared);
    return NULL;
}

int main(void) {
    esales_client *client;
    pthread_t thread;
    int i;
    if (esales_client_new(NULL, &client) != 0) return 1;
    pthread_create(&thread, NULL, receive, client);
    for (i = 0; i < 1000; i++) (void)*(volatile int32_t *)&shared.status;
    pthread_join(thread, NULL);
    esales_client_free(client);
    return 0;
}
