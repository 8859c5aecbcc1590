//! The place of the spool: who may use it, on which file system it is, and whether there is room.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statfs, statvfs};

use super::report::Check;
use crate::users::{group_name, sudo_name, this_user, user_name};

/// With less free space than this the spool cannot be used, in bytes.
const LEAST_SPACE: u64 = 1 << 20;

/// Whether this user may use the spool, and who else may. `directory` is the spool itself, if it exists.
pub(super) fn permissions(
    path: &Path,
    parent: &Path,
    directory: Option<&Metadata>,
) -> (bool, Check) {
    let user = this_user();
    let owner = directory.map_or(user, Metadata::uid);
    let found = fs::metadata(parent);
    let is_shared = found
        .as_ref()
        .is_ok_and(|parent| writers(parent, owner).is_some());
    // Root may use any spool, except one that another user may have put there for root to find.
    let is_foreign = owner != user && (user != 0 || is_shared);
    let check = not_ours(path, owner, user)
        .filter(|_| is_foreign)
        .or_else(|| not_writable(path, parent, directory))
        .or_else(|| foreign_file(path, owner));
    let is_usable = check.is_none();
    let check = check
        .or_else(|| open_to_others(path, directory))
        .or_else(|| shared_parent(parent, found.ok().as_ref(), owner));
    let check = check.unwrap_or_else(|| {
        let found = match owner == user {
            true => format!("only {} may use it", user_name(owner)),
            false => format!(
                "it belongs to {}, to whom root gives every file that it makes there",
                user_name(owner)
            ),
        };
        Check::ok("permissions", found)
    });
    let check = match directory {
        Some(_) => check.fact("owner", user_name(owner)),
        None => check.fact("owner", ()),
    };
    (is_usable, check)
}

fn failed(found: String, advice: String) -> Option<Check> {
    Some(Check::failed("permissions", found, advice))
}

fn not_ours(path: &Path, owner: u32, user: u32) -> Option<Check> {
    let (shown, name) = (path.display(), user_name(owner));
    failed(
        format!(
            "{shown} belongs to {name}, and this runs as {}",
            user_name(user)
        ),
        format!(
            "all processes of a spool must run as one user, this one too: `sudo -u {} esales-notify doctor`; if the \
             shop runs as {}, `chown -R {} {shown}`",
            sudo_name(owner),
            user_name(user),
            sudo_name(user)
        ),
    )
}

fn not_writable(path: &Path, parent: &Path, directory: Option<&Metadata>) -> Option<Check> {
    let place = if directory.is_some() { path } else { parent };
    let needed = match directory {
        Some(_) => Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK,
        None => Access::WRITE_OK | Access::EXEC_OK,
    };
    let e = io::Error::from(access(place, needed).err()?);
    let (shown, user) = (place.display(), this_user());
    failed(
        format!("{} may not write into {shown}: {e}", user_name(user)),
        format!(
            "on a disk that can be written, `chown {} {shown}` and `chmod 0700 {shown}`",
            sudo_name(user)
        ),
    )
}

/// A file of the spool that its owner cannot use.
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

fn open_to_others(path: &Path, directory: Option<&Metadata>) -> Option<Check> {
    let mode = directory?.mode() & 0o777;
    if mode & 0o077 == 0 {
        return None;
    }
    Some(Check::warning(
        "permissions",
        format!(
            "other users may look into the spool (mode {mode:04o}), which holds visitors' keys and tokens"
        ),
        format!(
            "find out who changed the mode; then `chmod 0700 {}`",
            path.display()
        ),
    ))
}

/// Who may replace the spool of `owner`, besides its owner and root: whoever may write into its parent.
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

fn shared_parent(path: &Path, parent: Option<&Metadata>, owner: u32) -> Option<Check> {
    let who = writers(parent?, owner)?;
    let shown = path.display();
    Some(Check::warning(
        "permissions",
        format!(
            "{who} may make and replace files in {shown}, and so put another spool in this one's place"
        ),
        format!(
            "keep the spool in a folder of mode 0700 that belongs to {}: `chown {} {shown}` and `chmod 0700 {shown}`, \
             or another folder",
            user_name(owner),
            sudo_name(owner)
        ),
    ))
}

/// Network file systems, by the number that statfs returns. FUSE may be one.
const NETWORK: [(u64, &str); 9] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
    (0x0102_1997, "9P"),
    (0x7461_636F, "OCFS2"),
    (0x6573_5546, "FUSE"),
];

fn network_name(number: u64) -> Option<&'static str> {
    let found = NETWORK.iter().find(|(magic, _)| *magic == number);
    found.map(|(_, name)| *name)
}

/// A spool must be on a local file system: locks and appends of several machines do not work as they must.
pub(super) fn filesystem(parent: &Path) -> Check {
    let number = match statfs(parent) {
        // The kernel's number has 32 bits, of whatever type the field is.
        Ok(found) => u64::from(found.f_type as u32),
        Err(e) => {
            let found = format!("{}: {}", parent.display(), io::Error::from(e));
            return Check::failed("filesystem", found, "find out whether the disk is mounted");
        }
    };
    let check = match network_name(number) {
        None => Check::ok("filesystem", "local"),
        Some("FUSE") => Check::warning(
            "filesystem",
            "FUSE, which may be a network file system",
            "use it only if it is on a disk of this machine",
        ),
        Some(name) => Check::warning(
            "filesystem",
            format!("{name} is a network file system, where events can be lost or sent twice"),
            "put the spool on a disk of this machine",
        ),
    };
    check.fact("network", network_name(number))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_number() {
        assert_eq!(network_name(0x6969), Some("NFS"));
        assert_eq!(network_name(0xFF53_4D42), Some("CIFS"));
        // ext4, tmpfs, overlayfs, xfs, btrfs.
        for local in [0xEF53, 0x0102_1994, 0x794C_7630, 0x5846_5342, 0x9123_683E] {
            assert_eq!(network_name(local), None);
        }
    }
}
