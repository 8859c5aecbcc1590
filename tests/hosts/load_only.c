/* Loads argv[1] and does nothing with it. The two failing writes mark the place in the output of strace. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void mark(const char *words) {
    if (write(-1, words, 5) != -1) exit(3);
}

int main(int argc, char **argv) {
    /* The loader's small allocations use this memory. */
    free(malloc(65536));
    mark("begin");
    if (argc != 2 || !dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL)) return fprintf(stderr, "%s\n", dlerror()), 1;
    mark("ended");
    return 0;
}
