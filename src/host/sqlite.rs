//! SQLite across fork. The copy that is meant is linked into this library and hidden; the host's own is not touched.
//!
//! SQLite's advice is to close every connection before a fork, which a library cannot arrange. Two things of the
//! parent's are in the way of a child:
//!
//! - The list, by device and inode, of the files that the process has open, with the locks that it holds on them.
//!   The child inherits the list but none of the locks (they are POSIX record locks): it would read unlocked, and
//!   wait for ever for a write lock that nobody in the child holds. So `fstat`, as SQLite sees it, adds the
//!   process to the device: the child's files are then not the parent's.
//! - SQLite's own mutexes, which a thread that the child does not have may hold. So they are ours, and what a mutex
//!   knows of its owner includes the process: what the parent held is free to the child.
//!
//! A third cannot be mended in the child: SQLite sets itself up with a flag that says that it is at it, and a child that
//! inherits the flag waits for nobody and has half an SQLite for good. So that no child is made meanwhile is seen to here.

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::ffi;

/// Sets SQLite up. To be called when a spool is first spoken of, when a host is most likely still alone in its process,
/// and before a database is opened.
pub(crate) fn tell_processes_apart() {
    static SETTING: Mutex = Mutex::new();
    static IS_SET: AtomicBool = AtomicBool::new(false);
    static HAS_OUR_MUTEXES: AtomicBool = AtomicBool::new(false);

    if IS_SET.load(Ordering::Acquire) {
        return;
    }
    SETTING.enter();
    if !IS_SET.load(Ordering::Relaxed) {
        while_nobody_forks(|| {
            // SAFETY: nobody in this library uses SQLite before the flag is set, and the lock keeps others out; METHODS
            // lives for ever, and MEMSTATUS takes an int. What fails here is left as SQLite has it.
            let status = unsafe {
                ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0 as c_int);
                ffi::sqlite3_config(ffi::SQLITE_CONFIG_MUTEX, &raw const METHODS)
            };
            if status == ffi::SQLITE_OK {
                HAS_OUR_MUTEXES.store(true, Ordering::Relaxed);
            }
            // A Rust program may share this copy (Cargo links one), and use it already, with the mutexes that it then
            // has. Its open files must not change their names under it.
            if HAS_OUR_MUTEXES.load(Ordering::Relaxed) {
                set_fstat();
            }
        });
        IS_SET.store(true, Ordering::Release);
    }
    SETTING.leave();
}

/// Runs `f`, which takes some ten microseconds, while no other thread is inside the C library's `fork`. That takes the
/// lock of the list of streams, which glibc exports, and so has to wait; `fopen` and `fflush(NULL)` take it too, and are
/// waited for. Elsewhere, and for those who call the kernel by themselves, `f` just runs.
fn while_nobody_forks(f: impl FnOnce()) {
    type Call = unsafe extern "C" fn();
    let find = |name: &CStr| {
        // SAFETY: looks a name up. Both functions take nothing and return nothing.
        unsafe {
            std::mem::transmute::<*mut c_void, Option<Call>>(libc::dlsym(
                libc::RTLD_DEFAULT,
                name.as_ptr(),
            ))
        }
    };
    let (lock, unlock) = (find(c"_IO_list_lock"), find(c"_IO_list_unlock"));
    let (Some(lock), Some(unlock)) = (lock, unlock) else {
        return f();
    };
    // SAFETY: a recursive lock, given back by the thread that took it. `f` waits for no other thread that could want it,
    // and does not panic: it makes three calls of C.
    unsafe {
        lock();
        f();
        unlock();
    }
}

fn set_fstat() {
    // SAFETY: NULL asks for the default VFS, which lives as long as the process. The signature is that of the
    // `fstat` slot (os_unix.c).
    unsafe {
        let vfs = ffi::sqlite3_vfs_find(std::ptr::null());
        let Some(set) = vfs.as_ref().and_then(|vfs| vfs.xSetSystemCall) else {
            return;
        };
        let fstat = std::mem::transmute::<
            unsafe extern "C" fn(c_int, *mut libc::stat) -> c_int,
            unsafe extern "C" fn(),
        >(fstat);
        set(vfs, c"fstat".as_ptr(), Some(fstat));
    }
}

unsafe extern "C" fn fstat(fd: c_int, out: *mut libc::stat) -> c_int {
    // SAFETY: SQLite's arguments, handed on; `out` is initialised when the call succeeds.
    unsafe {
        let result = libc::fstat(fd, out);
        if result == 0 {
            (*out).st_dev ^= libc::dev_t::from(super::this_process()) << 32;
        }
        result
    }
}

/// A recursive mutex that a forked child finds free. SQLite holds its mutexes for microseconds: waiting is yielding.
struct Mutex {
    /// Process and thread; 0: free.
    owner: AtomicU64,
    /// Written by the owner only.
    depth: AtomicU32,
}

impl Mutex {
    const fn new() -> Mutex {
        Mutex {
            owner: AtomicU64::new(0),
            depth: AtomicU32::new(0),
        }
    }

    fn try_enter(&self) -> bool {
        let me = owner();
        let current = self.owner.load(Ordering::Relaxed);
        if current == me {
            self.depth.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        let is_free = current == 0 || current >> 32 != me >> 32;
        let taken = is_free
            && self
                .owner
                .compare_exchange(current, me, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        if taken {
            self.depth.store(1, Ordering::Relaxed);
        }
        taken
    }

    fn enter(&self) {
        const YIELDS: u32 = 100;
        let mut tries = 0;
        while !self.try_enter() {
            tries += 1;
            if tries < YIELDS {
                thread::yield_now();
            } else {
                thread::sleep(Duration::from_micros(50));
            }
        }
    }

    fn leave(&self) {
        if self.depth.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.owner.store(0, Ordering::Release);
        }
    }
}

/// This process and thread, as one number that is never 0.
fn owner() -> u64 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    thread_local! {
        static THREAD: Cell<u32> = const { Cell::new(0) };
    }
    let thread = THREAD.with(|thread| {
        if thread.get() == 0 {
            thread.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        thread.get()
    });
    u64::from(super::this_process()) << 32 | u64::from(thread)
}

static METHODS: ffi::sqlite3_mutex_methods = ffi::sqlite3_mutex_methods {
    xMutexInit: Some(nothing),
    xMutexEnd: Some(nothing),
    xMutexAlloc: Some(alloc),
    xMutexFree: Some(free),
    xMutexEnter: Some(enter),
    xMutexTry: Some(try_enter),
    xMutexLeave: Some(leave),
    xMutexHeld: None,
    xMutexNotheld: None,
};

/// The mutexes that SQLite names by number; the two before them are made on demand.
const FIRST_STATIC: usize = 2;
static STATICS: [Mutex; 16] = [const { Mutex::new() }; 16];

extern "C" fn nothing() -> c_int {
    ffi::SQLITE_OK
}

extern "C" fn alloc(kind: c_int) -> *mut ffi::sqlite3_mutex {
    let kind = usize::try_from(kind).unwrap_or(usize::MAX);
    let mutex: *const Mutex = match kind.checked_sub(FIRST_STATIC) {
        None => Box::into_raw(Box::new(Mutex::new())),
        Some(number) => STATICS
            .get(number)
            .map_or(std::ptr::null(), std::ptr::from_ref),
    };
    mutex.cast_mut().cast()
}

unsafe extern "C" fn free(mutex: *mut ffi::sqlite3_mutex) {
    // SAFETY: SQLite frees only mutexes of the two kinds that `alloc` boxed, each once.
    drop(unsafe { Box::from_raw(mutex.cast::<Mutex>()) });
}

unsafe extern "C" fn enter(mutex: *mut ffi::sqlite3_mutex) {
    // SAFETY: a pointer from `alloc`.
    unsafe { &*mutex.cast::<Mutex>() }.enter();
}

unsafe extern "C" fn try_enter(mutex: *mut ffi::sqlite3_mutex) -> c_int {
    // SAFETY: a pointer from `alloc`.
    match unsafe { &*mutex.cast::<Mutex>() }.try_enter() {
        true => ffi::SQLITE_OK,
        false => ffi::SQLITE_BUSY,
    }
}

unsafe extern "C" fn leave(mutex: *mut ffi::sqlite3_mutex) {
    // SAFETY: a pointer from `alloc`.
    unsafe { &*mutex.cast::<Mutex>() }.leave();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn it_excludes_and_recurses() {
        let shared = Arc::new((Mutex::new(), AtomicU64::new(0)));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    for _ in 0..1000 {
                        shared.0.enter();
                        shared.0.enter();
                        let n = shared.1.load(Ordering::Relaxed);
                        thread::yield_now();
                        shared.1.store(n + 1, Ordering::Relaxed);
                        shared.0.leave();
                        shared.0.leave();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(shared.1.load(Ordering::Relaxed), 4000);
    }

    #[test]
    fn what_another_process_held_is_free() {
        let mutex = Mutex::new();
        let parents = u64::from(super::super::this_process() + 1) << 32 | 7;
        mutex.owner.store(parents, Ordering::Relaxed);
        mutex.depth.store(3, Ordering::Relaxed);
        assert!(mutex.try_enter());
        mutex.leave();
        assert_eq!(mutex.owner.load(Ordering::Relaxed), 0);
    }
}
