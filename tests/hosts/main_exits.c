/* A host whose main thread ends by pthread_exit. The first argument says who uses the library and what then goes on:
     main     the main thread; no other thread of the host is left
     late     another thread, which ends after the main thread
     delayed  the same, and the threads of the library first run after that
     early    another thread, which ends before the main thread
     bystander  another thread, which ends before the main thread; a third one, which does not use the library, ends last
     handler  the main thread; another one stays, and has a handler for SIGTERM
     waiter   the main thread; another one stays, and waits for SIGTERM, which all threads block
   The second, if there is one, is a signal to be blocked in all threads of the host. Options are those of the environment.
   Says "ready" when the main thread is about to end, and what the host's own thread does about the signal. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <esales_notify.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static sem_t handled;
static volatile sig_atomic_t handler_thread;

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, esales_last_error());
    exit(1);
}

static void use(void) {
    esales_client *client;
    esales_visitor visitor = ESALES_VISITOR_INIT;
    visitor.market = "UK";
    visitor.customer_key = "customer";
    visitor.session_key = "session";
    if (esales_client_new(NULL, &client) < 0) fail("new");
    if (esales_enqueue_add_to_cart(client, &visitor, "ticket", "id", NULL) != ESALES_QUEUED) fail("enqueue");
    /* A thread of the library runs from now on. */
    esales_client_flush(client, 200, NULL);
}

static int thread_id(void) { return (int)syscall(SYS_gettid); }

static int main_thread_has_ended(void) {
    char path[64], text[512] = "";
    FILE *file;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)getpid());
    if (!(file = fopen(path, "r"))) return 0;
    if (!fgets(text, sizeof text, file)) text[0] = 0;
    fclose(file);
    return strstr(text, ") Z ") != NULL;
}

/* The thread whose end the threads that are started later wait for; 0: none. */
static int awaited;

struct delayed {
    void *(*run)(void *);
    void *argument;
};

static void *delayed(void *argument) {
    struct delayed task = *(struct delayed *)argument;
    char path[64];
    free(argument);
    snprintf(path, sizeof path, "/proc/self/task/%d", awaited);
    while (awaited && !access(path, F_OK)) sched_yield();
    return task.run(task.argument);
}

/* The library calls this one, because the program's functions come first. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
        (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");
    struct delayed *task = malloc(sizeof *task);
    task->run = run, task->argument = argument;
    return create(thread, attributes, delayed, task);
}

static void *late(void *delays) {
    while (!main_thread_has_ended()) sched_yield();
    if (delays) awaited = thread_id();
    use();
    puts("ready");
    fflush(stdout);
    return NULL;
}

static void *early(void *unused) {
    use();
    return unused;
}

static void *bystander(void *unused) {
    while (!main_thread_has_ended()) sched_yield();
    puts("ready");
    fflush(stdout);
    return unused;
}

static void on_term(int signal) {
    (void)signal;
    handler_thread = thread_id();
    sem_post(&handled);
}

static void *with_handler(void *unused) {
    (void)unused;
    while (!main_thread_has_ended()) sched_yield();
    puts("ready");
    fflush(stdout);
    while (sem_wait(&handled) != 0 && errno == EINTR) {}
    puts(handler_thread == thread_id() ? "on the host's thread" : "on another thread");
    fflush(stdout);
    _exit(7);
}

static void *waiter(void *set) {
    int signal;
    while (!main_thread_has_ended()) sched_yield();
    puts("ready");
    fflush(stdout);
    sigwait(set, &signal);
    printf("waited for %d\n", signal);
    fflush(stdout);
    _exit(7);
}

int main(int argc, char **argv) {
    static sigset_t set;
    pthread_t thread;
    sem_init(&handled, 0, 0);
    sigemptyset(&set);
    if (!strcmp(argv[1], "waiter")) sigaddset(&set, SIGTERM);
    if (argc > 2) sigaddset(&set, atoi(argv[2]));
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (!strcmp(argv[1], "handler")) signal(SIGTERM, on_term);
    int uses_another = !strcmp(argv[1], "early") || !strcmp(argv[1], "bystander");
    if (uses_another && (pthread_create(&thread, NULL, early, NULL) || pthread_join(thread, NULL))) return 1;
    int is_delayed = !strcmp(argv[1], "delayed"), is_late = is_delayed || !strcmp(argv[1], "late");
    if (!uses_another && !is_late) use();
    if (is_late) pthread_create(&thread, NULL, late, is_delayed ? &set : NULL);
    if (!strcmp(argv[1], "handler")) pthread_create(&thread, NULL, with_handler, NULL);
    if (!strcmp(argv[1], "waiter")) pthread_create(&thread, NULL, waiter, &set);
    if (!strcmp(argv[1], "bystander")) pthread_create(&thread, NULL, bystander, NULL);
    if (!strcmp(argv[1], "main") || !strcmp(argv[1], "early")) puts("ready"), fflush(stdout);
    pthread_exit(NULL);
}
