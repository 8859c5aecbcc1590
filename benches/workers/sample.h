/* The measuring loop of every C worker: makes a call many times, and prints the duration of each in nanoseconds, one per line.
 *
 * The first BENCH_WARMUP calls are not printed. With BENCH_AT (nanoseconds of the monotonic clock) the others start at
 * that time, so that several processes measure together. With BENCH_RATE (calls per second) each call begins at a
 * random time in its slot, so that processes do not synchronise. The start of the first call and the end of the last
 * one are printed on stderr.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAYBE_UNUSED __attribute__((unused))

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

MAYBE_UNUSED static const char *setting(const char *name) {
  const char *value = getenv(name);
  if (!value) fail(name);
  return value;
}

static long number(const char *name) {
  const char *value = getenv(name);
  return value ? atol(value) : 0;
}

static void wait_until(uint64_t due) {
  struct timespec at = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

MAYBE_UNUSED static void sample(void (*one)(void)) {
  long count = number("BENCH_COUNT"), rate = number("BENCH_RATE");
  uint64_t *took = calloc((size_t)count, sizeof *took);
  if (!took) fail("memory");
  for (long i = 0, warmup = number("BENCH_WARMUP"); i < warmup; i++) one();
  srand48(getpid());
  wait_until((uint64_t)number("BENCH_AT"));
  uint64_t begin = now_ns();
  for (long i = 0; i < count; i++) {
    if (rate) wait_until(begin + (uint64_t)(((double)i + drand48()) * 1e9 / (double)rate));
    uint64_t start = now_ns();
    one();
    took[i] = now_ns() - start;
  }
  fprintf(stderr, "%llu %llu\n", (unsigned long long)begin, (unsigned long long)now_ns());
  for (long i = 0; i < count; i++) printf("%llu\n", (unsigned long long)took[i]);
  free(took);
}

/* BENCH_COUNT calls, each the first call of a new process. */
MAYBE_UNUSED static void sample_first(void (*one)(void)) {
  for (long left = number("BENCH_COUNT"); left > 0; left--) {
    int status;
    pid_t child = fork();
    if (child == 0) {
      uint64_t start = now_ns();
      one();
      printf("%llu\n", (unsigned long long)(now_ns() - start));
      exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) fail("a child failed");
  }
}

/* Private memory of this process, in KiB. */
MAYBE_UNUSED static void show_private(void) {
  char line[256];
  long kib, total = 0;
  FILE *rollup = fopen("/proc/self/smaps_rollup", "r");
  if (!rollup) fail("/proc/self/smaps_rollup");
  while (fgets(line, sizeof line, rollup))
    if (sscanf(line, "Private_Clean: %ld", &kib) == 1 || sscanf(line, "Private_Dirty: %ld", &kib) == 1) total += kib;
  fclose(rollup);
  printf("%ld\n", total);
}

#endif
