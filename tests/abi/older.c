/* A program that was compiled when each struct lacked its last member, run against a library that takes these members
 * for later ones (cfg esales_test_grown). The bytes after each struct must be neither read nor written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define esales_visitor esales_visitor_of_now
#define esales_receipt esales_receipt_of_now
#define esales_stats esales_stats_of_now
#define esales_line esales_line_of_now
#define esales_notification esales_notification_of_now
#include "esales_notify.h"
#undef esales_visitor
#undef esales_receipt
#undef esales_stats
#undef esales_line
#undef esales_notification

typedef struct { uint32_t struct_size; const char *market, *customer_key, *session_key; } esales_visitor;
typedef struct {
    uint32_t struct_size;
    int32_t status, http_status;
    uint32_t attempts;
    uint64_t elapsed_us;
    char id[129];
} esales_receipt;
typedef struct { uint32_t struct_size, gate_failures; uint64_t gate_closed_ms, accepted, others[20]; } esales_stats;
typedef struct { uint32_t struct_size, quantity; const char *product_key, *variant_key, *selling_price; } esales_line;
typedef struct {
    uint32_t struct_size;
    int32_t kind;
    const char *id, *ticket, *product_key, *variant_key;
    const esales_line *lines;
    size_t line_count;
} esales_notification;

#define GUARDED(type) struct { type it; unsigned char behind[512]; }

static void must(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "%s (%s)\n", what, esales_last_error());
        exit(1);
    }
}

static void untouched(const unsigned char *behind, const char *what) {
    size_t i;
    for (i = 0; i < 512; i++) must(behind[i] == 0x5a, what);
}

/* The distance of two lines is the size of the older program's struct. After a line comes the next line, or 0x5a. */
static void pays(const esales_client *client, const esales_visitor_of_now *who) {
    GUARDED(esales_notification) payment;
    struct { esales_line lines[2]; unsigned char behind[512]; } order;
    struct { esales_line old; esales_line_of_now newer; } mixed;
    const esales_notification_of_now *sent = (const void *)&payment.it;
    esales_line_of_now newer = {sizeof newer, 0, NULL, NULL, NULL, NULL};
    size_t i;

    must(sizeof payment.it < sizeof *sent && sizeof order.lines[0] < sizeof newer, "smaller");
    memset(&payment, 0x5a, sizeof payment);
    memset(&order, 0x5a, sizeof order);
    for (i = 0; i < 2; i++) {
        const esales_line line = {sizeof line, (uint32_t)i + 1, "P1", NULL, "199.50"};
        order.lines[i] = line;
    }
    {
        const esales_notification made = {sizeof made, ESALES_PAYMENT, NULL, NULL, NULL, NULL, order.lines, 2};
        payment.it = made;
    }
    must(esales_notify(client, who, sent, NULL) == ESALES_DELIVERED, "pay");
    untouched(payment.behind, "behind the payment");
    untouched(order.behind, "behind the lines");
    /* The older program does not know the private key, so it cannot sign. */
    payment.it.kind = ESALES_SECURE_PAYMENT;
    must(esales_notify(client, who, sent, NULL) == ESALES_INVALID_ARGUMENT, "sign");
    must(strstr(esales_last_error(), "private_key is missing") != NULL, "sign: words");

    /* A line whose size differs from the first line's. */
    memset(&mixed, 0, sizeof mixed);
    newer.quantity = 1;
    newer.product_key = "P1";
    newer.selling_price = "1";
    mixed.old = order.lines[0];
    mixed.newer = newer;
    payment.it.kind = ESALES_PAYMENT;
    payment.it.lines = &mixed.old;
    must(esales_notify(client, who, sent, NULL) == ESALES_INVALID_ARGUMENT, "mixed");
    must(strstr(esales_last_error(), "notification.lines[1].struct_size is") != NULL, "mixed: words");
    must(strstr(esales_last_error(), "but that of the first line is") != NULL, "mixed: why");

    {
        const esales_notification click = {sizeof click, ESALES_CLICK, NULL, "a ticket", NULL, NULL, NULL, 0};
        payment.it = click;
    }
    must(esales_notify(client, who, sent, NULL) == ESALES_DELIVERED, "click");
    payment.it.struct_size -= 8;
    must(esales_notify(client, who, sent, NULL) == ESALES_INVALID_ARGUMENT, "too small a notification");
    must(strstr(esales_last_error(), "notification.struct_size") != NULL, "too small a notification: words");
}

int main(void) {
    GUARDED(esales_visitor) visitor;
    GUARDED(esales_receipt) receipt;
    GUARDED(esales_stats) stats;
    const esales_visitor_of_now *who = (const void *)&visitor.it;
    esales_receipt_of_now *told = (void *)&receipt.it;
    esales_stats_of_now *numbers = (void *)&stats.it;
    esales_client *client = NULL;

    must(sizeof visitor.it < sizeof *who && sizeof receipt.it < sizeof *told && sizeof stats.it < sizeof *numbers, "smaller");
    /* The bytes after the visitor would crash the library as a pointer, and would be refused as a token. */
    memset(&visitor, 0x5a, sizeof visitor);
    memset(&receipt, 0x5a, sizeof receipt);
    memset(&stats, 0x5a, sizeof stats);
    visitor.it.struct_size = sizeof visitor.it;
    visitor.it.market = "UK";
    visitor.it.customer_key = "d9528030-509c-4e0f-b585-7168f1e9feca";
    visitor.it.session_key = "b106299c-eac0-4f6f-96d2-93e57c255784";
    receipt.it.struct_size = sizeof receipt.it;
    stats.it.struct_size = sizeof stats.it;

    must(esales_client_new(NULL, &client) == 0, "client");
    must(esales_notify_add_to_cart(client, who, "ticket", "an id", told) == ESALES_DELIVERED, "send");
    must(receipt.it.status == ESALES_DELIVERED && receipt.it.attempts == 1, "receipt");
    must(receipt.it.http_status == 204 && strcmp(receipt.it.id, "an id") == 0, "receipt");
    must(esales_enqueue_add_to_cart(client, who, "ticket", "another", told) == ESALES_QUEUED, "enqueue");
    must(esales_client_flush(client, 10000, numbers) == 0 && stats.it.accepted == 1, "flush");
    must(esales_client_stats(client, numbers) == 0 && stats.it.accepted == 1, "stats");
    must(esales_client_receipt(client, "another", told) == 0 && receipt.it.status == ESALES_DELIVERED, "settled");
    must(receipt.it.struct_size == sizeof receipt.it && stats.it.struct_size == sizeof stats.it, "sizes");
    untouched(visitor.behind, "behind the visitor");
    untouched(receipt.behind, "behind the receipt");
    untouched(stats.behind, "behind the stats");

    pays(client, who);

    /* Smaller than 0.1's, and larger than the library's: refused by name, and nothing is written. */
    receipt.it.struct_size = sizeof receipt.it - 8;
    must(esales_notify_add_to_cart(client, who, "ticket", NULL, told) == ESALES_INVALID_ARGUMENT, "too small");
    must(strstr(esales_last_error(), "receipt.struct_size") != NULL, "too small: words");
    receipt.it.struct_size = sizeof *told + 8;
    must(esales_notify_add_to_cart(client, who, "ticket", NULL, told) == ESALES_INVALID_ARGUMENT, "too large");
    must(strstr(esales_last_error(), "receipt.struct_size") != NULL, "too large: words");
    must(strstr(esales_last_error(), "later version") != NULL, "too large: why");
    untouched(receipt.behind, "behind the refused receipt");
    esales_client_free(client);
    puts("older programs go on");
    return 0;
}
