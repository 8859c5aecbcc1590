/* Every mistake in C returns a code and a message that names the argument. Nothing crashes, and nothing is sent.
 * ESALES_BASE_URL is a sandbox; argv[1] is the folder of the shared vectors. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "vectors.h"

#define KEY "d9528030-509c-4e0f-b585-7168f1e9feca"
#define SESSION "b106299c-eac0-4f6f-96d2-93e57c255784"
#define INVALID_UTF8 "a\xff"

static const char *vectors;

static esales_client *new_client(void) {
    esales_config *config = NULL;
    esales_client *client = NULL;
    assert_int_equal(esales_config_new(&config), 0);
    assert_int_equal(esales_config_set(config, "base_url", getenv("ESALES_BASE_URL")), 0);
    assert_int_equal(esales_config_set(config, "timeout_ms", "30000"), 0);
    assert_int_equal(esales_client_new(config, &client), 0);
    /* The client outlives its configuration. */
    esales_config_free(config);
    return client;
}

static esales_visitor example(void) {
    esales_visitor visitor = ESALES_VISITOR_INIT;
    visitor.market = "UK";
    visitor.customer_key = KEY;
    visitor.session_key = SESSION;
    return visitor;
}

static void expect_refusal(int32_t code, const char *names) {
    assert_int_equal(code, ESALES_INVALID_ARGUMENT);
    if (!strstr(esales_last_error(), names)) fail_msg("\"%s\" does not name %s", esales_last_error(), names);
}

static void every_function_refuses_null(void **state) {
    char out[65];
    esales_config *config = NULL;
    esales_client *client = new_client();
    esales_visitor visitor = example();
    (void)state;
    expect_refusal(esales_config_new(NULL), "out");
    assert_int_equal(esales_config_new(&config), 0);
    expect_refusal(esales_config_set(NULL, "market", "UK"), "config");
    expect_refusal(esales_config_set(config, NULL, "UK"), "name");
    expect_refusal(esales_config_set(config, "market", NULL), "value");
    expect_refusal(esales_client_new(config, NULL), "out");
    expect_refusal(esales_notify_add_to_cart(NULL, &visitor, "t", NULL, NULL), "client");
    expect_refusal(esales_notify_add_to_cart(client, NULL, "t", NULL, NULL), "visitor");
    expect_refusal(esales_notify_add_to_cart(client, &visitor, NULL, NULL, NULL), "ticket");
    expect_refusal(esales_customer_key(NULL, out), "customer_id");
    expect_refusal(esales_customer_key("1", NULL), "out");
    expect_refusal(esales_customer_token(NULL, "k", out), "private_key");
    expect_refusal(esales_customer_token("k", NULL, out), "customer_key");
    expect_refusal(esales_customer_token("k", "k", NULL), "out");
    expect_refusal(esales_new_key(NULL), "out");
    esales_config_free(NULL);
    esales_client_free(NULL);
    esales_config_free(config);
    esales_client_free(client);
}

static void every_string_argument_refuses_invalid_utf8(void **state) {
    char out[65] = "untouched";
    esales_config *config = NULL;
    esales_client *client = new_client();
    esales_visitor visitor = example();
    (void)state;
    assert_int_equal(esales_config_new(&config), 0);
    expect_refusal(esales_config_set(config, INVALID_UTF8, "UK"), "name");
    expect_refusal(esales_config_set(config, "market", INVALID_UTF8), "value");
    expect_refusal(esales_notify_add_to_cart(client, &visitor, INVALID_UTF8, NULL, NULL), "ticket");
    expect_refusal(esales_notify_add_to_cart(client, &visitor, "t", INVALID_UTF8, NULL), "id");
    expect_refusal(esales_customer_key(INVALID_UTF8, out), "customer_id");
    expect_refusal(esales_customer_token(INVALID_UTF8, "k", out), "private_key");
    expect_refusal(esales_customer_token("k", INVALID_UTF8, out), "customer_key");
    assert_string_equal(out, "untouched");
    esales_config_free(config);
    esales_client_free(client);
}

static void wrong_struct_sizes_are_refused(void **state) {
    const uint32_t sizes[] = {0, 1, 4, (uint32_t)sizeof(esales_visitor) - 8, (uint32_t)sizeof(esales_visitor) + 8,
                              UINT32_MAX};
    esales_client *client = new_client();
    size_t i;
    (void)state;
    for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        esales_visitor visitor = example();
        esales_receipt receipt = ESALES_RECEIPT_INIT;
        visitor.struct_size = sizes[i];
        expect_refusal(esales_notify_add_to_cart(client, &visitor, "t", NULL, &receipt), "visitor.struct_size");
        assert_int_equal(receipt.status, ESALES_INVALID_ARGUMENT);
        /* A receipt of an unknown size is not written to, and nothing is sent. */
        visitor = example();
        memset(&receipt, 'x', sizeof receipt);
        receipt.struct_size = sizes[i];
        expect_refusal(esales_notify_add_to_cart(client, &visitor, "t", NULL, &receipt), "receipt.struct_size");
        assert_int_equal(receipt.detail[0], 'x');
    }
    esales_client_free(client);
}

static void out_parameters_are_unchanged_on_failure(void **state) {
    esales_client *client = (esales_client *)(void *)&vectors;
    esales_config *config = NULL;
    (void)state;
    assert_int_equal(esales_config_new(&config), 0);
    assert_int_equal(esales_client_new(config, &client), ESALES_INVALID_CONFIG);
    assert_ptr_equal(client, &vectors);
    assert_non_null(strstr(esales_last_error(), "cluster_id"));
    esales_config_free(config);
}

static void delivery_fills_the_receipt(void **state) {
    esales_client *client = new_client();
    esales_visitor visitor = example();
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    (void)state;
    /* Before a call, the receipt does not report a delivery. */
    assert_true(receipt.status < 0);
    assert_int_equal(esales_notify_add_to_cart(client, &visitor, "t", NULL, &receipt), ESALES_DELIVERED);
    assert_int_equal(receipt.status, ESALES_DELIVERED);
    assert_int_equal(receipt.http_status, 204);
    assert_int_equal(receipt.attempts, 1);
    assert_int_equal(strlen(receipt.id), 36);
    assert_true(receipt.elapsed_us > 0);
    /* A receipt may be used again, and has the caller's id. */
    assert_int_equal(esales_notify_add_to_cart(client, &visitor, "t", "my-id", &receipt), ESALES_DELIVERED);
    assert_string_equal(receipt.id, "my-id");
    /* Sends the event again with the id in the receipt, which the same call writes. */
    assert_int_equal(esales_notify_add_to_cart(client, &visitor, "t", receipt.id, &receipt), ESALES_DELIVERED);
    assert_string_equal(receipt.id, "my-id");
    assert_int_equal(esales_notify_add_to_cart(client, &visitor, "t", NULL, NULL), ESALES_DELIVERED);
    esales_client_free(client);
}

static void status_name_and_text_accept_any_number(void **state) {
    int32_t code;
    (void)state;
    for (code = -1000; code < 1000; code++) {
        assert_non_null(esales_status_name(code));
        assert_non_null(esales_status_text(code));
    }
    assert_string_equal(esales_status_name(ESALES_TIMEOUT), "ESALES_TIMEOUT");
    assert_string_equal(esales_status_name(-4), "ESALES_UNKNOWN");
    assert_string_equal(esales_status_name(INT32_MIN), "ESALES_UNKNOWN");
    assert_string_equal(esales_version(), ESALES_VERSION);
}

static void *other_thread(void *argument) {
    (void)argument;
    assert_string_equal(esales_last_error(), "");
    assert_int_equal(esales_new_key(NULL), ESALES_INVALID_ARGUMENT);
    return NULL;
}

static void last_error_is_kept_per_thread(void **state) {
    pthread_t thread;
    char key[65];
    (void)state;
    expect_refusal(esales_customer_key(NULL, key), "customer_id");
    assert_int_equal(pthread_create(&thread, NULL, other_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(esales_new_key(key), 0);
    assert_non_null(strstr(esales_last_error(), "customer_id"));
}

/* Sixteen threads share one client and one configuration, and call everything. */
struct shared {
    esales_client *client;
    esales_config *config;
    int failures;
};

static void *hammer(void *argument) {
    struct shared *shared = argument;
    int i;
    for (i = 0; i < 25; i++) {
        esales_visitor visitor = example();
        esales_receipt receipt = ESALES_RECEIPT_INIT;
        esales_client *own = NULL;
        char out[65];
        int bad = 0;
        bad |= esales_notify_add_to_cart(shared->client, &visitor, "t", NULL, &receipt) != ESALES_DELIVERED;
        bad |= esales_notify_add_to_cart(shared->client, &visitor, "", NULL, &receipt) != ESALES_INVALID_ARGUMENT;
        bad |= strstr(esales_last_error(), "ticket") == NULL;
        bad |= esales_config_set(shared->config, "market", i % 2 ? "UK" : "SE") != 0;
        bad |= esales_client_new(shared->config, &own) != 0;
        bad |= esales_notify_add_to_cart(own, &visitor, "t", NULL, NULL) != ESALES_DELIVERED;
        bad |= esales_customer_key("1", out) != 0 || esales_customer_token("k", out, out) != 0;
        bad |= esales_new_key(out) != 0 || !*esales_version() || !*esales_status_text(0);
        esales_client_free(own);
        if (bad) __atomic_fetch_add(&shared->failures, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void sixteen_threads_share_a_client(void **state) {
    pthread_t threads[16];
    struct shared shared = {NULL, NULL, 0};
    size_t i;
    (void)state;
    shared.client = new_client();
    assert_int_equal(esales_config_new(&shared.config), 0);
    assert_int_equal(esales_config_set(shared.config, "base_url", getenv("ESALES_BASE_URL")), 0);
    assert_int_equal(esales_config_set(shared.config, "timeout_ms", "60000"), 0);
    for (i = 0; i < 16; i++) assert_int_equal(pthread_create(&threads[i], NULL, hammer, &shared), 0);
    for (i = 0; i < 16; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(shared.failures, 0);
    esales_config_free(shared.config);
    esales_client_free(shared.client);
}

/* --- the shared vectors --- */

static const char *member(const cJSON *row, const char *name) {
    const cJSON *value = cJSON_GetObjectItem(row, name);
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

/* The example of each kind is its first row. */
static const cJSON *example_of(const cJSON *rows, const char *kind) {
    const cJSON *row;
    cJSON_ArrayForEach(row, rows) {
        if (!strcmp(member(row, "kind"), kind)) return row;
    }
    MUST(!"the kind has an example");
    return NULL;
}

/* 0: C cannot express the row. */
static int notify(esales_client *client, const cJSON *example_row, const cJSON *set, int32_t *code) {
    struct given given;
    const int expressed = given_new(&given, example_row, set);
    if (expressed) {
        esales_receipt receipt = ESALES_RECEIPT_INIT;
        *code = esales_enqueue(client, &given.visitor, &given.notification, &receipt);
        assert_int_equal(receipt.status, *code);
        *code = esales_notify(client, &given.visitor, &given.notification, &receipt);
        assert_int_equal(receipt.status, *code);
        assert_int_equal(receipt.attempts, 0);
    }
    given_free(&given);
    return expressed;
}

static int32_t make_client(const cJSON *options) {
    const cJSON *option;
    esales_config *config = NULL;
    esales_client *client = NULL;
    int32_t code;
    assert_int_equal(esales_config_new(&config), 0);
    cJSON_ArrayForEach(option, options) {
        assert_int_equal(esales_config_set(config, option->string, option->valuestring), 0);
    }
    code = esales_client_new(config, &client);
    esales_config_free(config);
    esales_client_free(client);
    return code;
}

static int attempt(esales_client *client, const cJSON *examples, const cJSON *row, int32_t *code) {
    const char *call = member(row, "call");
    const cJSON *set = cJSON_GetObjectItem(row, "set");
    char out[65];
    if (!strcmp(call, "notify")) return notify(client, example_of(examples, member(row, "kind")), set, code);
    if (!strcmp(call, "client")) {
        *code = make_client(cJSON_GetObjectItem(row, "options"));
    } else if (!strcmp(call, "config")) {
        esales_config *config = NULL;
        char *value = value_of(cJSON_GetObjectItem(row, "value"));
        assert_int_equal(esales_config_new(&config), 0);
        *code = esales_config_set(config, member(row, "option"), value);
        esales_config_free(config);
        free(value);
    } else if (!strcmp(call, "customer_key")) {
        char *customer_id = value_of(cJSON_GetObjectItem(set, "customer_id"));
        *code = esales_customer_key(customer_id, out);
        free(customer_id);
    } else {
        char *private_key = value_of(cJSON_GetObjectItem(set, "private_key"));
        char *customer_key = value_of(cJSON_GetObjectItem(set, "customer_key"));
        assert_string_equal(call, "customer_token");
        *code = esales_customer_token(private_key, customer_key, out);
        free(private_key), free(customer_key);
    }
    return 1;
}

static void invalid_input_is_refused_as_in_the_vectors(void **state) {
    cJSON *examples = load(vectors, "notifications.json"), *rows = load(vectors, "bad_input.json"), *row;
    esales_client *client = new_client();
    int tried[ESALES_END + 1] = {0};
    size_t i;
    (void)state;
    cJSON_ArrayForEach(row, rows) {
        const char *name = member(row, "name"), *names = member(row, "names"), *kind = member(row, "kind");
        const int32_t expected = (int32_t)cJSON_GetObjectItem(row, "status")->valuedouble;
        char *text = cJSON_PrintUnformatted(row);
        const int has_nul = strstr(text, "<NUL>!") != NULL;
        int32_t code = 0;
        free(text);
        if (has_nul || !attempt(client, examples, row, &code)) continue;
        if (code != expected) fail_msg("%s: %d, not %d: %s", name, code, expected, esales_last_error());
        if (!strstr(esales_last_error(), names)) fail_msg("%s: \"%s\" does not name %s", name, esales_last_error(), names);
        tried[kind ? kind_of(kind) : 0]++;
    }
    for (i = 0; i <= ESALES_END; i++) assert_true(tried[i] >= 15);
    esales_client_free(client);
    cJSON_Delete(examples), cJSON_Delete(rows);
}

static void keys_and_tokens_equal_the_vectors(void **state) {
    cJSON *json = load(vectors, "identity.json"), *row;
    char out[65];
    (void)state;
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(json, "customer_keys")) {
        assert_int_equal(esales_customer_key(cJSON_GetObjectItem(row, "customer_id")->valuestring, out), 0);
        assert_string_equal(out, cJSON_GetObjectItem(row, "customer_key")->valuestring);
    }
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(json, "tokens")) {
        assert_int_equal(esales_customer_token(cJSON_GetObjectItem(row, "private_key")->valuestring,
                                               cJSON_GetObjectItem(row, "customer_key")->valuestring, out), 0);
        assert_string_equal(out, cJSON_GetObjectItem(row, "token")->valuestring);
    }
    cJSON_Delete(json);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_function_refuses_null),
        cmocka_unit_test(every_string_argument_refuses_invalid_utf8),
        cmocka_unit_test(wrong_struct_sizes_are_refused),
        cmocka_unit_test(out_parameters_are_unchanged_on_failure),
        cmocka_unit_test(delivery_fills_the_receipt),
        cmocka_unit_test(status_name_and_text_accept_any_number),
        cmocka_unit_test(last_error_is_kept_per_thread),
        cmocka_unit_test(sixteen_threads_share_a_client),
        cmocka_unit_test(invalid_input_is_refused_as_in_the_vectors),
        cmocka_unit_test(keys_and_tokens_equal_the_vectors),
    };
    if (argc != 2 || !getenv("ESALES_BASE_URL")) return fprintf(stderr, "usage: ESALES_BASE_URL=... %s VECTORS\n", argv[0]), 2;
    vectors = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
