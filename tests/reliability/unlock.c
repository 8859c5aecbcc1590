/* LD_PRELOAD: the first unlock of a file makes the file $HANG_AT_UNLOCK, and does not return. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int fcntl(int descriptor, int command, ...) {
  const char *path = getenv("HANG_AT_UNLOCK");
  va_list rest;
  va_start(rest, command);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  if (path && command == F_OFD_SETLK && ((struct flock *)argument)->l_type == F_UNLCK) {
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    for (;;) pause();
  }
  return (int)syscall(SYS_fcntl, descriptor, command, argument);
}
