#include <esales_notify.h>
#include <stdio.h>

static void send(const esales_client *client, const char *ticket) {
    esales_visitor visitor = ESALES_VISITOR_INIT;
    visitor.market = "UK";
    visitor.customer_key = "d9528030-509c-4e0f-b585-7168f1e9feca";
    visitor.session_key = "b106299c-eac0-4f6f-96d2-93e57c255784";
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    int32_t status = esales_notify_add_to_cart(client, &visitor, ticket, NULL, &receipt);
    if (status >= 0)
        printf("delivered\n");
    else if (status <= -20 && status > -30) /* to send it again, pass receipt.id as the id */
        printf("may succeed later: %s\n", receipt.detail);
    else if (status <= -10 && status > -20)
        printf("refused for good: %s\n", receipt.detail);
    else
        printf("nothing was sent: %s\n", receipt.detail);
}

int main(void) {
    esales_client *client;
    if (esales_client_new(NULL, &client) < 0) return fprintf(stderr, "%s\n", esales_last_error()), 1;
    send(client, "");
    send(client, "a ticket");
    send(client, "a ticket");
    send(client, "a ticket");
    esales_client_free(client);
    return 0;
}
