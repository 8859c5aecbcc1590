//! Reads the head of an answer so that its status line decides the outcome: whatever follows that
//! line, however malformed or long, does not turn the answer into a failure.
//!
//! ureq refuses an answer with more than 128 fields, a malformed field or a head without an end.
//! Therefore it gets a new head, made of the status and of the few fields that matter.

use std::fmt::{self, Write};

/// Greatest number of bytes of a line that are kept. The rest of a longer line is skipped.
const MAX_LINE: usize = 8 * 1024;
/// Greatest number of bytes after the status line before the reader stops waiting for the end of
/// the head, and of interim answers before it. Reading stops early, because a thread that is busy
/// until the deadline may get no processor time at the deadline.
const MAX_FIELDS: usize = 1024 * 1024;

/// The error if the bytes are not an HTTP/1 answer.
#[derive(Debug)]
pub(super) struct NotHttp(pub(super) &'static str);

impl fmt::Display for NotHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NotHttp {}

/// The fields that matter.
const FIELDS: [&str; 5] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "retry-after",
    "date",
];

/// How the end of the body is determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// No field determines it: the body ends with the connection.
    UntilClose,
    Length(u64),
    Chunked,
    /// The fields contradict each other or are malformed.
    Unclear,
}

/// The part of a head that has been read.
#[derive(Debug)]
struct Head {
    code: u16,
    is_http_1_0: bool,
    framing: Framing,
    closes: bool,
    keeps_alive: bool,
    retry_after: Option<String>,
    date: Option<String>,
}

/// Reads heads. Heads of interim answers (1xx) are skipped.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    line: Vec<u8>,
    head: Option<Head>,
    is_complete: bool,
    /// Number of bytes so far, including interim answers.
    length: usize,
}

impl HeadReader {
    /// Takes the bytes that belong to the head. Returns their number, which is less than
    /// `bytes.len()` only if the head has ended.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<usize, NotHttp> {
        let mut rest = bytes;
        while !self.is_complete && !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest);
            let (part, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            rest = after;
            self.length += part.len();
            let part = part.strip_suffix(b"\n").unwrap_or(part);
            let room = MAX_LINE - self.line.len();
            self.line
                .extend_from_slice(part.get(..room).unwrap_or(part));
            if self.head.is_none() && !could_start(&self.line) {
                return Err(NotHttp("it does not begin with a status line"));
            }
            if end.is_some() {
                let mut line = std::mem::take(&mut self.line);
                self.end_line(line.strip_suffix(b"\r").unwrap_or(&line))?;
                line.clear();
                self.line = line;
            }
        }
        if self.is_too_long() && self.code().is_none() {
            return Err(NotHttp("no final status line arrives"));
        }
        Ok(bytes.len() - rest.len())
    }

    fn end_line(&mut self, line: &[u8]) -> Result<(), NotHttp> {
        let Some(head) = &mut self.head else {
            // Some servers send an extra line break after the previous answer.
            if !line.is_empty() {
                self.head = Some(Head::from_status_line(line)?);
            }
            return Ok(());
        };
        if !line.is_empty() {
            head.read_field(line);
        } else if head.is_interim() {
            self.head = None;
        } else {
            self.is_complete = true;
        }
        Ok(())
    }

    /// The code of the final answer, once its status line is complete.
    pub(super) fn code(&self) -> Option<u16> {
        let head = self.head.as_ref().filter(|head| !head.is_interim())?;
        Some(head.code)
    }

    /// Whether the head has ended.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Whether the head is too long to wait for its end.
    pub(super) fn is_too_long(&self) -> bool {
        self.length > MAX_FIELDS
    }

    /// The head for ureq. If the head has not ended, the answer has no body and the connection is
    /// not kept.
    pub(super) fn for_ureq(&self) -> Option<String> {
        self.code()?;
        let head = self.head.as_ref()?;
        let mut text = format!("HTTP/1.1 {} -\r\n", head.code);
        let mut field = |name: &str, value: &dyn fmt::Display| {
            // Writing into a String cannot fail.
            let _ = write!(text, "{name}: {value}\r\n");
        };
        if let Some(value) = &head.retry_after {
            field("retry-after", value);
        }
        if let Some(value) = &head.date {
            field("date", value);
        }
        match head.framing {
            _ if !self.is_complete => field("content-length", &0),
            Framing::Length(length) => field("content-length", &length),
            Framing::Chunked => field("transfer-encoding", &"chunked"),
            Framing::UntilClose | Framing::Unclear => {}
        }
        let is_kept = self.is_complete
            && head.framing != Framing::Unclear
            && !head.closes
            && (head.keeps_alive || !head.is_http_1_0);
        if !is_kept {
            field("connection", &"close");
        }
        text.push_str("\r\n");
        Some(text)
    }
}

const START: &[u8] = b"HTTP/1.";

fn could_start(line: &[u8]) -> bool {
    let start = line.get(..START.len()).unwrap_or(line);
    START.starts_with(start) || matches!(line, b"\r")
}

impl Head {
    fn from_status_line(line: &[u8]) -> Result<Head, NotHttp> {
        let bad = NotHttp("its status line has no status");
        let Some((version, rest)) = line.strip_prefix(START).and_then(<[u8]>::split_first) else {
            return Err(bad);
        };
        let trimmed = rest.trim_ascii_start();
        let code = trimmed.get(..3).unwrap_or_default();
        let after = trimmed.get(3).unwrap_or(&b' ');
        let is_code = rest.first().is_some_and(u8::is_ascii_whitespace)
            && code.len() == 3
            && code.iter().all(u8::is_ascii_digit)
            && after.is_ascii_whitespace();
        let code = code
            .iter()
            .fold(0, |code, digit| code * 10 + u16::from(digit & 0x0f));
        if !is_code || code < 100 || !version.is_ascii_digit() {
            return Err(bad);
        }
        Ok(Head {
            code,
            is_http_1_0: *version == b'0',
            framing: Framing::UntilClose,
            closes: false,
            keeps_alive: false,
            retry_after: None,
            date: None,
        })
    }

    /// 101 is not an interim answer: after it the server uses another protocol, which was not
    /// requested.
    fn is_interim(&self) -> bool {
        self.code < 200 && self.code != 101
    }

    fn read_field(&mut self, line: &[u8]) {
        let mut parts = line.splitn(2, |b| *b == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            return;
        };
        let field = FIELDS
            .into_iter()
            .find(|field| name.eq_ignore_ascii_case(field.as_bytes()));
        let Some(field) = field else {
            return;
        };
        let value = String::from_utf8_lossy(value);
        let value = value.trim();
        let mut items = value.split(',').map(str::trim);
        match field {
            "connection" => {
                self.closes |= items.clone().any(|i| i.eq_ignore_ascii_case("close"));
                self.keeps_alive |= items.any(|i| i.eq_ignore_ascii_case("keep-alive"));
            }
            "content-length" => {
                for item in items {
                    let is_number = !item.is_empty() && item.bytes().all(|b| b.is_ascii_digit());
                    let length = item.parse().ok().filter(|_| is_number);
                    self.framing = match (self.framing, length) {
                        (Framing::UntilClose, Some(length)) => Framing::Length(length),
                        (Framing::Length(first), Some(length)) if first == length => continue,
                        _ => Framing::Unclear,
                    };
                }
            }
            "transfer-encoding" => {
                let is_chunked = value.eq_ignore_ascii_case("chunked");
                self.framing = match self.framing {
                    Framing::UntilClose if is_chunked => Framing::Chunked,
                    _ => Framing::Unclear,
                };
            }
            "retry-after" => keep_first(&mut self.retry_after, value),
            "date" => keep_first(&mut self.date, value),
            _ => {}
        }
    }
}

/// Keeps the first value that is plain text and not longer than any meaningful value.
fn keep_first(kept: &mut Option<String>, value: &str) {
    let is_plain = |b: u8| (b' '..=b'~').contains(&b);
    if kept.is_none() && value.len() <= 100 && value.bytes().all(is_plain) {
        *kept = Some(value.to_owned());
    }
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
