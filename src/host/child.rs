//! For tests: what happens in a process of its own.

/// What `child` returns in a forked child; a negative number if it was ended by that signal.
///
/// # Safety
/// `child` makes system calls only: of this process's threads the child has none but this one.
pub(super) unsafe fn in_a_child(child: impl FnOnce() -> u8) -> i32 {
    // SAFETY: the child ends without running anything else of this process.
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
