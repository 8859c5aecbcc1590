//! Checks the directory of the spool: its owner and modes, its file system, and the free space.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use esales_notify::{FileSystem, SpoolAdmin};
use rustix::fs::{Access, access, statvfs};

use super::report::Check;
use crate::users::{group_name, sudo_name, this_user, user_name};

/// The free space that the spool needs at least, in bytes.
const LEAST_SPACE: u64 = 1 << 20;

/// Whether this user may use the spool, and who else may. `directory` is the spool itself, if it exists.
pub(super) fn permissions(
    path: &Path,
    parent: &Path,
    directory: Option<&Metadata>,
) -> (bool, Check) {
    let user = this_user();
    let owner = directory.map_or(user, Metadata::uid);
    let check = not_writable(path, parent, directory).or_else(|| foreign_file(path, owner));
    let is_usable = check.is_none();
    let check = check
        .or_else(|| open_to_others(directory))
        .or_else(|| shared_parent(parent, owner));
    let check = check.unwrap_or_else(|| {
        let name = user_name(owner);
        let found = match owner == user {
            true => format!("only {name} may use it"),
            false => format!("it belongs to {name}, and so does every file that root makes there"),
        };
        Check::ok("permissions", found)
    });
    let check = match directory {
        Some(_) => check.fact("owner", user_name(owner)),
        None => check.fact("owner", ()),
    };
    (is_usable, check)
}

/// The check of a spool that the library refuses because it belongs to another user; `None`: the refusal has another
/// reason.
pub(super) fn foreign(path: &Path, message: &str) -> Option<Check> {
    let directory = fs::symlink_metadata(path).ok().filter(Metadata::is_dir)?;
    let (owner, user) = (directory.uid(), this_user());
    if owner == user {
        return None;
    }
    let advice = format!(
        "all processes of a spool must run as one user, this one too: `sudo -u {} esales-notify doctor`",
        sudo_name(owner)
    );
    let check = Check::failed("permissions", message, advice);
    Some(check.fact("owner", user_name(owner)))
}

fn failed(found: String, advice: String) -> Option<Check> {
    Some(Check::failed("permissions", found, advice))
}

fn not_writable(path: &Path, parent: &Path, directory: Option<&Metadata>) -> Option<Check> {
    let place = if directory.is_some() { path } else { parent };
    let needed = match directory {
        Some(_) => Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK,
        None => Access::WRITE_OK | Access::EXEC_OK,
    };
    let e = io::Error::from(access(place, needed).err()?);
    let (shown, user) = (place.display(), this_user());
    let is_ours = directory.is_some_and(|directory| directory.uid() == user);
    if is_ours && e.kind() == io::ErrorKind::PermissionDenied {
        // The library sets the mode of its user's own spool.
        return None;
    }
    failed(
        format!("{} may not write into {shown}: {e}", user_name(user)),
        format!(
            "on a disk that can be written, `chown {} {shown}` and `chmod 0700 {shown}`",
            sudo_name(user)
        ),
    )
}

/// A file of the spool that belongs to another user.
fn foreign_file(path: &Path, owner: u32) -> Option<Check> {
    let files = fs::read_dir(path).ok()?;
    let (file, other): (PathBuf, u32) = files.flatten().find_map(|file| {
        let found = fs::symlink_metadata(file.path()).ok()?.uid();
        (found != owner).then(|| (file.path(), found))
    })?;
    let owner_name = user_name(owner);
    failed(
        format!(
            "{} belongs to {}, and the spool to {owner_name}",
            file.display(),
            user_name(other)
        ),
        format!(
            "find out how {} came to use the spool; then `chown -R {} {}`",
            user_name(other),
            sudo_name(owner),
            path.display()
        ),
    )
}

fn open_to_others(directory: Option<&Metadata>) -> Option<Check> {
    let mode = directory?.mode() & 0o777;
    if mode & 0o077 == 0 {
        return None;
    }
    Some(Check::warning(
        "permissions",
        format!(
            "the spool was open to other users (mode {mode:04o}), and it holds visitors' keys and tokens"
        ),
        "the library sets the mode to 0700 when it opens the spool: find out who changed it",
    ))
}

/// The users, other than `owner` and root, who may write into the parent and can therefore replace the spool.
fn writers(parent: &Metadata, owner: u32) -> Option<String> {
    let mode = parent.mode();
    if mode & 0o002 != 0 {
        Some("every user".to_owned())
    } else if mode & 0o020 != 0 {
        Some(format!("every member of {}", group_name(parent.gid())))
    } else if parent.uid() != owner && parent.uid() != 0 {
        Some(user_name(parent.uid()))
    } else {
        None
    }
}

fn shared_parent(path: &Path, owner: u32) -> Option<Check> {
    let who = writers(&fs::metadata(path).ok()?, owner)?;
    let shown = path.display();
    Some(Check::warning(
        "permissions",
        format!("{who} may create files in {shown}, and so replace this spool"),
        format!(
            "keep the spool in a folder of mode 0700 that belongs to {}: `chown {} {shown}` and `chmod 0700 {shown}`, \
             or another folder",
            user_name(owner),
            sudo_name(owner)
        ),
    ))
}

/// A spool must be on a local file system: appends of several machines overwrite one another.
pub(super) fn filesystem(parent: &Path) -> Check {
    let found = match SpoolAdmin::file_system(parent) {
        Ok(found) => found,
        Err(e) => {
            let advice = "find out whether the disk is mounted";
            return Check::failed("filesystem", e.detail(), advice);
        }
    };
    match found {
        FileSystem::Network(name) => Check::failed(
            "filesystem",
            format!("{name} is a network file system, on which the library refuses a spool"),
            "put the spool on a disk of this machine",
        )
        .fact("network", name),
        FileSystem::Unknown(name) => Check::warning(
            "filesystem",
            format!("{name}, which may be a network file system"),
            "use it only if it is on a disk of this machine: elsewhere notifications may be lost",
        )
        .fact("network", name),
        _ => Check::ok("filesystem", "local").fact("network", ()),
    }
}

pub(super) fn space(folder: &Path, max_bytes: u64) -> Check {
    let free = match statvfs(folder) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(e) => {
            let found = format!("{}: {}", folder.display(), io::Error::from(e));
            return Check::failed("space", found, "find out whether the disk is mounted");
        }
    };
    let found = format!(
        "{} MiB free for up to {} MiB (max_bytes)",
        free >> 20,
        max_bytes >> 20
    );
    let check = if free < LEAST_SPACE {
        Check::failed(
            "space",
            found,
            "the disk is full, and an enqueue returns ESALES_SPOOL_FAILED: make room",
        )
    } else if free < max_bytes {
        Check::warning(
            "space",
            found,
            "in a long outage the disk fills up before the queue does: make room, or lower max_bytes",
        )
    } else {
        Check::ok("space", found)
    };
    check.fact("free_bytes", free)
}
