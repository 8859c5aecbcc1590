//! Reads the lines of a file in pieces of bounded size.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use super::line::{self, HEAD, Line, MAX_PAYLOAD};

const PIECE: usize = 256 << 10;

/// Number of bytes between two checks of the clock. A check for each line would take a tenth of the
/// time.
const BETWEEN_LOOKS: usize = 64 << 10;

/// Ends a long read at its deadline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    deadline: Instant,
    /// Bytes until the next check of the clock. The first piece is always read, so that every call
    /// makes progress.
    left: usize,
}

impl Limit {
    pub(super) fn new(deadline: Instant) -> Limit {
        Limit {
            deadline,
            left: PIECE,
        }
    }

    /// Whether to stop, after this number of further bytes.
    pub(super) fn is_reached(&mut self, bytes: usize) -> bool {
        self.left = self.left.saturating_sub(bytes);
        if self.left > 0 {
            return false;
        }
        self.left = BETWEEN_LOOKS;
        Instant::now() >= self.deadline
    }

    /// The error of a call that ended at its deadline.
    pub(super) fn error() -> io::Error {
        let message = "it contains more than could be read in time";
        io::Error::new(io::ErrorKind::TimedOut, message)
    }
}

/// Longer than any valid line. A file without line feeds is read in pieces of this size.
const LONGEST: usize = 1 + HEAD + MAX_PAYLOAD;

/// Calls `visit` for each line from `from` on, with its offset, its bytes without the line feed,
/// and the decoded line. It stops if `visit` requests it, and before an unfinished last line, whose
/// writer may still be writing. Returns the position of the next line.
///
/// Offsets have 32 bits; the rest of a longer file is not read.
pub(super) fn lines(
    file: &File,
    from: u64,
    mut visit: impl FnMut(u32, &[u8], Line<'_>) -> ControlFlow<()>,
) -> io::Result<u64> {
    let mut buffer = Vec::new();
    let mut start = from;
    let mut wanted = PIECE;
    loop {
        let read = fill(file, &mut buffer, start, wanted)?;
        let is_last = read < wanted;
        let bytes = buffer.get(..read).unwrap_or_default();
        // Bytes before the first line feed are not a line.
        let mut begin = 0;
        let mut used = 0;
        while begin < bytes.len() {
            let has_feed = bytes.get(begin) == Some(&b'\n');
            let text_at = begin + usize::from(has_feed);
            let rest = bytes.get(text_at..).unwrap_or_default();
            let (end, decoded) = match line::first_sound(rest).filter(|_| has_feed) {
                Some(payload) => (text_at + HEAD + payload.len(), Line::Sound(payload)),
                None => {
                    let end = match memchr::memchr(b'\n', rest) {
                        Some(length) => text_at + length,
                        None if is_last || bytes.len() - begin >= LONGEST => bytes.len(),
                        None => break,
                    };
                    let text = bytes.get(text_at..end).unwrap_or_default();
                    match has_feed {
                        true => (end, line::decode(text)),
                        false => (end, Line::Damaged),
                    }
                }
            };
            let is_unfinished = is_last && end == bytes.len();
            let text = bytes.get(text_at..end).unwrap_or_default();
            let Ok(offset) = u32::try_from(start + begin as u64) else {
                return Ok(start + begin as u64);
            };
            if is_unfinished && !matches!(decoded, Line::Sound(_)) {
                return Ok(start + begin as u64);
            }
            used = end;
            // Zeros at the beginning and the rest of a line after them: their space was freed on a
            // full disk.
            let is_given_back = offset == 0 && bytes.first() == Some(&0);
            begin = end;
            if !text.is_empty() && !is_given_back && visit(offset, text, decoded).is_break() {
                return Ok(start + used as u64);
            }
        }
        if is_last {
            return Ok(start + used as u64);
        }
        start += used as u64;
        wanted = match used {
            0 => (wanted * 2).min(LONGEST),
            _ => PIECE,
        };
    }
}

/// Reads `wanted` bytes, or fewer at the end of the file.
fn fill(file: &File, buffer: &mut Vec<u8>, offset: u64, wanted: usize) -> io::Result<usize> {
    if buffer.len() < wanted {
        let left = file.metadata()?.len().saturating_sub(offset);
        // Allocates no more memory than the file has bytes.
        let needed = wanted.min(usize::try_from(left).unwrap_or(wanted)) + 1;
        if buffer.len() < needed {
            buffer
                .try_reserve_exact(needed - buffer.len())
                .map_err(|_| io::ErrorKind::OutOfMemory)?;
            buffer.resize(needed, 0);
        }
    }
    let mut read = 0;
    let end = buffer.len().min(wanted);
    while let Some(free) = buffer.get_mut(read..end).filter(|f| !f.is_empty()) {
        match file.read_at(free, offset + read as u64) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(read)
}

/// The bytes of the line at `offset`, without its line feed. `None`: no line begins there.
pub(super) fn line_at(file: &File, offset: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = fill(file, &mut bytes, offset, 1024)?;
    bytes.truncate(read);
    if bytes.first() != Some(&b'\n') {
        return Ok(None);
    }
    if let Some(length) = line::declared_length(&bytes)
        && length > bytes.len()
    {
        let read = fill(file, &mut bytes, offset, length)?;
        bytes.truncate(read);
    }
    bytes.remove(0);
    if let Some(end) = memchr::memchr(b'\n', &bytes) {
        bytes.truncate(end);
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn encoded(payload: &str) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(line::encode(&mut out, |out| out.extend_from_slice(payload.as_bytes())));
        out
    }

    /// The payloads of valid lines, names of invalid ones, and the end of the read.
    fn read(file: &File, from: u64) -> (Vec<String>, u64) {
        let mut found = Vec::new();
        let end = lines(file, from, |_, _, line| {
            found.push(match line {
                Line::Sound(payload) => payload.to_owned(),
                Line::Torn => "torn".to_owned(),
                Line::Damaged => "damaged".to_owned(),
            });
            ControlFlow::Continue(())
        })
        .unwrap();
        (found, end)
    }

    #[test]
    fn unfinished_line_is_pending_at_the_end_and_torn_in_the_middle() {
        let whole = encoded("first");
        let cut = encoded("second");
        for end in 0..cut.len() {
            let mut bytes = whole.clone();
            bytes.extend_from_slice(&cut[..end]);
            let (found, at) = read(&file(&bytes), 0);
            assert_eq!(found, ["first"]);
            assert!(at as usize >= whole.len() && at as usize <= whole.len() + 1);
            bytes.extend_from_slice(&encoded("third"));
            let (found, at) = read(&file(&bytes), 0);
            assert_eq!(found.first().map(String::as_str), Some("first"));
            assert_eq!(found.last().map(String::as_str), Some("third"));
            assert!(found.len() == 2 || found[1] == "torn", "{found:?}");
            assert_eq!(at as usize, bytes.len());
        }
    }

    #[test]
    fn line_is_read_when_it_is_longer_than_the_read_buffer() {
        let long = "x".repeat(3 * PIECE);
        let mut bytes = Vec::new();
        for payload in ["a", long.as_str(), "b"] {
            bytes.extend(encoded(payload));
        }
        for n in 0..3000 {
            bytes.extend(encoded(&format!("{n} {}", "y".repeat(200))));
        }
        let file = file(&bytes);
        let (found, end) = read(&file, 0);
        assert_eq!((found.len(), end as usize), (3003, bytes.len()));
        assert_eq!((found[1].len(), found[2].as_str()), (long.len(), "b"));
        assert_eq!(
            line_at(&file, encoded("a").len() as u64)
                .unwrap()
                .unwrap()
                .len(),
            HEAD + long.len()
        );
        assert_eq!(line_at(&file, 1).unwrap(), None);
        assert_eq!(line_at(&file, bytes.len() as u64).unwrap(), None);
    }

    #[test]
    fn damaged_line_does_not_affect_its_neighbours() {
        let mut bytes = b"no line at all\n".to_vec();
        bytes.extend(encoded("sound"));
        bytes.extend(vec![0; 2 * PIECE]);
        bytes.extend(encoded("sound too"));
        let (found, _) = read(&file(&bytes), 0);
        // The zeros follow the first line without a line feed, and so make it invalid.
        assert_eq!(found, ["damaged", "damaged", "sound too"]);
        let (found, end) = read(&file(&vec![b'x'; LONGEST + 5]), 0);
        assert_eq!(found.len(), 1);
        assert_eq!(end as usize, LONGEST);
    }
}
