//! The inbox: a file beside the spool to which an enqueue appends, with one `write`. Whoever next looks into the spool
//! takes over what it holds. A transaction of its own would cost each enqueue a dozen system calls.
//!
//! It begins with its generation. A record begins with a line feed and its checksum: what a process that was killed, or
//! a full disk, left unfinished ends where the next record begins, and costs nobody else. Appends of several processes
//! do not mix, for the kernel locks a file while it appends.
//!
//! How far an inbox was taken over is recorded in the spool, in the transaction that takes over; so each record is taken
//! over once. One that was taken over whole is replaced by the next generation, under a lock that appends share: nobody
//! then writes to the old file any more. (Locks of `flock`: a forked child that inherits one keeps the file from being
//! replaced, and nothing else.) It ends with a mark then. One that has lost its place without it was deleted by hand, and
//! whoever still has it open takes over what it holds.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{self, Identity, beside, move_aside};
use crate::queue::spool::NewItem;

pub(super) const MAGIC: &str = "esales-notify inbox 1 ";
/// The magic and the generation, 20 digits.
pub(super) const HEADER: u64 = MAGIC.len() as u64 + 20;
/// Line feed and checksum, in front of a record's fields.
const FRAME: usize = 1 + 8;
/// No record is shorter: a line feed, the checksum, five tabs, a time of 13 digits, and a body with the names of its
/// fields.
pub(super) const SHORTEST: u64 = 64;
/// The last line of an inbox that was replaced.
const REPLACED: &[u8] = b"--------\treplaced";
/// How much is read at once. No record is as long.
const PIECE: u64 = 4 << 20;
/// As much as the tables can hold.
const LAST_GENERATION: u64 = i64::MAX as u64;

/// An open inbox.
#[derive(Debug)]
pub(super) struct Inbox {
    file: File,
    path: PathBuf,
    identity: Identity,
    pub(super) generation: u64,
}

/// What an append found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Appended {
    Done,
    /// It was not even tried: the file is about to be replaced, was replaced, or is not as long as it is known to be.
    NotNow,
}

impl Inbox {
    /// Opens the inbox of the spool at `spool`, if there is one. What stands in its place and is none is moved out of the
    /// way. Call while no other process opens the spool.
    pub(super) fn open(spool: &Path, may_change: bool) -> io::Result<Option<Inbox>> {
        let path = beside(spool, "-inbox");
        let mut options = OpenOptions::new();
        let file = match file::open_beside(options.read(true).append(true), &path, spool) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let inbox = Inbox::from_file(file, &path)?;
        if inbox.is_none() && may_change {
            move_aside(&path)?;
        }
        Ok(inbox)
    }

    /// `None`: it is no inbox.
    fn from_file(file: File, path: &Path) -> io::Result<Option<Inbox>> {
        let mut header = [0; HEADER as usize];
        let metadata = file.metadata()?;
        let is_whole = metadata.is_file() && file.read_exact_at(&mut header, 0).is_ok();
        let generation = std::str::from_utf8(&header)
            .ok()
            .and_then(|h| h.strip_prefix(MAGIC))
            .filter(|_| is_whole)
            .and_then(|digits| digits.parse().ok())
            .filter(|generation| *generation <= LAST_GENERATION);
        Ok(generation.map(|generation| Inbox {
            file,
            path: path.to_owned(),
            identity: (metadata.dev(), metadata.ino()),
            generation,
        }))
    }

    /// Makes one of a generation after `last`, by so many. Whole under another name first: nobody sees one without its
    /// header.
    pub(super) fn make(spool: &Path, last: u64, step: u64) -> io::Result<Inbox> {
        let (path, unfinished) = (beside(spool, "-inbox"), beside(spool, "-inbox.new"));
        match fs::remove_file(&unfinished) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let mut file = file::make_beside(options.read(true).append(true), &unfinished, spool)?;
        let metadata = file.metadata()?;
        // No honest spool comes to the end. Behind it nothing is lost either: see `take_over`.
        let generation = last
            .checked_add(step)
            .filter(|next| *next <= LAST_GENERATION)
            .unwrap_or(step);
        file.write_all(format!("{MAGIC}{generation:020}").as_bytes())?;
        fs::rename(&unfinished, &path)?;
        Ok(Inbox {
            file,
            path,
            identity: (metadata.dev(), metadata.ino()),
            generation,
        })
    }

    /// Its length, and whether it is still in its place. (To have a name is not enough: a copy by hard links gives one.)
    pub(super) fn state(&self) -> io::Result<(u64, bool)> {
        match fs::symlink_metadata(&self.path) {
            Ok(there) if (there.dev(), there.ino()) == self.identity => Ok((there.len(), true)),
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok((self.file.metadata()?.len(), false)),
        }
    }

    /// Appends a record, if the file is as long as is expected. An error: it was not accepted.
    pub(super) fn append(
        &mut self,
        record: &[u8],
        expected: &RangeInclusive<u64>,
    ) -> io::Result<Appended> {
        if self.file.try_lock_shared().is_err() {
            return Ok(Appended::NotNow);
        }
        let appended = self.append_locked(record, expected);
        self.file.unlock()?;
        appended
    }

    fn append_locked(
        &mut self,
        record: &[u8],
        expected: &RangeInclusive<u64>,
    ) -> io::Result<Appended> {
        let (length, is_in_place) = self.state()?;
        if !is_in_place || !expected.contains(&length) {
            return Ok(Appended::NotNow);
        }
        loop {
            match self.file.write(record) {
                Ok(written) if written == record.len() => return Ok(Appended::Done),
                // Half a record is none.
                Ok(_) => return Err(io::ErrorKind::StorageFull.into()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// The records from `offset` on that are whole, as many as are read at once, and the offset behind them; behind its
    /// end there are none.
    pub(super) fn read(&self, offset: u64) -> io::Result<Read> {
        let length = self.file.metadata()?.len();
        let Some(left) = length.checked_sub(offset) else {
            return Ok(parse(&[], length));
        };
        let mut bytes = vec![0; usize::try_from(left.min(PIECE)).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, offset)?;
        if left <= PIECE {
            return Ok(parse(&bytes, offset));
        }
        // The last line goes on in the next piece. If there is no other, it is longer than any record.
        let cut = bytes.iter().rposition(|b| *b == b'\n').filter(|at| *at > 0);
        let whole = cut.and_then(|at| bytes.get(..at)).unwrap_or(&bytes);
        let mut read = parse(whole, offset);
        read.end = offset + whole.len() as u64;
        read.has_more = true;
        Ok(read)
    }

    /// Whether the last line is the mark.
    pub(super) fn is_marked(&self) -> io::Result<bool> {
        let mut end = [0; 1 + REPLACED.len()];
        let length = self.file.metadata()?.len();
        let Some(offset) = length.checked_sub(end.len() as u64) else {
            return Ok(false);
        };
        self.file.read_exact_at(&mut end, offset)?;
        Ok(end.strip_prefix(b"\n") == Some(REPLACED))
    }

    /// Says to the others that have it open that nothing is left in it.
    pub(super) fn mark(&self) -> io::Result<()> {
        (&self.file).write_all(&[b"\n", REPLACED].concat())
    }

    /// Puts an empty inbox, of a generation after `last` and this one's, in the place of this one, unless there are records
    /// behind `taken`, or somebody is appending. `erases`: its content is overwritten.
    pub(super) fn replace(
        &mut self,
        spool: &Path,
        taken: u64,
        last: u64,
        erases: bool,
    ) -> io::Result<Option<Inbox>> {
        if self.file.try_lock().is_err() {
            return Ok(None);
        }
        let replaced = self.replace_locked(spool, taken, last, erases);
        self.file.unlock()?;
        replaced
    }

    fn replace_locked(
        &self,
        spool: &Path,
        taken: u64,
        last: u64,
        erases: bool,
    ) -> io::Result<Option<Inbox>> {
        let (length, is_in_place) = self.state()?;
        if !is_in_place {
            return Ok(None);
        }
        if length > taken {
            let rest = self.read(taken)?;
            if rest.has_more || !rest.records.is_empty() {
                return Ok(None);
            }
            // Nobody is writing: whoever began that record was killed, or had no room.
        }
        if erases {
            self.erase(length)?;
        }
        self.mark()?;
        Inbox::make(spool, last.max(self.generation), 1).map(Some)
    }

    /// Zeros, through a descriptor that does not append.
    fn erase(&self, length: u64) -> io::Result<()> {
        let file = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&self.path)?;
        let metadata = file.metadata()?;
        if (metadata.dev(), metadata.ino()) != self.identity {
            return Err(io::Error::other("it was replaced while it was erased"));
        }
        let mut offset = HEADER;
        while offset < length {
            let zeros = [0; 4096];
            let amount =
                usize::try_from(length - offset).map_or(zeros.len(), |n| n.min(zeros.len()));
            file.write_all_at(zeros.get(..amount).unwrap_or_default(), offset)?;
            offset += amount as u64;
        }
        file.sync_data()
    }
}

/// What [`Inbox::read`] found.
#[derive(Debug)]
pub(super) struct Read {
    /// Each with the process that accepted it.
    pub(super) records: Vec<(i64, NewItem)>,
    /// Behind the last whole record.
    pub(super) end: u64,
    /// Unfinished ones between them.
    pub(super) unfinished: usize,
    /// It goes on behind `end`.
    pub(super) has_more: bool,
}

fn parse(bytes: &[u8], offset: u64) -> Read {
    let mut read = Read {
        records: Vec::new(),
        end: offset,
        unfinished: 0,
        has_more: false,
    };
    let mut unfinished = 0;
    let mut position = offset;
    // In front of the first line feed is the header, or nothing.
    for line in bytes.split(|b| *b == b'\n') {
        position += line.len() as u64;
        if let Some(record) = decode(line) {
            read.records.push(record);
            read.end = position;
            read.unfinished = unfinished;
        } else if !line.is_empty() && line != REPLACED {
            unfinished += 1;
        }
        position += 1;
    }
    read
}

/// The record of a notification; `None` if it has no place in a line.
pub(super) fn encode(item: &NewItem, origin: i64) -> Option<Vec<u8>> {
    let NewItem {
        id,
        url,
        body,
        accepted_at,
        ..
    } = item;
    // In one piece of memory: this is done for every enqueue.
    let mut record = Vec::with_capacity(64 + id.len() + url.len() + body.len());
    write!(record, "\n--------\t{origin}\t{accepted_at}").ok()?;
    for field in [id, &**url, body] {
        record.push(b'\t');
        record.extend_from_slice(field.as_bytes());
    }
    let (frame, fields) = record.split_at_mut_checked(FRAME)?;
    if fields.contains(&b'\n') || id.contains('\t') || url.contains('\t') {
        return None;
    }
    let checksum = format!("{:08x}", crc32fast::hash(fields));
    frame.get_mut(1..)?.copy_from_slice(checksum.as_bytes());
    Some(record)
}

fn decode(line: &[u8]) -> Option<(i64, NewItem)> {
    let (checksum, fields) = line.split_at_checked(FRAME - 1)?;
    let checksum = u32::from_str_radix(std::str::from_utf8(checksum).ok()?, 16).ok()?;
    if crc32fast::hash(fields) != checksum {
        return None;
    }
    let mut fields = std::str::from_utf8(fields).ok()?.splitn(6, '\t').skip(1);
    let origin = fields.next()?.parse().ok()?;
    let accepted_at = fields.next()?.parse().ok()?;
    let id = fields.next()?.to_owned();
    let url = Arc::from(fields.next()?);
    let body = fields.next()?.to_owned();
    Some((
        origin,
        NewItem {
            id,
            url,
            body,
            accepted_at,
            attempts: 0,
            detail: String::new(),
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str) -> NewItem {
        NewItem {
            id: id.to_owned(),
            url: Arc::from("http://127.0.0.1:1/api"),
            body: format!(r#"{{"id":"{id}","ticket":"tab	and all"}}"#),
            accepted_at: 1_700_000_000_000,
            attempts: 0,
            detail: String::new(),
        }
    }

    fn record(id: &str) -> Vec<u8> {
        encode(&item(id), 7).unwrap()
    }

    fn ids(read: &Read) -> Vec<&str> {
        read.records.iter().map(|(_, i)| i.id.as_str()).collect()
    }

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let folder =
                std::env::temp_dir().join(format!("esales-inbox-{name}-{}", std::process::id()));
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("spool"), "").unwrap();
            Place(folder)
        }

        fn spool(&self) -> PathBuf {
            self.0.join("spool")
        }

        fn open(&self) -> Inbox {
            let spool = self.spool();
            let there = Inbox::open(&spool, true).unwrap();
            there.unwrap_or_else(|| Inbox::make(&spool, 0, 1).unwrap())
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn what_is_appended_is_read() {
        let place = Place::new("read");
        let (mut ours, mut theirs) = (place.open(), place.open());
        assert_eq!(
            ours.append(&record("a"), &(0..=u64::MAX)).unwrap(),
            Appended::Done
        );
        assert_eq!(
            theirs.append(&record("b"), &(0..=u64::MAX)).unwrap(),
            Appended::Done
        );
        let read = ours.read(HEADER).unwrap();
        assert_eq!(ids(&read), ["a", "b"]);
        let (origin, first) = &read.records[0];
        assert_eq!((*origin, first.body.as_str()), (7, item("a").body.as_str()));
        assert_eq!(first.accepted_at, item("a").accepted_at);
        assert_eq!(read.end, ours.state().unwrap().0);
        assert!(ours.read(read.end).unwrap().records.is_empty());
    }

    #[test]
    fn an_unfinished_record_costs_no_other() {
        let (whole, next) = (record("a"), record("b"));
        for cut in 1..whole.len() {
            // At the end it may still be growing.
            let read = parse(&whole[..cut], HEADER);
            assert!(read.records.is_empty() && read.end == HEADER, "{cut}");
            let read = parse(&[&whole[..cut], &next].concat(), HEADER);
            assert_eq!(ids(&read), ["b"], "{cut}");
            assert_eq!(read.end, HEADER + (cut + next.len()) as u64);
        }
        let zeros = [0; 100];
        assert_eq!(ids(&parse(&[&zeros[..], &next].concat(), HEADER)), ["b"]);
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let whole = record("a");
        for bit in FRAME * 8..whole.len() * 8 {
            let mut bad = whole.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&bad, HEADER).records.is_empty(), "bit {bit}");
        }
    }

    #[test]
    fn what_does_not_fit_a_line_has_no_record() {
        for bad in ["a\nb", "a\tb"] {
            assert!(
                encode(
                    &NewItem {
                        id: bad.to_owned(),
                        ..item("a")
                    },
                    7
                )
                .is_none()
            );
        }
        assert!(SHORTEST < record("a").len() as u64);
    }

    #[test]
    fn nobody_appends_to_one_that_was_replaced() {
        let place = Place::new("replaced");
        let (mut ours, mut theirs) = (place.open(), place.open());
        ours.append(&record("a"), &(0..=u64::MAX)).unwrap();
        let taken = ours.read(HEADER).unwrap().end;
        assert!(
            ours.replace(&place.spool(), HEADER, 0, false)
                .unwrap()
                .is_none(),
            "not taken over whole"
        );
        theirs.file.try_lock_shared().unwrap();
        assert!(
            ours.replace(&place.spool(), taken, 0, false)
                .unwrap()
                .is_none(),
            "somebody is appending"
        );
        theirs.file.unlock().unwrap();
        let next = ours
            .replace(&place.spool(), taken, 0, true)
            .unwrap()
            .unwrap();
        assert_eq!(
            (next.generation, next.state().unwrap()),
            (2, (HEADER, true))
        );
        assert_eq!(
            theirs.append(&record("b"), &(0..=u64::MAX)).unwrap(),
            Appended::NotNow
        );
        assert_eq!(place.open().generation, 2);
        let mut erased = vec![1; (taken - HEADER) as usize];
        theirs.file.read_exact_at(&mut erased, HEADER).unwrap();
        assert!(erased.iter().all(|b| *b == 0), "erased");
    }

    #[test]
    fn generations_go_on_after_the_last_that_is_known_and_have_an_end() {
        let place = Place::new("generations");
        let mut inbox = place.open();
        let next = inbox.replace(&place.spool(), HEADER, 8, false).unwrap();
        assert_eq!(next.unwrap().generation, 9);
        let after = |last| Inbox::make(&place.spool(), last, 7).unwrap().generation;
        assert_eq!(after(LAST_GENERATION - 7), LAST_GENERATION);
        assert_eq!((after(LAST_GENERATION), after(u64::MAX)), (7, 7));
    }

    #[test]
    fn only_one_that_was_replaced_ends_with_the_mark() {
        let place = Place::new("mark");
        let (mut ours, theirs) = (place.open(), place.open());
        ours.append(&record("a"), &(0..=u64::MAX)).unwrap();
        assert!(!theirs.is_marked().unwrap());
        let taken = ours.read(HEADER).unwrap().end;
        // Behind it is what somebody left unfinished.
        ours.file.write_all(&record("b")[..40]).unwrap();
        let replaced = ours.replace(&place.spool(), taken, 0, false).unwrap();
        assert!(replaced.is_some() && theirs.is_marked().unwrap());
        let read = theirs.read(HEADER).unwrap();
        assert_eq!((ids(&read), read.end), (vec!["a"], taken));
    }

    #[test]
    fn it_is_read_in_pieces() {
        let place = Place::new("pieces");
        let mut inbox = place.open();
        let mut appended = 0;
        // More than a piece without any line, and more than a piece of records.
        inbox.file.set_len(HEADER + PIECE + 1000).unwrap();
        while inbox.state().unwrap().0 < 3 * PIECE - 1000 {
            inbox.append(&record("a"), &(0..=u64::MAX)).unwrap();
            appended += 1;
        }
        let (mut offset, mut found, mut pieces) = (HEADER, 0, 0);
        loop {
            let read = inbox.read(offset).unwrap();
            (offset, found, pieces) = (read.end, found + read.records.len(), pieces + 1);
            if !read.has_more {
                break;
            }
        }
        assert_eq!((found, pieces), (appended, 3));
        assert_eq!(offset, inbox.state().unwrap().0);
    }

    #[test]
    fn it_is_no_longer_than_it_may_be() {
        let place = Place::new("length");
        let mut inbox = place.open();
        assert_eq!(
            inbox.append(&record("a"), &(0..=HEADER - 1)).unwrap(),
            Appended::NotNow
        );
        assert_eq!(
            inbox.append(&record("a"), &(HEADER..=HEADER)).unwrap(),
            Appended::Done
        );
        assert_eq!(
            inbox.append(&record("b"), &(0..=HEADER)).unwrap(),
            Appended::NotNow
        );
    }

    #[test]
    fn what_is_no_inbox_is_moved_aside_and_an_operator_changes_nothing() {
        let place = Place::new("aside");
        assert!(Inbox::open(&place.spool(), false).unwrap().is_none());
        assert_eq!(fs::read_dir(&place.0).unwrap().count(), 1);
        let beyond = format!("{MAGIC}{:020}", LAST_GENERATION + 1);
        for bad in ["cut", &beyond] {
            fs::write(place.0.join("spool-inbox"), bad).unwrap();
            assert!(Inbox::open(&place.spool(), false).unwrap().is_none());
            assert!(place.0.join("spool-inbox").exists());
            assert!(Inbox::open(&place.spool(), true).unwrap().is_none());
        }
        assert_eq!(Inbox::make(&place.spool(), 5, 1).unwrap().generation, 6);
        assert_eq!(fs::read_dir(&place.0).unwrap().count(), 4);
    }
}
