//! Threads of the library in the host's process.

use std::ffi::{CString, c_int, c_void};
use std::mem::{self, MaybeUninit};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, ptr, slice};

use super::signals::Blocked;
use super::{main_thread, panics};
use crate::host::log;

/// The size of a thread's stack, in addition to the host's static thread-local data. Only the used
/// part takes memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stack {
    /// For a thread that runs only code of the library. The deepest is getaddrinfo with several NSS
    /// modules.
    Ours,
    /// For a thread that runs callbacks, which includes the log: the usual size of a host's main
    /// thread. Interpreters need a deep stack and assume this size.
    Hosts,
}

impl Stack {
    fn bytes(self) -> usize {
        match self {
            Stack::Ours => 512 << 10,
            Stack::Hosts => 8 << 20,
        }
    }
}

/// Starts a detached thread that the host does not notice. It blocks every signal, so the host's
/// handlers never run on it. It has a name and its own stack size. The error's message has the
/// reason.
pub(crate) fn spawn(name: &str, stack: Stack, f: impl FnOnce() + Send + 'static) -> io::Result<()> {
    start(name, stack.bytes(), Box::new(f))
}

/// The argument of a new thread.
struct Task {
    name: CString,
    run: Box<dyn FnOnce() + Send>,
    own: main_thread::OwnThread,
}

/// Not with `std::thread`, which ends the process if it has no memory to register the destructor of
/// its first thread-local value (see [`PerThread`](super::PerThread)).
fn start(name: &str, stack: usize, run: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    const GRANULE: usize = 64 << 10;
    let stack = stack
        .saturating_add(taken_from_a_stack())
        .checked_next_multiple_of(GRANULE)
        .unwrap_or(usize::MAX);
    let name = CString::new(name)?;
    let own = main_thread::OwnThread::starting();
    let task = Box::into_raw(Box::new(Task { name, run, own }));
    match create(stack, task.cast()) {
        Ok(()) => Ok(()),
        Err(error) => {
            // SAFETY: no thread was started that could own it.
            drop(unsafe { Box::from_raw(task) });
            Err(io::Error::new(
                error.kind(),
                format!(
                    "cannot start a thread with a stack of {} KiB: {error}; the limits on threads and on address space \
                     of this process and its container decide that",
                    stack >> 10
                ),
            ))
        }
    }
}

/// Starts a thread at [`begin`] with this argument.
fn create(stack: usize, argument: *mut c_void) -> io::Result<()> {
    let checked = |code| match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    };
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    // A new thread inherits the mask of its creator: block all signals, start the thread, then
    // restore the host's mask.
    let _blocked = Blocked::all()?;
    // SAFETY: the first call, which is checked, initialises the attributes, and the last one
    // destroys them. `begin` gets an argument of its type.
    unsafe {
        checked(libc::pthread_attr_init(attributes.as_mut_ptr()))?;
        let attributes = attributes.as_mut_ptr();
        let result = checked(libc::pthread_attr_setstacksize(attributes, stack))
            .and_then(|()| {
                let detached = libc::PTHREAD_CREATE_DETACHED;
                checked(libc::pthread_attr_setdetachstate(attributes, detached))
            })
            .and_then(|()| {
                let thread = thread.as_mut_ptr();
                checked(libc::pthread_create(thread, attributes, begin, argument))
            });
        libc::pthread_attr_destroy(attributes);
        result
    }
}

/// The first function of a thread of the library.
extern "C" fn begin(task: *mut c_void) -> *mut c_void {
    // SAFETY: `start` passes the box once.
    let mut task = unsafe { Box::from_raw(task.cast::<Task>()) };
    // SAFETY: it is this thread, and the name ends with a NUL. A name that is too long is not set.
    unsafe { libc::pthread_setname_np(libc::pthread_self(), task.name.as_ptr()) };
    task.own.begin();
    if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(task.run)) {
        log::error(|| format!("{}; it ended a thread", panics::message(&*panic)));
    }
    ptr::null_mut()
}

/// The part of a requested stack that the C library uses. With glibc this is the static
/// thread-local data of the program and of its libraries, which may be megabytes.
fn taken_from_a_stack() -> usize {
    /// The value never changes within a process.
    static TAKEN: AtomicUsize = AtomicUsize::new(usize::MAX);
    match TAKEN.load(Ordering::Relaxed) {
        usize::MAX => {
            let taken = min_stack();
            TAKEN.store(taken, Ordering::Relaxed);
            taken
        }
        taken => taken,
    }
}

/// The smallest stack for glibc: its thread-local data and a few pages. If the function is not
/// found (static program, other C library), the thread-local data is added up, which may be too
/// much.
fn min_stack() -> usize {
    // SAFETY: the name is a C string.
    let function = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__pthread_get_minstack".as_ptr()) };
    if function.is_null() {
        return thread_local_data();
    }
    // SAFETY: the function of glibc with this name, which std calls too, has this type.
    let function = unsafe {
        mem::transmute::<*mut c_void, unsafe extern "C" fn(*const libc::pthread_attr_t) -> usize>(
            function,
        )
    };
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: the first call initialises the attributes, the second reads them, and the third
    // destroys them.
    unsafe {
        if libc::pthread_attr_init(attributes.as_mut_ptr()) != 0 {
            return thread_local_data();
        }
        let bytes = function(attributes.as_ptr());
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        bytes
    }
}

/// The size of the thread-local data of the program and all loaded libraries.
fn thread_local_data() -> usize {
    let mut total = 0_usize;
    // SAFETY: `add` gets the address of `total`, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(add), (&raw mut total).cast()) };
    total
}

/// Adds the thread-local data of one program or library.
unsafe extern "C" fn add(
    info: *mut libc::dl_phdr_info,
    _: libc::size_t,
    total: *mut c_void,
) -> c_int {
    // SAFETY: the system passes a valid description with the number of its headers, and the pointer
    // to the sum of `thread_local_data`.
    let (headers, total) = unsafe {
        (
            slice::from_raw_parts((*info).dlpi_phdr, (*info).dlpi_phnum.into()),
            &mut *total.cast::<usize>(),
        )
    };
    for header in headers {
        if header.p_type == libc::PT_TLS {
            let bytes = header.p_memsz.saturating_add(header.p_align);
            *total = total.saturating_add(usize::try_from(bytes).unwrap_or(0));
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn blocked_here(signal: i32) -> bool {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the call only reads the current mask, and initialises it.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, ptr::null(), set.as_mut_ptr());
            libc::sigismember(set.as_ptr(), signal) == 1
        }
    }

    #[test]
    fn library_thread_blocks_signals_and_the_hosts_mask_is_unchanged() {
        let before = blocked_here(libc::SIGTERM);
        let (tx, rx) = mpsc::channel();
        spawn("esales-test", Stack::Ours, move || {
            let mut name = [0_u8; 16];
            // SAFETY: the thread is this one, and the name has room for 16 bytes.
            unsafe {
                libc::pthread_getname_np(libc::pthread_self(), name.as_mut_ptr().cast(), name.len())
            };
            tx.send((
                blocked_here(libc::SIGTERM),
                blocked_here(libc::SIGPROF),
                name,
            ))
            .unwrap();
        })
        .unwrap();
        assert_eq!(rx.recv().unwrap(), (true, true, *b"esales-test\0\0\0\0\0"));
        assert_eq!(blocked_here(libc::SIGTERM), before);
    }

    /// The stack size of the calling thread, in bytes.
    fn stack_here() -> usize {
        let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
        let (mut start, mut size) = (ptr::null_mut(), 0);
        // SAFETY: `attributes` is initialised by the first call, which is checked, and destroyed by the last.
        unsafe {
            let this = libc::pthread_self();
            assert_eq!(libc::pthread_getattr_np(this, attributes.as_mut_ptr()), 0);
            libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut start, &raw mut size);
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
        }
        size
    }

    #[test]
    fn thread_stack_includes_the_hosts_thread_local_data() {
        let found = thread_local_data();
        assert!(found > 0);
        assert!(found <= min_stack(), "{found}");
    }

    #[test]
    fn spawn_returns_an_error_when_no_thread_can_be_made() {
        let error = start("esales-test", 1 << 50, Box::new(|| ())).unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with("cannot start a thread with a stack of 10995116278"),
            "{message}"
        );
        assert!(message.contains("os error"), "{message}");
    }

    #[test]
    fn callback_thread_has_a_stack_of_8_mib() {
        let (tx, rx) = mpsc::channel();
        spawn("esales-test", Stack::Hosts, move || {
            tx.send(stack_here()).unwrap();
        })
        .unwrap();
        // The stack is larger if the C library reuses that of a thread that has ended.
        assert!(rx.recv().unwrap() >= 8 << 20);
    }
}
