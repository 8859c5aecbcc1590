/* A C host that loads the library, uses it and lets go of it again, in a loop.
 *
 *   native_load WARM ROUNDS [leak]   prints "flat: KIB DESCRIPTORS" on stderr, after WARM rounds and after each third of the
 *                                    ROUNDS; leak: does not free its clients, as a bad host
 *   native_load threads N ROUNDS     the same rounds on N threads at once, nothing measured
 */
#include <pthread.h>

#include "guest.h"

static int is_leaking;

/* An enqueued notification is in flight when the library is closed, and is delivered nevertheless. */
static int use(int thread, int round) {
    struct guest guest = guest_open();
    esales_client *client = guest_client(&guest, NULL, NULL);
    esales_stats stats = ESALES_STATS_INIT;
    char id[64];
    int ok = client != NULL;
    snprintf(id, sizeof id, "enqueued-%d-%d", thread, round);
    ok = ok && guest_tell(&guest, client, ENQUEUE, id);
    ok = ok && guest.client_stats(client, &stats) == 0 && stats.accepted > 0;
    if (ok && round % 20 == 0) {
        snprintf(id, sizeof id, "sent-%d-%d", thread, round);
        ok = guest_tell(&guest, client, SEND, id) && guest.client_flush(client, FLUSH_MS, NULL) == 0;
    }
    if (!is_leaking) guest.client_free(client);
    return dlclose(guest.module) == 0 && ok;
}

static int rounds;

static void *use_often(void *number) {
    int i;
    for (i = 0; i < rounds; i++)
        if (!use((int)(intptr_t)number, i)) return number ? number : (void *)-1;
    return NULL;
}

static int finish(void) {
    struct guest guest = guest_open();
    esales_client *client = guest_client(&guest, NULL, NULL);
    esales_stats stats = ESALES_STATS_INIT;
    const int32_t code = guest.client_flush(client, FLUSH_MS, &stats);
    if (code != 0 || stats.accepted != stats.delivered) return fprintf(stderr, "not all delivered: %d\n", code), 1;
    guest.client_free(client);
    return 0;
}

int main(int argc, char **argv) {
    int i;
    if (argc == 4 && strcmp(argv[1], "threads") == 0) {
        pthread_t threads[64];
        const int count = atoi(argv[2]);
        void *failed = NULL;
        int bad = count < 1 || count > 64;
        rounds = atoi(argv[3]);
        for (i = 0; !bad && i < count; i++) bad |= pthread_create(&threads[i], NULL, use_often, (void *)(intptr_t)i) != 0;
        for (i = 0; !bad && i < count; i++) bad |= pthread_join(threads[i], &failed) != 0 || failed;
        return bad || finish();
    }
    if (argc < 3) return 2;
    const int warm = atoi(argv[1]);
    rounds = atoi(argv[2]);
    is_leaking = argc > 3;
    for (i = 0; i < warm + rounds; i++) {
        if (i >= warm && (i - warm) % ((rounds + 2) / 3) == 0) print_flat();
        if (!use(0, i)) return 1;
    }
    print_flat();
    return finish();
}
