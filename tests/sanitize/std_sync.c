/* What the Rust standard library does where ThreadSanitizer cannot see it: std comes compiled, without it.
 *
 * Most of std's locking is inlined into our code and seen there. What is not are the slow paths below. The linker puts
 * these functions in front of them (--wrap), and they say what std's documentation promises: who has the lock now has
 * seen what was done before it was let go. The names, which differ from toolchain to toolchain, are given by
 * tools/sanitize.sh. All arguments are words in registers. */
#include <stdint.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

typedef uintptr_t word;
#define JOIN(a, b) a##b
#define NAME(prefix, function) JOIN(prefix, function)
#define AROUND(function, before, after)                                                                                \
    word NAME(__real_, function)(word a, word b, word c, word d, word e, word f);                                      \
    word NAME(__wrap_, function)(word a, word b, word c, word d, word e, word f) {                                     \
        word result;                                                                                                   \
        before;                                                                                                        \
        result = NAME(__real_, function)(a, b, c, d, e, f);                                                            \
        after;                                                                                                         \
        return result;                                                                                                 \
    }

/* A mutex that somebody else held. */
AROUND(MUTEX_LOCK, (void)0, __tsan_acquire((void *)a))
/* Waiting on a condition lets go of the mutex, the second argument, and takes it again. */
AROUND(CONDVAR_WAIT, __tsan_release((void *)b), __tsan_acquire((void *)b))
AROUND(CONDVAR_WAIT_TIMEOUT, __tsan_release((void *)b), __tsan_acquire((void *)b))
/* What is made once: by this thread, or by one that it has waited for. */
AROUND(ONCE_CALL, (void)0, (__tsan_acquire((void *)a), __tsan_release((void *)a)))
