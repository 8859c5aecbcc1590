//! A value for each thread.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};

/// Like `thread_local!` for a value with a destructor, with one difference: glibc ends the process
/// if it has no memory to register a destructor of `thread_local!`; here there is then no value.
/// The destructor runs when a thread ends, also by `pthread_exit`, but not when the process exits.
pub(crate) struct PerThread<T> {
    /// The key of the value plus 1; 0: no key was made.
    key: AtomicU32,
    value: PhantomData<fn() -> T>,
}

impl<T: Default + 'static> PerThread<T> {
    pub(crate) const fn new() -> PerThread<T> {
        PerThread {
            key: AtomicU32::new(0),
            value: PhantomData,
        }
    }

    /// Calls `f` with this thread's value, which is made on first use. `None`: the value could not
    /// be made.
    pub(crate) fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Option<R> {
        let key = self.key()?;
        // SAFETY: the key was made and is never deleted.
        let known = unsafe { libc::pthread_getspecific(key) }.cast::<T>();
        // SAFETY: made by Box::into_raw below on this thread, and freed only when the thread ends.
        if let Some(value) = unsafe { known.as_ref() } {
            return Some(f(value));
        }
        let value = Box::into_raw(Box::<T>::default());
        // SAFETY: as above. The box stays valid until it is freed, here or when the thread ends.
        unsafe {
            if libc::pthread_setspecific(key, value.cast_const().cast()) != 0 {
                drop(Box::from_raw(value));
                return None;
            }
            Some(f(&*value))
        }
    }

    fn key(&self) -> Option<libc::pthread_key_t> {
        if let Some(key) = self.key.load(Ordering::Acquire).checked_sub(1) {
            return Some(key);
        }
        let mut key = 0;
        // SAFETY: the key is valid for writes, and its values are boxes of `T`.
        if unsafe { libc::pthread_key_create(&raw mut key, Some(free::<T>)) } != 0 {
            return None;
        }
        match self
            .key
            .compare_exchange(0, key + 1, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => {
                stay_loaded();
                Some(key)
            }
            Err(faster) => {
                // SAFETY: made just now, and used by no other thread.
                unsafe { libc::pthread_key_delete(key) };
                faster.checked_sub(1)
            }
        }
    }
}

/// Called when a thread ends.
unsafe extern "C" fn free<T>(value: *mut c_void) {
    // SAFETY: the key's values are boxes of this type, and the C library passes each one only once.
    drop(unsafe { Box::from_raw(value.cast::<T>()) });
}

/// Keeps the code of the destructors loaded if the archive is part of a plug-in that the host
/// unloads. The shared library stays loaded anyway.
fn stay_loaded() {
    static HERE: u8 = 0;
    let mut found = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: `found` is read only if the call has written it, and its name ends with a NUL.
    // Nothing is loaded: the flags only mark loaded code.
    unsafe {
        if libc::dladdr((&raw const HERE).cast(), found.as_mut_ptr()) != 0 {
            let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
            libc::dlopen(found.assume_init().dli_fname, flags);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::thread;

    #[test]
    fn per_thread_value_differs_between_threads() {
        static VALUE: PerThread<Cell<u32>> = PerThread::new();
        VALUE.with(|value| value.set(7));
        let others = thread::spawn(|| VALUE.with(Cell::take)).join().unwrap();
        assert_eq!(others, Some(0));
        assert_eq!(VALUE.with(Cell::take), Some(7));
    }

    #[test]
    fn per_thread_value_is_dropped_when_its_thread_ends() {
        #[derive(Default)]
        struct Counted;
        static DROPPED: AtomicU32 = AtomicU32::new(0);
        static VALUE: PerThread<Counted> = PerThread::new();
        impl Drop for Counted {
            fn drop(&mut self) {
                DROPPED.fetch_add(1, Ordering::Relaxed);
            }
        }
        thread::spawn(|| VALUE.with(|_| ())).join().unwrap();
        thread::spawn(|| ()).join().unwrap();
        assert_eq!(DROPPED.load(Ordering::Relaxed), 1);
    }
}
