//! The records of a segment: notifications and operator's commands.

use std::borrow::Cow;
use std::sync::Arc;

use super::line::{self, push_number, push_text, text};
use crate::host::Timestamp;
use crate::notification::stored_path;
use crate::spool::{Item, NewItem, Position};

/// A record of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// A notification that a producer accepted.
    Notification(Notification<'a>),
    /// A notification that its producer appended again, because it could not know whether the first
    /// copy was read. It counts only if the first one was not read.
    Again(Notification<'a>),
    /// A dead letter that an operator enqueued again, and its position when it died.
    Requeue(Position, Notification<'a>),
    /// An operator drops these items, and their lines are overwritten if `erases` is true.
    Discard {
        erases: bool,
        positions: Vec<Position>,
    },
    /// An operator ends the pause of all origins.
    Probe,
    /// An overwritten record. Only the sizes and numbers of a notification are left.
    Erased(Option<Notification<'a>>),
}

/// The columns of a notification. The text columns are still escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notification<'a> {
    pub(super) accepted: Timestamp,
    pub(super) producer: u64,
    pub(super) attempts: u32,
    pub(super) detail: &'a str,
    id: &'a str,
    pub(super) origin: &'a str,
    path: &'a str,
    /// The body as it was accepted.
    pub(super) body: Cow<'a, str>,
}

impl Notification<'_> {
    pub(super) fn id(&self) -> String {
        text(self.id)
    }

    pub(super) fn path(&self) -> Cow<'static, str> {
        match self.path.contains('\\') {
            true => stored_path(&text(self.path)),
            false => stored_path(self.path),
        }
    }

    pub(super) fn has_id(&self, id: &str) -> bool {
        self.id == id || self.id.contains('\\') && self.id() == id
    }

    pub(super) fn into_item(self, position: Position, origin: Arc<str>) -> Item {
        Item {
            position,
            id: self.id(),
            origin,
            path: self.path(),
            body: self.body.into_owned(),
            has_begun: false,
            accepted: self.accepted,
            attempts: self.attempts,
            producer: self.producer,
        }
    }
}

pub(super) fn push_notification(out: &mut Vec<u8>, item: &NewItem, producer: u64) {
    push_head(out, b'N', &item.body);
    push_columns(out, item, producer);
}

/// Makes the line of a repeated notification from its first line.
pub(super) fn once_more(line: &[u8]) -> Vec<u8> {
    let payload = line.get(1 + line::HEAD..).unwrap_or_default();
    let mut again = Vec::new();
    line::encode(&mut again, |out| {
        out.push(match payload.first() {
            Some(b'n' | b'a') => b'a',
            _ => b'A',
        });
        out.extend_from_slice(payload.get(1..).unwrap_or_default());
    });
    again
}

pub(super) fn push_requeue(out: &mut Vec<u8>, dead: Position, item: &NewItem, producer: u64) {
    push_head(out, b'Q', &item.body);
    out.push(b'\t');
    push_number(out, dead.0);
    push_columns(out, item, producer);
}

/// The length of the body follows the letter, so that a million notifications can be counted quickly.
fn push_head(out: &mut Vec<u8>, letter: u8, body: &str) {
    push_letter(out, letter, body);
    push_number(out, body.len() as u64);
}

/// A lower-case letter means that the body is escaped. JSON bodies never need that.
pub(super) fn push_letter(out: &mut Vec<u8>, letter: u8, body: &str) {
    out.push(match needs_escape(body) {
        true => letter.to_ascii_lowercase(),
        false => letter,
    });
}

fn needs_escape(body: &str) -> bool {
    memchr::memchr(b'\n', body.as_bytes()).is_some()
}

fn push_columns(out: &mut Vec<u8>, item: &NewItem, producer: u64) {
    let at = item.accepted;
    for number in [
        at.unix_ms,
        at.uptime_ms,
        at.boot.into(),
        producer,
        item.attempts.into(),
    ] {
        out.push(b'\t');
        push_number(out, number);
    }
    for column in [&*item.detail, &item.id, &item.origin, &item.path] {
        out.push(b'\t');
        push_text(out, column);
    }
    out.push(b'\t');
    match needs_escape(&item.body) {
        true => push_text(out, &item.body),
        false => out.extend_from_slice(item.body.as_bytes()),
    }
}

pub(super) fn push_discard(out: &mut Vec<u8>, erases: bool, positions: &[Position]) {
    out.extend_from_slice(if erases { b"X\terase" } else { b"X\tdrop" });
    for position in positions {
        out.push(b'\t');
        push_number(out, position.0);
    }
}

pub(super) fn push_probe(out: &mut Vec<u8>) {
    out.push(b'P');
}

/// `None`: the record is unknown to this version.
pub(super) fn parse(payload: &str) -> Option<Record<'_>> {
    let (first, rest) = payload.split_once('\t').unwrap_or((payload, ""));
    let (letter, length) = first.split_at_checked(1)?;
    let notification = |rest| {
        let is_escaped = letter.bytes().all(|b| b.is_ascii_lowercase());
        columns(rest, is_escaped).filter(|n| length.parse() == Ok(n.body.len()))
    };
    match (letter, length) {
        ("N" | "n", _) => notification(rest).map(Record::Notification),
        ("A" | "a", _) => notification(rest).map(Record::Again),
        ("Q" | "q", _) => {
            let (dead, rest) = rest.split_once('\t')?;
            Some(Record::Requeue(
                Position(dead.parse().ok()?),
                notification(rest)?,
            ))
        }
        ("X", "") => {
            let mut rest = rest.split('\t');
            let erases = match rest.next()? {
                "erase" => true,
                "drop" => false,
                _ => return None,
            };
            let positions = rest
                .map(|p| p.parse().map(Position).ok())
                .collect::<Option<_>>()?;
            Some(Record::Discard { erases, positions })
        }
        ("P", "") => Some(Record::Probe),
        // The length is that of the body before it was erased.
        ("E", _) => Some(Record::Erased(columns(rest, false))),
        _ => None,
    }
}

/// The replacement of an erased payload: it has the same length, and the id, message and body of a notification are
/// blanks. The rest is needed to count the notification if the leader is killed before it has counted it.
pub(super) fn erased(payload: &str) -> Vec<u8> {
    let rest = match parse(payload) {
        Some(Record::Notification(_) | Record::Again(_)) => payload.get(1..),
        // The position of the dead letter is not a column of the notification.
        Some(Record::Requeue(..)) => payload
            .match_indices('\t')
            .nth(1)
            .and_then(|(at, _)| payload.get(at..)),
        _ => None,
    }
    .unwrap_or_default();
    let mut out = vec![b'E'];
    for (n, column) in rest.splitn(11, '\t').enumerate() {
        if n > 0 {
            out.push(b'\t');
        }
        match n {
            // Length, times, producer, attempts and origin stay. The path may contain a secret.
            0..=5 | 8 => out.extend_from_slice(column.as_bytes()),
            // The message fills the rest.
            6 => out.resize(
                out.len() + column.len() + payload.len() - 1 - rest.len(),
                b' ',
            ),
            _ => out.resize(out.len() + column.len(), b' '),
        }
    }
    if out.len() < payload.len() {
        out.push(b'\t');
    }
    out.resize(payload.len(), b' ');
    out
}

pub(super) fn columns(mut rest: &str, is_escaped: bool) -> Option<Notification<'_>> {
    Some(Notification {
        accepted: Timestamp {
            unix_ms: column(&mut rest)?.parse().ok()?,
            uptime_ms: column(&mut rest)?.parse().ok()?,
            boot: column(&mut rest)?.parse().ok()?,
        },
        producer: column(&mut rest)?.parse().ok()?,
        attempts: column(&mut rest)?.parse().ok()?,
        detail: column(&mut rest)?,
        id: column(&mut rest)?,
        origin: column(&mut rest)?,
        path: column(&mut rest)?,
        body: match is_escaped {
            true => Cow::Owned(text(rest)),
            false => Cow::Borrowed(rest),
        },
    })
}

/// The length of a notification's body, found without reading its columns. `None`: it is another record.
pub(super) fn body_length(payload: &str) -> Option<u64> {
    let (length, _) = payload
        .strip_prefix(['N', 'n', 'A', 'a'])?
        .split_once('\t')?;
    length.parse().ok()
}

/// Removes the first column and its tab from `rest`, and returns it.
fn column<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let end = memchr::memchr(b'\t', rest.as_bytes())?;
    let (column, after) = rest.split_at_checked(end)?;
    *rest = after.get(1..)?;
    Some(column)
}

/// Writes the columns of an item as in its segment, for the file of dead letters.
pub(super) fn push_item(out: &mut Vec<u8>, item: &Item) {
    push_columns(out, &item.to_new(), item.producer);
}

#[cfg(test)]
mod tests {
    use super::super::line::Line;
    use super::*;

    fn item() -> NewItem {
        NewItem {
            id: "tab\tand\\".to_owned(),
            origin: Arc::from("https://h/a\tb"),
            path: "/p?q=\t1".into(),
            body: "{\"a\":\"b\\tc\"}".to_owned(),
            accepted: Timestamp {
                unix_ms: 1,
                uptime_ms: 2,
                boot: 3,
            },
            attempts: 4,
            detail: "line\nfeed".to_owned(),
        }
    }

    #[test]
    fn record_round_trips() {
        let written = |push: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            push(&mut out);
            String::from_utf8(out).unwrap()
        };
        let line = written(&|out| push_notification(out, &item(), u64::MAX));
        let Some(Record::Notification(found)) = parse(&line) else {
            panic!("{line}");
        };
        let origin = Arc::from(text(found.origin).as_str());
        let read = found.clone().into_item(Position(9), origin);
        let new = item();
        assert_eq!(
            (read.id, read.origin, read.path, read.body),
            (new.id, new.origin, new.path, new.body)
        );
        assert_eq!((read.accepted, read.attempts), (new.accepted, 4));
        assert_eq!((read.producer, text(found.detail)), (u64::MAX, new.detail));
        assert_eq!(body_length(&line), Some(item().body.len() as u64));
        assert_eq!(parse(&line.replacen("N", "N1", 1)), None, "another length");

        let escaped = NewItem {
            body: "two\nlines \\ \t".to_owned(),
            ..item()
        };
        let line = written(&|out| push_notification(out, &escaped, 1));
        assert!(!line.contains('\n'));
        let Some(Record::Notification(found)) = parse(&line) else {
            panic!("{line}");
        };
        assert_eq!(found.body, escaped.body);
        assert_eq!(body_length(&line), Some(escaped.body.len() as u64));
        for other in ["", "N", "N12", "Nx\t", "N-1\t", "P", "Q12\t"] {
            assert_eq!(body_length(other), None, "{other}");
        }

        for new in [item(), escaped.clone()] {
            let mut line = Vec::new();
            line::encode(&mut line, |out| push_notification(out, &new, 1));
            let again = once_more(&line);
            assert_eq!(once_more(&again), again);
            let Line::Sound(payload) = line::decode(&again[1..]) else {
                panic!("{again:?}");
            };
            let Some(Record::Again(found)) = parse(payload) else {
                panic!("{payload}");
            };
            assert_eq!((&*found.body, found.producer), (&*new.body, 1));
        }
        let line = written(&|out| push_requeue(out, Position(77), &item(), 1));
        assert!(matches!(
            parse(&line),
            Some(Record::Requeue(Position(77), _))
        ));
        for (erases, positions) in [(true, vec![]), (false, vec![Position(1), Position(2)])] {
            let line = written(&|out| push_discard(out, erases, &positions));
            assert_eq!(parse(&line), Some(Record::Discard { erases, positions }));
        }
        assert_eq!(parse(&written(&|out| push_probe(out))), Some(Record::Probe));
        assert_eq!(parse("E\t    "), Some(Record::Erased(None)));
        for (payload, is_counted) in [
            (written(&|out| push_notification(out, &item(), 7)), true),
            (written(&|out| push_notification(out, &escaped, 7)), true),
            (
                written(&|out| push_requeue(out, Position(77), &item(), 7)),
                true,
            ),
            ("nonsense".to_owned(), false),
        ] {
            let blank = String::from_utf8(erased(&payload)).unwrap();
            assert_eq!(blank.len(), payload.len());
            let Some(Record::Erased(left)) = parse(&blank) else {
                panic!("{blank}");
            };
            assert_eq!(left.is_some(), is_counted, "{blank}");
            assert!(left.is_none_or(|l| l.producer == 7 && l.body.trim().is_empty()));
            assert!(
                !blank.contains("and") && !blank.contains("lines"),
                "{blank}"
            );
        }
        for unknown in [
            "",
            "Z",
            "N",
            "N\t1\t2",
            "N0\t1\t2",
            "P1",
            "X1\tdrop",
            "\u{e9}",
            "X",
            "X\tburn",
            "Q\tx\t",
            "X\tdrop\t-1",
        ] {
            assert_eq!(parse(unknown), None, "{unknown}");
        }
    }
}
