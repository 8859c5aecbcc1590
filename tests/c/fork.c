/* A client made before a fork works in the parent and in the child, each on connections of its own.
 * ESALES_BASE_URL is a sandbox; the driver compares its counters. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "esales_notify.h"

static int send_one(const esales_client *client, const char *id) {
    esales_visitor visitor = ESALES_VISITOR_INIT;
    visitor.market = "UK";
    visitor.customer_key = "k";
    visitor.session_key = "s";
    return esales_notify_add_to_cart(client, &visitor, "t", id, NULL) == ESALES_DELIVERED;
}

int main(void) {
    esales_client *client = NULL;
    int status = -1;
    pid_t child;
    if (esales_client_new(NULL, &client) < 0 || !send_one(client, "parent 1")) return 1;
    child = fork();
    if (child == 0) {
        esales_client *own = NULL;
        int ok = send_one(client, "child 1") && send_one(client, "child 2");
        esales_client_free(client);
        ok = ok && esales_client_new(NULL, &own) == 0 && send_one(own, "child 3");
        esales_client_free(own);
        _exit(ok ? 0 : 1);
    }
    if (waitpid(child, &status, 0) != child || status != 0) return 2;
    /* The end of the child has not affected the parent: its connection still works. */
    if (!send_one(client, "parent 2")) return 3;
    esales_client_free(client);
    return 0;
}
