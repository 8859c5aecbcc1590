//! A reserve of memory for the case that allocation fails.
//!
//! Rust's standard library ends the process if an allocation fails, and the process belongs to the
//! host. The shared library and the archive (feature `guest`) therefore have a reserve. Work in
//! progress is completed from it, and no new work begins until malloc works again (see
//! [`is_short`]).

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::{ptr, thread};

#[cfg(feature = "guest")]
#[global_allocator]
static ALLOCATOR: Guest<{ RESERVE / BLOCK }> = Guest::new();

/// Whether malloc has failed and still fails, so that no new work may begin.
#[cfg(feature = "guest")]
pub(crate) fn is_short() -> bool {
    ALLOCATOR.is_short()
}

/// The memory that ten threads need while they set up TLS connections, and some more.
#[cfg(feature = "guest")]
const RESERVE: usize = 4 << 20;

/// The unit in which memory of the reserve is given out, and its alignment.
const BLOCK: usize = 128;

/// The memory that must be free for a new call after malloc has failed: more than a small
/// notification needs.
const ENOUGH: usize = 64 << 10;

/// Whether malloc can allocate [`ENOUGH`].
fn malloc_works() -> bool {
    let Ok(layout) = Layout::from_size_align(ENOUGH, 1) else {
        return false;
    };
    // SAFETY: the size is not 0, and the memory is freed with the same layout.
    unsafe {
        let memory = System.alloc(layout);
        if memory.is_null() {
            return false;
        }
        System.dealloc(memory, layout);
    }
    true
}

/// malloc and, if it fails, a reserve of this many blocks. Unused blocks only cost address space.
struct Guest<const BLOCKS: usize> {
    memory: UnsafeCell<Memory<BLOCKS>>,
    has_failed: AtomicBool,
    /// The process of which a thread is changing `memory.usage`; 0: none. A parent's value is
    /// ignored, because its thread does not exist in the child.
    lock: AtomicU32,
}

#[repr(C, align(4096))]
struct Memory<const BLOCKS: usize> {
    blocks: [[MaybeUninit<u8>; BLOCK]; BLOCKS],
    usage: Usage<BLOCKS>,
}

struct Usage<const BLOCKS: usize> {
    is_used: [bool; BLOCKS],
    /// How many blocks are used.
    count: usize,
    /// All blocks before this one are used.
    first_free: usize,
}

impl<const BLOCKS: usize> Usage<BLOCKS> {
    /// Marks the first free run of blocks as used. Returns the number of its first block.
    fn take(&mut self, wanted: usize) -> Option<usize> {
        let mut free = 0;
        let candidates = self.is_used.get(self.first_free..)?;
        let last = candidates.iter().position(|is_used| {
            free = if *is_used { 0 } else { free + 1 };
            free == wanted
        })?;
        let first = self.first_free + last + 1 - wanted;
        self.is_used.get_mut(first..first + wanted)?.fill(true);
        self.count += wanted;
        if first == self.first_free {
            self.first_free += wanted;
        }
        Some(first)
    }

    fn give_back(&mut self, first: usize, count: usize) {
        if let Some(blocks) = self.is_used.get_mut(first..first + count) {
            blocks.fill(false);
            self.count -= count;
            self.first_free = self.first_free.min(first);
        }
    }
}

// SAFETY: only the holder of the lock accesses `usage`, and only its owner accesses a block.
unsafe impl<const BLOCKS: usize> Sync for Guest<BLOCKS> {}

impl<const BLOCKS: usize> Guest<BLOCKS> {
    const fn new() -> Guest<BLOCKS> {
        Guest {
            memory: UnsafeCell::new(Memory {
                blocks: [[MaybeUninit::uninit(); BLOCK]; BLOCKS],
                usage: Usage {
                    is_used: [false; BLOCKS],
                    count: 0,
                    first_free: 0,
                },
            }),
            has_failed: AtomicBool::new(false),
            lock: AtomicU32::new(0),
        }
    }

    /// Each thread checks for itself, because malloc may fail in one thread only. The rest of the
    /// reserve is for calls that have begun.
    fn is_short(&self) -> bool {
        if !self.has_failed.load(Ordering::Relaxed) {
            return false;
        }
        let used = self.with_usage(|usage| usage.count);
        if used > BLOCKS / 2 || !malloc_works() {
            return true;
        }
        if used == 0 {
            self.has_failed.store(false, Ordering::Relaxed);
        }
        false
    }

    /// The address of the first block.
    fn start(&self) -> *mut u8 {
        // `blocks` is the first member.
        self.memory.get().cast()
    }

    /// The number of the block at this address; `None`: the address is not in the reserve.
    fn block_at(&self, address: *mut u8) -> Option<usize> {
        let offset = address.addr().checked_sub(self.start().addr())?;
        (offset < BLOCK * BLOCKS).then_some(offset / BLOCK)
    }

    /// Runs `change` while no other thread changes the usage. It must not allocate or make system
    /// calls.
    fn with_usage<T>(&self, change: impl FnOnce(&mut Usage<BLOCKS>) -> T) -> T {
        let process = super::this_process();
        loop {
            let holder = self.lock.load(Ordering::Relaxed);
            if holder != process
                && self
                    .lock
                    .compare_exchange(holder, process, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                break;
            }
            thread::yield_now();
        }
        // SAFETY: only the holder of the lock, which is this thread, reaches this line.
        let result = change(unsafe { &mut (*self.memory.get()).usage });
        self.lock.store(0, Ordering::Release);
        result
    }

    fn reserved(&self, layout: Layout) -> *mut u8 {
        self.has_failed.store(true, Ordering::Relaxed);
        let wanted = layout.size().div_ceil(BLOCK);
        if layout.align() > BLOCK || wanted > BLOCKS {
            return ptr::null_mut();
        }
        let found = self.with_usage(|usage| usage.take(wanted));
        match found {
            // SAFETY: the block is one of the reserve.
            Some(first) => unsafe { self.start().add(first * BLOCK) },
            None => ptr::null_mut(),
        }
    }

    fn give_back(&self, first: usize, size: usize) {
        self.with_usage(|usage| usage.give_back(first, size.div_ceil(BLOCK)));
    }
}

// SAFETY: it returns memory of malloc, or blocks that no other caller has until they are freed,
// aligned and large enough.
unsafe impl<const BLOCKS: usize> GlobalAlloc for Guest<BLOCKS> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let memory = unsafe { System.alloc(layout) };
        match memory.is_null() {
            true => self.reserved(layout),
            false => memory,
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let memory = unsafe { System.alloc_zeroed(layout) };
        if !memory.is_null() {
            return memory;
        }
        let memory = self.reserved(layout);
        if !memory.is_null() {
            // SAFETY: the blocks are large enough.
            unsafe { memory.write_bytes(0, layout.size()) };
        }
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        match self.block_at(memory) {
            Some(first) => self.give_back(first, layout.size()),
            // SAFETY: the caller's promise, and the memory is not from the reserve.
            None => unsafe { System.dealloc(memory, layout) },
        }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if self.block_at(memory).is_none() {
            // SAFETY: the caller's promise, and not from the reserve.
            let grown = unsafe { System.realloc(memory, layout, size) };
            if !grown.is_null() {
                return grown;
            }
        }
        // SAFETY: the caller promises a size that is not 0 and, rounded up to the alignment, no overflow.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(memory, moved, size.min(layout.size()));
                self.dealloc(memory, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 1).unwrap()
    }

    fn used<const BLOCKS: usize>(guest: &Guest<BLOCKS>) -> usize {
        guest.with_usage(|usage| {
            let marked = usage.is_used.iter().filter(|is_used| **is_used).count();
            assert_eq!(usage.count, marked);
            marked
        })
    }

    #[test]
    fn reserve_gives_blocks_that_do_not_overlap_until_it_is_used_up() {
        let guest = Guest::<8>::new();
        let first = guest.reserved(layout(3 * BLOCK));
        let second = guest.reserved(layout(1));
        let third = guest.reserved(layout(4 * BLOCK - 1));
        assert_eq!(guest.block_at(first), Some(0));
        assert_eq!(guest.block_at(second), Some(3));
        assert_eq!(guest.block_at(third), Some(4));
        assert!(guest.reserved(layout(1)).is_null());
        // SAFETY: each was allocated with this layout.
        unsafe { guest.dealloc(second, layout(1)) };
        assert!(guest.reserved(layout(BLOCK + 1)).is_null());
        assert_eq!(guest.reserved(layout(BLOCK)), second);
    }

    #[test]
    fn reserve_refuses_blocks_that_are_too_large_or_too_strictly_aligned() {
        let guest = Guest::<2>::new();
        assert!(guest.reserved(layout(2 * BLOCK + 1)).is_null());
        assert!(
            guest
                .reserved(Layout::from_size_align(1, 2 * BLOCK).unwrap())
                .is_null()
        );
        assert_eq!(used(&guest), 0);
        let aligned = guest.reserved(Layout::from_size_align(1, BLOCK).unwrap());
        assert!(aligned.addr().is_multiple_of(BLOCK));
    }

    #[test]
    fn realloc_moves_a_block_of_the_reserve_to_malloc() {
        let guest = Guest::<4>::new();
        let small = guest.reserved(layout(3));
        // SAFETY: allocated with these layouts, and large enough for what is written and read.
        unsafe {
            small.copy_from_nonoverlapping(b"abc".as_ptr(), 3);
            let grown = guest.realloc(small, layout(3), 1000);
            assert_eq!(guest.block_at(grown), None);
            assert_eq!(std::slice::from_raw_parts(grown, 3), b"abc");
            assert_eq!(used(&guest), 0);
            guest.dealloc(grown, layout(1000));
        }
    }

    #[test]
    fn memory_is_short_when_half_of_the_reserve_is_used() {
        let guest = Guest::<4>::new();
        assert!(!guest.is_short());
        let half = guest.reserved(layout(2 * BLOCK));
        assert!(!guest.is_short(), "malloc works here");
        let more = guest.reserved(layout(1));
        assert!(guest.is_short());
        // SAFETY: both were allocated with these layouts.
        unsafe {
            guest.dealloc(more, layout(1));
            guest.dealloc(half, layout(2 * BLOCK));
        }
        assert!(guest.has_failed.load(Ordering::Relaxed));
        assert!(!guest.is_short());
        assert!(!guest.has_failed.load(Ordering::Relaxed), "it is as before");
    }

    #[test]
    fn memory_lock_is_free_in_a_child_when_the_parent_held_it() {
        let guest = Guest::<1>::new();
        guest.lock.store(u32::MAX, Ordering::Relaxed);
        assert!(!guest.reserved(layout(1)).is_null());
    }
}
