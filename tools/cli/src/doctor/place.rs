//! The place of the spool: who may use it, and whether there is room.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};
use rustix::process::geteuid;

use super::report::Check;

/// Less free space than that is as good as none, in bytes: the log needs some pages.
const LEAST_SPACE: u64 = 1 << 20;
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Whether the spool may be opened by this user at all, and what is odd about who may.
pub(super) fn permissions(path: &Path, folder: &Path, file: Option<&Metadata>) -> (bool, Check) {
    let uid = geteuid().as_raw();
    let failed = |found: String, advice: &str| Check::failed("permissions", found, advice);
    let owner = file.map(Metadata::uid);
    if let Some(owner) = owner.filter(|owner| *owner != uid) {
        let found = format!("the spool belongs to uid {owner}, and this runs as uid {uid}");
        let advice = format!(
            "all processes of a spool must run as one user, this one too: `sudo -u '#{owner}' esales-notify doctor`"
        );
        // Root could use it, but leave files that the owner cannot.
        let check = match uid {
            0 => Check::warning("permissions", found, advice),
            _ => failed(found, &advice),
        };
        return (false, check.fact("owner", owner));
    }
    let check = if let Err(e) = access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        let e = io::Error::from(e);
        failed(
            format!(
                "this user (uid {uid}) may not write into {}: {e}",
                folder.display()
            ),
            "make the folder the shop's user's own, on a disk that can be written: chown, chmod 0700",
        )
    } else if let (Some(owner), Some((name, other))) = (owner, foreign_companion(path, uid)) {
        failed(
            format!(
                "{} belongs to uid {other}, and the spool to uid {owner}",
                name.display()
            ),
            "somebody else used the spool (root, perhaps): chown the file to the spool's user",
        )
    } else if let Some(mode) = file.map(|m| m.mode() & 0o777).filter(|m| m & 0o077 != 0) {
        Check::warning(
            "permissions",
            format!(
                "the spool was open to other users (mode {mode:04o}); it holds visitors' keys and tokens"
            ),
            "opening it closes it (mode 0600): find out who opened it",
        )
    } else if fs::metadata(folder).is_ok_and(|m| m.mode() & 0o002 != 0) {
        Check::warning(
            "permissions",
            format!("any user may put files into {}", folder.display()),
            "give the spool a folder of its own, of the shop's user, with mode 0700",
        )
    } else {
        Check::ok("permissions", "for this user alone")
    };
    (true, check.fact("owner", owner))
}

/// A file of the spool's that its owner cannot use.
fn foreign_companion(path: &Path, uid: u32) -> Option<(PathBuf, u32)> {
    ["-wal", "-shm", "-inbox", ".lock"]
        .map(|suffix| beside(path, suffix))
        .into_iter()
        .find_map(|file| {
            let owner = fs::symlink_metadata(&file).ok()?.uid();
            (owner != uid).then_some((file, owner))
        })
}

pub(super) fn space(folder: &Path, max_bytes: u64) -> Check {
    let free = match statvfs(folder) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(e) => {
            let words = format!("{}: {}", folder.display(), io::Error::from(e));
            return Check::failed("space", words, "see whether the disk is there");
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
            "the disk is full: an enqueue says ESALES_SPOOL_FAILED; make room",
        )
    } else if free < max_bytes {
        Check::warning(
            "space",
            found,
            "in a long outage the disk fills up first: make room, or lower max_bytes",
        )
    } else {
        Check::ok("space", found)
    };
    check.fact("free_bytes", free)
}
