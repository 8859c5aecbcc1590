/* Prints how long dlopen of argv[1] takes, in a fresh process each time: minimum and median of 21, and the same for
 * a process that loads nothing. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 21

static double one(const char *path) {
    int fds[2];
    double us = -1;
    if (pipe(fds)) return -1;
    if (fork() == 0) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        if (!dlopen(path, RTLD_NOW)) _exit(1);
        clock_gettime(CLOCK_MONOTONIC, &b);
        us = (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
        _exit(write(fds[1], &us, sizeof us) == sizeof us ? 0 : 1);
    }
    close(fds[1]);
    if (read(fds[0], &us, sizeof us) != sizeof us) us = -1;
    close(fds[0]);
    wait(NULL);
    return us;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    double us[ROUNDS];
    int i;
    if (argc != 2) return 2;
    for (i = 0; i < ROUNDS; i++)
        if ((us[i] = one(argv[1])) < 0) return fprintf(stderr, "cannot load %s\n", argv[1]), 1;
    qsort(us, ROUNDS, sizeof *us, ascending);
    printf("minimum %.0f us, median %.0f us\n", us[0], us[ROUNDS / 2]);
    return 0;
}
