//! The operator's commands. They are records in the log, which the leader reads and executes. If
//! there is no leader, this process leads for a moment.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::directory::SpoolDirectory;
use super::items::each_item;
use super::line::{self, Line};
use super::{LogSpool, backup, dead, directory, lease, producer, reader, record, segment_name};
use crate::host::Timestamp;
use crate::outcome::{Error, Status};
use crate::spool::{LeaseError, NewItem, Operator, Outlet, Overview, Position, StoredItem};

/// Greatest number of positions in one record of a command.
const AT_A_TIME: usize = 1000;

impl LogSpool {
    pub(super) fn found_directory(&self) -> Result<SpoolDirectory, Error> {
        self.directory()?.ok_or_else(|| {
            Error::new(
                Status::SpoolFailed,
                format!("spool {}: there is no such spool", self.path.display()),
            )
        })
    }

    /// Appends an operator's records. If there is no leader, this process leads for a moment and
    /// executes them.
    fn command(
        &self,
        directory: &SpoolDirectory,
        records: &[Vec<u8>],
        deadline: Instant,
    ) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        producer::append_records(directory, records).map_err(|e| self.failed(e))?;
        let Some(mut lease) = self.acquire(deadline)? else {
            return Ok(());
        };
        let polled = loop {
            match lease.poll(Timestamp::now()) {
                Ok(true) => {}
                polled => break polled,
            }
        };
        lease.release();
        match polled {
            Err(LeaseError::Failed(e)) => Err(e),
            _ => Ok(()),
        }
    }

    fn records<T>(
        items: &[T],
        mut push: impl FnMut(&mut Vec<u8>, &T),
    ) -> Result<Vec<Vec<u8>>, Error> {
        items
            .iter()
            .map(|item| {
                let mut record = Vec::new();
                match line::encode(&mut record, |out| push(out, item)) {
                    true => Ok(record),
                    false => Err(Error::argument("a notification is longer than 16 MiB")),
                }
            })
            .collect()
    }

    /// Drops the items at these positions.
    fn drop_all(
        &self,
        directory: &SpoolDirectory,
        positions: &[Position],
        erases: bool,
        deadline: Instant,
    ) -> Result<(), Error> {
        let pieces: Vec<&[Position]> = positions.chunks(AT_A_TIME).collect();
        let records = Self::records(&pieces, |out, piece| {
            record::push_discard(out, erases, piece);
        })?;
        self.command(directory, &records, deadline)
    }
}

/// The number of damaged lines of each segment that has any.
fn damaged_lines(directory: &SpoolDirectory) -> io::Result<Vec<(String, u64)>> {
    let mut damaged = Vec::new();
    for number in directory.numbered(super::SEGMENT, super::SEGMENT_END)? {
        let name = segment_name(number);
        let file = match directory.open_file(OpenOptions::new().read(true), &name) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        let mut count = 0;
        reader::lines(&file, 0, |_, _, line| {
            count += u64::from(matches!(line, Line::Damaged));
            ControlFlow::Continue(())
        })?;
        if count > 0 {
            damaged.push((name, count));
        }
    }
    Ok(damaged)
}

impl Operator for LogSpool {
    fn leader(&self, _deadline: Instant) -> Result<Option<String>, Error> {
        let directory = self.directory()?;
        let leader = directory
            .map(|directory| lease::leader(&directory))
            .transpose();
        Ok(leader.map_err(|e| self.failed(e))?.flatten())
    }

    fn unreadable(&self, deadline: Instant) -> Result<Vec<String>, Error> {
        let mut unreadable = self.overview(deadline)?.faults;
        let directory = self.found_directory()?;
        let damaged = damaged_lines(&directory).map_err(|e| self.failed(e))?;
        let reported = damaged.iter().map(|(name, count)| match count {
            1 => format!("{name} has a damaged line"),
            _ => format!("{name} has {count} damaged lines"),
        });
        unreadable.extend(reported);
        Ok(unreadable)
    }

    fn overview(&self, deadline: Instant) -> Result<Overview, Error> {
        self.read(deadline, |directory, view| {
            view.read_all(directory, deadline)?;
            let state = &view.state;
            let origins = state.origins.iter();
            let mut dead_by_status = std::collections::BTreeMap::new();
            for letter in state.letters.values() {
                *dead_by_status.entry(-letter.status).or_insert(0) += 1;
            }
            let mut faults = state.faults();
            if view.damaged_lines() > 0 {
                faults.push(format!(
                    "the journal has {} damaged lines",
                    view.damaged_lines()
                ));
            }
            Ok(Overview {
                origins: origins
                    .map(|(o, s)| (Arc::clone(o), state.gate(o), s.pending))
                    .collect(),
                dead_by_status: dead_by_status
                    .into_iter()
                    .map(|(code, n)| (Status::from_code(-code).unwrap_or(Status::Internal), n))
                    .collect(),
                leader: lease::leader(directory)?,
                set_aside: directory
                    .names()?
                    .iter()
                    .filter(|name| name.starts_with(super::DAMAGED))
                    .map(|name| directory.file(name))
                    .collect(),
                faults,
            })
        })
    }

    fn pending(
        &self,
        after: Option<Position>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error> {
        self.read(deadline, |directory, view| {
            let mut sight = view.read_all(directory, deadline)?;
            let dropped = self.overflow(directory, view, &mut sight, deadline)?;
            let from = after.map_or(view.state.completed_to(), |after| {
                Position(after.0.saturating_add(1))
            });
            let mut found = Vec::new();
            each_item(directory, &view.state, from, deadline, |item| {
                if found.len() >= limit {
                    return ControlFlow::Break(());
                }
                if item.is_pending && !dropped.contains_key(&item.at) {
                    found.push(item.stored());
                }
                ControlFlow::Continue(())
            })?;
            Ok(found)
        })
    }

    fn dead(
        &self,
        after: Option<Position>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error> {
        self.read(deadline, |directory, view| {
            view.read_journal(directory)?;
            let mut found = Vec::new();
            let start = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
            let range = view
                .state
                .letters
                .range((start, std::ops::Bound::Unbounded));
            for (_, letter) in range {
                if found.len() >= limit {
                    break;
                }
                if let Ok(stored) = dead::read(directory, letter) {
                    found.push(stored);
                }
            }
            Ok(found)
        })
    }

    fn requeue(&self, letters: &[StoredItem], deadline: Instant) -> Result<u64, Error> {
        let Some(directory) = self.directory()? else {
            return Ok(0);
        };
        let there = self.read(deadline, |directory, view| {
            view.read_journal(directory)?;
            let mut seen = BTreeSet::new();
            let is_there = |l: &&StoredItem| {
                let position = l.item.position;
                view.state.letters.contains_key(&position) && seen.insert(position)
            };
            Ok(letters.iter().filter(is_there).collect::<Vec<_>>())
        })?;
        let now = Timestamp::now();
        let records = Self::records(&there, |out, letter| {
            let item = NewItem {
                id: letter.item.id.clone(),
                origin: Arc::clone(&letter.item.origin),
                path: letter.item.path.clone(),
                body: letter.item.body.clone(),
                accepted: now,
                attempts: 0,
                detail: String::new(),
            };
            record::push_requeue(out, letter.item.position, &item, letter.item.producer);
        })?;
        self.command(&directory, &records, deadline)?;
        Ok(there.len() as u64)
    }

    fn discard(&self, letters: &[Position], deadline: Instant) -> Result<u64, Error> {
        let Some(directory) = self.directory()? else {
            return Ok(0);
        };
        let there = self.read(deadline, |directory, view| {
            view.read_journal(directory)?;
            let mut there: Vec<Position> = letters.to_vec();
            there.sort_unstable();
            there.dedup();
            there.retain(|p| view.state.letters.contains_key(p));
            Ok(there)
        })?;
        self.drop_all(&directory, &there, false, deadline)?;
        Ok(there.len() as u64)
    }

    fn purge(&self, theirs: &dyn Fn(&str) -> bool, deadline: Instant) -> Result<u64, Error> {
        let Some(directory) = self.directory()? else {
            return Ok(0);
        };
        let (positions, purged) = self.read(deadline, |directory, view| {
            let mut sight = view.read_all(directory, deadline)?;
            let dropped = self.overflow(directory, view, &mut sight, deadline)?;
            let mut positions = BTreeSet::new();
            let mut purged = 0;
            each_item(
                directory,
                &view.state,
                Position::default(),
                deadline,
                |item| {
                    if theirs(&item.new.body) {
                        positions.insert(item.at);
                        purged += u64::from(item.is_pending && !dropped.contains_key(&item.at));
                    }
                    ControlFlow::Continue(())
                },
            )?;
            for letter in view.state.letters.values() {
                if let Ok(stored) = dead::read(directory, letter)
                    && theirs(&stored.item.body)
                {
                    positions.insert(stored.item.position);
                    purged += 1;
                }
            }
            Ok((positions.into_iter().collect::<Vec<_>>(), purged))
        })?;
        self.drop_all(&directory, &positions, true, deadline)?;
        // The file of damaged lines may contain lines of any visitor.
        let _ = std::fs::remove_file(directory.file(super::DAMAGED_FILE));
        Ok(purged)
    }

    fn probe_now(&self, deadline: Instant) -> Result<u64, Error> {
        let Some(directory) = self.directory()? else {
            return Ok(0);
        };
        let origins = self.read(deadline, |directory, view| {
            view.read_journal(directory)?;
            let closed = view.state.gates.values().filter(|g| g.failures > 0);
            Ok(closed.count() as u64)
        })?;
        let records = Self::records(&[()], |out, ()| record::push_probe(out))?;
        self.command(&directory, &records, deadline)?;
        Ok(origins)
    }

    fn is_done(&self, deadline: Instant) -> Result<bool, Error> {
        let has_unread = self.read(deadline, |directory, view| {
            view.read_all(directory, deadline)?;
            Ok(view.has_unread_commands)
        })?;
        Ok(!has_unread)
    }

    fn backup(&self, to: &Path, deadline: Instant) -> Result<u64, Error> {
        let directory = self.found_directory()?;
        let to = directory::check(to)?;
        backup::copy(&directory, &to, deadline).map_err(|e| super::failed(&to, e))
    }
}
