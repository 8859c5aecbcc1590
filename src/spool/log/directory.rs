//! The directory of a spool: checks whether it can be used, and opens its files.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk;
use crate::host::log;
use crate::host::{self, FileSystem};
use crate::outcome::{Error, Status};

/// The length of the lock file, which never changes: a new holder overwrites the old one.
pub(super) const LOCK_LENGTH: usize = 128;

const FORMAT: &str = "FORMAT";
const FORMAT_TEXT: &str = "esales-notify spool, format 1\n";
const FORMAT_START: &str = "esales-notify spool, format ";

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

/// Resolves the folder of the path, after checks that change nothing.
pub(crate) fn check(path: &Path) -> Result<PathBuf, Error> {
    if !path.is_absolute() {
        return Err(Error::config(format!(
            "spool {}: give an absolute path; a relative one depends on the working directory, which is the web root \
             under some servers",
            path.display()
        )));
    }
    let Some(name) = path.file_name() else {
        return Err(Error::config(format!(
            "spool {}: this is not the path of a separate directory",
            path.display()
        )));
    };
    let refuse = |why: String| {
        Error::new(
            Status::SpoolFailed,
            format!("spool {}: {why}", path.display()),
        )
    };
    let parent = path.parent().unwrap_or(Path::new("/"));
    let cannot = |e: io::Error| {
        refuse(format!(
            "its folder {} cannot be used: {e}",
            parent.display()
        ))
    };
    let folder = fs::canonicalize(parent).map_err(cannot)?;
    let metadata = fs::metadata(&folder).map_err(cannot)?;
    if !metadata.is_dir() {
        return Err(refuse(format!("{} is not a folder", folder.display())));
    }
    if metadata.mode() & 0o002 != 0 && !is_sticky(&metadata) {
        return Err(refuse(format!(
            "every user may replace it: its folder {} is writable by others; remove that permission (chmod o-w {0})",
            folder.display()
        )));
    }
    let path = folder.join(name);
    match fs::symlink_metadata(&path) {
        Ok(found) => check_found(&found, &metadata, &folder).map_err(refuse)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(refuse(e.to_string())),
    }
    Ok(path)
}

fn is_sticky(metadata: &Metadata) -> bool {
    metadata.mode() & 0o1000 != 0
}

/// Checks whether the user of this process can use the directory at the path as a spool.
fn check_found(found: &Metadata, folder: &Metadata, name: &Path) -> Result<(), String> {
    if found.is_symlink() {
        return Err("it is a symbolic link; name the directory itself".to_owned());
    }
    if !found.is_dir() {
        return Err("it is a file; a spool is a directory".to_owned());
    }
    let user = host::user();
    if found.uid() == user {
        return Ok(());
    }
    let (owner, us) = (user_name(found.uid()), user_name(user));
    if user != 0 {
        return Err(format!(
            "it belongs to {owner}, and this process runs as {us}; run it as {owner}, or give the spool to {us} \
             (chown -R)"
        ));
    }
    // Other users could have put notifications there, which root would send.
    if folder.mode() & 0o022 != 0 {
        return Err(format!(
            "{owner} made it in {}, which other users may write, so {us} does not use it; run this as {owner}, or put \
             the spool into a folder that only {owner} may write",
            name.display()
        ));
    }
    Ok(())
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
    /// Opens the directory; makes it if `creates` is true. `NotFound`: it does not exist.
    pub(super) fn open(path: &Path, creates: bool) -> io::Result<SpoolDirectory> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let parent = fs::metadata(folder)?;
        let found = match fs::symlink_metadata(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && creates => {
                make(path, &parent)?;
                fs::symlink_metadata(path)?
            }
            found => found?,
        };
        check_found(&found, &parent, folder).map_err(io::Error::other)?;
        // The umask removed the owner's own rights.
        if found.mode() & 0o500 != 0o500 {
            fs::set_permissions(path, Permissions::from_mode(0o700))?;
        }
        let handle = host::open_file(
            OpenOptions::new()
                .read(true)
                .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW),
            path,
        )?;
        check_file_system(&handle, path)?;
        let directory = SpoolDirectory {
            path: path.to_owned(),
            handle: Arc::new(handle),
            uid: found.uid(),
            gid: found.gid(),
        };
        if found.mode() & 0o777 != 0o700 {
            // Checked first, so that the mode of a directory named by mistake is not changed.
            directory.check_names()?;
            fs::set_permissions(path, Permissions::from_mode(0o700))?;
            if found.mode() & 0o077 != 0 {
                log::warn(|| {
                    format!(
                        "the spool {} was open to other users: its mode is now 0700",
                        path.display()
                    )
                });
            }
        }
        directory.check_format(creates)?;
        Ok(directory)
    }

    /// The names of the files. Refuses a directory with other files than those of a spool.
    fn check_names(&self) -> io::Result<Vec<String>> {
        let names = self.names()?;
        let is_ours = |name: &String| {
            [FORMAT, RESERVE, super::LEASE, super::LOCK, super::OUTAGE].contains(&name.as_str())
                || name.starts_with(TEMPORARY)
                || [
                    super::SEGMENT,
                    super::JOURNAL,
                    super::DEAD,
                    super::RECEIPTS,
                    super::DAMAGED,
                ]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        };
        match names.iter().find(|name| !is_ours(name)) {
            Some(foreign) => Err(io::Error::other(format!(
                "it holds {foreign}, which is not a spool file; use a separate directory"
            ))),
            None => Ok(names),
        }
    }

    /// Whether the file FORMAT names this format. False: it is missing or damaged.
    fn has_format(&self) -> io::Result<bool> {
        match host::beside_stdio(|| fs::read_to_string(self.file(FORMAT))) {
            Ok(text) if text == FORMAT_TEXT => Ok(true),
            Ok(text) if text.starts_with(FORMAT_START) => Err(io::Error::other(format!(
                "another version of esales-notify made it ({}); it is not changed",
                text.trim_end()
            ))),
            Ok(_) => Ok(false),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn check_format(&self, creates: bool) -> io::Result<()> {
        if self.has_format()? {
            return Ok(());
        }
        let names = self.check_names()?;
        if !creates {
            return match names.is_empty() {
                true => Err(io::ErrorKind::NotFound.into()),
                false => Ok(()),
            };
        }
        // FORMAT is the first file of a spool. Another process may have made it, and then others, since the first look.
        if self.has_format()? {
            return Ok(());
        }
        if !names.iter().all(|name| name.starts_with(TEMPORARY)) {
            log::error(|| {
                format!(
                    "the file {FORMAT} of the spool {} was removed or damaged; it is made again",
                    self.path.display()
                )
            });
        }
        let temporary = self.temporary(FORMAT);
        let written = self.create(&temporary).and_then(|file| {
            disk::append(&file, FORMAT_TEXT.as_bytes())?;
            disk::rename(&temporary, &self.file(FORMAT))
        });
        self.make_lock()?;
        self.make_reserve();
        match written {
            // Another process is making it too.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            written => written,
        }
    }

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
        if self.has_reserve() {
            return;
        }
        let path = self.file(RESERVE);
        let free = host::free_bytes(&self.handle).unwrap_or(0);
        let size = RESERVE_SIZE.min(free / 8);
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

    pub(super) fn has_reserve(&self) -> bool {
        self.file(RESERVE).exists()
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

fn make(path: &Path, parent: &Metadata) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    // In a folder of the shop, files that root makes belong to the shop.
    if host::user() == 0 && parent.uid() != 0 {
        chown(path, Some(parent.uid()), Some(parent.gid()))?;
    }
    if parent.mode() & 0o020 != 0 && !is_sticky(parent) {
        log::warn(|| {
            format!(
                "the folder of the spool {} is writable by its group, whose members may rename or remove the spool",
                path.display()
            )
        });
    }
    Ok(())
}

fn check_file_system(handle: &File, path: &Path) -> io::Result<()> {
    match host::file_system(handle)? {
        FileSystem::Local => {}
        FileSystem::Network(name) => {
            return Err(io::Error::other(format!(
                "it is on a network file system ({name}), where appends of two machines overwrite each other; use a \
                 local disk"
            )));
        }
        FileSystem::Unknown(name) => log::warn(|| {
            format!(
                "the spool {} is on {name}; if that is on another machine, notifications may be lost",
                path.display()
            )
        }),
    }
    Ok(())
}
