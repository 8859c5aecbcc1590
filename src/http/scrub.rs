//! Removes secrets from a server's message: values that identify or could impersonate a visitor.
//! They are found even if the server writes them cut, in another case, over several lines, escaped
//! (JSON, HTML, percent), in base64 or in hexadecimal.
//!
//! Only letters and digits are compared, without case and without the characters between them.
//! Every run of 8 or more that is also in a secret is replaced.

use std::collections::HashSet;

/// A shorter run is ignored, because it would be found in ordinary text.
const RUN: usize = 8;
const MARK: &str = "...";

/// A decoded byte of the message, and the part of the text that encodes it.
#[derive(Debug, Clone, Copy)]
struct Unit {
    byte: u8,
    start: usize,
    end: usize,
}

/// `text` without any part of 8 or more characters of a secret.
pub(super) fn scrub(text: &str, secrets: &[String]) -> String {
    let runs: HashSet<Vec<u8>> = secrets.iter().flat_map(|secret| runs_of(secret)).collect();
    if runs.is_empty() {
        return text.to_owned();
    }
    let mut is_secret = vec![false; text.len()];
    let plain: Vec<Unit> = text
        .bytes()
        .enumerate()
        .map(|(at, byte)| Unit {
            byte,
            start: at,
            end: at + 1,
        })
        .collect();
    // Escaped once (%2D) or twice (%252D).
    let once = unescape(&plain);
    let twice = unescape(&once);
    for units in [plain, once, twice] {
        for offset in 0..4 {
            mark(&from_base64(&units, offset), &runs, &mut is_secret);
        }
        for offset in 0..2 {
            mark(&from_hex(&units, offset), &runs, &mut is_secret);
        }
        mark(&units, &runs, &mut is_secret);
    }
    replace_marked(text, &is_secret)
}

/// The characters that are compared: letters and digits, in lower case. A non-ASCII byte counts as
/// a letter.
fn folded(byte: u8) -> Option<u8> {
    let counts = byte.is_ascii_alphanumeric() || !byte.is_ascii();
    counts.then(|| byte.to_ascii_lowercase())
}

fn runs_of(secret: &str) -> Vec<Vec<u8>> {
    let folded: Vec<u8> = secret.bytes().filter_map(folded).collect();
    folded.windows(RUN).map(<[u8]>::to_vec).collect()
}

/// Marks the parts of the text in which `units` contains a run of a secret.
fn mark(units: &[Unit], runs: &HashSet<Vec<u8>>, is_secret: &mut [bool]) {
    let compared: Vec<(u8, Unit)> = units
        .iter()
        .filter_map(|unit| Some((folded(unit.byte)?, *unit)))
        .collect();
    for window in compared.windows(RUN) {
        let run: Vec<u8> = window.iter().map(|(byte, _)| *byte).collect();
        if runs.contains(&run)
            && let (Some((_, first)), Some((_, last))) = (window.first(), window.last())
            && let Some(marked) = is_secret.get_mut(first.start..last.end)
        {
            marked.fill(true);
        }
    }
}

/// The text with `MARK` for each marked part.
fn replace_marked(text: &str, is_secret: &[bool]) -> String {
    let mut scrubbed = String::new();
    let mut was_secret = false;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        let is_marked = is_secret
            .get(at..end)
            .is_some_and(|bytes| bytes.contains(&true));
        if !is_marked {
            scrubbed.push(c);
        } else if !was_secret {
            scrubbed.push_str(MARK);
        }
        was_secret = is_marked;
    }
    scrubbed
}

/// Decodes `%41`, `\u0041`, `\x41`, `&#65;` and `&#x41;`. An escaped line break (`\n`) is removed.
fn unescape(units: &[Unit]) -> Vec<Unit> {
    let mut decoded = Vec::with_capacity(units.len());
    let mut rest = units;
    while let Some((first, after)) = rest.split_first() {
        let (value, length) = match escape(rest) {
            Some(found) => found,
            None => {
                decoded.push(*first);
                rest = after;
                continue;
            }
        };
        let end = rest.get(length - 1).map_or(first.end, |unit| unit.end);
        let mut utf8 = [0; 4];
        let bytes = match value {
            Escape::Byte(byte) => vec![byte],
            Escape::Char(c) => c.encode_utf8(&mut utf8).as_bytes().to_vec(),
            Escape::Nothing => Vec::new(),
        };
        decoded.extend(bytes.into_iter().map(|byte| Unit {
            byte,
            start: first.start,
            end,
        }));
        rest = rest.get(length..).unwrap_or_default();
    }
    decoded
}

enum Escape {
    Byte(u8),
    Char(char),
    Nothing,
}

/// The escape at the beginning, and the number of units that it takes.
fn escape(units: &[Unit]) -> Option<(Escape, usize)> {
    let text: String = units
        .iter()
        .take(10)
        .map(|unit| char::from(unit.byte))
        .collect();
    let hex = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        is_hex.then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let byte = |value: u32| u8::try_from(value).ok().map(Escape::Byte);
    if text.starts_with('%') {
        return Some((byte(hex(1, 3)?)?, 3));
    }
    if let Some(escaped) = text.strip_prefix('\\') {
        return match escaped.chars().next()? {
            'u' => Some((Escape::Char(char::from_u32(hex(2, 6)?)?), 6)),
            'x' => Some((byte(hex(2, 4)?)?, 4)),
            'n' | 'r' | 't' => Some((Escape::Nothing, 2)),
            _ => None,
        };
    }
    let entity = text.strip_prefix("&#")?.split_once(';')?.0;
    let value = match entity.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => entity.parse(),
    };
    let length = entity.len() + "&#;".len();
    Some((Escape::Char(char::from_u32(value.ok()?)?), length))
}

/// Decodes all parts of the text that could be base64, from the `offset`th character of each part.
/// Line breaks within are skipped. Text that was not base64 becomes nonsense, which contains no
/// secret.
fn from_base64(units: &[Unit], offset: usize) -> Vec<Unit> {
    let pieces = units
        .iter()
        .filter(|unit| !unit.byte.is_ascii_whitespace())
        .map(|unit| (base64_value(unit.byte), *unit))
        .collect::<Vec<_>>();
    let pieces = pieces.split(|(value, _)| value.is_none());
    pieces
        .flat_map(|piece| joined(piece, offset, 4, 6))
        .collect()
}

fn base64_value(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(value.into())
}

/// The same for hexadecimal digits, with or without a separator between the bytes.
fn from_hex(units: &[Unit], offset: usize) -> Vec<Unit> {
    let pieces: Vec<(Option<u32>, Unit)> = units
        .iter()
        .filter(|unit| unit.byte.is_ascii_alphanumeric())
        .map(|unit| (char::from(unit.byte).to_digit(16), *unit))
        .collect();
    let pieces = pieces.split(|(digit, _)| digit.is_none());
    pieces
        .flat_map(|piece| joined(piece, offset, 2, 4))
        .collect()
}

/// The bytes that are encoded in groups of `size` digits with `bits` bits each. A byte is encoded
/// by its whole group.
fn joined(piece: &[(Option<u32>, Unit)], offset: usize, size: usize, bits: usize) -> Vec<Unit> {
    let digits = piece.get(offset..).unwrap_or_default();
    let mut decoded = Vec::new();
    for group in digits.chunks(size) {
        let (Some((_, first)), Some((_, last))) = (group.first(), group.last()) else {
            continue;
        };
        let value = group
            .iter()
            .fold(0, |value, (digit, _)| (value << bits) | digit.unwrap_or(0));
        let length = group.len() * bits;
        // The last group may be shorter; bits that do not fill a byte are zero.
        for end in (8..=length).step_by(8) {
            decoded.push(Unit {
                byte: (value >> (length - end)) as u8,
                start: first.start,
                end: last.end,
            });
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

    const KEY: &str = "d9528030-509c-4e0f-b585-7168f1e9feca";
    const TOKEN: &str = "Zm9v+YmFyL2Jhei9xdXV4/Y29yZ2UtZ3JhdWx0LWdhcnBseQ==";

    fn secrets() -> Vec<String> {
        vec![KEY.to_owned(), TOKEN.to_owned(), "short".to_owned()]
    }

    /// Whether 8 consecutive letters or digits of a secret are left, in any encoding.
    fn leaks(scrubbed: &str) -> bool {
        let letters: String = scrubbed
            .to_ascii_lowercase()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        secrets()
            .iter()
            .flat_map(|s| runs_of(s))
            .any(|run| letters.contains(std::str::from_utf8(&run).unwrap()))
    }

    fn percent(text: &str) -> String {
        text.bytes().map(|b| format!("%{b:02X}")).collect()
    }

    fn split_lines(text: &str, with: &str) -> String {
        let parts: Vec<&str> = text
            .as_bytes()
            .chunks(5)
            .map(|part| std::str::from_utf8(part).unwrap())
            .collect();
        parts.join(with)
    }

    #[test]
    fn secret_is_removed_from_messages_in_every_encoding() {
        for secret in [KEY, TOKEN] {
            let upper = secret.to_uppercase();
            let json: String = secret
                .encode_utf16()
                .map(|u| format!("\\u{u:04x}"))
                .collect();
            let html: String = secret.bytes().map(|b| format!("&#{b};")).collect();
            let html_hex: String = secret.bytes().map(|b| format!("&#x{b:X};")).collect();
            let object = format!("{{\"customer\":\"{secret}\"}}");
            let wrapped = BASE64_STANDARD.encode(&object);
            for written in [
                secret.to_owned(),
                upper.clone(),
                secret[3..20].to_owned(),
                split_lines(secret, "\r\n"),
                split_lines(secret, "\\n"),
                split_lines(secret, "\n> "),
                split_lines(secret, "-"),
                secret.replace('-', " "),
                secret.replace('/', r"\/"),
                secret.replace(['-', '+'], r"\u002B").replace('=', "%3D"),
                percent(secret),
                percent(&upper),
                percent(&percent(secret)),
                json.clone(),
                json.to_uppercase().replace("\\U", "\\u"),
                html,
                html_hex,
                hex::encode(secret),
                hex::encode_upper(secret),
                split_lines(&hex::encode(secret), "\n"),
                BASE64_STANDARD.encode(secret),
                BASE64_URL_SAFE_NO_PAD.encode(secret),
                BASE64_STANDARD.encode(&upper),
                BASE64_STANDARD.encode(format!("x{secret}")),
                BASE64_STANDARD.encode(format!("xy{secret}")),
                split_lines(&BASE64_STANDARD.encode(secret), "\r\n"),
                percent(&BASE64_STANDARD.encode(secret)),
                wrapped,
            ] {
                let scrubbed = scrub(&format!("refused: <{written}> in UK"), &secrets());
                assert!(scrubbed.contains("..."), "{written}: {scrubbed}");
                assert!(!leaks(&scrubbed), "{written}: {scrubbed}");
                assert!(scrubbed.ends_with(" in UK"), "{written}: {scrubbed}");
                // Too little of an encoded form is left to decode it.
                let longest = scrubbed
                    .split(|c: char| !c.is_ascii_alphanumeric())
                    .map(str::len)
                    .max();
                assert!(longest.unwrap() < 25, "{written}: {scrubbed}");
            }
        }
    }

    #[test]
    fn message_without_secrets_is_unchanged() {
        for message in [
            "",
            "Ticket is missing.",
            "The customer could not be validated; short",
            "{\"error\":\"bad \\u0022ticket\\u0022\",\"code\":400}",
            "Käse %zz \\u12 &#; &#99999999; 100% \\",
            "d952803 d95280 30-509c",
        ] {
            let expected = message.replace("d95280 30-509c", "...");
            assert_eq!(scrub(message, &secrets()), expected);
        }
        assert_eq!(scrub("d9528030-509c", &[]), "d9528030-509c");
    }
}
