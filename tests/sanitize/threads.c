/* Many threads use every function of a client at once, under a sanitizer.
 * ESALES_BASE_URL is a sandbox; the only argument is a folder of the test's own. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esales_notify.h"

#define THREADS 8
#define ROUNDS 25
#define CHECK(condition)                                                                                               \
    do                                                                                                                 \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, esales_last_error());                   \
            exit(1);                                                                                                   \
        }                                                                                                              \
    while (0)

struct shared {
    esales_client *client;
    esales_config *config;
    atomic_int heard, logged;
};

static void hear(void *user_data, const esales_receipt *receipt) {
    struct shared *shared = user_data;
    esales_receipt again = ESALES_RECEIPT_INIT;
    CHECK(esales_client_receipt(shared->client, receipt->id, &again) == 0);
    atomic_fetch_add(&shared->heard, 1);
}

static void write_down(void *user_data, int32_t level, const char *message) {
    struct shared *shared = user_data;
    (void)level;
    atomic_fetch_add(&shared->logged, (int)strlen(message));
}

static void *work(void *argument) {
    struct shared *shared = argument;
    esales_visitor visitor = ESALES_VISITOR_INIT;
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    esales_stats stats = ESALES_STATS_INIT;
    int i;
    visitor.market = "UK";
    visitor.customer_key = "k";
    visitor.session_key = "s";
    for (i = 0; i < ROUNDS; i++) {
        /* Makes and frees clients while other threads use theirs, which share the same pool and queue. */
        esales_client *own = NULL;
        CHECK(esales_client_new(shared->config, &own) == 0);
        CHECK(esales_enqueue_add_to_cart(i % 2 ? own : shared->client, &visitor, "t", NULL, &receipt) == ESALES_QUEUED);
        CHECK(esales_client_receipt(shared->client, receipt.id, &receipt) == 0);
        CHECK(esales_client_stats(own, &stats) == 0);
        CHECK(esales_client_delivery_next(own, 0, &receipt) >= 0);
        esales_client_free(own);
        if (i % 10 == 0) {
            CHECK(esales_notify_add_to_cart(shared->client, &visitor, "t", NULL, &receipt) == ESALES_DELIVERED);
            CHECK(esales_client_flush(shared->client, 60000, &stats) == 0);
            CHECK(esales_client_on_delivery(shared->client, hear, shared) == 0);
            CHECK(esales_log_to(i % 20 ? NULL : write_down, shared, ESALES_LOG_DEBUG) == 0);
        }
    }
    return NULL;
}

static void all_at_once(const char *spool) {
    struct shared shared = {0};
    esales_stats stats = ESALES_STATS_INIT;
    pthread_t threads[THREADS];
    int i;
    CHECK(esales_config_new(&shared.config) == 0);
    CHECK(esales_config_set(shared.config, "base_url", getenv("ESALES_BASE_URL")) == 0);
    CHECK(esales_config_set(shared.config, "timeout_ms", "60000") == 0);
    CHECK(esales_config_set(shared.config, "enqueue_timeout_ms", "60000") == 0);
    if (spool) CHECK(esales_config_set(shared.config, "spool", spool) == 0);
    CHECK(esales_client_new(shared.config, &shared.client) == 0);
    for (i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, &shared) == 0);
    for (i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(esales_client_flush(shared.client, 60000, &stats) == 0);
    CHECK(stats.accepted == THREADS * ROUNDS && stats.delivered == stats.accepted);
    /* When these return, no callback is running: `shared` leaves this scope. */
    CHECK(esales_client_on_delivery(shared.client, NULL, NULL) == 0);
    CHECK(esales_log_to(NULL, NULL, ESALES_LOG_OFF) == 0);
    CHECK(shared.heard > 0 && shared.logged > 0);
    esales_client_free(shared.client);
    esales_config_free(shared.config);
}

int main(int argc, char **argv) {
    char spool[4096];
    CHECK(argc == 2);
    snprintf(spool, sizeof spool, "%s/threads", argv[1]);
    all_at_once(NULL);
    all_at_once(spool);
    return 0;
}
