//! Being a guest in somebody else's process: who we are (fork) and how our threads behave.

#![allow(unsafe_code)]

mod descriptor;
mod identity;
mod random;
mod record_lock;
mod socket;
mod sqlite;

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::thread;

pub(crate) use descriptor::{
    above_stdio, apart_from_stdio, part_from_stdio, read_file, wait_connected,
};
pub(crate) use identity::this_process;
pub(crate) use random::random;
pub(crate) use record_lock::RecordLocks;
pub(crate) use socket::{is_quiet, send_now};
pub(crate) use sqlite::tell_processes_apart;

/// A value of which every process has its own, also after a fork: a child never sees its parent's, which may be
/// locked or half changed by a thread that the child does not have. Each is made on first use and never freed.
pub(crate) struct PerProcess<T>(AtomicPtr<(u32, T)>);

impl<T: Sync> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess(AtomicPtr::new(ptr::null_mut()))
    }

    /// This process's value; `make` gets the parent's, if there was one, and must take no lock of it.
    pub(crate) fn get(&'static self, make: impl Fn(Option<&T>) -> T) -> &'static T {
        let process = this_process();
        let mut current = self.0.load(Ordering::Acquire);
        loop {
            // SAFETY: a non-null pointer came from Box::into_raw below and is never freed once it was stored.
            let found = unsafe { current.as_ref() };
            if let Some((_, value)) = found.filter(|(owner, _)| *owner == process) {
                return value;
            }
            let fresh = Box::into_raw(Box::new((process, make(found.map(|(_, value)| value)))));
            let stored =
                self.0
                    .compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire);
            match stored {
                // SAFETY: made from a Box just now, and from here on never freed.
                Ok(_) => return unsafe { &(*fresh).1 },
                Err(won) => {
                    // SAFETY: not stored, so nobody else has seen it.
                    drop(unsafe { Box::from_raw(fresh) });
                    current = won;
                }
            }
        }
    }
}

/// How much stack a thread of ours gets; only what is used of it becomes memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stack {
    /// For a thread that runs code of ours only: getaddrinfo with a few NSS modules is the deepest of it.
    Ours,
    /// For a thread that runs callbacks, of the log also: what the host's main thread usually has. An interpreter's
    /// recursion goes deep, and its limit assumes as much.
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

/// The user as whom this process opens files.
pub(crate) fn user() -> u32 {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// Starts a detached thread that is invisible to the host: every signal is blocked in it, so that the host's
/// handlers never run on it, and it has a name and a stack of its own size.
pub(crate) fn spawn(name: &str, stack: Stack, f: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let previous = block_all_signals()?;
    // A thread inherits the mask of its creator: block first, start, then give the host's mask back.
    let started = thread::Builder::new()
        .name(name.to_owned())
        .stack_size(stack.bytes())
        .spawn(f);
    restore_signals(&previous)?;
    started.map(drop)
}

fn block_all_signals() -> io::Result<libc::sigset_t> {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut previous = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets are valid for writes; sigfillset initialises `all` before it is read, and
    // pthread_sigmask initialises `previous` when it returns 0, the only case in which it is read.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        match libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), previous.as_mut_ptr()) {
            0 => Ok(previous.assume_init()),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }
}

fn restore_signals(previous: &libc::sigset_t) -> io::Result<()> {
    // SAFETY: `previous` is an initialised set; the old mask is not asked for.
    match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, previous, ptr::null_mut()) } {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn blocked_here(signal: i32) -> bool {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: asks for the current mask only; it is initialised when the call returns.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, ptr::null(), set.as_mut_ptr());
            libc::sigismember(set.as_ptr(), signal) == 1
        }
    }

    #[test]
    fn threads_block_signals_and_the_host_keeps_its_mask() {
        let before = blocked_here(libc::SIGTERM);
        let (tx, rx) = mpsc::channel();
        spawn("esales-test", Stack::Ours, move || {
            let name = thread::current().name().map(str::to_owned);
            tx.send((
                blocked_here(libc::SIGTERM),
                blocked_here(libc::SIGPROF),
                name,
            ))
            .unwrap();
        })
        .unwrap();
        assert_eq!(
            rx.recv().unwrap(),
            (true, true, Some("esales-test".to_owned()))
        );
        assert_eq!(blocked_here(libc::SIGTERM), before);
    }

    /// The stack of the thread that asks, in bytes.
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
    fn a_thread_that_calls_the_host_has_the_stack_of_a_host() {
        let (tx, rx) = mpsc::channel();
        spawn("esales-test", Stack::Hosts, move || {
            tx.send(stack_here()).unwrap();
        })
        .unwrap();
        // More, if the C library uses the stack of a thread that has ended.
        assert!(rx.recv().unwrap() >= 8 << 20);
    }
}
