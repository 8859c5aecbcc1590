//! Threads of the library in the host's process.

use std::io;
use std::thread;

use super::signals::Blocked;

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

/// Starts a detached thread that is invisible to the host: every signal is blocked in it, so that the host's
/// handlers never run on it, and it has a name and a stack of its own size.
pub(crate) fn spawn(name: &str, stack: Stack, f: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // A thread inherits the mask of its creator: block first, start, then give the host's mask back.
    let _blocked = Blocked::all()?;
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(stack.bytes())
        .spawn(f)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::MaybeUninit;
    use std::ptr;
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
