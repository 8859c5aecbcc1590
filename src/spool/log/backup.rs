//! Makes a consistent copy of a spool in use.
//!
//! All files are opened first and copied afterwards, so that files which the leader deletes
//! meanwhile can still be read. The journal is read in between and determines which files the copy
//! needs. If one is missing, the copy starts again.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use super::directory::SpoolDirectory;
use super::journal::JournalWriter;
use super::view::View;
use super::{DEAD, RECEIPTS, SEGMENT, SEGMENT_END, dead, disk, segment_name};

/// Copies the spool into the new directory `to`. Returns the number of pending notifications in the
/// copy. If it fails, nothing stays there: part of a copy could be taken for a backup.
pub(super) fn copy(directory: &SpoolDirectory, to: &Path, deadline: Instant) -> io::Result<u64> {
    if to.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let copied = copy_into(directory, to, deadline);
    if copied.is_err() {
        // The error of the copy is the one to report.
        let _ = std::fs::remove_dir_all(to);
    }
    copied
}

fn copy_into(directory: &SpoolDirectory, to: &Path, deadline: Instant) -> io::Result<u64> {
    let target = SpoolDirectory::open(to, true)?;
    loop {
        let files = open_all(directory)?;
        let mut view = View::default();
        view.read_journal(directory)?;
        let names: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        let state = &view.state;
        let segments = state.segments.iter().filter(|(_, s)| !s.is_done());
        let mut needed = segments.map(|(number, _)| segment_name(*number));
        let mut letters = state.letters.values().map(|l| dead::name(l.file));
        let is_whole = needed.all(|name| names.contains(name.as_str()))
            && letters.all(|name| names.contains(name.as_str()));
        if is_whole {
            // A segment that was retired after it was opened would be counted and sent again.
            let is_retired = |name: &String| {
                segment_number(name)
                    .is_some_and(|n| n <= state.newest && !state.segments.contains_key(&n))
            };
            for (name, file) in files.iter().filter(|(name, _)| !is_retired(name)) {
                copy_file(file, &target, name)?;
            }
            // The copy has no leader.
            drop(target.create(&target.file(super::LEASE))?);
            JournalWriter::begin(&target, 1, state)?.sync()?;
            target.sync_names()?;
            let sight = View::default().read_all(&target, deadline)?;
            return Ok(sight.counts.pending);
        }
        if Instant::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

fn segment_number(name: &str) -> Option<u32> {
    let number = name.strip_prefix(SEGMENT)?.strip_suffix(SEGMENT_END)?;
    number.parse().ok()
}

fn open_all(directory: &SpoolDirectory) -> io::Result<Vec<(String, File)>> {
    let mut files = Vec::new();
    for name in directory.names()? {
        if [SEGMENT, DEAD, RECEIPTS]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        {
            match directory.open_file(OpenOptions::new().read(true), &name) {
                Ok(file) => files.push((name, file)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(files)
}

fn copy_file(from: &File, target: &SpoolDirectory, name: &str) -> io::Result<()> {
    let to = target.create(&target.file(name))?;
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    loop {
        match from.read_at(&mut buffer, offset)? {
            0 => break,
            n => {
                disk::append(&to, buffer.get(..n).unwrap_or_default())?;
                offset += n as u64;
            }
        }
    }
    disk::sync(&to)
}
