/* Sends every row of notifications.json in the folder argv[1]. Rows of the most common kind are also sent by its special
 * function. The driver compares the paths and bytes that arrived. */
#include "vectors.h"

int main(int argc, char **argv) {
    cJSON *rows, *row;
    esales_client *client = NULL;
    if (argc != 2) return fprintf(stderr, "usage: %s VECTORS\n", argv[0]), 2;
    rows = load(argv[1], "notifications.json");
    if (esales_client_new(NULL, &client) < 0) return fprintf(stderr, "%s\n", esales_last_error()), 1;
    cJSON_ArrayForEach(row, rows) {
        struct given given;
        esales_receipt receipt = ESALES_RECEIPT_INIT;
        MUST(given_new(&given, row, NULL));
        MUST(esales_notify(client, &given.visitor, &given.notification, &receipt) == ESALES_DELIVERED);
        MUST(!strcmp(receipt.id, given.notification.id));
        if (given.notification.kind == ESALES_ADD_TO_CART) {
            MUST(esales_notify_add_to_cart(client, &given.visitor, given.notification.ticket, given.notification.id, NULL) ==
                 ESALES_DELIVERED);
        }
        given_free(&given);
    }
    cJSON_Delete(rows);
    esales_client_free(client);
    return 0;
}
