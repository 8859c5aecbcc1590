//! One line of any file of the log: a checksum and a length, then the payload.
//!
//! A line *begins* with its line feed. Therefore an unfinished line of a killed process or a full disk ends where the
//! next line begins, and damages no other line.
//!
//! ```text
//! \n cccccccc llllll payload
//!    |        |      the text itself, without a line feed
//!    |        its length in bytes, six hexadecimal digits
//!    CRC-32 of everything after the first blank, eight hexadecimal digits
//! ```

/// Length of the head in front of the payload, without the line feed.
pub(super) const HEAD: usize = 16;

/// Greatest length of a payload: six hexadecimal digits.
pub(super) const MAX_PAYLOAD: usize = 0xff_ffff;

/// Appends a line with the payload that `write` makes. False: the payload has a line feed or is too
/// long, and nothing was appended.
pub(super) fn encode(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> bool {
    let start = out.len();
    out.extend_from_slice(b"\n-------- ------ ");
    write(out);
    let Some(line) = out.get_mut(start + 1..) else {
        return false;
    };
    let length = line.len() - HEAD;
    if length > MAX_PAYLOAD || memchr::memchr(b'\n', line).is_some() {
        out.truncate(start);
        return false;
    }
    hex(line.get_mut(9..15), length as u64);
    let checksum = crc32fast::hash(line.get(9..).unwrap_or_default());
    hex(line.get_mut(..8), checksum.into());
    true
}

fn hex(out: Option<&mut [u8]>, mut number: u64) {
    for digit in out.into_iter().flatten().rev() {
        *digit = b"0123456789abcdef"
            .get((number & 0xf) as usize)
            .copied()
            .unwrap_or_default();
        number >>= 4;
    }
}

/// The text between two line feeds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Sound(&'a str),
    /// Shorter than its length: the writer did not finish, and did not report it as written.
    Torn,
    /// Complete, but different from what was written.
    Damaged,
}

/// The value of a hexadecimal digit, and `NO_DIGIT` of any other byte. A million lines must be counted quickly.
#[allow(clippy::indexing_slicing)] // evaluated by the compiler
const DIGITS: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    values
};
const NO_DIGIT: u8 = 0x80;

fn number(digits: Option<&[u8]>) -> Option<u32> {
    let (mut number, mut all) = (0, 0);
    for digit in digits? {
        let value = DIGITS.get(usize::from(*digit)).copied()?;
        number = number << 4 | u32::from(value);
        all |= value;
    }
    (all & NO_DIGIT == 0).then_some(number)
}

/// The payload of the line at the beginning, if it is sound and another line follows. Its length is already known, so
/// that its end need not be searched for.
pub(super) fn first_sound(lines: &[u8]) -> Option<&str> {
    let end = HEAD + number(lines.get(9..15))? as usize;
    (lines.get(end) == Some(&b'\n')).then_some(())?;
    match decode(lines.get(..end)?) {
        Line::Sound(payload) => Some(payload),
        _ => None,
    }
}

/// Decodes a line without its line feed.
pub(super) fn decode(line: &[u8]) -> Line<'_> {
    let Some((head, payload)) = line.split_at_checked(HEAD) else {
        return Line::Torn;
    };
    let (Some(checksum), Some(length)) = (number(head.get(..8)), number(head.get(9..15))) else {
        return Line::Damaged;
    };
    if (payload.len() as u64) < u64::from(length) {
        return Line::Torn;
    }
    if head.get(8) != Some(&b' ')
        || payload.len() as u64 != u64::from(length)
        || crc32fast::hash(line.get(9..).unwrap_or_default()) != checksum
    {
        return Line::Damaged;
    }
    std::str::from_utf8(payload).map_or(Line::Damaged, Line::Sound)
}

/// The length of a line, including its line feed, from its first bytes.
pub(super) fn declared_length(start: &[u8]) -> Option<usize> {
    Some(1 + HEAD + number(start.get(10..16))? as usize)
}

/// Appends a text column. Tabs and line feeds are escaped, because they end columns and lines.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    if memchr::memchr3(b'\t', b'\n', b'\\', text.as_bytes()).is_none() {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    for byte in text.bytes() {
        match byte {
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            other => out.push(other),
        }
    }
}

/// The text of an escaped column.
pub(super) fn text(column: &str) -> String {
    if !column.contains('\\') {
        return column.to_owned();
    }
    let mut text = String::with_capacity(column.len());
    let mut chars = column.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('t') => text.push('\t'),
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => {}
            },
            other => text.push(other),
        }
    }
    text
}

pub(super) fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(payload: &str) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(encode(&mut out, |out| out.extend_from_slice(payload.as_bytes())));
        out
    }

    #[test]
    fn line_round_trips() {
        for payload in ["", "x", "N\t1\t\u{e9}\"{}"] {
            let line = line(payload);
            assert_eq!(line[0], b'\n');
            assert_eq!(decode(&line[1..]), Line::Sound(payload));
            assert_eq!(declared_length(&line), Some(line.len()));
        }
        assert_eq!(line("payload"), b"\n45c2555a 000007 payload");
    }

    #[test]
    fn line_is_torn_when_it_is_cut_anywhere() {
        let line = line("a payload of some length");
        for end in 1..line.len() {
            assert_eq!(decode(&line[1..end]), Line::Torn, "{end}");
        }
    }

    #[test]
    fn line_is_damaged_when_any_byte_is_changed() {
        let line = line("a payload of some length");
        for at in 1..line.len() {
            for change in [1, 0x20, 0x80] {
                let mut changed = line.clone();
                changed[at] ^= change;
                assert!(!matches!(decode(&changed[1..]), Line::Sound(_)), "{at}");
            }
        }
        let mut longer = line.clone();
        longer.push(b'x');
        assert_eq!(decode(&longer[1..]), Line::Damaged);
    }

    #[test]
    fn line_is_refused_when_its_payload_is_malformed() {
        let mut out = b"before".to_vec();
        assert!(!encode(&mut out, |out| out.extend_from_slice(b"a\nb")));
        assert!(!encode(&mut out, |out| out
            .resize(out.len() + MAX_PAYLOAD + 1, b'x')));
        assert!(encode(&mut out, |out| out.resize(out.len() + MAX_PAYLOAD, b'x')));
        assert!(out.starts_with(b"before\n"));
    }

    #[test]
    fn text_column_round_trips_with_tabs_and_line_feeds() {
        for original in ["", "plain", "a\tb\nc\\d", "\\t", "\u{1f600}\t"] {
            let mut out = Vec::new();
            push_text(&mut out, original);
            let column = String::from_utf8(out).unwrap();
            assert!(!column.contains(['\t', '\n']));
            assert_eq!(text(&column), original);
        }
    }

    #[test]
    fn number_column_is_written_in_decimal() {
        for number in [0, 7, 10, 1_234_567_890, u64::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
