/* One process at a spool: puts notifications in, or delivers them. Its options are in ESALES_*.
 *
 *   spooler produce PREFIX COUNT [THREADS]   enqueues; prints each accepted id on a line of its own, unbuffered, after
 *                                            the call returned, and to stderr the percentiles of the calls
 *   spooler drain                            delivers until stdin ends, and prints "ready" first
 *   spooler shut [open] [stats]              enqueues one, flushes for 300 ms, frees the client, and prints the milliseconds
 *                                            that each took, and what the enqueue and the flush returned. With "open" it
 *                                            enqueues one before, prints "ready", and goes on when stdin has a line or ends;
 *                                            with "stats" the flush is asked for the numbers too
 *   spooler flood COUNT                      enqueues and prints only the resident memory, in KiB, before and after, and to
 *                                            stderr after each tenth
 *
 * Those that produce and drain write what the library logs as an error to stderr.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "esales_notify.h"

#define TICKET "Oy9keW5hbWljLXBhZ2VzL3N0YXJ0L2VzYWxlcy1zdGFydC0xOyM7cHJvZHVjdF9rZXk7UF8xMjUzODMtMDAxNF9VSzsjOztOT05FOk5PTkU7NjE7"

static esales_client *client;
static const char *prefix;
static int count;
static uint64_t *durations;

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
  return esales_enqueue_add_to_cart(client, &visitor, TICKET, id, NULL);
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
    strcat(line, "\n");
    /* One write a line: a line that a kill cut off was not accepted for sure, and does not count. */
    if (write(1, line, strlen(line)) < 0) exit(2);
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

int main(int argc, char **argv) {
  if (argc >= 2 && (strcmp(argv[1], "produce") == 0 || strcmp(argv[1], "drain") == 0))
    esales_log_to(on_log, NULL, ESALES_LOG_ERROR);
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
    char byte;
    esales_stats stats = ESALES_STATS_INIT;
    if (esales_client_stats(client, &stats) < 0) fail("spool");
    printf("ready\n");
    fflush(stdout);
    while (read(0, &byte, 1) > 0) esales_client_flush(client, 0, NULL);
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
