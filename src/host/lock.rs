//! Locks between processes.
//!
//! Never a POSIX record lock: it belongs to the process, so a second copy of the library in the process shares it, and
//! it vanishes when the host closes any descriptor of the file. These belong to an open file description. A forked
//! child inherits them, so it closes the lease's descriptor ([`close_in_children`]); an unlock by the parent holds for
//! the child too.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicI32, Ordering};

use once_cell::race::OnceBool;

/// Locks the whole file for this open file description; false: another one has it.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    match set(file, libc::F_OFD_SETLK, &mut whole_file(libc::F_WRLCK)) {
        Ok(()) => Ok(true),
        Err(e) => match e.raw_os_error() {
            Some(libc::EACCES | libc::EAGAIN) => Ok(false),
            _ => Err(e),
        },
    }
}

pub(crate) fn unlock(file: &File) -> io::Result<()> {
    set(file, libc::F_OFD_SETLK, &mut whole_file(libc::F_UNLCK))
}

/// Whether another open file description has the file locked. Takes nothing.
pub(crate) fn is_locked(file: &File) -> io::Result<bool> {
    let mut lock = whole_file(libc::F_WRLCK);
    set(file, libc::F_OFD_GETLK, &mut lock)?;
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}

fn whole_file(kind: libc::c_int) -> libc::flock {
    // SAFETY: flock is plain data, for which zero is a value; a length of 0 means to the end.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock
}

fn set(file: &File, command: libc::c_int, lock: &mut libc::flock) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as the borrow lasts, and `lock` is valid for reads and writes.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, std::ptr::from_mut(lock)) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Locks an open directory, which cannot be removed while it holds files; false: another one has it.
pub(crate) fn lock_directory(directory: &File) -> io::Result<bool> {
    // SAFETY: the descriptor is open as long as the borrow lasts.
    match unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } {
        0 => Ok(true),
        _ => match io::Error::last_os_error() {
            e if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            e => Err(e),
        },
    }
}

pub(crate) fn unlock_directory(directory: &File) {
    // SAFETY: the descriptor is open as long as the borrow lasts; to unlock cannot fail.
    unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_UN) };
}

/// The descriptors that a forked child closes; -1: free.
static CLOSED_IN_CHILDREN: [AtomicI32; 64] = [const { AtomicI32::new(-1) }; 64];

extern "C" fn in_child() {
    for slot in &CLOSED_IN_CHILDREN {
        let descriptor = slot.swap(-1, Ordering::Relaxed);
        if descriptor >= 0 {
            // SAFETY: the child's own descriptor. The `File` that it belongs to is the parent's, and the child drops
            // nothing of what it inherited.
            unsafe { libc::close(descriptor) };
        }
    }
}

/// Has forked children close this file's descriptor until the value is dropped, so that they do not keep its lock
/// alive. With more than 64 at a time, the others' locks live as long as their children.
#[derive(Debug)]
pub(crate) struct ClosedInChildren(Option<usize>);

pub(crate) fn close_in_children(file: &File) -> io::Result<ClosedInChildren> {
    // Two threads may both register it, which does no harm: a child that is forked meanwhile could not wait for its
    // parent's.
    static IS_REGISTERED: OnceBool = OnceBool::new();
    IS_REGISTERED.get_or_try_init(|| {
        // SAFETY: the handler makes system calls only, and the library is never unloaded.
        match unsafe { libc::pthread_atfork(None, None, Some(in_child)) } {
            0 => Ok(true),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    })?;
    let descriptor = file.as_raw_fd();
    let slot = CLOSED_IN_CHILDREN.iter().position(|slot| {
        slot.compare_exchange(-1, descriptor, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    });
    Ok(ClosedInChildren(slot))
}

impl Drop for ClosedInChildren {
    fn drop(&mut self) {
        if let Some(slot) = self.0.and_then(|slot| CLOSED_IN_CHILDREN.get(slot)) {
            slot.store(-1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::child::in_a_child;
    use super::*;
    use std::fs::OpenOptions;

    fn open(path: &std::path::Path) -> File {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .unwrap()
    }

    #[test]
    fn file_lock_excludes_another_descriptor_of_the_same_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lease");
        let (first, second) = (open(&path), open(&path));
        assert!(try_lock(&first).unwrap());
        assert!(!try_lock(&second).unwrap());
        assert!(is_locked(&second).unwrap());
        assert!(!is_locked(&first).unwrap());
        // A host that reads the file and closes it takes nothing away.
        drop(open(&path));
        assert!(!try_lock(&second).unwrap());
        unlock(&first).unwrap();
        assert!(try_lock(&second).unwrap());
    }

    #[test]
    fn directory_lock_is_exclusive() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (
            File::open(folder.path()).unwrap(),
            File::open(folder.path()).unwrap(),
        );
        assert!(lock_directory(&first).unwrap());
        assert!(!lock_directory(&second).unwrap());
        unlock_directory(&first);
        assert!(lock_directory(&second).unwrap());
    }

    #[test]
    fn file_lock_is_released_when_a_forked_child_outlives_its_parent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lease");
        let (ours, other) = (open(&path), open(&path));
        assert!(try_lock(&ours).unwrap());
        let descriptor = ours.as_raw_fd();
        let _closed = close_in_children(&ours).unwrap();
        // SAFETY: system calls only.
        let answer =
            unsafe { in_a_child(|| u8::from(libc::fcntl(descriptor, libc::F_GETFD) == -1)) };
        assert_eq!(answer, 1, "the child still has the descriptor");
        assert!(!try_lock(&other).unwrap());
    }
}
