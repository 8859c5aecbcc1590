//! Test helpers that run code in a forked process.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard};

thread_local! {
    /// In a forked process, which inherits the lock held and has no other tests.
    static IS_CHILD: Cell<bool> = const { Cell::new(false) };
}

static BIRTH: Mutex<()> = Mutex::new(());

/// Keeps other tests from starting a process. A new process has copies of all descriptors until it runs its program, and a
/// copied lock is still held after its owner has released it.
pub(crate) fn without_births() -> MutexGuard<'static, ()> {
    super::lock(&BIRTH)
}

/// Runs `child` in a forked process and returns its result, or a negative number if a signal ended
/// the process.
///
/// # Safety
/// `child` makes only system calls, because the forked process has no other thread of this process.
pub(super) unsafe fn in_a_child(child: impl FnOnce() -> u8) -> i32 {
    let _birth = (!IS_CHILD.get()).then(without_births);
    // SAFETY: the child exits without running any other code of this process.
    unsafe {
        match libc::fork() {
            0 => {
                IS_CHILD.set(true);
                libc::_exit(child().into())
            }
            pid => {
                let mut status = 0;
                assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
                match libc::WIFEXITED(status) {
                    true => libc::WEXITSTATUS(status),
                    false => -libc::WTERMSIG(status),
                }
            }
        }
    }
}
