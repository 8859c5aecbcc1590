//! The journal file: batches, which only the leader appends.
//!
//! Each leader begins its own journal, whose name contains its epoch, and only the journal with the
//! highest epoch is valid. This fences off a stale leader: what it writes goes into a file that no
//! process reads any more.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;

use super::directory::SpoolDirectory;
use super::disk;
use super::line::{self, Line};
use super::reader;
use super::state::{Batch, JournalState};

pub(super) fn name(epoch: u32) -> String {
    format!("{}{epoch:010}", super::JOURNAL)
}

/// The epoch of the last leader; `None`: there was none.
pub(super) fn last_epoch(directory: &SpoolDirectory) -> io::Result<Option<u32>> {
    Ok(directory.numbered(super::JOURNAL, "")?.pop())
}

/// The part of a journal that has been read.
#[derive(Debug)]
pub(super) struct JournalReader {
    file: File,
    read: u64,
    /// Number of damaged lines.
    pub(super) damaged: u64,
}

impl JournalReader {
    /// Opens and reads the last leader's journal. `None`: there is none.
    pub(super) fn open(
        directory: &SpoolDirectory,
    ) -> io::Result<Option<(JournalReader, JournalState)>> {
        for _ in 0..100 {
            let Some(epoch) = last_epoch(directory)? else {
                return Ok(None);
            };
            match directory.open_file(OpenOptions::new().read(true), &name(epoch)) {
                Ok(file) => {
                    let mut reader = JournalReader {
                        file,
                        read: 0,
                        damaged: 0,
                    };
                    let mut state = JournalState::default();
                    reader.read_on(&mut state)?;
                    return Ok(Some((reader, state)));
                }
                // The next leader has just deleted it.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Whether it is still the valid journal, as far as this can be seen without searching for
    /// another one.
    pub(super) fn is_current(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.nlink() > 0)
    }

    /// Applies batches that were appended since the last read.
    pub(super) fn read_on(&mut self, state: &mut JournalState) -> io::Result<()> {
        let mut damaged = 0;
        let end = reader::lines(&self.file, self.read, |_, _, line| {
            match line {
                Line::Sound(payload) => match serde_json::from_str::<Batch>(payload) {
                    Ok(batch) => state.apply(&batch),
                    Err(_) => damaged += 1,
                },
                Line::Torn => {}
                Line::Damaged => damaged += 1,
            }
            ControlFlow::Continue(())
        })?;
        self.damaged += damaged;
        self.read = end;
        Ok(())
    }
}

/// The journal of the leader.
#[derive(Debug)]
pub(super) struct JournalWriter {
    file: File,
    epoch: u32,
    length: u64,
    /// Length right after the last rewrite.
    compact: u64,
    buffer: Vec<u8>,
}

impl JournalWriter {
    /// Begins the journal of `epoch`, or rewrites it, with this state.
    pub(super) fn begin(
        directory: &SpoolDirectory,
        epoch: u32,
        state: &JournalState,
    ) -> io::Result<JournalWriter> {
        let mut buffer = Vec::new();
        for batch in state.snapshot() {
            push(&mut buffer, &batch)?;
        }
        let temporary = directory.temporary(&name(epoch));
        match disk::remove(&temporary) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        let file = directory.create(&temporary)?;
        let written = disk::append(&file, &buffer)
            .and_then(|()| disk::rename(&temporary, &directory.file(&name(epoch))));
        if let Err(e) = written {
            let _ = disk::remove(&temporary);
            return Err(e);
        }
        let length = buffer.len() as u64;
        Ok(JournalWriter {
            file,
            epoch,
            length,
            compact: length,
            buffer: Vec::new(),
        })
    }

    pub(super) fn append(&mut self, batch: &Batch) -> io::Result<()> {
        self.buffer.clear();
        push(&mut self.buffer, batch)?;
        disk::append(&self.file, &self.buffer)?;
        self.length += self.buffer.len() as u64;
        Ok(())
    }

    /// Whether it is long enough to be rewritten.
    pub(super) fn is_long(&self) -> bool {
        const SPARE: u64 = 1 << 20;
        self.length > self.compact.saturating_mul(2).saturating_add(SPARE)
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether the file still has its name, and so was not deleted.
    pub(super) fn has_name(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.nlink() > 0)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        disk::sync(&self.file)
    }
}

fn push(out: &mut Vec<u8>, batch: &Batch) -> io::Result<()> {
    let mut result = Ok(());
    let fits = line::encode(out, |out| result = serde_json::to_writer(out, batch));
    result?;
    match fits {
        true => Ok(()),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The last valid batch of the last leader's journal; without one, an empty batch. It has the sums, but not the rest of the
/// state.
pub(super) fn last_batch(directory: &SpoolDirectory) -> io::Result<Batch> {
    let Some(epoch) = last_epoch(directory)? else {
        return Ok(Batch::default());
    };
    match directory.open_file(OpenOptions::new().read(true), &name(epoch)) {
        Ok(file) => Ok(last_batch_of(&file)?.unwrap_or_default()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Batch::default()),
        Err(e) => Err(e),
    }
}

/// The last valid batch of a journal file, read from its end.
fn last_batch_of(file: &File) -> io::Result<Option<Batch>> {
    const END: u64 = 8 << 10;
    let length = file.metadata()?.len();
    for piece in [END, END << 6, u64::MAX] {
        let mut last = None;
        reader::lines(file, length.saturating_sub(piece), |_, _, line| {
            if let Line::Sound(payload) = line {
                last = Some(payload.to_owned());
            }
            ControlFlow::Continue(())
        })?;
        if let Some(batch) = last.and_then(|payload| serde_json::from_str(&payload).ok()) {
            return Ok(Some(batch));
        }
        if piece >= length {
            break;
        }
    }
    Ok(None)
}
