/* Every mistake with esales_notification and esales_line returns a code and a message that names the member. Nothing
 * crashes, and nothing is sent. ESALES_BASE_URL is a sandbox that answers everything with 204. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "esales_notify.h"

#define INVALID_UTF8 "a\xff"
#define PRIVATE_KEY "a-private-key-that-nobody-may-see"
#define MOST_LINES 10000

typedef int32_t (*function)(const esales_client *, const esales_visitor *, const esales_notification *, esales_receipt *);
static const function FUNCTIONS[] = {esales_notify, esales_enqueue};
#define FOR_EACH_FUNCTION for (size_t f = 0; f < 2; f++)

static esales_client *client;
static esales_visitor visitor = ESALES_VISITOR_INIT;
static esales_line lines[2];

static int set_up(void **state) {
    const esales_line line = ESALES_LINE_INIT;
    (void)state;
    visitor.market = "UK";
    visitor.customer_key = "d9528030-509c-4e0f-b585-7168f1e9feca";
    visitor.session_key = "b106299c-eac0-4f6f-96d2-93e57c255784";
    for (size_t i = 0; i < 2; i++) {
        lines[i] = line;
        lines[i].quantity = 1;
        lines[i].product_key = "P1";
        lines[i].selling_price = "199.50";
    }
    return 0;
}

static int make_client(void **state) {
    esales_config *config = NULL;
    (void)state;
    assert_int_equal(esales_config_new(&config), 0);
    assert_int_equal(esales_config_set(config, "base_url", getenv("ESALES_BASE_URL")), 0);
    assert_int_equal(esales_config_set(config, "timeout_ms", "30000"), 0);
    assert_int_equal(esales_client_new(config, &client), 0);
    esales_config_free(config);
    return 0;
}

static int free_client(void **state) {
    (void)state;
    esales_client_free(client);
    return 0;
}

static esales_notification example(int32_t kind) {
    esales_notification made = ESALES_NOTIFICATION_INIT;
    made.kind = kind;
    if (kind == ESALES_ADD_TO_CART || kind == ESALES_CLICK) made.ticket = "a ticket";
    if (kind == ESALES_NON_ESALES_CLICK || kind == ESALES_NON_ESALES_ADD_TO_CART) made.product_key = "P1";
    if (kind == ESALES_PAYMENT || kind == ESALES_SECURE_PAYMENT) made.lines = lines, made.line_count = 2;
    if (kind == ESALES_SECURE_PAYMENT) made.private_key = PRIVATE_KEY;
    return made;
}

static void expect_refusal(int32_t code, const char *names) {
    assert_int_equal(code, ESALES_INVALID_ARGUMENT);
    if (!strstr(esales_last_error(), names)) fail_msg("\"%s\" does not name %s", esales_last_error(), names);
}

/* Both functions refuse it, and the receipt has the error. */
static void refused(const esales_notification *notification, const char *names) {
    FOR_EACH_FUNCTION {
        esales_receipt receipt = ESALES_RECEIPT_INIT;
        expect_refusal(FUNCTIONS[f](client, &visitor, notification, &receipt), names);
        assert_int_equal(receipt.status, ESALES_INVALID_ARGUMENT);
        assert_int_equal(receipt.attempts, 0);
        expect_refusal(FUNCTIONS[f](client, &visitor, notification, NULL), names);
    }
}

static void every_kind_is_delivered(void **state) {
    (void)state;
    for (int32_t kind = ESALES_ADD_TO_CART; kind <= ESALES_END; kind++) {
        const esales_notification notification = example(kind);
        esales_receipt receipt = ESALES_RECEIPT_INIT;
        assert_int_equal(esales_notify(client, &visitor, &notification, &receipt), ESALES_DELIVERED);
        assert_int_equal(receipt.attempts, 1);
        assert_int_equal(strlen(receipt.id), 36);
        assert_int_equal(esales_enqueue(client, &visitor, &notification, &receipt), ESALES_QUEUED);
        assert_int_equal(esales_client_flush(client, 60000, NULL), 0);
        assert_int_equal(esales_client_receipt(client, receipt.id, &receipt), 0);
        assert_int_equal(receipt.status, ESALES_DELIVERED);
    }
}

static void null_is_refused_by_name(void **state) {
    const esales_notification click = example(ESALES_CLICK);
    esales_notification payment = example(ESALES_PAYMENT);
    (void)state;
    FOR_EACH_FUNCTION {
        expect_refusal(FUNCTIONS[f](NULL, &visitor, &click, NULL), "client");
        expect_refusal(FUNCTIONS[f](client, NULL, &click, NULL), "visitor");
        expect_refusal(FUNCTIONS[f](client, &visitor, NULL, NULL), "notification");
        expect_refusal(FUNCTIONS[f](NULL, NULL, NULL, NULL), "client");
    }
    payment.lines = NULL;
    refused(&payment, "notification.lines is NULL");
    payment.line_count = MOST_LINES;
    refused(&payment, "notification.lines is NULL");
    payment.line_count = 0;
    refused(&payment, "lines are missing");
    payment.lines = lines;
    refused(&payment, "lines are missing");
    lines[1].selling_price = NULL;
    payment.line_count = 2;
    refused(&payment, "notification.lines[1].selling_price is NULL");
    lines[1].product_key = NULL;
    lines[1].selling_price = "1";
    refused(&payment, "lines[1].product_key is missing");
}

static void unknown_kind_is_refused(void **state) {
    const int32_t kinds[] = {0, -1, ESALES_END + 1, 1 << 16, INT32_MAX, INT32_MIN};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const esales_notification notification = example(kinds[i]);
        refused(&notification, "notification.kind is ");
    }
}

static void wrong_struct_sizes_are_refused(void **state) {
    const uint32_t notification_sizes[] = {0, 1, 4, sizeof(esales_notification) - 8, sizeof(esales_notification) - 1,
                                           sizeof(esales_notification) + 1, sizeof(esales_notification) + 8, UINT32_MAX};
    const uint32_t line_sizes[] = {0, 1, 4, sizeof(esales_line) - 8, sizeof(esales_line) - 1, sizeof(esales_line) + 1,
                                   sizeof(esales_line) + 8, UINT32_MAX};
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        esales_notification click = example(ESALES_CLICK);
        const esales_notification payment = example(ESALES_PAYMENT);
        click.struct_size = notification_sizes[i];
        refused(&click, "notification.struct_size is ");
        for (size_t wrong = 0; wrong < 2; wrong++) {
            char name[64];
            snprintf(name, sizeof name, "notification.lines[%zu].struct_size is ", wrong);
            lines[wrong].struct_size = line_sizes[i];
            refused(&payment, name);
            lines[wrong].struct_size = sizeof *lines;
        }
    }
}

static void invalid_utf8_is_refused_by_name(void **state) {
    static const struct { size_t offset; int32_t kind; const char *name; } members[] = {
        {offsetof(esales_notification, id), ESALES_CLICK, "id"},
        {offsetof(esales_notification, ticket), ESALES_CLICK, "notification.ticket"},
        {offsetof(esales_notification, product_key), ESALES_NON_ESALES_CLICK, "notification.product_key"},
        {offsetof(esales_notification, variant_key), ESALES_NON_ESALES_CLICK, "notification.variant_key"},
        {offsetof(esales_notification, private_key), ESALES_SECURE_PAYMENT, "notification.private_key"},
    };
    static const struct { size_t offset; const char *name; } line_members[] = {
        {offsetof(esales_line, product_key), "notification.lines[1].product_key"},
        {offsetof(esales_line, variant_key), "notification.lines[1].variant_key"},
        {offsetof(esales_line, selling_price), "notification.lines[1].selling_price"},
        {offsetof(esales_line, cost), "notification.lines[1].cost"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        esales_notification notification = example(members[i].kind);
        *(const char **)(void *)((char *)&notification + members[i].offset) = INVALID_UTF8;
        refused(&notification, members[i].name);
    }
    for (size_t i = 0; i < sizeof line_members / sizeof *line_members; i++) {
        const esales_notification notification = example(ESALES_SECURE_PAYMENT);
        const char **member = (const char **)(void *)((char *)&lines[1] + line_members[i].offset);
        const char *before = *member;
        *member = INVALID_UTF8;
        refused(&notification, line_members[i].name);
        *member = before;
    }
}

static void order_has_10000_lines_at_most(void **state) {
    esales_line *many = calloc(MOST_LINES, sizeof *many);
    esales_notification payment = example(ESALES_PAYMENT);
    (void)state;
    for (size_t i = 0; i < MOST_LINES; i++) many[i] = lines[0];
    payment.lines = many;
    payment.line_count = MOST_LINES;
    assert_int_equal(esales_notify(client, &visitor, &payment, NULL), ESALES_DELIVERED);
    assert_int_equal(esales_enqueue(client, &visitor, &payment, NULL), ESALES_QUEUED);
    assert_int_equal(esales_client_flush(client, 60000, NULL), 0);
    many[MOST_LINES - 1].quantity = 0;
    refused(&payment, "lines[9999].quantity is 0");
    free(many);
    /* Refused because of line_count before a line is read, because the array has only two lines. */
    payment.lines = lines;
    payment.line_count = MOST_LINES + 1;
    refused(&payment, "notification.lines has 10001 entries");
    payment.line_count = SIZE_MAX;
    refused(&payment, "notification.lines has 18446744073709551615 entries");
}

static void structs_need_not_be_aligned(void **state) {
    const esales_notification payment = example(ESALES_SECURE_PAYMENT);
    (void)state;
    for (size_t offset = 1; offset < 8; offset++) {
        /* The arrays have exactly the needed size, so that valgrind and the sanitizers detect a read beyond the end. */
        char *odd_lines = malloc(offset + sizeof lines), *odd = malloc(offset + sizeof payment);
        esales_notification moved = payment;
        memcpy(odd_lines + offset, lines, sizeof lines);
        moved.lines = (const esales_line *)(const void *)(odd_lines + offset);
        memcpy(odd + offset, &moved, sizeof moved);
        assert_int_equal(esales_notify(client, &visitor, (const esales_notification *)(const void *)(odd + offset), NULL),
                         ESALES_DELIVERED);
        free(odd_lines), free(odd);
    }
}

static void id_can_point_into_the_receipt(void **state) {
    (void)state;
    for (int32_t kind = ESALES_ADD_TO_CART; kind <= ESALES_END; kind++) {
        FOR_EACH_FUNCTION {
            esales_notification notification = example(kind);
            esales_receipt receipt = ESALES_RECEIPT_INIT;
            notification.id = "the first id";
            assert_true(FUNCTIONS[f](client, &visitor, &notification, &receipt) >= 0);
            notification.id = receipt.id;
            assert_true(FUNCTIONS[f](client, &visitor, &notification, &receipt) >= 0);
            assert_string_equal(receipt.id, "the first id");
        }
    }
    assert_int_equal(esales_client_flush(client, 60000, NULL), 0);
}

static void receipt_is_unchanged_when_its_size_is_unknown(void **state) {
    const esales_notification end = example(ESALES_END);
    (void)state;
    FOR_EACH_FUNCTION {
        esales_receipt receipt;
        memset(&receipt, 'x', sizeof receipt);
        expect_refusal(FUNCTIONS[f](client, &visitor, &end, &receipt), "receipt.struct_size");
        assert_int_equal(receipt.detail[0], 'x');
    }
}

static char *logged;

static void keep_message(void *user_data, int32_t level, const char *message) {
    (void)user_data, (void)level;
    if (strstr(message, PRIVATE_KEY)) logged = strdup(message);
}

static void private_key_is_in_no_message(void **state) {
    esales_notification payment = example(ESALES_SECURE_PAYMENT);
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    (void)state;
    assert_int_equal(esales_log_to(keep_message, NULL, ESALES_LOG_DEBUG), 0);
    assert_int_equal(esales_notify(client, &visitor, &payment, &receipt), ESALES_DELIVERED);
    assert_null(strstr(receipt.detail, PRIVATE_KEY));
    payment.private_key = PRIVATE_KEY "\n";
    assert_int_equal(esales_notify(client, &visitor, &payment, &receipt), ESALES_INVALID_ARGUMENT);
    assert_non_null(strstr(esales_last_error(), "private_key contains the control character"));
    assert_null(strstr(esales_last_error(), PRIVATE_KEY));
    assert_int_equal(esales_log_to(NULL, NULL, ESALES_LOG_OFF), 0);
    assert_null(logged);
}

static int failures;

static void *pay(void *notification) {
    for (int i = 0; i < 25; i++) {
        FOR_EACH_FUNCTION {
            if (FUNCTIONS[f](client, &visitor, notification, NULL) < 0) __atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST);
        }
    }
    return NULL;
}

static void eight_threads_share_a_notification(void **state) {
    esales_notification payment = example(ESALES_SECURE_PAYMENT);
    pthread_t threads[8];
    (void)state;
    for (size_t i = 0; i < 8; i++) assert_int_equal(pthread_create(&threads[i], NULL, pay, &payment), 0);
    for (size_t i = 0; i < 8; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(failures, 0);
    assert_int_equal(esales_client_flush(client, 60000, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_kind_is_delivered, set_up),
        cmocka_unit_test_setup(null_is_refused_by_name, set_up),
        cmocka_unit_test_setup(unknown_kind_is_refused, set_up),
        cmocka_unit_test_setup(wrong_struct_sizes_are_refused, set_up),
        cmocka_unit_test_setup(invalid_utf8_is_refused_by_name, set_up),
        cmocka_unit_test_setup(order_has_10000_lines_at_most, set_up),
        cmocka_unit_test_setup(structs_need_not_be_aligned, set_up),
        cmocka_unit_test_setup(id_can_point_into_the_receipt, set_up),
        cmocka_unit_test_setup(receipt_is_unchanged_when_its_size_is_unknown, set_up),
        cmocka_unit_test_setup(private_key_is_in_no_message, set_up),
        cmocka_unit_test_setup(eight_threads_share_a_notification, set_up),
    };
    if (!getenv("ESALES_BASE_URL")) return fprintf(stderr, "set ESALES_BASE_URL\n"), 2;
    return cmocka_run_group_tests(tests, make_client, free_client);
}
