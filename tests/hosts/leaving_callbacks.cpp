// A host whose callback does not return: leaving_callbacks log|delivery throw|pthread_exit. Options are those of the environment.
#include <esales_notify.h>
#include <pthread.h>

#include <cstdint>
#include <cstdio>
#include <cstring>

static bool throws;

static void leave() {
    if (throws) throw 1;
    pthread_exit(nullptr);
}

static void on_log(void*, std::int32_t, const char*) { leave(); }

static void on_delivery(void*, const esales_receipt*) { leave(); }

int main(int, char** argv) {
    throws = !std::strcmp(argv[2], "throw");
    esales_client* client;
    esales_visitor visitor = ESALES_VISITOR_INIT;
    visitor.market = "UK";
    visitor.customer_key = "customer";
    visitor.session_key = "session";
    if (esales_client_new(nullptr, &client) < 0) return std::puts(esales_last_error()), 1;
    if (!std::strcmp(argv[1], "log"))
        esales_log_to(on_log, nullptr, ESALES_LOG_DEBUG);
    else
        esales_client_on_delivery(client, on_delivery, nullptr);
    try {
        esales_notify_add_to_cart(client, &visitor, "ticket", nullptr, nullptr);
        esales_enqueue_add_to_cart(client, &visitor, "ticket", nullptr, nullptr);
        esales_client_flush(client, 30000, nullptr);
        esales_client_free(client);
    } catch (int) {
        std::puts("the exception came through");
    }
    return std::puts("the process went on"), 2;
}
