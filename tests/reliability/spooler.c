/* One process that uses a spool: it enqueues notifications or delivers them. Its options are in ESALES_*.
 *
 *   spooler produce PREFIX COUNT [THREADS]   enqueues; prints each accepted id on a line of its own, unbuffered, after
 *                                            the call returned, and the percentiles of the calls on stderr
 *   spooler try PREFIX COUNT                 the same in one thread, but a refusal does not end it: its message goes to
 *                                            stderr. Then it prints "done", and delivers until stdin ends
 *   spooler drain                            prints "ready" and delivers until stdin ends
 *   spooler shut [open] [stats]              enqueues one, flushes for 300 ms, frees the client, and prints the
 *                                            milliseconds that each took and what the enqueue and the flush returned.
 *                                            With "open" it first enqueues another, prints "ready", and waits for a
 *                                            line on stdin or its end; with "stats" the flush fills in the counters too
 *   spooler flood COUNT                      enqueues and prints only the resident memory, in KiB, before and after,
 *                                            and on stderr after each tenth
 *   spooler child fork|clone                 delivers; for each line on stdin it makes a child that only sleeps, by
 *                                            fork or by the bare system call, and prints the child's process id
 *   spooler children fork|clone COUNT        enqueues from four threads while the main thread makes fifty such children,
 *                                            and ends them; prints the longest call in milliseconds, and how many were
 *                                            accepted
 *   spooler flush COUNT                      while another thread hangs in fflush(NULL): makes a client, enqueues,
 *                                            and prints the milliseconds that this took
 *
 * SPOOLER_TICKET is the length of the ticket in bytes, if it is set; SPOOLER_PAUSE_US a pause after each event. With
 * SPOOLER_PAYMENTS each event is a payment of one line, whose product key is the id. produce, try, drain and child write
 * what the library logs as an error to stderr.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "esales_notify.h"

#define TICKET "Oy9keW5hbWljLXBhZ2VzL3N0YXJ0L2VzYWxlcy1zdGFydC0xOyM7cHJvZHVjdF9rZXk7UF8xMjUzODMtMDAxNF9VSzsjOztOT05FOk5PTkU7NjE7"

static esales_client *client;
static const char *ticket = TICKET;
static useconds_t pause_us;
static int is_payment;
static const char *prefix;
static int count;
static uint64_t *durations;
/* Prints no ids on stdout. */
static int quiet;

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, esales_last_error());
  exit(1);
}

static void on_log(void *user_data, int32_t level, const char *message) {
  (void)user_data;
  (void)level;
  fprintf(stderr, "log: %s\n", message);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int enqueue(const char *id) {
  esales_visitor visitor = ESALES_VISITOR_INIT;
  visitor.market = "UK";
  visitor.customer_key = "d9528030-509c-4e0f-b585-7168f1e9feca";
  visitor.session_key = "b106299c-eac0-4f6f-96d2-93e57c255784";
  if (is_payment) {
    esales_line line = ESALES_LINE_INIT;
    esales_notification payment = ESALES_NOTIFICATION_INIT;
    line.quantity = 1;
    line.product_key = id;
    line.selling_price = "199.50";
    payment.kind = ESALES_PAYMENT;
    payment.id = id;
    payment.lines = &line;
    payment.line_count = 1;
    return esales_enqueue(client, &visitor, &payment, NULL);
  }
  return esales_enqueue_add_to_cart(client, &visitor, ticket, id, NULL);
}

struct part {
  int from, to;
};

static void *produce(void *argument) {
  struct part *part = argument;
  char line[160];
  for (int i = part->from; i < part->to; i++) {
    snprintf(line, sizeof line, "%s-%d", prefix, i);
    uint64_t start = now_ns();
    int status = enqueue(line);
    durations[i] = now_ns() - start;
    if (status != ESALES_QUEUED) fail(line);
    if (quiet) continue;
    strcat(line, "\n");
    /* Each line is one write. A line that a kill cut off does not count, because its notification may not have been
     * accepted. */
    if (write(1, line, strlen(line)) < 0) exit(2);
    if (pause_us) usleep(pause_us);
  }
  return NULL;
}

static int ascending(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static long resident_kib(void) {
  long pages = 0, total = 0;
  FILE *statm = fopen("/proc/self/statm", "r");
  if (!statm || fscanf(statm, "%ld %ld", &total, &pages) != 2) exit(2);
  fclose(statm);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Makes a ticket of this many bytes. */
static void set_ticket(size_t length) {
  char *text = malloc(length + 1);
  if (!text) exit(2);
  memset(text, 'x', length);
  text[length] = 0;
  ticket = text;
}

static int is_called(const char *name, int argc, char **argv) {
  return argc >= 2 && strcmp(argv[1], name) == 0;
}

static void wait_for_end_of_stdin(void) {
  char byte;
  while (read(0, &byte, 1) > 0) esales_client_flush(client, 0, NULL);
}

static pid_t sleeping_child(int is_bare) {
  pid_t child = is_bare ? (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, 0, 0, 0, 0) : fork();
  if (child == 0) {
    for (;;) pause();
  }
  if (child < 0) exit(2);
  return child;
}

static void make_child(int is_bare) {
  char line[32];
  snprintf(line, sizeof line, "%d\n", (int)sleeping_child(is_bare));
  if (write(1, line, strlen(line)) < 0) exit(2);
}

static int bare_children;

/* Makes children until stdin ends. */
static void *make_children(void *argument) {
  char byte;
  (void)argument;
  while (read(0, &byte, 1) > 0) make_child(bare_children);
  return NULL;
}

static FILE *full;
static int flushing;

static void *flush_all(void *argument) {
  (void)argument;
  __atomic_store_n(&flushing, 1, __ATOMIC_SEQ_CST);
  fflush(NULL);
  exit(3);
}

/* Leaves a thread hanging in fflush(NULL), which holds the lock of the C library's streams. */
static void hang_in_fflush(void) {
  int ends[2];
  pthread_t thread;
  if (pipe(ends) || !(full = fdopen(ends[1], "w"))) exit(2);
  /* More bytes than a pipe can hold. */
  fcntl(ends[1], F_SETPIPE_SZ, 4096);
  static char buffer[1 << 17];
  setvbuf(full, buffer, _IOFBF, sizeof buffer);
  for (size_t i = 0; i < sizeof buffer / 2; i++) fputc('x', full);
  if (pthread_create(&thread, NULL, flush_all, NULL)) exit(2);
  while (!__atomic_load_n(&flushing, __ATOMIC_SEQ_CST)) sched_yield();
  /* Waits until the thread sleeps in the write. */
  for (;;) {
    int waiting = 0;
    if (ioctl(ends[0], FIONREAD, &waiting) == 0 && waiting >= 4096) break;
    sched_yield();
  }
}

int main(int argc, char **argv) {
  uint64_t began = now_ns();
  char *length = getenv("SPOOLER_TICKET");
  char *pause_length = getenv("SPOOLER_PAUSE_US");
  if (length) set_ticket((size_t)atoi(length));
  is_payment = getenv("SPOOLER_PAYMENTS") != NULL;
  if (pause_length) pause_us = (useconds_t)atoi(pause_length);
  if (is_called("produce", argc, argv) || is_called("try", argc, argv) || is_called("drain", argc, argv) ||
      is_called("child", argc, argv))
    esales_log_to(on_log, NULL, ESALES_LOG_ERROR);
  if (is_called("flush", argc, argv)) {
    hang_in_fflush();
    began = now_ns();
  }
  if (is_called("child", argc, argv) && argc >= 3) {
    /* In a separate thread, because the first thread may hang in the library. */
    pthread_t thread;
    bare_children = strcmp(argv[2], "clone") == 0;
    if (pthread_create(&thread, NULL, make_children, NULL)) exit(2);
  }
  if (esales_client_new(NULL, &client) < 0) fail("client");
  if (argc >= 4 && strcmp(argv[1], "produce") == 0) {
    int threads = argc > 4 ? atoi(argv[4]) : 1;
    prefix = argv[2];
    count = atoi(argv[3]);
    durations = calloc((size_t)count, sizeof *durations);
    pthread_t thread[64];
    struct part part[64];
    uint64_t start = now_ns();
    for (int t = 0; t < threads; t++) {
      part[t].from = count * t / threads;
      part[t].to = count * (t + 1) / threads;
      if (pthread_create(&thread[t], NULL, produce, &part[t])) exit(2);
    }
    for (int t = 0; t < threads; t++) pthread_join(thread[t], NULL);
    uint64_t elapsed = now_ns() - start;
    qsort(durations, (size_t)count, sizeof *durations, ascending);
    fprintf(stderr, "%d %llu %llu %llu %llu\n", count, (unsigned long long)(elapsed / 1000),
            (unsigned long long)(durations[count / 2] / 1000), (unsigned long long)(durations[count * 99 / 100] / 1000),
            (unsigned long long)(durations[count - 1] / 1000));
  } else if (argc >= 2 && strcmp(argv[1], "drain") == 0) {
    esales_stats stats = ESALES_STATS_INIT;
    if (esales_client_stats(client, &stats) < 0) fail("spool");
    printf("ready\n");
    fflush(stdout);
    wait_for_end_of_stdin();
  } else if (argc >= 4 && is_called("try", argc, argv)) {
    char line[160];
    for (int i = 0; i < atoi(argv[3]); i++) {
      snprintf(line, sizeof line, "%s-%d", argv[2], i);
      if (enqueue(line) != ESALES_QUEUED) {
        fprintf(stderr, "%s: %s\n", line, esales_last_error());
        continue;
      }
      strcat(line, "\n");
      if (write(1, line, strlen(line)) < 0) exit(2);
    }
    if (write(1, "done\n", 5) < 0) exit(2);
    wait_for_end_of_stdin();
  } else if (argc >= 3 && is_called("child", argc, argv)) {
    esales_stats stats = ESALES_STATS_INIT;
    if (esales_client_stats(client, &stats) < 0) fail("spool");
    printf("ready\n");
    fflush(stdout);
    for (;;) pause();
  } else if (argc >= 4 && is_called("children", argc, argv)) {
    pid_t child[50];
    pthread_t thread[4];
    struct part part[4];
    prefix = "c";
    count = atoi(argv[3]);
    durations = calloc((size_t)count, sizeof *durations);
    quiet = 1;
    for (int t = 0; t < 4; t++) {
      part[t].from = count * t / 4;
      part[t].to = count * (t + 1) / 4;
      if (pthread_create(&thread[t], NULL, produce, &part[t])) exit(2);
    }
    for (int i = 0; i < 50; i++) child[i] = sleeping_child(strcmp(argv[2], "clone") == 0);
    for (int t = 0; t < 4; t++) pthread_join(thread[t], NULL);
    for (int i = 0; i < 50; i++) kill(child[i], SIGKILL);
    qsort(durations, (size_t)count, sizeof *durations, ascending);
    printf("%d %d\n", (int)(durations[count - 1] / 1000000), count);
  } else if (argc >= 3 && is_called("flush", argc, argv)) {
    char line[32];
    for (int i = 0; i < atoi(argv[2]); i++)
      if (enqueue(NULL) != ESALES_QUEUED) _exit(4);
    snprintf(line, sizeof line, "%d\n", (int)((now_ns() - began) / 1000000));
    _exit(write(1, line, strlen(line)) < 0);
  } else if (argc >= 2 && strcmp(argv[1], "shut") == 0) {
    esales_stats stats = ESALES_STATS_INIT, *asked = NULL;
    uint64_t start, enqueued, flushed, freed;
    int accepted, status;
    char byte;
    for (int i = 2; i < argc; i++) {
      if (strcmp(argv[i], "stats") == 0) asked = &stats;
      if (strcmp(argv[i], "open") == 0) {
        if (enqueue("before") != ESALES_QUEUED) fail("before");
        printf("ready\n");
        fflush(stdout);
        if (read(0, &byte, 1) < 0) exit(2);
      }
    }
    start = now_ns();
    accepted = enqueue("shut");
    enqueued = now_ns();
    status = esales_client_flush(client, 300, asked);
    flushed = now_ns();
    esales_client_free(client);
    freed = now_ns();
    printf("%d %d %d %s %s\n", (int)((enqueued - start) / 1000000), (int)((flushed - enqueued) / 1000000),
           (int)((freed - flushed) / 1000000), esales_status_name(accepted), esales_status_name(status));
    return 0;
  } else if (argc >= 3 && strcmp(argv[1], "flood") == 0) {
    count = atoi(argv[2]);
    char id[32];
    for (int i = 0; i < 20000; i++) enqueue("warm");
    long before = resident_kib();
    for (int i = 0; i < count; i++) {
      snprintf(id, sizeof id, "%d", i);
      int status = enqueue(id);
      if (status != ESALES_QUEUED && status != ESALES_QUEUE_FULL) fail(id);
      if ((i + 1) % (count / 10) == 0) fprintf(stderr, "%ld\n", resident_kib());
    }
    esales_stats stats = ESALES_STATS_INIT;
    if (esales_client_stats(client, &stats) < 0) fail("stats");
    printf("%ld %ld %llu %llu %llu\n", before, resident_kib(), (unsigned long long)stats.accepted,
           (unsigned long long)(stats.delivered + stats.dead + stats.expired + stats.dropped + stats.pending),
           (unsigned long long)stats.process_refused);
  } else {
    return 2;
  }
  esales_client_free(client);
  return 0;
}
