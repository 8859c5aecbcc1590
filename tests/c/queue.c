/* The queue through the C ABI: bad arguments, callbacks, the log, and fork. Run under valgrind too.
 * ESALES_BASE_URL is a sandbox; the only argument is a folder of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "esales_notify.h"

#define INVALID_UTF8 "\xff\xfe"
/* Time limits that are only reached by a hang, because valgrind is slow. */
#define LONG_MS 120000
#define LONG "60000"
#define ID_SIZE sizeof(((esales_receipt *)0)->id)

static const char *folder;

static esales_visitor example(void) {
    esales_visitor visitor = ESALES_VISITOR_INIT;
    visitor.market = "UK";
    visitor.customer_key = "d9528030-509c-4e0f-b585-7168f1e9feca";
    visitor.session_key = "b106299c-eac0-4f6f-96d2-93e57c255784";
    return visitor;
}

/* NULL: a queue in memory. */
static esales_client *client_of(const char *base_url, const char *spool) {
    esales_client *client = NULL;
    esales_config *config = NULL;
    char path[4096];
    assert_int_equal(esales_config_new(&config), 0);
    assert_int_equal(esales_config_set(config, "base_url", base_url), 0);
    assert_int_equal(esales_config_set(config, "timeout_ms", LONG), 0);
    assert_int_equal(esales_config_set(config, "enqueue_timeout_ms", LONG), 0);
    if (spool) {
        snprintf(path, sizeof path, "%s/%s", folder, spool);
        assert_int_equal(esales_config_set(config, "spool", path), 0);
    }
    assert_int_equal(esales_client_new(config, &client), 0);
    esales_config_free(config);
    return client;
}

static esales_client *new_client(const char *spool) {
    return client_of(getenv("ESALES_BASE_URL"), spool);
}

static void expect_refusal(int32_t code, const char *names) {
    assert_int_equal(code, ESALES_INVALID_ARGUMENT);
    assert_non_null(strstr(esales_last_error(), names));
}

static void queue_functions_refuse_invalid_arguments(void **state) {
    esales_client *client = new_client(NULL);
    esales_visitor visitor = example();
    esales_stats stats = ESALES_STATS_INIT;
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    int32_t level = 7;
    char message[512];
    (void)state;
    expect_refusal(esales_enqueue_add_to_cart(NULL, &visitor, "t", NULL, NULL), "client");
    expect_refusal(esales_enqueue_add_to_cart(client, NULL, "t", NULL, NULL), "visitor");
    expect_refusal(esales_enqueue_add_to_cart(client, &visitor, NULL, NULL, &receipt), "ticket");
    assert_int_equal(receipt.status, ESALES_INVALID_ARGUMENT);
    expect_refusal(esales_enqueue_add_to_cart(client, &visitor, INVALID_UTF8, NULL, NULL), "ticket");
    expect_refusal(esales_enqueue_add_to_cart(client, &visitor, "t", INVALID_UTF8, NULL), "id");
    expect_refusal(esales_client_flush(NULL, 0, NULL), "client");
    expect_refusal(esales_client_stats(NULL, &stats), "client");
    expect_refusal(esales_client_stats(client, NULL), "stats");
    stats.struct_size = 8;
    expect_refusal(esales_client_stats(client, &stats), "stats.struct_size");
    expect_refusal(esales_client_flush(client, 0, &stats), "stats.struct_size");
    expect_refusal(esales_client_receipt(NULL, "x", &receipt), "client");
    expect_refusal(esales_client_receipt(client, NULL, &receipt), "id");
    expect_refusal(esales_client_receipt(client, INVALID_UTF8, &receipt), "id");
    expect_refusal(esales_client_receipt(client, "x", NULL), "receipt");
    assert_int_equal(esales_client_receipt(client, "never seen", &receipt), ESALES_UNKNOWN_ID);
    assert_non_null(strstr(esales_last_error(), "never seen"));
    assert_int_equal(receipt.status, ESALES_UNKNOWN_ID);
    expect_refusal(esales_client_on_delivery(NULL, NULL, NULL), "client");
    expect_refusal(esales_client_delivery_next(NULL, 0, &receipt), "client");
    expect_refusal(esales_client_delivery_next(client, 0, NULL), "receipt");
    expect_refusal(esales_log_to(NULL, NULL, 5), "level");
    expect_refusal(esales_log_to(NULL, NULL, -1), "level");
    expect_refusal(esales_log_next(0, NULL, message), "level");
    expect_refusal(esales_log_next(0, &level, NULL), "message");
    assert_int_equal(esales_log_next(0, &level, message), 0);
    assert_int_equal(level, 7);
    stats.struct_size = sizeof stats;
    assert_int_equal(esales_client_stats(client, &stats), 0);
    assert_int_equal(stats.accepted, 0);
    esales_client_free(client);
}

/* The receipt of a call that failed has the call's own code and message. */
static void expect_failed_receipt(const esales_receipt *receipt, int32_t code, const char *names) {
    assert_int_equal(receipt->status, code);
    assert_non_null(strstr(receipt->detail, names));
    assert_string_equal(receipt->id, "");
}

static void receipt_has_the_reason_when_the_call_fails(void **state) {
    esales_client *client = new_client("never-made");
    esales_client *newer;
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    esales_stats stats = ESALES_STATS_INIT;
    char path[4096];
    FILE *format;
    (void)state;
    assert_int_equal(esales_client_receipt(client, "never seen", &receipt), ESALES_UNKNOWN_ID);
    expect_failed_receipt(&receipt, ESALES_UNKNOWN_ID, "never seen");
    assert_int_equal(esales_client_receipt(NULL, "x", &receipt), ESALES_INVALID_ARGUMENT);
    expect_failed_receipt(&receipt, ESALES_INVALID_ARGUMENT, "client");
    assert_int_equal(esales_client_receipt(client, NULL, &receipt), ESALES_INVALID_ARGUMENT);
    expect_failed_receipt(&receipt, ESALES_INVALID_ARGUMENT, "id");
    assert_int_equal(esales_client_delivery_next(NULL, 0, &receipt), ESALES_INVALID_ARGUMENT);
    expect_failed_receipt(&receipt, ESALES_INVALID_ARGUMENT, "client");
    assert_int_equal(esales_client_delivery_next(client, 0, &receipt), 0);
    expect_failed_receipt(&receipt, ESALES_TIMEOUT, "completed");

    snprintf(path, sizeof path, "%s/newer", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/newer/FORMAT", folder);
    assert_non_null(format = fopen(path, "w"));
    fputs("esales-notify spool, format 99\n", format);
    fclose(format);
    newer = new_client("newer");
    assert_int_equal(esales_client_receipt(newer, "x", &receipt), ESALES_SPOOL_FAILED);
    expect_failed_receipt(&receipt, ESALES_SPOOL_FAILED, "format");
    /* The statistics are not known and stay unchanged. */
    stats.accepted = 7;
    assert_int_equal(esales_client_stats(newer, &stats), ESALES_SPOOL_FAILED);
    assert_int_equal(esales_client_flush(newer, 1, &stats), ESALES_SPOOL_FAILED);
    assert_int_equal(stats.accepted, 7);
    esales_client_free(newer);
    esales_client_free(client);
}

struct heard {
    esales_client *client;
    pthread_mutex_t lock;
    int count, unlike;
};

static void hear(void *user_data, const esales_receipt *receipt) {
    struct heard *heard = user_data;
    esales_stats stats = ESALES_STATS_INIT;
    esales_receipt again = ESALES_RECEIPT_INIT;
    /* No lock is held, so the callback may call the library. The outcome is already recorded. */
    int known = esales_client_receipt(heard->client, receipt->id, &again) == 0 && again.status == receipt->status;
    known = known && esales_client_stats(heard->client, &stats) == 0 && stats.delivered > 0;
    pthread_mutex_lock(&heard->lock);
    heard->count++;
    heard->unlike += !known || receipt->status != ESALES_DELIVERED || receipt->struct_size != sizeof *receipt;
    pthread_mutex_unlock(&heard->lock);
}

static void *enqueue_many(void *argument) {
    esales_visitor visitor = example();
    int i;
    for (i = 0; i < 20; i++)
        if (esales_enqueue_add_to_cart(argument, &visitor, "t", NULL, NULL) != ESALES_QUEUED) return argument;
    return NULL;
}

static void many_threads_can_set_the_delivery_callback(void **state) {
    const char *spools[] = {NULL, "callbacks"};
    size_t kind, t;
    (void)state;
    for (kind = 0; kind < 2; kind++) {
        esales_client *client = new_client(spools[kind]);
        esales_stats stats = ESALES_STATS_INIT;
        struct heard heard = {client, PTHREAD_MUTEX_INITIALIZER, 0, 0};
        pthread_t threads[8];
        void *failed;
        assert_int_equal(esales_client_on_delivery(client, hear, &heard), 0);
        for (t = 0; t < 8; t++) assert_int_equal(pthread_create(&threads[t], NULL, enqueue_many, client), 0);
        for (t = 0; t < 8; t++) {
            pthread_join(threads[t], &failed);
            assert_null(failed);
        }
        assert_int_equal(esales_client_flush(client, LONG_MS, &stats), 0);
        assert_int_equal(stats.accepted, 160);
        assert_int_equal(stats.delivered, 160);
        /* Returns only when the last callback has ended, because `heard` goes out of scope. */
        assert_int_equal(esales_client_on_delivery(client, NULL, NULL), 0);
        assert_true(heard.count <= 160);
        assert_int_equal(heard.unlike, 0);
        esales_client_free(client);
    }
}

static void take_back(void *user_data, const esales_receipt *receipt) {
    (void)receipt;
    esales_client_on_delivery(user_data, NULL, NULL);
}

static void callback_can_unregister_itself(void **state) {
    esales_client *client = new_client(NULL);
    (void)state;
    assert_int_equal(esales_client_on_delivery(client, take_back, client), 0);
    assert_null(enqueue_many(client));
    assert_int_equal(esales_client_flush(client, LONG_MS, NULL), 0);
    esales_client_free(client);
}

/* Whether `id` is among `ids`; removes it. */
static int is_expected(char ids[20][ID_SIZE], const char *id) {
    int i;
    for (i = 0; i < 20; i++)
        if (strcmp(ids[i], id) == 0) {
            ids[i][0] = '\0';
            return 1;
        }
    return 0;
}

static void delivery_next_returns_each_outcome_once(void **state) {
    const char *spools[] = {NULL, "kept"};
    size_t kind;
    (void)state;
    for (kind = 0; kind < 2; kind++) {
        esales_client *client = new_client(spools[kind]);
        esales_visitor visitor = example();
        esales_receipt receipt = ESALES_RECEIPT_INIT;
        char ids[20][ID_SIZE];
        int i, reported = 0;
        /* Outcomes are kept from now on. */
        assert_int_equal(esales_client_delivery_next(client, 0, &receipt), 0);
        for (i = 0; i < 20; i++) {
            assert_int_equal(esales_enqueue_add_to_cart(client, &visitor, "dGlja2V0", NULL, &receipt), ESALES_QUEUED);
            snprintf(ids[i], sizeof ids[i], "%s", receipt.id);
            /* The id is in the receipt that is written. */
            assert_int_equal(esales_client_receipt(client, receipt.id, &receipt), 0);
            assert_string_equal(receipt.id, ids[i]);
        }
        while (reported < 20 && esales_client_delivery_next(client, LONG_MS, &receipt) == 1) {
            assert_int_equal(receipt.status, ESALES_DELIVERED);
            /* A queue belongs to the process, and an outcome is recorded before it is reported. So outcomes of
               an earlier test may be reported here. */
            reported += is_expected(ids, receipt.id);
        }
        assert_int_equal(reported, 20);
        /* Waits for the given time and no longer. */
        assert_int_equal(esales_client_delivery_next(client, 1, &receipt), 0);
        /* Collecting has ended: later outcomes are not collected. The last one may be, because an outcome is recorded before
           it is reported, and a flush waits only for the record. That of the first flush was reported before the second
           one returned. */
        assert_int_equal(esales_client_on_delivery(client, NULL, NULL), 0);
        for (i = 0; i < 2; i++) {
            assert_null(enqueue_many(client));
            assert_int_equal(esales_client_flush(client, LONG_MS, NULL), 0);
        }
        for (reported = 0; esales_client_delivery_next(client, 0, &receipt) == 1; reported++) assert_true(reported < 20);
        esales_client_free(client);
    }
}

static void log_next_returns_the_kept_messages(void **state) {
    esales_client *client = new_client(NULL);
    int32_t level = 0;
    char message[512];
    int messages = 0;
    (void)state;
    assert_int_equal(esales_log_to(NULL, NULL, ESALES_LOG_DEBUG), 0);
    assert_null(enqueue_many(client));
    assert_int_equal(esales_client_flush(client, LONG_MS, NULL), 0);
    while (esales_log_next(0, &level, message) == 1) {
        assert_int_equal(level, ESALES_LOG_DEBUG);
        assert_non_null(strstr(message, "ESALES_DELIVERED"));
        messages++;
    }
    assert_int_equal(messages, 20);
    assert_int_equal(esales_log_to(NULL, NULL, ESALES_LOG_OFF), 0);
    esales_client_free(client);
}

static void *keep_enqueueing(void *argument) {
    int i;
    for (i = 0; i < 10; i++)
        if (enqueue_many(argument)) return argument;
    return NULL;
}

/* Children that are forked while the parent delivers, and while its other threads enqueue. */
static void forked_children_and_parent_share_a_spool(void **state) {
    esales_client *client = new_client("forked");
    esales_stats stats = ESALES_STATS_INIT;
    pthread_t thread;
    void *failed;
    int i, status, result[2];
    char worked;
    (void)state;
    assert_int_equal(pipe(result), 0);
    assert_null(enqueue_many(client));
    assert_int_equal(pthread_create(&thread, NULL, keep_enqueueing, client), 0);
    for (i = 0; i < 10; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(LONG_MS / 1000);
            /* Half of the children do not use the inherited client. */
            struct heard heard = {client, PTHREAD_MUTEX_INITIALIZER, 0, 0};
            char worked = enqueue_many(client) == NULL ? 'y' : 'n';
            if (i % 2) {
                /* Sets a callback in the child, without waiting for locks that the parent held at the fork. */
                if (esales_client_on_delivery(client, hear, &heard) != 0) worked = 'n';
                esales_client_free(client);
            }
            /* The exit code is not used, because valgrind sets it: the child leaks inherited memory on purpose. */
            _exit(write(result[1], &worked, 1) != 1);
        }
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(read(result[0], &worked, 1), 1);
        assert_int_equal(worked, 'y');
    }
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_int_equal(esales_client_flush(client, LONG_MS, &stats), 0);
    assert_int_equal(stats.accepted, 20 + 10 * 20 + 10 * 20);
    assert_int_equal(stats.delivered, stats.accepted);
    assert_int_equal(stats.process_accepted, 20 + 10 * 20);
    assert_int_equal(stats.process_delivered, stats.process_accepted);
    esales_client_free(client);
}

static void flush_writes_stats_when_it_times_out(void **state) {
    const char *spools[] = {NULL, "flushed"};
    const uint32_t timeouts[] = {0, 50};
    size_t kind, i;
    (void)state;
    for (kind = 0; kind < 2; kind++) {
        /* Nothing listens there. */
        esales_client *client = client_of("http://127.0.0.1:9", spools[kind]);
        assert_null(enqueue_many(client));
        for (i = 0; i < 2; i++) {
            esales_stats stats = ESALES_STATS_INIT;
            assert_int_equal(esales_client_flush(client, timeouts[i], &stats), ESALES_TIMEOUT);
            assert_int_equal(stats.accepted, 20);
            assert_int_equal(stats.pending, 20);
            assert_int_equal(esales_client_flush(client, timeouts[i], NULL), ESALES_TIMEOUT);
        }
        esales_client_free(client);
    }
}

/* In a child of fork_once. */
static int is_lost_child;

/* Disables LeakSanitizer's check in the child, which lacks the threads that own the inherited memory. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) {
    return is_lost_child;
}

/* Forks at the first call. Parent and child both return from it. */
static void fork_once(void *user_data, const esales_receipt *receipt) {
    pid_t *child = user_data;
    (void)receipt;
    if (*child == 0) {
        pid_t forked = fork();
        is_lost_child = forked == 0;
        *child = forked == 0 ? getpid() : forked;
    }
}

static void child_that_returns_from_a_callback_is_ended(void **state) {
    const char *spools[] = {NULL, "forked within"};
    size_t kind;
    (void)state;
    for (kind = 0; kind < 2; kind++) {
        esales_client *client = new_client(spools[kind]);
        pid_t child = 0;
        int status, waited = 0;
        /* The child would write buffered output again. */
        fflush(NULL);
        assert_int_equal(esales_client_on_delivery(client, fork_once, &child), 0);
        assert_null(enqueue_many(client));
        assert_int_equal(esales_client_flush(client, LONG_MS, NULL), 0);
        assert_int_equal(esales_client_on_delivery(client, NULL, NULL), 0);
        assert_true(child > 0);
        /* The worker ends at once. An idle worker would end after half a minute. */
        while (waitpid(child, &status, WNOHANG) == 0) {
            if (waited++ == 2500) {
                kill(child, SIGKILL);
                fail_msg("the child goes on");
            }
            usleep(10000);
        }
        assert_true(WIFEXITED(status));
        esales_client_free(client);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queue_functions_refuse_invalid_arguments),
        cmocka_unit_test(receipt_has_the_reason_when_the_call_fails),
        cmocka_unit_test(many_threads_can_set_the_delivery_callback),
        cmocka_unit_test(callback_can_unregister_itself),
        cmocka_unit_test(log_next_returns_the_kept_messages),
        cmocka_unit_test(delivery_next_returns_each_outcome_once),
        cmocka_unit_test(flush_writes_stats_when_it_times_out),
        cmocka_unit_test(child_that_returns_from_a_callback_is_ended),
        cmocka_unit_test(forked_children_and_parent_share_a_spool),
    };
    if (argc != 2) return 2;
    folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
