//! The spool's files: whether they may be used, who leads, and what happens to a damaged one.
//!
//! Nothing here opens the database file itself while SQLite may have it open: closing any descriptor of it would
//! give up SQLite's locks.

use std::collections::HashMap;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::deadline_lock::DeadlineLock;
use crate::host::{self, PerProcess, RecordLocks};
use crate::log;
use crate::queue::unix_ms;
use crate::status::Error;

/// Device and inode: which file a path leads to.
pub(super) type Identity = (u64, u64);

const LEADER: u8 = 0;
const OPENING: u8 = 1;

/// The path with its folder resolved, after the checks that need no writing.
pub(crate) fn check(path: &Path) -> Result<PathBuf, Error> {
    let shown = path.display();
    let refuse = |why: String| Err(Error::config(format!("spool {shown}: {why}")));
    let Some(name) = path.file_name() else {
        return refuse("is not the path of a file".to_owned());
    };
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let folder = match fs::canonicalize(folder) {
        Ok(folder) => folder,
        Err(e) => return refuse(format!("its folder cannot be used: {e}")),
    };
    let metadata = match fs::metadata(&folder) {
        Ok(metadata) => metadata,
        Err(e) => return refuse(format!("its folder cannot be used: {e}")),
    };
    if !metadata.is_dir() {
        return refuse(format!("{} is not a folder", folder.display()));
    }
    let mode = metadata.mode();
    if mode & 0o002 != 0 && mode & 0o1000 == 0 {
        return refuse(format!(
            "anybody may replace files in its folder {} (world-writable without the sticky bit)",
            folder.display()
        ));
    }
    let path = folder.join(name);
    match fs::symlink_metadata(&path) {
        Ok(m) if m.is_symlink() => refuse("is a symbolic link".to_owned()),
        Ok(m) if !m.is_file() => refuse("is not a regular file".to_owned()),
        Ok(_) => Ok(path),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(path),
        Err(e) => refuse(e.to_string()),
    }
}

pub(super) fn identity(path: &Path) -> io::Result<Identity> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// SQLite's log, and its index in shared memory.
const LOG: [&str; 2] = ["-wal", "-shm"];

/// Which files the log of an open spool is in.
pub(super) type Log = [Option<Identity>; 2];

pub(super) fn log_of(path: &Path) -> Log {
    LOG.map(|suffix| identity(&beside(path, suffix)).ok())
}

/// Takes the names from the log of a spool that is no longer at `path`, if it still has them: SQLite would take it
/// for that of the file that is there now. Whoever has it open goes on using it.
pub(super) fn part_from(path: &Path, log: &Log) -> io::Result<()> {
    for (suffix, known) in LOG.iter().zip(log) {
        let path = beside(path, suffix);
        if known.is_some() && identity(&path).ok() == *known {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Makes the file if there is none, for its owner alone. What cannot be a spool of ours is an error, and is left as
/// it is; so is everything, if nothing may be changed.
pub(super) fn prepare(path: &Path, may_change: bool) -> io::Result<()> {
    if !may_change {
        fs::symlink_metadata(path)?;
        return check_owners(path);
    }
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let is_new = match made {
        Ok(_) => true,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => false,
        Err(e) => return Err(e),
    };
    check_owners(path)?;
    if is_new {
        // A log that is left over from a file that was deleted alone, as `part_from` says.
        return part_from(path, &log_of(path));
    }
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if metadata.len() == 0 && fs::metadata(beside(path, "-wal")).is_ok_and(|w| w.len() > 0) {
        // SQLite would take it for new, and throw the log away.
        set_aside(path)?;
        return prepare(path, may_change);
    }
    Ok(())
}

/// Whether a file that is no database may be moved out of the way: only one that is closed to others and has
/// SQLite's log beside it, as ours always have. A file that somebody named by mistake is left alone.
pub(super) fn looks_like_ours(path: &Path) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|m| m.is_file() && m.mode() & 0o777 == 0o600 && m.nlink() == 1)
        && beside(path, "-wal").exists()
}

/// Whose the files of a spool must be: this process's user's; for root, those of the spool's owner.
fn owner(spool: &Path) -> io::Result<u32> {
    match host::user() {
        0 => match fs::symlink_metadata(spool) {
            Ok(metadata) => Ok(metadata.uid()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(e) => Err(e),
        },
        user => Ok(user),
    }
}

/// Somebody else's file is not used: they may read along, keep its locks, and put anything into it. A folder in which
/// anybody may make files (with the sticky bit) invites that.
fn check_owner(file: &Path, metadata: &Metadata, spool: &Path) -> io::Result<()> {
    let (found, ours) = (metadata.uid(), owner(spool)?);
    if found == ours {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{} belongs to uid {found}, and must belong to uid {ours}",
        file.display()
    )))
}

/// The files that SQLite opens by their names.
fn of_sqlite(spool: &Path) -> impl Iterator<Item = PathBuf> {
    ["", "-wal", "-shm"]
        .into_iter()
        .map(|suffix| beside(spool, suffix))
}

fn check_owners(spool: &Path) -> io::Result<()> {
    for file in of_sqlite(spool) {
        match fs::symlink_metadata(&file) {
            Ok(metadata) => check_owner(&file, &metadata, spool)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Closes a spool to everybody but its owner.
pub(super) fn close_to_others(spool: &Path) -> io::Result<()> {
    check_owners(spool)?;
    for path in of_sqlite(spool) {
        if fs::symlink_metadata(&path).is_ok_and(|m| is_open_to_others(&m)) {
            // Closing a descriptor of this kind gives up no locks. It says which file is meant, should the name lead to
            // another one by now.
            let file = OpenOptions::new()
                .read(true)
                .custom_flags(libc::O_PATH | libc::O_NOFOLLOW)
                .open(&path)?;
            let metadata = file.metadata()?;
            check_owner(&path, &metadata, spool)?;
            if is_open_to_others(&metadata) {
                let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
                fs::set_permissions(itself, Permissions::from_mode(0o600))?;
                say_closed(&path);
            }
        }
    }
    Ok(())
}

fn is_open_to_others(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.mode() & 0o077 != 0
}

fn say_closed(path: &Path) {
    log::warn(|| {
        let shown = path.display();
        format!("{shown} was open to other users: it is now for its owner alone")
    });
}

/// Opens a file of ours beside the spool, not through a symlink, and closes it to everybody but its owner.
pub(super) fn open_beside(
    options: &mut OpenOptions,
    path: &Path,
    spool: &Path,
) -> io::Result<File> {
    // Somebody else's may not open at all; this says why.
    check_owner(path, &fs::symlink_metadata(path)?, spool)?;
    let file = options.custom_flags(libc::O_NOFOLLOW).open(path)?;
    let metadata = file.metadata()?;
    check_owner(path, &metadata, spool)?;
    if is_open_to_others(&metadata) {
        file.set_permissions(Permissions::from_mode(0o600))?;
        say_closed(path);
    }
    Ok(file)
}

/// Makes a file beside the spool. Where root does, the spool's owner must be able to open it.
pub(super) fn make_beside(
    options: &mut OpenOptions,
    path: &Path,
    spool: &Path,
) -> io::Result<File> {
    let file = options.create_new(true).mode(0o600).open(path)?;
    let owner = owner(spool)?;
    if file.metadata()?.uid() != owner {
        fchown(&file, Some(owner), Some(fs::symlink_metadata(spool)?.gid()))?;
    }
    Ok(file)
}

/// Renames what is damaged, and says so; its new name.
pub(super) fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let mut aside = beside(path, &format!(".damaged-{}", unix_ms(SystemTime::now())));
    while aside.exists() {
        aside = beside(&aside, "x");
    }
    fs::rename(path, &aside)?;
    log::error(|| {
        format!(
            "{} is damaged; it was set aside as {} and a new one begun",
            path.display(),
            aside.display()
        )
    });
    Ok(aside)
}

/// Renames a damaged spool, with its log, and says so. Nothing is deleted.
pub(super) fn set_aside(path: &Path) -> io::Result<()> {
    let aside = move_aside(path)?;
    for suffix in LOG {
        match fs::rename(beside(path, suffix), beside(&aside, suffix)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The locks of one spool, as this process holds them. One for each path and process, never closed.
#[derive(Debug)]
pub(super) struct Locks {
    state: Mutex<State>,
    /// Within this process; between processes it is the byte OPENING.
    opening: DeadlineLock<()>,
}

impl Default for Locks {
    fn default() -> Locks {
        Locks {
            state: Mutex::default(),
            opening: DeadlineLock::new(()),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    file: Option<RecordLocks>,
    is_leading: bool,
}

static LOCKS: PerProcess<Mutex<HashMap<PathBuf, Arc<Locks>>>> = PerProcess::new();

/// The locks of the spool at `path`.
pub(super) fn locks(path: &Path) -> Arc<Locks> {
    let all = LOCKS.get(|_| Mutex::default());
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(all.entry(path.to_owned()).or_default())
}

impl Locks {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `is_leading_already` still holds, or this process leads from now on.
    pub(super) fn lead(&self, path: &Path, is_leading_already: bool) -> io::Result<bool> {
        let mut state = self.lock();
        if state.is_leading && !is_leading_already {
            // Another client of this process.
            return Ok(false);
        }
        state.is_leading = state.open(path)?.try_lock(LEADER)?;
        Ok(state.is_leading)
    }

    pub(super) fn resign(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.is_leading = false;
        state.file.as_ref().map_or(Ok(()), |f| f.unlock(LEADER))
    }

    /// Runs `f` while no other process opens, makes or sets aside the spool.
    pub(super) fn while_opening<T>(
        &self,
        path: &Path,
        deadline: Instant,
        f: impl FnOnce() -> Result<T, super::Failure>,
    ) -> Result<T, super::Failure> {
        let opened = self.opening.with(deadline, |()| {
            while !self.lock().open(path)?.try_lock(OPENING)? {
                if Instant::now() >= deadline {
                    return Err(super::Failure::Busy);
                }
                std::thread::sleep(Duration::from_micros(200));
            }
            let result = f();
            if let Some(file) = &self.lock().file {
                file.unlock(OPENING)?;
            }
            result
        });
        opened.unwrap_or(Err(super::Failure::Busy))
    }
}

impl State {
    /// The lock file; opened again if somebody deleted it, for the others then lock a new one.
    fn open(&mut self, spool: &Path) -> io::Result<&RecordLocks> {
        let path = beside(spool, ".lock");
        let is_current = match (&self.file, identity(&path)) {
            (Some(file), Ok(there)) => {
                let ours = file.metadata()?;
                (ours.dev(), ours.ino()) == there
            }
            _ => false,
        };
        if !is_current {
            self.file = None;
        }
        match self.file.take() {
            Some(file) => Ok(self.file.insert(file)),
            None => Ok(self.file.insert(open_lock(&path, spool)?)),
        }
    }
}

fn open_lock(path: &Path, spool: &Path) -> io::Result<RecordLocks> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    loop {
        match open_beside(&mut options.clone(), path, spool) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            opened => return opened.map(RecordLocks::of),
        }
        match make_beside(&mut options.clone(), path, spool) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(RecordLocks::of),
        }
    }
}
