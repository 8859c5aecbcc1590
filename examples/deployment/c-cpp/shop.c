/* A page by CGI. `esales-notify drain` delivers its events: a CGI program exits after one page. */
#include <ctype.h>
#include <esales_notify.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Copies the value of `name=value` out of a list, such as a form ('&') or cookies (';'). Returns whether it is there. */
static int find(const char *list, const char *name, char separator, char *value, size_t size) {
    size_t length = strlen(name);
    while (list) {
        list += strspn(list, " ");
        const char *end = strchr(list, separator);
        size_t all = end ? (size_t)(end - list) : strlen(list);
        if (all > length && all - length - 1 < size && !strncmp(list, name, length) && list[length] == '=') {
            memcpy(value, list + length + 1, all - length - 1);
            value[all - length - 1] = '\0';
            return 1;
        }
        list = end ? end + 1 : NULL;
    }
    return 0;
}

/* Undoes what a browser does to a form's values. */
static void decode(char *value) {
    char *out = value;
    for (; *value; value++) {
        if (*value == '%' && isxdigit((unsigned char)value[1]) && isxdigit((unsigned char)value[2])) {
            char digits[3] = {value[1], value[2], '\0'};
            *out++ = (char)strtol(digits, NULL, 16);
            value += 2;
        } else {
            *out++ = *value == '+' ? ' ' : *value;
        }
    }
    *out = '\0';
}

/* The key in the visitor's cookie. On the first visit the page makes a key, and its response sets the cookie. */
static void key_of(const char *cookie, const char *lifetime, char key[37]) {
    if (find(getenv("HTTP_COOKIE"), cookie, ';', key, 37) && strspn(key, "0123456789abcdef-") == 36) return;
    esales_new_key(key);
    printf("Set-Cookie: %s=%s; Path=/; HttpOnly; SameSite=Lax%s%s\r\n", cookie, key, lifetime, getenv("HTTPS") ? "; Secure" : "");
}

/* Puts the event into the queue. Every failure is logged: no page fails because of an event. */
static void tell(const esales_client *client, const esales_visitor *visitor, const esales_notification *notification) {
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    if (client && esales_enqueue(client, visitor, notification, &receipt) < 0)
        fprintf(stderr, "esales-notify: %s\n", receipt.detail);
}

int main(void) {
    static char form[65536], ticket[8193], order[64];
    char customer[65], session[37], token[65];
    form[fread(form, 1, sizeof form - 1, stdin)] = '\0';
    key_of("customer", "; Max-Age=31536000", customer);
    key_of("session", "", session);
    printf("Content-Type: text/plain\r\n\r\nThank you\n"); /* Your shop does its own work here. Then: */

    esales_client *client = NULL;
    if (esales_client_new(NULL, &client) < 0) fprintf(stderr, "esales-notify: %s\n", esales_last_error());
    const char *private_key = getenv("ESALES_PRIVATE_KEY");
    esales_visitor visitor = ESALES_VISITOR_INIT;
    visitor.customer_key = customer;
    visitor.session_key = session;
    /* Your shop knows who is signed in. Here the web server sets the header, and removes any that a visitor sends. */
    const char *customer_id = getenv("HTTP_X_REMOTE_USER");
    if (customer_id && esales_customer_key(customer_id, customer) >= 0 && esales_customer_token(private_key, customer, token) >= 0)
        visitor.token = token;

    esales_notification notification = ESALES_NOTIFICATION_INIT;
    if (find(form, "ticket", '&', ticket, sizeof ticket)) { /* the product of this ticket was added to the cart */
        decode(ticket);
        notification.kind = ESALES_ADD_TO_CART;
        notification.ticket = ticket;
        tell(client, &visitor, &notification);
    } else if (find(form, "order", '&', order, sizeof order)) { /* this order is paid */
        /* Its lines, from your database. Take them once: an order that is sent twice is counted twice. */
        esales_line line = ESALES_LINE_INIT;
        line.product_key = "P_125383";
        line.variant_key = "P_125383-0014_UK";
        line.quantity = 1;
        line.selling_price = "199.50";
        line.cost = "80";
        notification.kind = ESALES_SECURE_PAYMENT;
        notification.lines = &line;
        notification.line_count = 1;
        notification.private_key = private_key;
        tell(client, &visitor, &notification);
    }
    esales_client_free(client);
    return 0;
}
