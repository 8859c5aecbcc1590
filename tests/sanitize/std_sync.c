/* Describes the synchronisation of the Rust standard library to ThreadSanitizer, which cannot see it because std is not
 * instrumented.
 *
 * Most of std's locking is inlined into the library's code, where it is instrumented. The slow paths below are not. The
 * linker puts these functions in front of them (--wrap), and they report what std's documentation promises: the thread
 * that has the lock now has seen everything that was done before the lock was released. tools/sanitize.sh sets the names,
 * which differ between toolchains. All arguments are words in registers. */
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

/* A mutex that another thread held. */
AROUND(MUTEX_LOCK, (void)0, __tsan_acquire((void *)a))
/* Waiting on a condition releases the mutex, which is the second argument, and locks it again. */
AROUND(CONDVAR_WAIT, __tsan_release((void *)b), __tsan_acquire((void *)b))
AROUND(CONDVAR_WAIT_TIMEOUT, __tsan_release((void *)b), __tsan_acquire((void *)b))
/* A value that is made once, by this thread or by a thread for which it has waited. */
AROUND(ONCE_CALL, (void)0, (__tsan_acquire((void *)a), __tsan_release((void *)a)))
