/* A host at the limit of its memory: little_memory early|late EXTRA THREADS. Its address space (or its data segment, if a
   fourth argument is there) is limited to what it uses and EXTRA bytes, before or after its first use of the library. Then so
   many threads send and enqueue; every call must come back. Options are those of the environment. */
#include <esales_notify.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static esales_client *client;
static char ticket[8001];

static void limit(unsigned long extra, int data) {
    unsigned long pages[6] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    struct rlimit limit = {0, RLIM_INFINITY};
    if (!file || fscanf(file, "%lu %lu %lu %lu %lu %lu", pages, pages + 1, pages + 2, pages + 3, pages + 4, pages + 5) != 6) exit(9);
    fclose(file);
    limit.rlim_cur = pages[data ? 5 : 0] * 4096 + extra;
    setrlimit(data ? RLIMIT_DATA : RLIMIT_AS, &limit);
}

static void *work(void *unused) {
    esales_visitor visitor = ESALES_VISITOR_INIT;
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    visitor.market = "UK";
    visitor.customer_key = "customer";
    visitor.session_key = "session";
    esales_notify_add_to_cart(client, &visitor, ticket, NULL, &receipt);
    for (int i = 0; i < 30; i++) esales_enqueue_add_to_cart(client, &visitor, ticket, NULL, &receipt);
    esales_enqueue_add_to_cart(client, &visitor, NULL, NULL, &receipt);
    return unused;
}

int main(int argc, char **argv) {
    pthread_t threads[16];
    unsigned long extra = strtoul(argv[2], NULL, 10);
    int count = atoi(argv[3]), made = 0;
    memset(ticket, 'x', 8000);
    if (argv[1][0] == 'e') limit(extra, argc > 4);
    if (esales_client_new(NULL, &client) < 0) return 0;
    if (argv[1][0] == 'l') {
        work(NULL);
        limit(extra, argc > 4);
    }
    for (int i = 0; i < count; i++) made += pthread_create(&threads[made], NULL, work, NULL) == 0;
    work(NULL);
    for (int i = 0; i < made; i++) pthread_join(threads[i], NULL);
    esales_client_flush(client, 300, NULL);
    esales_client_free(client);
    return 0;
}
