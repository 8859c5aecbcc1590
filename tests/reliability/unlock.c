/* LD_PRELOAD: the first unlock of a directory makes the file $HANG_AT_UNLOCK, and does not return. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

int flock(int descriptor, int operation) {
  const char *path = getenv("HANG_AT_UNLOCK");
  if (path && operation == LOCK_UN) {
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    for (;;) pause();
  }
  return (int)syscall(SYS_flock, descriptor, operation);
}
