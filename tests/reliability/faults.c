/* LD_PRELOAD: system calls on files whose path contains $FAULT_FILES fail.
 *
 *   FAULT_CALL    which: a name of the table below
 *   FAULT_ERRNO   with which number; "short" writes half instead
 *   FAULT_FROM    from which of these calls on, counted from 1
 *   FAULT_COUNT   how many of them; -1: all
 *   FAULT_LIFTED  none any more as soon as there is a file of this name
 *   FAULT_HITS    a file that gets one byte for each call that failed
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NO_FAULT, FAULT, SHORT };

static int matching;

static int fault(const char *call, const char *path) {
  const char *wanted = getenv("FAULT_CALL"), *files = getenv("FAULT_FILES"), *lifted = getenv("FAULT_LIFTED");
  if (!wanted || !files || !path || strcmp(wanted, call) != 0 || !strstr(path, files)) return NO_FAULT;
  int saved = errno;
  if (lifted && syscall(SYS_faccessat, AT_FDCWD, lifted, F_OK) == 0) return errno = saved, NO_FAULT;
  int number = __atomic_add_fetch(&matching, 1, __ATOMIC_SEQ_CST);
  int from = atoi(getenv("FAULT_FROM")), count = atoi(getenv("FAULT_COUNT"));
  errno = saved;
  if (number < from || (count >= 0 && number >= from + count)) return NO_FAULT;
  int hits = (int)syscall(SYS_openat, AT_FDCWD, getenv("FAULT_HITS"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  syscall(SYS_write, hits, "x", 1);
  syscall(SYS_close, hits);
  const char *code = getenv("FAULT_ERRNO");
  if (strcmp(code, "short") == 0) return errno = saved, SHORT;
  errno = atoi(code);
  return FAULT;
}

static int fault_at(const char *call, int descriptor) {
  char link[64], path[4096];
  if (!getenv("FAULT_CALL") || strcmp(getenv("FAULT_CALL"), call) != 0) return NO_FAULT;
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  int saved = errno;
  ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
  errno = saved;
  if (length < 0) return NO_FAULT;
  path[length] = 0;
  return fault(call, path);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int opened(const char *path, int flags, mode_t mode) {
  if (fault(flags & O_CREAT ? "create" : "open", path)) return -1;
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return opened(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return opened(path, flags, mode);
}

ssize_t read(int descriptor, void *buffer, size_t length) {
  if (fault_at("read", descriptor)) return -1;
  return syscall(SYS_read, descriptor, buffer, length);
}

ssize_t pread64(int descriptor, void *buffer, size_t length, off64_t offset) {
  int found = fault_at("pread", descriptor);
  if (found == FAULT) return -1;
  return syscall(SYS_pread64, descriptor, buffer, found == SHORT ? (length + 1) / 2 : length, offset);
}

ssize_t write(int descriptor, const void *buffer, size_t length) {
  int found = fault_at("write", descriptor);
  if (found == FAULT) return -1;
  return syscall(SYS_write, descriptor, buffer, found == SHORT ? length / 2 : length);
}

ssize_t pwrite64(int descriptor, const void *buffer, size_t length, off64_t offset) {
  int found = fault_at("pwrite", descriptor);
  if (found == FAULT) return -1;
  return syscall(SYS_pwrite64, descriptor, buffer, found == SHORT ? (length + 1) / 2 : length, offset);
}

int fsync(int descriptor) {
  return fault_at("fsync", descriptor) ? -1 : (int)syscall(SYS_fsync, descriptor);
}

int fdatasync(int descriptor) {
  return fault_at("fdatasync", descriptor) ? -1 : (int)syscall(SYS_fdatasync, descriptor);
}

int rename(const char *from, const char *to) {
  return fault("rename", to) ? -1 : (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int unlink(const char *path) {
  return fault("unlink", path) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int mkdir(const char *path, mode_t mode) {
  return fault("mkdir", path) ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int chmod(const char *path, mode_t mode) {
  return fault("chmod", path) ? -1 : (int)syscall(SYS_fchmodat, AT_FDCWD, path, mode);
}

int flock(int descriptor, int operation) {
  return fault_at("flock", descriptor) ? -1 : (int)syscall(SYS_flock, descriptor, operation);
}

int fcntl(int descriptor, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  int is_lock = command == F_OFD_SETLK || command == F_OFD_SETLKW || command == F_OFD_GETLK;
  if (is_lock && fault_at("lock", descriptor)) return -1;
  return (int)syscall(SYS_fcntl, descriptor, command, argument);
}

int fstat64(int descriptor, struct stat64 *found) {
  return fault_at("stat", descriptor) ? -1 : NEXT(fstat64)(descriptor, found);
}

int stat64(const char *path, struct stat64 *found) {
  return fault("stat", path) ? -1 : NEXT(stat64)(path, found);
}

int lstat64(const char *path, struct stat64 *found) {
  return fault("stat", path) ? -1 : NEXT(lstat64)(path, found);
}

int statx(int folder, const char *restrict path, int flags, unsigned int mask, struct statx *restrict found) {
  /* The compiler takes it that there is a path: the standard library of Rust asks without one. */
  const char *volatile given = path;
  int failed = given && *given ? fault("stat", path) : fault_at("stat", folder);
  return failed ? -1 : (int)syscall(SYS_statx, folder, path, flags, mask, found);
}

int fstatfs(int descriptor, struct statfs *found) {
  return fault_at("statfs", descriptor) ? -1 : (int)syscall(SYS_fstatfs, descriptor, found);
}

DIR *opendir(const char *path) {
  return fault("opendir", path) ? NULL : NEXT(opendir)(path);
}

struct dirent64 *readdir64(DIR *folder) {
  return fault_at("readdir", dirfd(folder)) ? NULL : NEXT(readdir64)(folder);
}
