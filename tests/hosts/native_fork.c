/* A C host with busy threads that forks in every way. ESALES_BASE_URL is the service.
 *
 *   native_fork forks WARM ROUNDS SPOOL [leak]   prints "flat: KIB DESCRIPTORS" of the parent on stderr, after WARM rounds and
 *                                           after each third of the ROUNDS; leak: keeps something of each round, as a bad host
 *   native_fork daemon SPOOL|- REPORT       a daemon is made of a process that used the library; it ends its report with "done"
 *   native_fork first ROUNDS LONGEST_US SEED  forks at a random moment of the first use; its options are in ESALES_*
 *   native_fork worker                      the child of a process with all rights gives them up; its options are in ESALES_*
 *   native_fork resolve ROUNDS              forks while other threads look names up; its options are in ESALES_*
 *   native_fork fds                         what an exec'd program finds open beyond 0, 1 and 2
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "guest.h"

static struct guest guest;
/* The clients: a queue in memory, a spool that this process delivers, and the same spool without delivery. */
static esales_client *memory, *file, *others;

static int tell(const esales_client *client, enum how how, const char *who, int number) {
    char id[96];
    snprintf(id, sizeof id, "%s-%d", who, number);
    return guest_tell(&guest, client, how, id);
}

static int ended_well(pid_t child) {
    int status = -1;
    const pid_t ended = waitpid(child, &status, 0);
    if (child > 0 && ended == child && status == 0) return 1;
    fprintf(stderr, "child %d: waitpid %d, status %#x\n", (int)child, (int)ended, status);
    return 0;
}

/* Sends and enqueues with the inherited clients and with a new one. */
static int use_all(const char *who, int number) {
    esales_stats stats = ESALES_STATS_INIT;
    char own_name[64];
    esales_client *own = NULL;
    int ok = tell(memory, SEND, who, number * 10) && tell(memory, ENQUEUE, who, number * 10 + 1);
    ok = ok && tell(file, ENQUEUE, who, number * 10 + 2) && tell(others, ENQUEUE, who, number * 10 + 3);
    snprintf(own_name, sizeof own_name, "%s-own", who);
    ok = ok && (own = guest_client(&guest, NULL, NULL)) && tell(own, ENQUEUE, own_name, number);
    /* A queue in memory ends with the process, so it is flushed; a spool is not. */
    ok = ok && guest.client_flush(memory, FLUSH_MS, &stats) == 0 && stats.process_accepted == stats.process_delivered;
    /* The child's queue contains no notification of the parent. */
    ok = ok && stats.process_accepted <= 10;
    guest.client_free(own);
    return ok;
}

static int in_thread_ok;

static void *use_in_thread(void *number) {
    in_thread_ok = use_all("thread", (int)(intptr_t)number);
    return NULL;
}

static void child_life(int kind, int number) {
    int ok = 1;
    alarm(CHILD_S);
    if (kind == 1) { /* double fork */
        const pid_t grandchild = fork();
        if (grandchild == 0) {
            alarm(CHILD_S);
            _exit(!use_all("grandchild", number));
        }
        _exit(!(tell(memory, SEND, "between", number) && ended_well(grandchild)));
    }
    if (kind == 2) { /* exec at once, and after use */
        if (number / 12 % 2) ok = use_all("before-exec", number);
        if (ok) execl("/proc/self/exe", "native_fork", "fds", (char *)NULL);
        _exit(3);
    }
    if (kind == 3) { /* threads of its own */
        pthread_t thread;
        ok = pthread_create(&thread, NULL, use_in_thread, (void *)(intptr_t)number) == 0 && tell(memory, SEND, "beside", number);
        ok = ok && pthread_join(thread, NULL) == 0 && in_thread_ok;
        _exit(!ok);
    }
    ok = use_all("child", number);
    guest.client_free(memory), guest.client_free(file), guest.client_free(others);
    if (kind == 4) exit(!ok); /* the regular end: atexit and all */
    _exit(!ok);
}

struct forking {
    int kind, number, ok;
};

static void *fork_and_wait(void *argument) {
    struct forking *forking = argument;
    const pid_t child = fork();
    if (child == 0) child_life(forking->kind, forking->number);
    forking->ok = ended_well(child);
    return NULL;
}

static int should_stop, should_hold, held, went_wrong;
/* The number of iterations of each thread, because a fork must not happen before a thread has begun. */
static int turns[4];

static void pause_a_little(void) {
    const struct timespec little = {0, 300000};
    nanosleep(&little, NULL);
}

/* Called between two iterations; waits while the parent is measured. */
static int may_go_on(void) {
    if (__atomic_load_n(&should_hold, __ATOMIC_SEQ_CST)) {
        __atomic_add_fetch(&held, 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&should_hold, __ATOMIC_SEQ_CST)) pause_a_little();
        __atomic_sub_fetch(&held, 1, __ATOMIC_SEQ_CST);
    }
    return !__atomic_load_n(&should_stop, __ATOMIC_RELAXED);
}

static void *send_on(void *unused) {
    int i;
    for (i = 0; may_go_on(); i++, turns[0] = i) {
        if (!tell(memory, SEND, "parent-sent", i)) went_wrong = 1;
        pause_a_little();
    }
    return unused;
}

/* Limits the pending notifications, which use memory, however slow the machine is. */
static int has_much_to_deliver(const esales_client *client) {
    esales_stats stats = ESALES_STATS_INIT;
    return guest.client_stats(client, &stats) != 0 || stats.pending > 200;
}

static void *enqueue_on(void *unused) {
    int i;
    for (i = 0; may_go_on(); i++, turns[1] = i) {
        const esales_client *client = i % 2 ? memory : file;
        if (!has_much_to_deliver(client) && !tell(client, ENQUEUE, "parent-enqueued", i)) went_wrong = 1;
        pause_a_little();
    }
    return unused;
}

static void *make_clients_on(void *number) {
    const int n = (int)(intptr_t)number;
    int i;
    for (i = 0; may_go_on(); i++, turns[n] = i) {
        esales_client *client = NULL;
        /* Reads the environment. */
        if (guest.client_new(NULL, &client) != 0) went_wrong = 1;
        guest.client_free(client);
        if (i % 8 == 0) pause_a_little();
    }
    return NULL;
}

/* Then nothing is in flight or pending. */
static int measure(void) {
    int ok;
    __atomic_store_n(&should_hold, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&held, __ATOMIC_SEQ_CST) < 4) pause_a_little();
    ok = guest.client_flush(memory, FLUSH_MS, NULL) == 0 && guest.client_flush(file, FLUSH_MS, NULL) == 0;
    if (ok) print_flat();
    __atomic_store_n(&should_hold, 0, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&held, __ATOMIC_SEQ_CST) > 0) pause_a_little();
    return ok;
}

static int forks(int warm, int rounds, const char *spool, int is_leaking) {
    pthread_t threads[4], forker;
    esales_stats stats = ESALES_STATS_INIT;
    int i;
    memory = guest_client(&guest, NULL, NULL);
    file = guest_client(&guest, spool, "background");
    others = guest_client(&guest, spool, "none");
    if (!memory || !file || !others) return 1;
    if (pthread_create(&threads[0], NULL, send_on, NULL) || pthread_create(&threads[1], NULL, enqueue_on, NULL)) return 2;
    for (i = 2; i < 4; i++)
        if (pthread_create(&threads[i], NULL, make_clients_on, (void *)(intptr_t)i)) return 2;
    for (i = 0; i < 4; i++)
        while (__atomic_load_n(&turns[i], __ATOMIC_RELAXED) == 0) pause_a_little();
    for (i = 0; i < warm + rounds; i++) {
        struct forking forking = {i % 6, i, 0};
        if (i >= warm && (i - warm) % ((rounds + 2) / 3) == 0 && !measure()) return 1;
        if (is_leaking && i >= warm && (fcntl(0, F_DUPFD_CLOEXEC, 3) < 0 || !memset(malloc(8192), 1, 8192))) return 2;
        if (i / 6 % 2 == 0) {
            fork_and_wait(&forking);
        } else { /* from a thread, and while another fork may be under way */
            if (pthread_create(&forker, NULL, fork_and_wait, &forking)) return 2;
            pthread_join(forker, NULL);
        }
        if (!forking.ok) return fprintf(stderr, "round %d\n", i), 1;
    }
    if (!measure()) return 1;
    __atomic_store_n(&should_stop, 1, __ATOMIC_RELAXED);
    for (i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    if (guest.client_flush(memory, FLUSH_MS, &stats) != 0 || stats.accepted != stats.delivered) return 1;
    if (guest.client_flush(file, FLUSH_MS, &stats) != 0 || stats.accepted != stats.delivered) return 1;
    /* No zombie, and no child of another part of the program. */
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) return fprintf(stderr, "a child is left\n"), 1;
    return went_wrong;
}

static int daemonise(const char *spool, const char *report) {
    pid_t child;
    FILE *out;
    int ok, fd;
    memory = guest_client(&guest, NULL, NULL);
    file = guest_client(&guest, spool, NULL);
    others = guest_client(&guest, spool, spool ? "none" : NULL);
    if (!use_all("before", 0) || guest.client_flush(file, FLUSH_MS, NULL) != 0) return 1;
    child = fork();
    if (child != 0) return !ended_well(child);
    if (setsid() < 0) _exit(4);
    if (fork() != 0) exit(0);
    for (fd = 0; fd < 1024; fd++) close(fd);
    /* The ids are written to the report instead of stdout. */
    if (open("/dev/null", O_RDONLY) != 0 || open(report, O_WRONLY | O_CREAT | O_APPEND, 0600) != 1 || dup(1) != 2) _exit(5);
    alarm(CHILD_S);
    ok = use_all("daemon", 1) && use_all("daemon", 2);
    ok = ok && guest.client_flush(file, FLUSH_MS, NULL) == 0;
    out = fdopen(1, "a");
    fprintf(out, "%s\n", ok ? "done" : "failed");
    fclose(out);
    _exit(0);
}

static void *first_use(void *result) {
    esales_client *client = NULL;
    const int ok = guest.client_new(NULL, &client) == 0 && tell(client, ENQUEUE, "first", (int)getpid()) &&
                   tell(client, SEND, "first-sent", (int)getpid()) && guest.client_flush(client, FLUSH_MS, NULL) == 0;
    guest.client_free(client);
    *(int *)result = ok;
    return NULL;
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Waits for a child that ends itself by its alarm if it hangs; shows before where it hangs. */
static int ended_in_time(pid_t child) {
    const uint64_t late = now_ns() + (CHILD_S / 3 - 8) * 1000000000ull;
    const struct timespec pause = {0, 200000};
    siginfo_t ended = {0};
    char command[128];
    while (now_ns() < late && waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0)
        nanosleep(&pause, NULL);
    if (ended.si_pid == 0) {
        snprintf(command, sizeof command, "gdb -p %d -batch -ex 'thread apply all backtrace 20' >&2", (int)child);
        if (system(command) != 0) fprintf(stderr, "the child hangs, and gdb does not show where\n");
    }
    return ended_well(child);
}

/* A child uses the library for the first time while it forks; this process never uses it. */
static int first(int rounds, uint64_t longest_ns, unsigned seed) {
    int i;
    srandom(seed);
    for (i = 0; i < rounds; i++) {
        const uint64_t delay = (uint64_t)random() % longest_ns;
        const pid_t child = fork();
        if (child == 0) {
            pthread_t thread;
            int user_ok = 0, child_ok = 0;
            const uint64_t start = now_ns();
            pid_t grandchild;
            alarm(CHILD_S);
            if (pthread_create(&thread, NULL, first_use, &user_ok)) _exit(2);
            while (now_ns() - start < delay) continue;
            grandchild = fork();
            if (grandchild == 0) {
                alarm(CHILD_S / 3);
                first_use(&child_ok);
                _exit(!child_ok);
            }
            child_ok = ended_in_time(grandchild);
            pthread_join(thread, NULL);
            _exit(!(user_ok && child_ok));
        }
        if (!ended_well(child)) return fprintf(stderr, "round %d, forked after %llu ns\n", i, (unsigned long long)delay), 1;
    }
    return 0;
}

static int worker(void) {
    pid_t child;
    if (guest.client_new(NULL, &memory) != 0 || !tell(memory, SEND, "master", 0)) return 1;
    child = fork();
    if (child == 0) {
        esales_client *own = NULL;
        int ok;
        alarm(CHILD_S);
        /* Root becomes the user nobody. Any other user removes its own right to read the file. */
        if (getuid() == 0 ? setgid(65534) != 0 || setuid(65534) != 0 : chmod(getenv("ESALES_CA_FILE"), 0) != 0) _exit(2);
        if (access(getenv("ESALES_CA_FILE"), R_OK) == 0) _exit(3);
        ok = tell(memory, SEND, "worker", 0) && tell(memory, ENQUEUE, "worker", 1);
        ok = ok && guest.client_flush(memory, FLUSH_MS, NULL) == 0;
        if (ok && guest.client_new(NULL, &own) != 0) fprintf(stderr, "no client: %s\n", guest.last_error()), ok = 0;
        _exit(!(ok && tell(own, SEND, "worker", 2)));
    }
    return !ended_well(child);
}

static void *look_up_on(void *unused) {
    int i;
    for (i = 0; !__atomic_load_n(&should_stop, __ATOMIC_RELAXED); i++)
        if (!tell(memory, SEND, "looked-up", (int)(intptr_t)unused * 1000000 + i)) went_wrong = 1;
        else turns[(intptr_t)unused] = i + 1;
    return NULL;
}

/* The exit code of a child whose call ended in time, but without an address: glibc's getaddrinfo has locks that a fork
 * does not release, for example while it lists the network interfaces. */
#define UNABLE 3

static int resolve(int rounds) {
    pthread_t threads[4];
    int i, unable = 0;
    if (guest.client_new(NULL, &memory) != 0) return 1;
    for (i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, look_up_on, (void *)(intptr_t)i)) return 2;
    for (i = 0; i < 4; i++)
        while (__atomic_load_n(&turns[i], __ATOMIC_RELAXED) == 0 && !went_wrong) pause_a_little();
    for (i = 0; i < rounds; i++) {
        int status = -1;
        const pid_t child = fork();
        if (child == 0) {
            alarm(CHILD_S);
            if (tell(memory, SEND, "child", i)) _exit(0);
            _exit(strstr(guest.last_error(), "looking up") ? UNABLE : 1);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)
            || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != UNABLE))
            return fprintf(stderr, "round %d: status %#x\n", i, status), 1;
        unable += WEXITSTATUS(status) == UNABLE;
    }
    fprintf(stderr, "unable: %d\n", unable);
    __atomic_store_n(&should_stop, 1, __ATOMIC_RELAXED);
    for (i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    return went_wrong;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "fds") == 0) {
        const long extra = descriptors() - 3;
        if (extra) fprintf(stderr, "%ld descriptors leaked to an exec'd program\n", extra);
        return extra != 0;
    }
    guest = guest_open();
    if (strcmp(what, "forks") == 0 && argc >= 5) return forks(atoi(argv[2]), atoi(argv[3]), argv[4], argc > 5);
    if (strcmp(what, "daemon") == 0 && argc == 4) return daemonise(strcmp(argv[2], "-") ? argv[2] : NULL, argv[3]);
    if (strcmp(what, "first") == 0 && argc == 5)
        return first(atoi(argv[2]), strtoull(argv[3], NULL, 10) * 1000, (unsigned)atoi(argv[4]));
    if (strcmp(what, "worker") == 0 && argc == 2) return worker();
    if (strcmp(what, "resolve") == 0 && argc == 3) return resolve(atoi(argv[2]));
    return 2;
}
