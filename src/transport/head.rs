//! The head of an answer, read so that its status line decides: nothing that follows that line, however odd or long,
//! turns the answer into a failure.
//!
//! ureq's own reader refuses an answer with more than 128 fields, a field that it cannot read, or a head that does not
//! end. So it gets a head that is made here, of the status and of the few fields that matter.

use std::fmt::{self, Write};

/// How many bytes of one line are kept. The rest of a longer line is skipped.
const MAX_LINE: usize = 8 * 1024;
/// How many bytes may follow the status line before the end of the head is no longer waited for; and how many bytes of
/// interim answers may come before it. A flood is cut off early: a thread that is busy until the deadline may get no
/// processor time at the deadline.
const MAX_FIELDS: usize = 1024 * 1024;

/// What came is no answer of HTTP/1.
#[derive(Debug)]
pub(super) struct NotHttp(&'static str);

impl fmt::Display for NotHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NotHttp {}

/// How the end of the body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// No field says: the body ends with the connection.
    UntilClose,
    Length(u64),
    Chunked,
    /// The fields contradict one another or cannot be read.
    Unclear,
}

/// A head, as far as it has been read.
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

/// Reads heads; those of interim answers (1xx) are skipped.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    line: Vec<u8>,
    head: Option<Head>,
    is_complete: bool,
    /// Bytes so far, of interim answers too.
    length: usize,
}

impl HeadReader {
    /// Takes the bytes that belong to the head; returns their number, which is less than there are only if the head
    /// has ended.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<usize, NotHttp> {
        let mut used = 0;
        for byte in bytes {
            if self.is_complete {
                break;
            }
            used += 1;
            self.length += 1;
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.end_line(line.strip_suffix(b"\r").unwrap_or(&line))?;
                continue;
            }
            if self.line.len() < MAX_LINE {
                self.line.push(*byte);
            }
            if self.head.is_none() && self.line.len() <= START.len() && !could_start(&self.line) {
                return Err(NotHttp("it does not begin with a status line"));
            }
        }
        if self.is_too_long() && self.code().is_none() {
            return Err(NotHttp("no final status line comes"));
        }
        Ok(used)
    }

    fn end_line(&mut self, line: &[u8]) -> Result<(), NotHttp> {
        let Some(head) = &mut self.head else {
            // Some servers send a line break too many after the answer before.
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

    /// Whether the end of the head is not worth waiting for.
    pub(super) fn is_too_long(&self) -> bool {
        self.length > MAX_FIELDS
    }

    /// The head that ureq gets. If the head has not ended, the answer has no body and the connection is not kept.
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
    START.starts_with(line) || matches!(line, b"\r")
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

    /// 101 is not: after it, the server speaks another protocol, which the request did not ask for.
    fn is_interim(&self) -> bool {
        self.code < 200 && self.code != 101
    }

    fn read_field(&mut self, line: &[u8]) {
        let mut parts = line.splitn(2, |b| *b == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            return;
        };
        let value = String::from_utf8_lossy(value);
        let value = value.trim();
        let mut items = value.split(',').map(str::trim);
        match name.to_ascii_lowercase().as_slice() {
            b"connection" => {
                self.closes |= items.clone().any(|i| i.eq_ignore_ascii_case("close"));
                self.keeps_alive |= items.any(|i| i.eq_ignore_ascii_case("keep-alive"));
            }
            b"content-length" => {
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
            b"transfer-encoding" => {
                let is_chunked = value.eq_ignore_ascii_case("chunked");
                self.framing = match self.framing {
                    Framing::UntilClose if is_chunked => Framing::Chunked,
                    _ => Framing::Unclear,
                };
            }
            b"retry-after" => keep_first(&mut self.retry_after, value),
            b"date" => keep_first(&mut self.date, value),
            _ => {}
        }
    }
}

/// Keeps a value that ureq can read and that is no longer than any that means something.
fn keep_first(kept: &mut Option<String>, value: &str) {
    let is_plain = |b: u8| (b' '..=b'~').contains(&b);
    if kept.is_none() && value.len() <= 100 && value.bytes().all(is_plain) {
        *kept = Some(value.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fed in pieces of every length, the result is the same.
    fn read(answer: &[u8]) -> Result<(Option<String>, usize), NotHttp> {
        let mut results = Vec::new();
        for size in [1, 2, 7, answer.len().max(1)] {
            let mut reader = HeadReader::default();
            let mut used = 0;
            for piece in answer.chunks(size) {
                match reader.feed(piece) {
                    Ok(n) => used += n,
                    Err(e) => return Err(e),
                }
            }
            results.push((reader.for_ureq(), used));
        }
        results.dedup();
        assert_eq!(results.len(), 1, "{results:?}");
        Ok(results.remove(0))
    }

    fn head(answer: &str) -> String {
        read(answer.as_bytes()).unwrap().0.unwrap()
    }

    #[test]
    fn the_end_of_the_head_is_found_and_the_body_is_left() {
        for answer in [
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 204\r\n\r\n",
            "HTTP/1.1 204 \n\n",
            "\r\nHTTP/1.1 204 No Content\r\n\r\n",
        ] {
            let (head, used) = read(format!("{answer}body").as_bytes()).unwrap();
            assert_eq!(used, answer.len(), "{answer:?}");
            assert_eq!(head.unwrap(), "HTTP/1.1 204 -\r\n\r\n", "{answer:?}");
        }
    }

    #[test]
    fn odd_fields_do_not_matter() {
        let many: String = (0..150).map(|n| format!("X-{n}: y\r\n")).collect();
        let long = format!("X: {}\r\n", "y".repeat(100_000));
        for fields in [
            many.as_str(),
            &long,
            "no colon\r\n",
            ": no name\r\n",
            "bad name\u{1}: x\r\n",
            " folded\r\n",
            "X: \u{0}\u{7f}\r\n",
        ] {
            let answer = format!("HTTP/1.1 403 Forbidden\r\n{fields}Content-Length: 5\r\n\r\n");
            assert_eq!(
                head(&answer),
                "HTTP/1.1 403 -\r\ncontent-length: 5\r\n\r\n",
                "{:.40}",
                fields
            );
        }
    }

    #[test]
    fn an_unfinished_head_is_an_answer_without_a_body() {
        for answer in [
            "HTTP/1.1 204 No Content\r\n",
            "HTTP/1.1 204 No Content\r\nX: y",
            "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\nX",
        ] {
            assert_eq!(
                head(answer),
                "HTTP/1.1 204 -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
        }
        // The line itself is not complete: the code could have been longer.
        assert_eq!(read(b"HTTP/1.1 204").unwrap().0, None);
    }

    #[test]
    fn interim_answers_are_skipped() {
        let interim = "HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n";
        assert_eq!(read(interim.as_bytes()).unwrap().0, None);
        let answer = format!("{interim}HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(head(&answer), "HTTP/1.1 204 -\r\n\r\n");
        assert!(head("HTTP/1.1 101 Switching\r\n\r\n").starts_with("HTTP/1.1 101"));
    }

    #[test]
    fn the_framing_of_a_body_is_handed_on_only_if_it_is_clear() {
        for (fields, kept) in [
            ("content-length: 3\r\n", "content-length: 3\r\n"),
            (
                "Content-Length: 3\r\ncontent-length: 3\r\n",
                "content-length: 3\r\n",
            ),
            ("Content-Length: 3, 3\r\n", "content-length: 3\r\n"),
            (
                "Transfer-Encoding: CHUNKED\r\n",
                "transfer-encoding: chunked\r\n",
            ),
            (
                "Content-Length: 3\r\nContent-Length: 4\r\n",
                "connection: close\r\n",
            ),
            ("Content-Length: -3\r\n", "connection: close\r\n"),
            (
                "Content-Length: 99999999999999999999\r\n",
                "connection: close\r\n",
            ),
            ("Content-Length:\r\n", "connection: close\r\n"),
            (
                "Transfer-Encoding: gzip, chunked\r\n",
                "connection: close\r\n",
            ),
            (
                "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
                "connection: close\r\n",
            ),
            ("Connection: Keep-Alive, Close\r\n", "connection: close\r\n"),
            ("Retry-After: 7\r\nRetry-After: 8\r\n", "retry-after: 7\r\n"),
            ("Retry-After: \u{e9}\r\n", ""),
        ] {
            let answer = format!("HTTP/1.1 503 Busy\r\n{fields}\r\n");
            assert_eq!(
                head(&answer),
                format!("HTTP/1.1 503 -\r\n{kept}\r\n"),
                "{fields}"
            );
        }
        assert!(head("HTTP/1.0 204 -\r\n\r\n").contains("close"));
        assert!(!head("HTTP/1.0 204 -\r\nConnection: keep-alive\r\n\r\n").contains("close"));
    }

    #[test]
    fn what_is_no_status_line_is_refused_as_soon_as_that_is_clear() {
        for bad in [
            "<html>",
            "HTTX",
            "\u{15}\u{3}\u{1}",
            "HTTP/2 204 x\r\n",
            "HTTP/1.1\r\n",
            "HTTP/1.1 20\r\n",
            "HTTP/1.1 2040 x\r\n",
            "HTTP/1.1 099 x\r\n",
            "HTTP/1.1 -20 x\r\n",
            "HTTP/1.x 204 x\r\n",
            "HTTP/1.1204 x\r\n",
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert_eq!(read(b"").unwrap().0, None);
    }

    #[test]
    fn a_head_without_end_is_not_read_for_ever() {
        let mut reader = HeadReader::default();
        reader.feed(b"HTTP/1.1 204 No Content\r\n").unwrap();
        let mut fed = 0;
        while !reader.is_too_long() {
            fed += reader.feed(&[b'x'; 4096]).unwrap();
        }
        assert!(fed <= MAX_FIELDS + 4096 && reader.line.len() <= MAX_LINE);
        assert_eq!(reader.code(), Some(204));
    }

    #[test]
    fn an_answer_that_never_comes_to_its_status_line_is_refused() {
        for flood in ["HTTP/1.1 103 Early Hints\r\n\r\n", "\r\n", "HTTP/1.1  "] {
            let mut reader = HeadReader::default();
            let more = flood.repeat(600_000);
            let fed = more.as_bytes().chunks(4096).map(|piece| reader.feed(piece));
            assert!(fed.into_iter().any(|result| result.is_err()), "{flood:?}");
        }
    }
}
