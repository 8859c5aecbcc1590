//! Reads all stored items of a spool in pages. Also the cursor of a page.

use std::time::Instant;

use super::deadline;
use crate::outcome::Error;
use crate::spool::{Position, Spool, StoredItem};

/// Greatest number of stored items in memory at the same time.
pub(super) const PAGE: usize = 1000;

/// Reads a page of stored items after a position.
type ReadPage = fn(&dyn Spool, Option<Position>, usize, Instant) -> Result<Vec<StoredItem>, Error>;

/// All stored items of a spool, oldest first, in pages.
pub(super) struct Pages<'a> {
    spool: &'a dyn Spool,
    read: ReadPage,
    after: Option<Position>,
    is_at_end: bool,
}

impl<'a> Pages<'a> {
    pub(super) fn pending(spool: &'a dyn Spool) -> Pages<'a> {
        Pages::new(spool, |spool, after, limit, deadline| {
            spool.pending(after, limit, deadline)
        })
    }

    pub(super) fn dead(spool: &'a dyn Spool) -> Pages<'a> {
        Pages::new(spool, |spool, after, limit, deadline| {
            spool.dead(after, limit, deadline)
        })
    }

    fn new(spool: &'a dyn Spool, read: ReadPage) -> Pages<'a> {
        Pages {
            spool,
            read,
            after: None,
            is_at_end: false,
        }
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<Vec<StoredItem>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_at_end {
            return None;
        }
        let page = (self.read)(self.spool, self.after, PAGE, deadline());
        let last = page.as_ref().ok().and_then(|items| items.last());
        match last {
            Some(last) => self.after = Some(last.item.position),
            None => self.is_at_end = true,
        }
        match page {
            Ok(items) if items.is_empty() => None,
            page => Some(page),
        }
    }
}

pub(super) fn cursor_of(position: Position) -> String {
    format!("{:x}", position.0)
}

pub(super) fn position_of(cursor: &str) -> Result<Position, Error> {
    let number = u64::from_str_radix(cursor, 16);
    number
        .map(Position)
        .map_err(|_| Error::argument("after is not a cursor of this spool"))
}
