//! Which process this is, asked at every entry and many times within: without a system call each.
//!
//! Not by the process id: a child in a namespace of its own has the parent's (1 and 1 in containers), and the system
//! gives ids again.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Where the number is remembered, in a page that the kernel clears in a forked child (`MADV_WIPEONFORK`), however it
/// was forked.
static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());
/// Stands for the page where the kernel has no such pages (before Linux 4.14): it stays 0, and the process id has to
/// do.
static NO_PAGE: AtomicU32 = AtomicU32::new(0);
/// The last number that was given: a child inherits it, and gives itself a higher one.
static LAST: AtomicU32 = AtomicU32::new(0);

/// This process, as a number that is never 0 and that none of those has which it descends from. Compared at every
/// entry: after a fork the child must not touch what it inherited.
pub(crate) fn this_process() -> u32 {
    let mut page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        page = remember(map().unwrap_or((&raw const NO_PAGE).cast_mut()));
    }
    // SAFETY: NO_PAGE or a mapping that is never unmapped once it is remembered; only ever used as an atomic.
    let known = unsafe { &*page };
    match known.load(Ordering::Relaxed) {
        0 if ptr::eq(known, &raw const NO_PAGE) => std::process::id(),
        0 => {
            let fresh = LAST.fetch_add(1, Ordering::Relaxed) + 1;
            match known.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => fresh,
                // Another thread was faster.
                Err(number) => number,
            }
        }
        number => number,
    }
}

/// The page that all threads use: this one, or that of a thread that was faster.
fn remember(page: *mut AtomicU32) -> *mut AtomicU32 {
    match PAGE.compare_exchange(ptr::null_mut(), page, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => page,
        Err(faster) => {
            if !ptr::eq(page, &raw const NO_PAGE) {
                // SAFETY: mapped by `map` with this length; nobody else has seen it.
                unsafe { libc::munmap(page.cast(), LENGTH) };
            }
            faster
        }
    }
}

/// The kernel rounds it up to a page.
const LENGTH: usize = size_of::<AtomicU32>();

fn map() -> Option<*mut AtomicU32> {
    // SAFETY: a new anonymous mapping, and advice on it; whatever fails is undone and nothing is used.
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
        // An emulator that takes any advice, even one that does not exist, does not follow this one.
        let takes_anything = libc::madvise(page, LENGTH, -1) == 0;
        if takes_anything || libc::madvise(page, LENGTH, libc::MADV_WIPEONFORK) != 0 {
            libc::munmap(page, LENGTH);
            return None;
        }
        Some(page.cast())
    }
}

/// The process namespace, by the number of its file; 0: unknown.
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
        // As in a container: process 1 of a namespace has a child that is process 1 of another.
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
