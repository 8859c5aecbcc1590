/* For plain C hosts: the library by dlopen, one notification, and the memory and the descriptors of a process. */
#ifndef GUEST_H
#define GUEST_H

#include <dirent.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "esales_notify.h"

/* A time limit for calls that must not time out, and for children that hang. */
#define LONG_MS "60000"
#define FLUSH_MS 60000
#define CHILD_S 90

#define FUNCTIONS(X) X(config_new) X(config_set) X(config_free) X(client_new) X(client_free) X(notify_add_to_cart) \
    X(enqueue_add_to_cart) X(client_flush) X(client_stats) X(last_error)

struct guest {
    void *module;
#define MEMBER(name) __typeof__(esales_##name) *name;
    FUNCTIONS(MEMBER)
#undef MEMBER
};

static struct guest guest_open(void) {
    struct guest guest;
    guest.module = dlopen(getenv("HOST_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
    if (!guest.module) fprintf(stderr, "%s\n", dlerror()), exit(2);
#define LOOK_UP(name) if (!(*(void **)&guest.name = dlsym(guest.module, "esales_" #name))) exit(2);
    FUNCTIONS(LOOK_UP)
#undef LOOK_UP
    return guest;
}

/* spool: NULL is a queue in memory. */
static inline esales_client *guest_client(const struct guest *guest, const char *spool, const char *delivery) {
    const char *options[][2] = {{"base_url", getenv("ESALES_BASE_URL")}, {"timeout_ms", LONG_MS}, {"enqueue_timeout_ms", LONG_MS},
                                /* Up to 10,000 receipts of delivered notifications use memory too. */
                                {"receipt_retention_s", "0"}, {"delivery", delivery}, {"spool", spool}};
    esales_config *config = NULL;
    esales_client *client = NULL;
    size_t i;
    int32_t code = guest->config_new(&config);
    for (i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i][1] && code == 0) code = guest->config_set(config, options[i][0], options[i][1]);
    if (code == 0) code = guest->client_new(config, &client);
    if (code != 0) fprintf(stderr, "no client: %d %s\n", code, guest->last_error());
    guest->config_free(config);
    return client;
}

/* Prints every accepted id as a line, in one write. The test checks that each arrived at the service. */
static int took(const char *id) {
    char line[140];
    const int length = snprintf(line, sizeof line, "%s\n", id);
    return write(1, line, (size_t)length) == length;
}

enum how { SEND, ENQUEUE };

static int guest_tell(const struct guest *guest, const esales_client *client, enum how how, const char *id) {
    esales_visitor visitor = ESALES_VISITOR_INIT;
    int32_t code;
    visitor.market = "UK";
    visitor.customer_key = "d9528030-509c-4e0f-b585-7168f1e9feca";
    visitor.session_key = "b106299c-eac0-4f6f-96d2-93e57c255784";
    code = (how == SEND ? guest->notify_add_to_cart : guest->enqueue_add_to_cart)(client, &visitor, "t", id, NULL);
    if (code == (how == SEND ? ESALES_DELIVERED : ESALES_QUEUED)) return took(id);
    fprintf(stderr, "%s: %d %s\n", id, code, guest->last_error());
    return 0;
}

static long resident_kib(void) {
    long pages = -1, total = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (!statm || fscanf(statm, "%ld %ld", &total, &pages) != 2) exit(2);
    fclose(statm);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* The number of open descriptors, without the one that is needed to count them. */
static long descriptors(void) {
    long count = -3;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder)) count++;
    closedir(folder);
    return count;
}

static inline void print_flat(void) { fprintf(stderr, "flat: %ld %ld\n", resident_kib(), descriptors()); }

#endif
