#include <dlfcn.h>
#include <esales_notify.h>
#include <stdio.h>

/* The types are the header's; the functions are looked up. Returns the id that was accepted, or NULL. */
static const char *tell(const char *customer_key, const char *session_key, const char *ticket) {
    static esales_receipt receipt = ESALES_RECEIPT_INIT;
    void *library = dlopen("libesales_notify.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library) return fprintf(stderr, "%s\n", dlerror()), NULL;
    __typeof__(&esales_client_new) client_new = dlsym(library, "esales_client_new");
    __typeof__(&esales_client_free) client_free = dlsym(library, "esales_client_free");
    __typeof__(&esales_enqueue_add_to_cart) enqueue = dlsym(library, "esales_enqueue_add_to_cart");
    __typeof__(&esales_client_flush) flush = dlsym(library, "esales_client_flush");
    int32_t status = -1;
    esales_client *client;
    if (client_new && client_free && enqueue && flush && client_new(NULL, &client) >= 0) {
        esales_visitor visitor = ESALES_VISITOR_INIT;
        visitor.customer_key = customer_key;
        visitor.session_key = session_key;
        status = enqueue(client, &visitor, ticket, NULL, &receipt);
        flush(client, 5000, NULL); /* only a program that is about to end needs this */
        client_free(client);
    }
    dlclose(library); /* fine, also while it delivers */
    return status < 0 ? NULL : receipt.id;
}

int main(void) {
    const char *id = tell("d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784", "a ticket");
    return id ? printf("%s\n", id) < 0 : 1;
}
