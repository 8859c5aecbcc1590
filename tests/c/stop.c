/* A process that delivers a spool stops its delivery: no request in flight is sent again.
 *
 *     stop enqueue COUNT    fills the spool
 *     stop client MORE      delivers that many more, or all, and ends after esales_client_stop_delivery
 *     stop process MORE     the same after esales_stop_delivery, when the client is freed already
 *     stop fork MORE        stops, and a forked child then delivers that many more and stops too
 *
 * The options come from the environment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "esales_notify.h"

#define LONG_MS 60000
#define CHECK(condition) ((condition) ? (void)0 : fail(#condition))

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, esales_last_error());
    exit(1);
}

static esales_stats stats_of(const esales_client *client) {
    esales_stats stats = ESALES_STATS_INIT;
    CHECK(esales_client_stats(client, &stats) == 0);
    return stats;
}

static void enqueue(const esales_client *client, int count) {
    esales_visitor visitor = ESALES_VISITOR_INIT;
    char id[32];
    int n;
    visitor.market = "UK";
    visitor.customer_key = "d9528030-509c-4e0f-b585-7168f1e9feca";
    visitor.session_key = "b106299c-eac0-4f6f-96d2-93e57c255784";
    for (n = 0; n < count; n++) {
        snprintf(id, sizeof id, "%d", n);
        CHECK(esales_enqueue_add_to_cart(client, &visitor, "a ticket", id, NULL) == ESALES_QUEUED);
    }
}

static void deliver(const esales_client *client, unsigned long more) {
    const struct timespec moment = {0, 1000000};
    const uint64_t before = stats_of(client).delivered;
    esales_stats stats = stats_of(client);
    while (stats.delivered < before + more && stats.pending > 0) {
        nanosleep(&moment, NULL);
        stats = stats_of(client);
    }
}

int main(int argc, char **argv) {
    esales_client *client = NULL;
    const char *how = argc == 3 ? argv[1] : "";
    const unsigned long number = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

    CHECK(esales_client_stop_delivery(NULL, 0) == ESALES_INVALID_ARGUMENT);
    CHECK(strcmp(esales_last_error(), "client is NULL") == 0);
    /* Without a spool there is nothing to stop. */
    CHECK(esales_stop_delivery(0) == 0);
    CHECK(esales_client_new(NULL, &client) == 0);

    if (strcmp(how, "enqueue") == 0) {
        enqueue(client, (int)number);
    } else if (strcmp(how, "client") == 0) {
        deliver(client, number);
        CHECK(esales_client_stop_delivery(client, LONG_MS) == 0);
        CHECK(esales_client_stop_delivery(client, 0) == 0);
    } else if (strcmp(how, "process") == 0) {
        deliver(client, number);
        esales_client_free(client);
        client = NULL;
        CHECK(esales_stop_delivery(LONG_MS) == 0);
    } else if (strcmp(how, "fork") == 0) {
        int status = 0;
        deliver(client, 1);
        CHECK(esales_client_stop_delivery(client, LONG_MS) == 0);
        if (fork() == 0) {
            deliver(client, number);
            CHECK(esales_stop_delivery(LONG_MS) == 0);
            exit(0);
        }
        CHECK(wait(&status) > 0 && status == 0);
    } else {
        fail("unknown task");
    }
    esales_client_free(client);
    return 0;
}
