/* A host with SIZE bytes of static thread-local data, which glibc takes out of the stack of each thread.
   It sends, enqueues, and is called back on a thread of the library, where it uses 6 MiB of stack. Options are those of
   the environment. */
#include <esales_notify.h>
#include <stdio.h>
#include <string.h>

static __thread volatile char data[SIZE];

static volatile int called;

static void on_delivery(void *user_data, const esales_receipt *receipt) {
    volatile char stack[6 << 20];
    (void)user_data;
    for (size_t at = 0; at < sizeof stack; at += 4096) stack[at] = 1;
    /* This thread's data has its initial value, and does not overlap its stack. */
    if (receipt->status == ESALES_DELIVERED && data[0] == 0) called = stack[0];
}

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, esales_last_error());
    return 1;
}

int main(void) {
    esales_client *client;
    esales_visitor visitor = ESALES_VISITOR_INIT;
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    esales_stats stats = ESALES_STATS_INIT;
    data[SIZE / 2] = 1;
    visitor.market = "UK";
    visitor.customer_key = "customer";
    visitor.session_key = "session";
    if (esales_client_new(NULL, &client) < 0) return failed("new");
    if (esales_client_on_delivery(client, on_delivery, NULL) < 0) return failed("on_delivery");
    if (esales_notify_add_to_cart(client, &visitor, "ticket", "sent", &receipt) != ESALES_DELIVERED) return failed("send");
    if (esales_enqueue_add_to_cart(client, &visitor, "ticket", "enqueued", &receipt) != ESALES_QUEUED) return failed("enqueue");
    if (esales_client_flush(client, 60000, &stats) < 0 || stats.delivered != 1) return failed("flush");
    /* Unregistering waits until a running callback has ended. */
    if (esales_client_on_delivery(client, NULL, NULL) < 0) return failed("on_delivery");
    esales_client_free(client);
    if (!called) return fprintf(stderr, "the callback was not called\n"), 1;
    return 0;
}
