/* Forks at each allocation of a thread that uses the library for the first time: without care the child finds what the
 * thread was initialising half-made.
 *
 *   fork_in_allocation   its options are in ESALES_*; prints the ids that were sent, and how many allocations there are
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "guest.h"

/* The allocation at which the thread waits, and how far it is. */
static int wanted;
static int is_waiting, is_forking, has_ended;
static __thread int is_counted, count;

/* A fork that does not wait for the thread is done within the pause. */
static void step(void) {
    const struct timespec pause = {0, 5000000};
    if (!is_counted || ++count != wanted) return;
    __atomic_store_n(&is_waiting, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&is_forking, __ATOMIC_SEQ_CST)) sched_yield();
    nanosleep(&pause, NULL);
}

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *malloc(size_t size) { return step(), __libc_malloc(size); }
void *calloc(size_t number, size_t size) { return step(), __libc_calloc(number, size); }
void *realloc(void *block, size_t size) { return step(), __libc_realloc(block, size); }

static struct guest guest;

static int use(const char *who) {
    esales_client *client = NULL;
    char sent[64], enqueued[64];
    int ok;
    snprintf(sent, sizeof sent, "%s-sent-%d", who, (int)getpid());
    snprintf(enqueued, sizeof enqueued, "%s-%d", who, (int)getpid());
    ok = guest.client_new(NULL, &client) == 0 && guest_tell(&guest, client, SEND, sent)
         && guest_tell(&guest, client, ENQUEUE, enqueued) && guest.client_flush(client, FLUSH_MS, NULL) == 0;
    guest.client_free(client);
    return ok;
}

static void *use_in_thread(void *ok) {
    is_counted = 1;
    *(int *)ok = use("thread");
    is_counted = 0;
    __atomic_store_n(&has_ended, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static int ended_well(pid_t child) {
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* Whether all went well. The process ends with 0 if the thread has fewer allocations than `wanted`. */
static int fork_at_the_wanted_one(void) {
    pthread_t thread;
    int thread_ok = 0, child_ok;
    pid_t child;
    if (pthread_create(&thread, NULL, use_in_thread, &thread_ok)) return 0;
    while (!__atomic_load_n(&is_waiting, __ATOMIC_SEQ_CST)) {
        if (__atomic_load_n(&has_ended, __ATOMIC_SEQ_CST)) exit(0);
        sched_yield();
    }
    __atomic_store_n(&is_forking, 1, __ATOMIC_SEQ_CST);
    child = fork();
    if (child == 0) {
        alarm(CHILD_S / 3);
        _exit(!use("child"));
    }
    child_ok = ended_well(child);
    pthread_join(thread, NULL);
    return thread_ok && child_ok;
}

int main(void) {
    /* The exit codes of one round. */
    enum { WELL = 11, BADLY };
    guest = guest_open();
    for (wanted = 1;; wanted++) {
        int status = -1;
        const pid_t round = fork();
        if (round == 0) {
            alarm(CHILD_S);
            exit(fork_at_the_wanted_one() ? WELL : BADLY);
        }
        if (round < 0 || waitpid(round, &status, 0) != round) return 1;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != WELL)
            return fprintf(stderr, "forked at allocation %d: status %#x\n", wanted, status), 1;
    }
    fprintf(stderr, "allocations: %d\n", wanted - 1);
    return 0;
}
