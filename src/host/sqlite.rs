//! SQLite across fork.
//!
//! SQLite keeps a list, by device and inode, of the files that this process has open, with the locks that it holds
//! on them. A forked child inherits the list but none of the locks (they are POSIX record locks). A connection that
//! the child opens to the same file would find the parent's entry there and believe the locks to be its own: it
//! would read unlocked, and wait for ever for a write lock that nobody in the child holds. SQLite's own advice is
//! to close every connection before a fork, which a library cannot arrange.
//!
//! So `fstat`, as this copy of SQLite sees it, adds the process id to the device: to SQLite, a child's files are
//! then not the parent's. The copy is linked into this library and hidden; the host's own SQLite is not touched.

use rusqlite::ffi;

/// Call before a database is opened.
pub(crate) fn tell_processes_apart() {
    // SAFETY: NULL asks for the default VFS, which lives as long as the process; setting the same system call from
    // several threads stores the same pointer. The signature is that of the `fstat` slot (os_unix.c).
    unsafe {
        let vfs = ffi::sqlite3_vfs_find(std::ptr::null());
        let Some(set) = vfs.as_ref().and_then(|vfs| vfs.xSetSystemCall) else {
            return;
        };
        let fstat = std::mem::transmute::<
            unsafe extern "C" fn(libc::c_int, *mut libc::stat) -> libc::c_int,
            unsafe extern "C" fn(),
        >(fstat);
        set(vfs, c"fstat".as_ptr(), Some(fstat));
    }
}

unsafe extern "C" fn fstat(fd: libc::c_int, out: *mut libc::stat) -> libc::c_int {
    // SAFETY: SQLite's arguments, handed on; `out` is initialised when the call succeeds.
    unsafe {
        let result = libc::fstat(fd, out);
        if result == 0 {
            (*out).st_dev ^= libc::dev_t::from(super::pid()) << 32;
        }
        result
    }
}
