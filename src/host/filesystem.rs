//! Functions for files and processes that std lacks.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::path::Path;

/// Opens a file with close-on-exec and a descriptor above 2, so that a host that closes its standard streams and then
/// prints does not write into the file.
pub(crate) fn open_file(options: &OpenOptions, path: &Path) -> io::Result<File> {
    super::open_above_stdio(|| options.open(path)).map(File::from)
}

/// Whether locks and appends on a file system can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileSystem {
    /// A disk of this machine.
    Local,
    /// A network file system with this name. Appends of several machines may overwrite each other.
    Network(&'static str),
    /// A file system with this name, which may be local or not.
    Unknown(&'static str),
}

fn statfs(file: &File) -> io::Result<libc::statfs> {
    let mut found = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the descriptor is open during the borrow, and `found` is read only if the call has
    // written it.
    unsafe {
        match libc::fstatfs(file.as_raw_fd(), found.as_mut_ptr()) {
            0 => Ok(found.assume_init()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Free bytes, for this process's user, on the file system of a file.
pub(crate) fn free_bytes(file: &File) -> io::Result<u64> {
    let found = statfs(file)?;
    let size = u64::try_from(found.f_bsize).unwrap_or(0);
    Ok(found.f_bavail.saturating_mul(size))
}

/// Frees the disk space of a file's first bytes, which then read as zero. Returns false if the file system cannot.
pub(crate) fn give_back_start(file: &File, length: u64) -> bool {
    let Ok(length) = libc::off_t::try_from(length) else {
        return false;
    };
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: the call takes only numbers, and the descriptor is open during the borrow.
    unsafe { libc::fallocate(file.as_raw_fd(), mode, 0, length) == 0 }
}

/// The kind of the file system of a file.
pub(crate) fn file_system(file: &File) -> io::Result<FileSystem> {
    let found = statfs(file)?;
    // Numbers from linux/magic.h and from the sources of the file systems.
    Ok(match found.f_type as u32 {
        0x6969 => FileSystem::Network("NFS"),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => FileSystem::Network("SMB"),
        0x00c3_6400 => FileSystem::Network("Ceph"),
        0x0bd0_0bd0 => FileSystem::Network("Lustre"),
        0x5346_414f | 0x6b41_4653 => FileSystem::Network("AFS"),
        0x4750_4653 => FileSystem::Network("GPFS"),
        0x564c => FileSystem::Network("NCP"),
        0x7375_7245 => FileSystem::Network("Coda"),
        0x6573_5546 => FileSystem::Unknown("FUSE"),
        0x0102_1997 => FileSystem::Unknown("9p"),
        _ => FileSystem::Local,
    })
}

/// Whether the process with this id in this process's namespace has ended or is a zombie. `None`: unknown.
pub(crate) fn has_ended(process: u32) -> Option<bool> {
    let process = libc::pid_t::try_from(process).ok().filter(|p| *p > 0)?;
    // SAFETY: the call takes two numbers and returns a new descriptor or an error.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) };
    if descriptor < 0 {
        return match io::Error::last_os_error().raw_os_error() {
            Some(libc::ESRCH) => Some(true),
            _ => None,
        };
    }
    let mut polled = libc::pollfd {
        fd: i32::try_from(descriptor).ok()?,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: the descriptor belongs to this function and is closed right after; the call does not
    // wait.
    unsafe {
        let ready = libc::poll(&raw mut polled, 1, 0);
        libc::close(polled.fd);
        (ready >= 0).then_some(ready == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_has_ended_when_it_is_a_zombie_or_does_not_exist() {
        assert_eq!(has_ended(std::process::id()), Some(false));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while has_ended(child.id()) != Some(true) {
            assert!(std::time::Instant::now() < deadline);
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(has_ended(child.id()), Some(true));
        assert_eq!(has_ended(0), None);
    }

    #[test]
    fn file_system_of_a_temporary_folder_is_local() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(file_system(&file).unwrap(), FileSystem::Local);
    }
}
