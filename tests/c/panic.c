/* In a library of the release profile, every function returns ESALES_INTERNAL after a forced panic, and the next call
 * works. Built against a library with the test-only feature. */
#include <stdio.h>
#include <string.h>

#include "esales_notify.h"

void esales_test_panic_next(void);

static int failures = 0;
static int calls = 0;

static void check(int ok, const char *what) {
    calls++;
    if (!ok) {
        failures++;
        fprintf(stderr, "failed: %s (%s)\n", what, esales_last_error());
    }
}

/* Calls each function with a panic armed, and prints its name, so that the driver can compare the list with nm's. */
#define PANICS(call) (puts(#call), esales_test_panic_next(), check((call) == ESALES_INTERNAL, #call), \
                      check(strstr(esales_last_error(), "forced by a test") != NULL, #call " words"))
#define PANICS_TEXT(call) (puts(#call), esales_test_panic_next(), check(strcmp((call), "") == 0, #call))
#define PANICS_VOID(call) (puts(#call), esales_test_panic_next(), (call), check(1, #call))

int main(void) {
    esales_config *config = NULL, *doomed = NULL;
    esales_client *client = NULL, *other = NULL;
    esales_visitor visitor = ESALES_VISITOR_INIT;
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    esales_stats stats = ESALES_STATS_INIT;
    esales_notification end = ESALES_NOTIFICATION_INIT;
    int32_t level;
    char out[65], message[512];
    visitor.market = "UK";
    visitor.customer_key = "k";
    visitor.session_key = "s";

    PANICS(esales_config_new(&config));
    check(config == NULL, "no handle after a panic");
    check(esales_config_new(&config) == 0 && esales_config_new(&doomed) == 0, "the next call works");
    PANICS(esales_config_set(config, "base_url", "http://127.0.0.1:9"));
    check(esales_config_set(config, "base_url", "http://127.0.0.1:9") == 0, "set after a panic");
    check(esales_config_set(config, "max_attempts", "1") == 0, "set");
    PANICS(esales_client_new(config, &client));
    check(client == NULL, "no client after a panic");
    check(esales_client_new(config, &client) == 0 && esales_client_new(config, &other) == 0, "client after a panic");
    end.kind = ESALES_END;
    PANICS(esales_notify(client, &visitor, &end, &receipt));
    check(esales_notify(client, &visitor, &end, &receipt) == ESALES_CONNECT_FAILED, "send any kind after a panic");
    PANICS(esales_notify_add_to_cart(client, &visitor, "t", NULL, &receipt));
    check(esales_notify_add_to_cart(client, &visitor, "t", NULL, &receipt) == ESALES_CONNECT_FAILED, "send after a panic");
    PANICS(esales_enqueue_add_to_cart(client, &visitor, "t", NULL, &receipt));
    check(receipt.status == ESALES_INTERNAL || receipt.status == ESALES_CONNECT_FAILED, "no claim after a panic");
    check(esales_enqueue_add_to_cart(client, &visitor, "t", "x", &receipt) == ESALES_QUEUED, "enqueue after a panic");
    PANICS(esales_enqueue(client, &visitor, &end, &receipt));
    check(esales_enqueue(client, &visitor, &end, &receipt) == ESALES_QUEUED, "enqueue any kind after a panic");
    PANICS(esales_client_flush(client, 0, &stats));
    PANICS(esales_client_stop_delivery(client, 0));
    PANICS(esales_stop_delivery(0));
    PANICS(esales_client_stats(client, &stats));
    check(esales_client_stats(client, &stats) == 0 && stats.accepted == 2, "stats after a panic");
    PANICS(esales_client_receipt(client, "x", &receipt));
    PANICS(esales_client_on_delivery(client, NULL, NULL));
    PANICS(esales_client_delivery_next(client, 0, &receipt));
    PANICS(esales_log_to(NULL, NULL, ESALES_LOG_OFF));
    PANICS(esales_log_next(0, &level, message));
    PANICS(esales_customer_key("1", out));
    PANICS(esales_customer_token("k", "1", out));
    PANICS(esales_new_key(out));
    PANICS_TEXT(esales_status_name(0));
    PANICS_TEXT(esales_status_text(0));
    PANICS_TEXT(esales_last_error());
    PANICS_TEXT(esales_version());
    /* These functions only leak the memory that they should have freed. */
    PANICS_VOID(esales_config_free(doomed));
    PANICS_VOID(esales_client_free(other));
    esales_config_free(config);
    esales_client_free(client);
    printf("%d checks, %d failed\n", calls, failures);
    return failures != 0;
}
