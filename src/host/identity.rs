//! Which process this is, asked at every entry and many times within: without a system call each.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Where the id is remembered, in a page that the kernel clears in a forked child (`MADV_WIPEONFORK`), however it was
/// forked.
static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());
/// Stands for the page where the kernel has no such pages (before Linux 4.14): it stays 0.
static NO_PAGE: AtomicU32 = AtomicU32::new(0);

/// This process. Compared at every entry: after a fork the child must not touch what it inherited.
pub(crate) fn pid() -> u32 {
    let mut page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        page = remember(map().unwrap_or((&raw const NO_PAGE).cast_mut()));
    }
    // SAFETY: NO_PAGE or a mapping that is never unmapped once it is remembered; only ever used as an atomic.
    let known = unsafe { &*page };
    match known.load(Ordering::Relaxed) {
        0 => {
            let pid = std::process::id();
            if !ptr::eq(known, &raw const NO_PAGE) {
                known.store(pid, Ordering::Relaxed);
            }
            pid
        }
        pid => pid,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_child_is_another_process() {
        assert_eq!(pid(), std::process::id());
        // SAFETY: the child makes system calls only, and ends without running anything of this process.
        let status = unsafe {
            match libc::fork() {
                0 => libc::_exit(i32::from(pid() != libc::getpid().unsigned_abs())),
                child => {
                    let mut status = -1;
                    assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
                    status
                }
            }
        };
        assert_eq!(status, 0, "the child took itself for its parent");
    }

    #[test]
    fn the_kernel_here_has_such_pages() {
        pid();
        assert!(!ptr::eq(PAGE.load(Ordering::Acquire), &raw const NO_PAGE));
    }
}
