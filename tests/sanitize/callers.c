/* Four threads share a client, each with its own receipts and statistics, and get the outcomes of all notifications. It
 * is for Valgrind's DRD, which is too slow for threads.c. The options are in ESALES_*. Compiled with WITHOUT_LOCK, the
 * data that callbacks and threads share is not protected: a planted defect. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "esales_notify.h"

enum { THREADS = 4, ROUNDS = 20 };

static struct {
    pthread_mutex_t lock;
    int delivered, words;
} shared = {PTHREAD_MUTEX_INITIALIZER, 0, 0};

static void lock(void) {
#ifndef WITHOUT_LOCK
    pthread_mutex_lock(&shared.lock);
#endif
}

static void unlock(void) {
#ifndef WITHOUT_LOCK
    pthread_mutex_unlock(&shared.lock);
#endif
}

static void hear(void *user_data, const esales_receipt *receipt) {
    (void)user_data;
    lock();
    shared.delivered += receipt->status == ESALES_DELIVERED && receipt->id[0] != '\0';
    unlock();
}

static void write_down(void *user_data, int32_t level, const char *message) {
    (void)user_data, (void)level;
    lock();
    shared.words += message[0] != '\0';
    unlock();
}

static int delivered(void) {
    lock();
    const int count = shared.delivered;
    unlock();
    return count;
}

static void *work(void *client) {
    esales_visitor visitor = ESALES_VISITOR_INIT;
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    esales_stats stats = ESALES_STATS_INIT;
    int i;
    visitor.market = "UK";
    visitor.customer_key = "k";
    visitor.session_key = "s";
    for (i = 0; i < ROUNDS; i++) {
        int failed = esales_enqueue_add_to_cart(client, &visitor, "t", NULL, &receipt) != ESALES_QUEUED ||
                     receipt.status != ESALES_QUEUED || esales_client_stats(client, &stats) != 0 || stats.accepted == 0 ||
                     esales_client_receipt(client, receipt.id, &receipt) != 0 || receipt.id[0] == '\0' ||
                     delivered() > THREADS * ROUNDS;
        if (failed) return "failed";
    }
    if (esales_notify_add_to_cart(client, &visitor, "t", NULL, &receipt) != ESALES_DELIVERED || receipt.http_status != 204)
        return "failed";
    if (esales_client_flush(client, 300000, &stats) != 0 || stats.delivered == 0) return "failed";
    /* This access follows the worker's, in an order that DRD does not see. Without the lock it is a conflict. */
    return delivered() > THREADS * ROUNDS ? "failed" : NULL;
}

int main(void) {
    esales_client *client;
    pthread_t threads[THREADS];
    void *failed = NULL, *result;
    int i;
    if (esales_log_to(write_down, NULL, ESALES_LOG_DEBUG) != 0 || esales_client_new(NULL, &client) != 0) return 1;
    if (esales_client_on_delivery(client, hear, NULL) != 0) return 1;
    for (i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, client);
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &result);
        if (result) failed = result;
    }
    /* When they return, no callback is running. */
    if (esales_client_on_delivery(client, NULL, NULL) != 0 || esales_log_to(NULL, NULL, ESALES_LOG_OFF) != 0) return 1;
    esales_client_free(client);
    if (failed) fprintf(stderr, "%s\n", esales_last_error());
    /* The last outcomes may be recorded before the callback is called. */
    return failed != NULL || delivered() == 0 || shared.words == 0;
}
