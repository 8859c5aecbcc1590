/* Reads the shared vectors (tests/vectors) and makes the calls that they describe. */
#ifndef VECTORS_H
#define VECTORS_H

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esales_notify.h"

#define MUST(condition) \
    do { \
        if (!(condition)) fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort(); \
    } while (0)

static cJSON *load(const char *folder, const char *name) {
    char path[4096];
    char *text;
    long length;
    FILE *file;
    cJSON *json;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    MUST(file != NULL);
    fseek(file, 0, SEEK_END);
    length = ftell(file);
    rewind(file);
    text = calloc(1, (size_t)length + 1);
    MUST(fread(text, 1, (size_t)length, file) == (size_t)length);
    fclose(file);
    /* cJSON and C strings cannot contain a NUL, so values with a NUL are marked first and left out. */
    for (char *nul = text; (nul = strstr(nul, "\\u0000")) != NULL;) memcpy(nul, "<NUL>!", 6);
    json = cJSON_Parse(text);
    MUST(json != NULL);
    free(text);
    return json;
}

/* A vector's value as C bytes, which the caller frees; NULL for null and for a missing value. */
static char *value_of(const cJSON *value) {
    const cJSON *hex = cJSON_GetObjectItem(value, "hex");
    const cJSON *repeat = cJSON_GetObjectItem(value, "repeat");
    char *text;
    size_t i;
    if (!value || cJSON_IsNull(value)) return NULL;
    if (cJSON_IsString(value)) return strdup(value->valuestring);
    if (hex) {
        const size_t length = strlen(hex->valuestring) / 2;
        text = calloc(1, length + 1);
        for (i = 0; i < length; i++) {
            unsigned byte;
            MUST(sscanf(hex->valuestring + 2 * i, "%2x", &byte) == 1);
            text[i] = (char)byte;
        }
        return text;
    }
    MUST(repeat != NULL);
    {
        const size_t times = (size_t)cJSON_GetObjectItem(value, "times")->valuedouble;
        const size_t length = strlen(repeat->valuestring);
        text = calloc(1, times * length + 1);
        for (i = 0; i < times; i++) memcpy(text + i * length, repeat->valuestring, length);
        return text;
    }
}

/* The arguments of one call. They live until given_free. */
struct given {
    esales_visitor visitor;
    esales_notification notification;
    esales_line *lines;
    char *texts[256];
    size_t text_count;
};

static const char *keep(struct given *given, const cJSON *value) {
    char *text = value_of(value);
    MUST(given->text_count < sizeof given->texts / sizeof *given->texts);
    return given->texts[given->text_count++] = text;
}

/* 0: C cannot express it. */
static int set_line(struct given *given, esales_line *line, const char *name, const cJSON *value) {
    if (!strcmp(name, "quantity")) {
        if (value->valuedouble < 0 || value->valuedouble > UINT32_MAX) return 0;
        line->quantity = (uint32_t)value->valuedouble;
    } else if (!strcmp(name, "product_key")) line->product_key = keep(given, value);
    else if (!strcmp(name, "variant_key")) line->variant_key = keep(given, value);
    else if (!strcmp(name, "selling_price")) line->selling_price = keep(given, value);
    else if (!strcmp(name, "cost")) line->cost = keep(given, value);
    else MUST(!"a member of a line");
    return 1;
}

static void set_lines(struct given *given, const cJSON *value) {
    const cJSON *repeat = cJSON_GetObjectItem(value, "repeat"), *row, *column;
    const cJSON *rows = repeat ? repeat : value;
    const size_t own = (size_t)cJSON_GetArraySize(rows);
    const size_t times = repeat ? (size_t)cJSON_GetObjectItem(value, "times")->valuedouble : 1;
    size_t i = 0;
    free(given->lines);
    given->lines = calloc(own * times + 1, sizeof *given->lines);
    cJSON_ArrayForEach(row, rows) {
        const esales_line empty = ESALES_LINE_INIT;
        given->lines[i] = empty;
        cJSON_ArrayForEach(column, row) MUST(set_line(given, &given->lines[i], column->string, column));
        i++;
    }
    for (; i < own * times; i++) given->lines[i] = given->lines[i - own];
    given->notification.lines = given->lines;
    given->notification.line_count = own * times;
}

static int32_t kind_of(const char *name) {
    static const char *const names[] = {"add_to_cart", "click", "non_esales_click", "non_esales_add_to_cart", "payment",
                                        "secure_payment", "end"};
    static const int32_t kinds[] = {ESALES_ADD_TO_CART, ESALES_CLICK, ESALES_NON_ESALES_CLICK, ESALES_NON_ESALES_ADD_TO_CART,
                                    ESALES_PAYMENT, ESALES_SECURE_PAYMENT, ESALES_END};
    size_t i;
    for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!strcmp(names[i], name)) return kinds[i];
    }
    MUST(!"a kind of this header");
    return 0;
}

/* 0: C cannot express it. */
static int set_member(struct given *given, const char *name, const cJSON *value) {
    if (!strncmp(name, "lines[1].", 9)) return set_line(given, &given->lines[1], name + 9, value);
    if (!strcmp(name, "lines")) set_lines(given, value);
    else if (!strcmp(name, "market")) given->visitor.market = keep(given, value);
    else if (!strcmp(name, "customer_key")) given->visitor.customer_key = keep(given, value);
    else if (!strcmp(name, "session_key")) given->visitor.session_key = keep(given, value);
    else if (!strcmp(name, "token")) given->visitor.token = keep(given, value);
    else if (!strcmp(name, "id")) given->notification.id = keep(given, value);
    else if (!strcmp(name, "ticket")) given->notification.ticket = keep(given, value);
    else if (!strcmp(name, "product_key")) given->notification.product_key = keep(given, value);
    else if (!strcmp(name, "variant_key")) given->notification.variant_key = keep(given, value);
    else if (!strcmp(name, "private_key")) given->notification.private_key = keep(given, value);
    else if (!strcmp(name, "kind")) given->notification.kind = kind_of(value->valuestring);
    else MUST(!strcmp(name, "name") || !strcmp(name, "path") || !strcmp(name, "body"));
    return 1;
}

/* The row with the changes of `set`, which may be NULL; 0: C cannot express it. To be freed in either case. */
static int given_new(struct given *given, const cJSON *row, const cJSON *set) {
    const esales_visitor visitor = ESALES_VISITOR_INIT;
    const esales_notification notification = ESALES_NOTIFICATION_INIT;
    const cJSON *column;
    int expressed = 1;
    memset(given, 0, sizeof *given);
    given->visitor = visitor;
    given->notification = notification;
    cJSON_ArrayForEach(column, row) MUST(set_member(given, column->string, column));
    cJSON_ArrayForEach(column, set) expressed &= set_member(given, column->string, column);
    return expressed;
}

static void given_free(struct given *given) {
    size_t i;
    for (i = 0; i < given->text_count; i++) free(given->texts[i]);
    free(given->lines);
}

#endif
