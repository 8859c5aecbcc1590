//! Locks between processes.
//!
//! These locks belong to an open file description. They are not POSIX record locks, which belong to
//! the process: a second copy of the library in the process would share such a lock, and it would
//! be lost when the host closes any descriptor of the file. A forked child inherits the open file
//! description, so it closes the descriptor of the lease ([`super::close_in_children`]). An unlock by the
//! parent unlocks it for the child too.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Locks the whole file for this open file description. False: another one has locked it.
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

/// Whether another open file description has locked the file. It takes no lock.
pub(crate) fn is_locked(file: &File) -> io::Result<bool> {
    let mut lock = whole_file(libc::F_WRLCK);
    set(file, libc::F_OFD_GETLK, &mut lock)?;
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}

fn whole_file(kind: libc::c_int) -> libc::flock {
    // SAFETY: zero is a valid value of flock; a length of 0 means to the end.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock
}

fn set(file: &File, command: libc::c_int, lock: &mut libc::flock) -> io::Result<()> {
    // SAFETY: the descriptor is open during the borrow, and `lock` is valid for reads and writes.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, std::ptr::from_mut(lock)) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Locks an open directory. A directory cannot be removed while it contains files. False: another
/// process has locked it.
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

#[cfg(test)]
mod tests {
    use super::super::child::in_a_child;
    use super::super::close_in_children;
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
        // The lock stays if the host opens and closes the file.
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
