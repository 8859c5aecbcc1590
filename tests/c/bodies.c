/* Sends every row of a file of notifications, given as NUL-separated fields on standard input: market,
 * customer_key, session_key, token (empty: none), ticket, id. The driver compares the bytes that arrived. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esales_notify.h"

int main(void) {
    static char input[1 << 20];
    const size_t length = fread(input, 1, sizeof input - 1, stdin);
    const char *fields[6];
    const char *at = input;
    esales_client *client = NULL;
    if (esales_client_new(NULL, &client) < 0) return fprintf(stderr, "%s\n", esales_last_error()), 1;
    while (at < input + length) {
        esales_visitor visitor = ESALES_VISITOR_INIT;
        int i;
        for (i = 0; i < 6; i++, at += strlen(at) + 1) fields[i] = at;
        visitor.market = fields[0];
        visitor.customer_key = fields[1];
        visitor.session_key = fields[2];
        visitor.token = *fields[3] ? fields[3] : NULL;
        printf("%d\n", esales_notify_add_to_cart(client, &visitor, fields[4], fields[5], NULL));
    }
    esales_client_free(client);
    return 0;
}
