//! Opens the directory of a spool: checks whether it can be used, and makes it.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::{DAMAGED, DEAD, JOURNAL, LEASE, LOCK, OUTAGE, RECEIPTS, SEGMENT, disk};
use super::{RESERVE, SpoolDirectory, TEMPORARY, user_name};
use crate::host::log;
use crate::host::{self, FileSystem};
use crate::outcome::{Error, Status};

const FORMAT: &str = "FORMAT";
const FORMAT_TEXT: &str = "esales-notify spool, format 1\n";
const FORMAT_START: &str = "esales-notify spool, format ";

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

impl SpoolDirectory {
    /// Opens the directory; makes it if `creates` is true. `NotFound`: it does not exist.
    pub(in crate::spool::log) fn open(path: &Path, creates: bool) -> io::Result<SpoolDirectory> {
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
            [FORMAT, RESERVE, LEASE, LOCK, OUTAGE].contains(&name.as_str())
                || name.starts_with(TEMPORARY)
                || [SEGMENT, JOURNAL, DEAD, RECEIPTS, DAMAGED]
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
