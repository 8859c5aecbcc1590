#include <esales_notify.h>
#include <stdio.h>

int main(void) {
    esales_client *client;
    if (esales_client_new(NULL, &client) < 0) return fprintf(stderr, "%s\n", esales_last_error()), 1;
    esales_visitor visitor = ESALES_VISITOR_INIT;
    visitor.market = "UK";
    visitor.customer_key = "d9528030-509c-4e0f-b585-7168f1e9feca";
    visitor.session_key = "b106299c-eac0-4f6f-96d2-93e57c255784";
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    esales_notify_add_to_cart(client, &visitor, "Oy9keW5hbWljLXBhZ2VzL3N0YXJ0L2VzYWxlcy1zdGFydC0xOyM7cHJvZHVjdF9rZXk7UF8xMjUzODMtMDAxNF9VSzsjOztOT05FOk5PTkU7NjE7", NULL, &receipt);
    printf("%s %s\n", esales_status_name(receipt.status), receipt.id);
    esales_client_free(client);
    return receipt.status < 0;
}
