//! Files with the bodies of dead letters, to which the leader appends. The journal determines which
//! of their lines are valid.

use std::fs::{File, OpenOptions};
use std::io;
use std::sync::Arc;

use super::directory::SpoolDirectory;
use super::disk;
use super::line::{self, Line, push_number, push_text};
use super::reader;
use super::record;
use super::state::Letter;
use crate::host::Timestamp;
use crate::outcome::Status;
use crate::spool::{Position, Settlement, StoredItem};

const END: &str = ".log";

pub(super) fn name(number: u32) -> String {
    format!("{}{number:010}{END}", super::DEAD)
}

pub(super) fn files(directory: &SpoolDirectory) -> io::Result<Vec<u32>> {
    directory.numbered(super::DEAD, END)
}

fn push(out: &mut Vec<u8>, letter: &StoredItem) -> bool {
    let died = letter.died.unwrap_or_default();
    line::encode(out, |out| {
        record::push_letter(out, b'D', &letter.item.body);
        out.push(b'\t');
        out.extend_from_slice(letter.status.code().to_string().as_bytes());
        for number in [
            letter.item.position.0,
            letter.http_status.unwrap_or(0).into(),
            died.unix_ms,
            died.uptime_ms,
            died.boot.into(),
        ] {
            out.push(b'\t');
            push_number(out, number);
        }
        out.push(b'\t');
        push_text(out, &letter.detail);
        record::push_item(out, &letter.item);
    })
}

fn parse(payload: &str) -> Option<StoredItem> {
    let mut columns = payload.splitn(9, '\t');
    let letter = columns.next()?;
    (letter.eq_ignore_ascii_case("D")).then_some(())?;
    let status = Status::from_code(columns.next()?.parse().ok()?)?;
    let mut number = || columns.next()?.parse::<u64>().ok();
    let position = Position(number()?);
    let http_status = u16::try_from(number()?).ok()?;
    let died = Timestamp {
        unix_ms: number()?,
        uptime_ms: number()?,
        boot: u32::try_from(number()?).ok()?,
    };
    let detail = line::text(columns.next()?);
    let notification = record::columns(columns.next()?, letter == "d")?;
    let origin = Arc::from(line::text(notification.origin).as_str());
    Some(StoredItem {
        item: notification.into_item(position, origin),
        died: Some(died),
        status,
        http_status: (http_status != 0).then_some(http_status),
        detail,
    })
}

/// Reads a dead letter.
pub(super) fn read(directory: &SpoolDirectory, letter: &Letter) -> io::Result<StoredItem> {
    let file = directory.open_file(OpenOptions::new().read(true), &name(letter.file))?;
    let line = reader::line_at(&file, letter.offset)?.unwrap_or_default();
    match line::decode(&line) {
        Line::Sound(payload) => parse(payload),
        _ => None,
    }
    .ok_or_else(|| io::Error::other("a dead letter is damaged"))
}

/// Overwrites the line of a dead letter.
pub(super) fn erase(directory: &SpoolDirectory, letter: &Letter) -> io::Result<()> {
    let name = name(letter.file);
    let file = directory.open_file(OpenOptions::new().read(true), &name)?;
    match reader::line_at(&file, letter.offset)? {
        Some(line) => super::erase_lines(directory, &name, &[(letter.offset, line.len())]),
        None => Ok(()),
    }
}

/// Appends dead letters.
#[derive(Debug, Default)]
pub(super) struct LetterWriter {
    /// The current file, its number and its length.
    current: Option<(File, u32, u64)>,
}

impl LetterWriter {
    /// Appends dead letters. Returns the positions of their lines.
    pub(super) fn append(
        &mut self,
        directory: &SpoolDirectory,
        dead: &[&Settlement],
    ) -> io::Result<Vec<(Position, Letter)>> {
        let letters = dead.iter().map(|settled| StoredItem {
            item: settled.item.clone(),
            died: Some(settled.at),
            status: settled.status,
            http_status: settled.http_status,
            detail: settled.detail.clone(),
        });
        self.append_all(directory, &letters.collect::<Vec<_>>())
    }

    fn append_all(
        &mut self,
        directory: &SpoolDirectory,
        letters: &[StoredItem],
    ) -> io::Result<Vec<(Position, Letter)>> {
        if letters.is_empty() {
            return Ok(Vec::new());
        }
        if self.current.is_none() {
            let number = files(directory)?.last().map_or(1, |newest| newest + 1);
            self.current = Some((directory.create(&directory.file(&name(number)))?, number, 0));
        }
        let Some((file, number, length)) = &mut self.current else {
            return Ok(Vec::new());
        };
        let mut buffer = Vec::new();
        let mut placed = Vec::new();
        for letter in letters {
            let offset = *length + buffer.len() as u64;
            push(&mut buffer, letter);
            placed.push((
                letter.item.position,
                Letter {
                    file: *number,
                    offset,
                    status: letter.status.code(),
                    producer: letter.item.producer,
                },
            ));
        }
        match disk::append(file, &buffer) {
            Ok(()) => *length += buffer.len() as u64,
            Err(e) => {
                // A part may have been written, so the file is not used any more.
                self.current = None;
                return Err(e);
            }
        }
        Ok(placed)
    }

    /// Writes the valid dead letters into a new file. The old files can be deleted after the
    /// journal has recorded the new positions.
    pub(super) fn rewrite(
        &mut self,
        directory: &SpoolDirectory,
        letters: impl Iterator<Item = (Position, Letter)>,
    ) -> io::Result<Vec<(Position, Letter)>> {
        self.current = None;
        let mut moved = Vec::new();
        let mut piece = Vec::new();
        for (position, letter) in letters {
            match read(directory, &letter) {
                Ok(stored) => piece.push(stored),
                // An unreadable letter keeps its position and stays counted.
                Err(_) => moved.push((position, letter)),
            }
            if piece.len() >= 256 {
                moved.extend(self.append_all(directory, &std::mem::take(&mut piece))?);
            }
        }
        moved.extend(self.append_all(directory, &piece)?);
        Ok(moved)
    }

    pub(super) fn has_name(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let is_linked = |file: &File| file.metadata().is_ok_and(|m| m.nlink() > 0);
        self.current
            .as_ref()
            .is_none_or(|(file, _, _)| is_linked(file))
    }

    pub(super) fn number(&self) -> Option<u32> {
        self.current.as_ref().map(|(_, number, _)| *number)
    }

    pub(super) fn length(&self) -> u64 {
        self.current.as_ref().map_or(0, |(_, _, length)| *length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Item;

    #[test]
    fn dead_letter_round_trips() {
        let letter = StoredItem {
            item: Item {
                position: Position(5),
                id: "i\td".to_owned(),
                origin: Arc::from("https://h"),
                path: "/x".into(),
                body: "{\"a\":\n1}".to_owned(),
                has_begun: false,
                accepted: Timestamp {
                    unix_ms: 1,
                    uptime_ms: 2,
                    boot: 3,
                },
                attempts: 4,
                producer: 6,
            },
            died: Some(Timestamp {
                unix_ms: 7,
                uptime_ms: 8,
                boot: 9,
            }),
            status: Status::Rejected,
            http_status: None,
            detail: "tab\tand \\".to_owned(),
        };
        let mut out = Vec::new();
        assert!(push(&mut out, &letter));
        let Line::Sound(payload) = line::decode(&out[1..]) else {
            panic!("{out:?}");
        };
        assert_eq!(parse(payload), Some(letter));
    }
}
