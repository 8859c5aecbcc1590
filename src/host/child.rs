//! Test helpers that run code in a forked process.

/// Runs `child` in a forked process and returns its result, or a negative number if a signal ended
/// the process.
///
/// # Safety
/// `child` makes only system calls, because the forked process has no other thread of this process.
pub(super) unsafe fn in_a_child(child: impl FnOnce() -> u8) -> i32 {
    // SAFETY: the child exits without running any other code of this process.
    unsafe {
        match libc::fork() {
            0 => libc::_exit(child().into()),
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
