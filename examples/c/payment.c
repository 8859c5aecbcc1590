#include <esales_notify.h>
#include <stdio.h>

static void send(const esales_client *client, const char *what, const esales_notification *notification) {
    esales_visitor visitor = ESALES_VISITOR_INIT;
    visitor.market = "UK";
    visitor.customer_key = "d9528030-509c-4e0f-b585-7168f1e9feca";
    visitor.session_key = "b106299c-eac0-4f6f-96d2-93e57c255784";
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    esales_enqueue(client, &visitor, notification, &receipt);
    printf("%s: %s %s\n", what, esales_status_name(receipt.status), receipt.detail);
}

int main(void) {
    esales_client *client;
    if (esales_client_new(NULL, &client) < 0) return fprintf(stderr, "%s\n", esales_last_error()), 1;

    esales_notification click = ESALES_NOTIFICATION_INIT;
    click.kind = ESALES_CLICK;
    click.ticket = "a ticket";
    send(client, "click", &click);

    esales_line lines[2] = {ESALES_LINE_INIT, ESALES_LINE_INIT};
    lines[0].product_key = "P_125383-0014";
    lines[0].variant_key = "P_125383-0014_UK";
    lines[0].quantity = 2;
    lines[0].selling_price = "199.50"; /* of one of them; sent exactly as written */
    lines[0].cost = "120.10";
    lines[1].product_key = "P_4711";
    lines[1].quantity = 1;
    lines[1].selling_price = "10";
    esales_notification payment = ESALES_NOTIFICATION_INIT;
    payment.kind = ESALES_SECURE_PAYMENT;
    payment.lines = lines;
    payment.line_count = 2;
    payment.private_key = "a private key"; /* signs the order during the call, and is not kept */
    send(client, "payment", &payment);

    esales_notification end = ESALES_NOTIFICATION_INIT;
    end.kind = ESALES_END;
    send(client, "end", &end);

    if (esales_client_flush(client, 5000, NULL) < 0) printf("something still waits\n");
    esales_client_free(client);
    return 0;
}
