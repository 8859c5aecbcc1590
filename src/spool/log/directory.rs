//! The directory of a spool, and its files.

mod opening;

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk;
use crate::host;
use crate::host::log;
pub(crate) use opening::check;

/// The length of the lock file, which never changes: a new holder overwrites the old one.
pub(super) const LOCK_LENGTH: usize = 128;

/// A file that reserves disk space. It is deleted if the disk is full, so that deliveries, which
/// free more space, can be recorded.
const RESERVE: &str = "reserve";
const RESERVE_SIZE: u64 = 256 << 10;

/// The prefix of unfinished files. The leader deletes those of killed processes.
pub(super) const TEMPORARY: &str = ".new-";

/// The directory of a spool.
#[derive(Debug)]
pub(super) struct SpoolDirectory {
    pub(super) path: PathBuf,
    /// Open while the spool is in use, to notice a replaced directory.
    handle: Arc<File>,
    uid: u32,
    gid: u32,
}

/// The name of a user, for a message.
pub(super) fn user_name(uid: u32) -> String {
    let passwd = host::beside_stdio(|| fs::read_to_string("/etc/passwd")).unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    name.map_or_else(|| format!("uid {uid}"), str::to_owned)
}

impl SpoolDirectory {
    /// Makes the lock file if it does not exist.
    pub(super) fn make_lock(&self) -> io::Result<()> {
        let made = self
            .create(&self.file(super::LOCK))
            .and_then(|file| disk::append(&file, &[b' '; LOCK_LENGTH]));
        match made {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    /// Makes the reserve if it does not exist and at least eight times its size is free. An error
    /// is ignored.
    pub(super) fn make_reserve(&self) {
        let path = self.file(RESERVE);
        if path.exists() {
            return;
        }
        let size = self.possible_reserve();
        if size < 4096 {
            return;
        }
        let filled = self.create(&path).and_then(|file| {
            let zeros = vec![0; usize::try_from(size).unwrap_or(0)];
            disk::append(&file, &zeros)
        });
        if filled.is_err() {
            let _ = fs::remove_file(&path);
        }
    }

    /// Makes the reserve again if it is missing, or if there is room for a larger one.
    pub(super) fn renew_reserve(&self) {
        if self.possible_reserve() > self.reserve_size() {
            self.give_up_reserve();
        }
        self.make_reserve();
    }

    fn reserve_size(&self) -> u64 {
        fs::metadata(self.file(RESERVE)).map_or(0, |found| found.len())
    }

    fn free_bytes(&self) -> u64 {
        host::free_bytes(&self.handle).unwrap_or(0)
    }

    fn possible_reserve(&self) -> u64 {
        RESERVE_SIZE.min(self.free_bytes() / 8)
    }

    /// Whether the disk is nearly full: it has no room for a whole reserve, or has the reserve and hardly more.
    pub(super) fn is_short_of_room(&self) -> bool {
        self.reserve_size() < RESERVE_SIZE || self.free_bytes() < RESERVE_SIZE
    }

    /// Deletes the reserve. Returns whether there was one.
    pub(super) fn give_up_reserve(&self) -> bool {
        disk::remove(&self.file(RESERVE)).is_ok()
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The temporary path of a file that is being made.
    pub(super) fn temporary(&self, name: &str) -> PathBuf {
        self.path
            .join(format!("{TEMPORARY}{}-{name}", std::process::id()))
    }

    /// Device and inode number of the directory.
    pub(super) fn id(&self) -> io::Result<(u64, u64)> {
        self.handle.metadata().map(|m| (m.dev(), m.ino()))
    }

    /// Whether the path still refers to this directory.
    pub(super) fn is_current(&self) -> io::Result<bool> {
        match fs::symlink_metadata(&self.path) {
            Ok(at_path) => Ok((at_path.dev(), at_path.ino()) == self.id()?),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in host::beside_stdio(|| fs::read_dir(&self.path))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// The numbers of the files whose names are `prefix`, a number and `suffix`, in ascending
    /// order.
    pub(super) fn numbered(&self, prefix: &str, suffix: &str) -> io::Result<Vec<u32>> {
        let number = |name: &String| {
            name.strip_prefix(prefix)?
                .strip_suffix(suffix)?
                .parse()
                .ok()
        };
        Ok(self.names()?.iter().filter_map(number).collect())
    }

    /// Makes a file of the spool. If root makes it, it gets the owner of the directory.
    pub(super) fn create(&self, path: &Path) -> io::Result<File> {
        let file = disk::create(path)?;
        let metadata = file.metadata()?;
        if metadata.mode() & 0o777 != 0o600 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        if metadata.uid() != self.uid {
            fchown(&file, Some(self.uid), Some(self.gid))?;
        }
        Ok(file)
    }

    /// Opens a file of the spool, but not through a symbolic link, and sets its mode to 0600.
    pub(super) fn open_file(&self, options: &mut OpenOptions, name: &str) -> io::Result<File> {
        let path = self.file(name);
        let options = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let foreign = |metadata: Metadata| {
            (metadata.uid() != self.uid).then(|| {
                io::Error::other(format!(
                    "{name} belongs to {}, and the spool to {}",
                    user_name(metadata.uid()),
                    user_name(self.uid)
                ))
            })
        };
        let file = host::open_file(options, &path).map_err(|e| {
            let found = fs::symlink_metadata(&path);
            found.ok().and_then(foreign).unwrap_or(e)
        })?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other(format!("{name} is not a regular file")));
        }
        if let Some(e) = foreign(metadata.clone()) {
            return Err(e);
        }
        if metadata.mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
            log::warn(|| {
                format!(
                    "{} was open to other users: its mode is now 0600",
                    path.display()
                )
            });
        }
        Ok(file)
    }

    /// Runs `work` under a lock of the directory itself, which is only held briefly. If another
    /// process holds the lock, `work` is not run.
    pub(super) fn with_directory_locked(
        &self,
        work: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        // A separate descriptor, so that two threads of this process exclude each other too.
        let handle = host::open_file(
            OpenOptions::new()
                .read(true)
                .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW),
            &self.path,
        )?;
        let _closed_in_children = host::close_in_children(&handle)?;
        if !host::lock_directory(&handle)? {
            return Ok(());
        }
        let _unlocked = Unlocked(&handle);
        work()
    }

    /// Syncs the directory, so that new names survive a power loss.
    pub(super) fn sync_names(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    pub(super) fn directory_names(&self) -> DirectoryNames {
        DirectoryNames {
            handle: Arc::clone(&self.handle),
            path: self.path.clone(),
        }
    }
}

/// Syncs the names in the directory, and the name of the directory in its folder.
#[derive(Debug)]
pub(super) struct DirectoryNames {
    handle: Arc<File>,
    path: PathBuf,
}

impl DirectoryNames {
    /// Syncs these names, so that they survive a power loss.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()?;
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        // The folder may be writable but not readable.
        match host::open_file(OpenOptions::new().read(true), folder) {
            Ok(folder) => folder.sync_all(),
            Err(_) => Ok(()),
        }
    }
}

struct Unlocked<'a>(&'a File);

impl Drop for Unlocked<'_> {
    fn drop(&mut self) {
        host::unlock_directory(self.0);
    }
}
