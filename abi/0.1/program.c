/* A program of 0.1: it calls every function of that release's header, and relies on what that says. It was recorded with
 * the release and is compiled with the header beside it, never with a later one. ESALES_BASE_URL names a sandbox. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "esales_notify.h"

#define KEY "d9528030-509c-4e0f-b585-7168f1e9feca"

static int told[2];

static void must(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "%s (%s)\n", what, esales_last_error());
        exit(1);
    }
}

static void delivered(void *user_data, const struct esales_receipt *receipt) {
    char letter = receipt->status == ESALES_DELIVERED ? receipt->id[0] : '?';
    must(user_data == told && write(told[1], &letter, 1) == 1, "told of a delivery");
}

static void logged(void *user_data, int32_t level, const char *message) {
    must(level >= ESALES_LOG_ERROR && level <= ESALES_LOG_DEBUG && message[0] != 0, "a message");
    must(write(*(int *)user_data, "", 1) == 1, "told of a message");
}

static char next_told(int descriptor) {
    struct pollfd ready = {descriptor, POLLIN, 0};
    char letter = 0;
    must(poll(&ready, 1, 10000) == 1 && read(descriptor, &letter, 1) == 1, "wait for the callback");
    return letter;
}

int main(void) {
    esales_config *config = NULL;
    esales_client *client = NULL, *nowhere = NULL;
    esales_visitor visitor = ESALES_VISITOR_INIT;
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    esales_stats stats = ESALES_STATS_INIT;
    esales_notification click = ESALES_NOTIFICATION_INIT, payment = ESALES_NOTIFICATION_INIT;
    esales_line lines[2] = {ESALES_LINE_INIT, ESALES_LINE_INIT};
    char key[65], token[65], made[37], message[512];
    int messages[2];
    int32_t level = 0;

    must(esales_version()[0] == '0', "version");
    must(strcmp(esales_status_name(ESALES_QUEUE_FULL), "ESALES_QUEUE_FULL") == 0, "name");
    must(strlen(esales_status_text(ESALES_QUEUE_FULL)) > 10, "text");
    must(esales_customer_key("1", key) == 0 && strlen(key) == 64, "customer key");
    must(esales_customer_token("private", key, token) == 0 && strlen(token) == 64, "token");
    must(esales_new_key(made) == 0 && strlen(made) == 36, "new key");

    must(esales_config_new(&config) == 0, "config");
    must(esales_config_set(config, "no_such_option", "1") == ESALES_INVALID_CONFIG, "unknown option");
    must(strstr(esales_last_error(), "no_such_option") != NULL, "words of the unknown option");
    must(esales_config_set(config, "base_url", "http://127.0.0.1:9") == 0, "base_url");
    must(esales_config_set(config, "max_attempts", "1") == 0, "max_attempts");
    must(esales_client_new(config, &nowhere) == 0, "client of a config");
    esales_config_free(config);
    must(esales_client_new(NULL, &client) == 0, "client of the environment");

    visitor.market = "UK";
    visitor.customer_key = KEY;
    visitor.session_key = "b106299c-eac0-4f6f-96d2-93e57c255784";
    must(esales_notify_add_to_cart(client, &visitor, "ticket", "1", &receipt) == ESALES_DELIVERED, "send");
    must(receipt.status == ESALES_DELIVERED && receipt.http_status == 204 && receipt.attempts == 1, "receipt");
    must(receipt.elapsed_us > 0 && strcmp(receipt.id, "1") == 0, "receipt");

    click.kind = ESALES_CLICK;
    click.ticket = "ticket";
    click.id = "2";
    must(esales_notify(client, &visitor, &click, &receipt) == ESALES_DELIVERED && strcmp(receipt.id, "2") == 0, "click");
    click.product_key = "P1";
    must(esales_notify(client, &visitor, &click, &receipt) == ESALES_INVALID_ARGUMENT, "a member of another kind");

    /* Messages that are kept, then messages that are called for: of a send that fails. */
    must(esales_log_to(NULL, NULL, ESALES_LOG_DEBUG) == 0, "keep messages");
    must(esales_notify_add_to_cart(nowhere, &visitor, "ticket", NULL, &receipt) == ESALES_CONNECT_FAILED, "fail");
    must(receipt.http_status == 0 && receipt.detail[0] != 0, "receipt of a failure");
    must(esales_log_next(0, &level, message) == 1 && level <= ESALES_LOG_DEBUG && message[0] != 0, "kept message");
    must(pipe(messages) == 0 && esales_log_to(logged, &messages[1], ESALES_LOG_DEBUG) == 0, "call for messages");
    must(esales_notify_add_to_cart(nowhere, &visitor, "ticket", NULL, NULL) == ESALES_CONNECT_FAILED, "fail again");
    must(next_told(messages[0]) == 0, "message");
    must(esales_log_to(NULL, NULL, ESALES_LOG_OFF) == 0, "no more messages");

    must(pipe(told) == 0 && esales_client_on_delivery(client, delivered, told) == 0, "callback");
    must(esales_client_delivery_next(client, 0, &receipt) == 0, "nothing is settled");
    must(esales_enqueue_add_to_cart(client, &visitor, "ticket", "3", &receipt) == ESALES_QUEUED, "enqueue");
    must(receipt.status == ESALES_QUEUED, "receipt of the queue");
    must(esales_client_flush(client, 10000, &stats) == 0 && stats.accepted == 1 && stats.delivered == 1, "flush");
    must(next_told(told[0]) == '3', "delivery by callback");
    must(esales_client_delivery_next(client, 10000, &receipt) == 1 && strcmp(receipt.id, "3") == 0, "delivery by asking");
    must(esales_client_on_delivery(client, NULL, NULL) == 0, "no more callbacks");
    must(esales_client_stats(client, &stats) == 0 && stats.pending == 0 && stats.gate_failures == 0, "stats");
    must(esales_client_receipt(client, "3", &receipt) == 0 && receipt.status == ESALES_DELIVERED, "settled");

    lines[0].product_key = "P1";
    lines[1].variant_key = "V1";
    lines[0].quantity = lines[1].quantity = 1;
    lines[0].selling_price = lines[1].selling_price = "199.50";
    lines[0].cost = "120";
    payment.kind = ESALES_SECURE_PAYMENT;
    payment.lines = lines;
    payment.line_count = 2;
    payment.private_key = "private";
    payment.id = "4";
    must(esales_enqueue(client, &visitor, &payment, &receipt) == ESALES_QUEUED && strcmp(receipt.id, "4") == 0, "pay");
    must(esales_client_flush(client, 10000, NULL) == 0, "flush the payment");
    must(esales_client_receipt(client, "4", &receipt) == 0 && receipt.status == ESALES_DELIVERED, "paid");

    must(esales_client_stop_delivery(client, 10000) == 0, "stop the delivery of a queue");
    must(esales_stop_delivery(10000) == 0, "stop every delivery");

    esales_client_free(nowhere);
    esales_client_free(client);
    puts("a program of 0.1 goes on");
    return 0;
}
