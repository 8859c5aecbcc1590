/* The service does not answer: both functions that stop the delivery return in time, and report that a request is in
 * flight. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "esales_notify.h"

#define CHECK(condition) ((condition) ? (void)0 : fail(#condition))

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, esales_last_error());
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1000 + (double)time.tv_nsec / 1e6;
}

int main(void) {
    const struct timespec moment = {0, 300000000};
    esales_client *client = NULL;
    esales_stats stats = ESALES_STATS_INIT;
    esales_visitor visitor = ESALES_VISITOR_INIT;
    double start;
    visitor.market = "UK";
    visitor.customer_key = "a-customer-key";
    visitor.session_key = "a-session-key";
    CHECK(esales_client_new(NULL, &client) == 0);
    CHECK(esales_enqueue_add_to_cart(client, &visitor, "a ticket", NULL, NULL) == ESALES_QUEUED);
    nanosleep(&moment, NULL);

    start = now();
    CHECK(esales_client_stop_delivery(client, 100) == ESALES_TIMEOUT);
    CHECK(strstr(esales_last_error(), "still in flight") != NULL);
    CHECK(esales_stop_delivery(100) == ESALES_TIMEOUT);
    CHECK(esales_client_stop_delivery(client, 0) == ESALES_TIMEOUT);
    /* The time-outs, and a margin for a busy machine. */
    CHECK(now() - start >= 200 && now() - start < 10000);

    /* Enqueues keep working, and nothing is lost. */
    CHECK(esales_enqueue_add_to_cart(client, &visitor, "a ticket", NULL, NULL) == ESALES_QUEUED);
    CHECK(esales_client_stats(client, &stats) == 0 && stats.accepted == 2 && stats.pending == 2);
    esales_client_free(client);
    return 0;
}
