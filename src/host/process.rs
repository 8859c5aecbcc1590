//! Identifies this process. It is checked at every entry and often within a call, so it needs no
//! system call.
//!
//! The process id is not enough: a child in its own namespace may have the same id as its parent (1
//! and 1 in containers), and the system reuses ids.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// The page that stores the number. The kernel clears it in a forked child (`MADV_WIPEONFORK`),
/// whatever call made the fork.
static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());
/// Used instead of the page if the kernel has no such pages (before Linux 4.14). It stays 0, and
/// the process id is used.
static NO_PAGE: AtomicU32 = AtomicU32::new(0);
/// The last number that was used. A child inherits it and uses a higher one.
static LAST: AtomicU32 = AtomicU32::new(0);

/// The name of this process for messages: its command and its id, and its machine if there are several.
pub(crate) fn process_name(machine: &str) -> String {
    // Without /proc, for example in a chroot, there is no command.
    let command =
        super::beside_stdio(|| std::fs::read_to_string("/proc/self/comm")).unwrap_or_default();
    let mut process = format!("process {}", std::process::id());
    if !machine.is_empty() {
        process = format!("{process} on {machine}");
    }
    match command.trim() {
        "" => process,
        command => format!("{command} ({process})"),
    }
}

/// A number for this process. It is never 0, and differs from the numbers of all processes from
/// which this one was forked. After a fork, the child must not touch what it inherited.
pub(crate) fn this_process() -> u32 {
    let mut page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        page = remember(map().unwrap_or((&raw const NO_PAGE).cast_mut()));
    }
    // SAFETY: NO_PAGE or a mapping that is never unmapped once it is stored; it is only used as an
    // atomic.
    let known = unsafe { &*page };
    match known.load(Ordering::Relaxed) {
        0 if ptr::eq(known, &raw const NO_PAGE) => std::process::id(),
        0 => {
            let fresh = LAST.fetch_add(1, Ordering::Relaxed) + 1;
            match known.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => fresh,
                // Another thread has set it first.
                Err(number) => number,
            }
        }
        number => number,
    }
}

/// Stores the page, unless another thread has stored one first. Returns the page that all threads
/// use.
fn remember(page: *mut AtomicU32) -> *mut AtomicU32 {
    match PAGE.compare_exchange(ptr::null_mut(), page, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => page,
        Err(faster) => {
            if !ptr::eq(page, &raw const NO_PAGE) {
                // SAFETY: `map` has mapped it with this length, and no other thread has seen it.
                unsafe { libc::munmap(page.cast(), LENGTH) };
            }
            faster
        }
    }
}

/// The kernel rounds the length up to a page.
const LENGTH: usize = size_of::<AtomicU32>();

fn map() -> Option<*mut AtomicU32> {
    // SAFETY: a new anonymous mapping and advice on it. If a call fails, the mapping is removed and
    // not used.
    unsafe {
        let page = libc::mmap(
            ptr::null_mut(),
            LENGTH,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if page == libc::MAP_FAILED {
            return None;
        }
        // An emulator that accepts any advice, even an unknown one, does not follow this one.
        let takes_anything = libc::madvise(page, LENGTH, -1) == 0;
        if takes_anything || libc::madvise(page, LENGTH, libc::MADV_WIPEONFORK) != 0 {
            libc::munmap(page, LENGTH);
            return None;
        }
        Some(page.cast())
    }
}

/// The inode number of the process namespace; 0: unknown.
pub(crate) fn process_namespace() -> u64 {
    use std::os::unix::fs::MetadataExt;

    std::fs::metadata("/proc/self/ns/pid").map_or(0, |m| m.ino())
}

#[cfg(test)]
mod tests {
    use super::super::child::in_a_child;
    use super::*;

    #[test]
    fn this_process_differs_in_a_forked_child() {
        let ours = this_process();
        assert_eq!(this_process(), ours);
        // SAFETY: system calls only.
        let answer = unsafe {
            in_a_child(|| {
                let childs = this_process();
                let grandchilds = in_a_child(|| {
                    let grandchilds = this_process();
                    u8::from(grandchilds != ours && grandchilds != childs)
                });
                u8::from(childs != ours && childs == this_process() && grandchilds == 1)
            })
        };
        assert_eq!(answer, 1, "a child took itself for who it descends from");
        assert_eq!(this_process(), ours);
    }

    #[test]
    fn this_process_differs_in_a_child_with_the_same_process_id() {
        // As in a container: process 1 of a namespace has a child that is process 1 of another
        // namespace.
        // SAFETY: system calls only.
        let answer = unsafe {
            in_a_child(|| {
                if libc::unshare(libc::CLONE_NEWPID) != 0
                    && libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWPID) != 0
                {
                    return 2;
                }
                let answer = in_a_child(|| {
                    let ours = this_process();
                    if libc::getpid() != 1 || libc::unshare(libc::CLONE_NEWPID) != 0 {
                        return 2;
                    }
                    let answer = in_a_child(|| match libc::getpid() {
                        1 => u8::from(this_process() != ours),
                        _ => 2,
                    });
                    u8::try_from(answer).unwrap_or(2)
                });
                u8::try_from(answer).unwrap_or(2)
            })
        };
        assert_ne!(answer, 2, "there are no such namespaces here");
        assert_eq!(answer, 1, "the child took itself for its parent");
    }

    #[test]
    fn kernel_supports_wipe_on_fork_pages() {
        this_process();
        assert!(!ptr::eq(PAGE.load(Ordering::Acquire), &raw const NO_PAGE));
    }
}
