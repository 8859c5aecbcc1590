/* Measures dlopen of argv[2] in nanoseconds, BENCH_COUNT times, each in a new process.
 *
 *   load open LIBRARY    the first one: mapping and linking
 *   load again LIBRARY   dlclose and dlopen, as PHP does from page to page
 */
#include <dlfcn.h>
#include <string.h>

#include "sample.h"

static void *open_library(const char *path) {
  void *library = dlopen(path, RTLD_NOW);
  if (!library) fail(dlerror());
  return library;
}

static uint64_t measure(const char *way, const char *path) {
  uint64_t start = now_ns();
  if (strcmp(way, "again") == 0) {
    void *library = open_library(path);
    start = now_ns();
    dlclose(library);
  }
  open_library(path);
  return now_ns() - start;
}

int main(int argc, char **argv) {
  if (argc != 3) fail("usage: load open|again LIBRARY");
  for (long left = number("BENCH_COUNT"); left > 0; left--) {
    int status;
    pid_t child = fork();
    if (child == 0) {
      printf("%llu\n", (unsigned long long)measure(argv[1], argv[2]));
      return 0;
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) fail("a child failed");
  }
  return 0;
}
