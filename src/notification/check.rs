//! Checks of the texts of a notification.

use crate::outcome::Error;

/// Greatest length of a customer key, session key or token, in bytes.
pub const MAX_KEY: usize = 256;

/// Checks that a text is not empty, has at most `max` bytes, and has no control character. A line
/// break or NUL is always a mistake, such as the newline at the end of a key file. This applies to
/// tickets too, although JSON could carry control characters: tickets of the service have none, and
/// the service ignores a changed ticket.
pub(crate) fn check(name: &str, value: &str, max: usize) -> Result<(), Error> {
    if value.is_empty() {
        return Err(Error::argument(format!("{name} is empty")));
    }
    if value.len() > max {
        return Err(Error::argument(format!(
            "{name} is {} bytes long; at most {max} are allowed",
            value.len()
        )));
    }
    if value.trim().is_empty() {
        return Err(Error::argument(format!("{name} is only white space")));
    }
    // First a check of all bytes, which is many times faster: every control character has one of
    // these bytes.
    let suspects = |found: bool, b: u8| found | (b < 0x20) | (b == 0x7f) | (b == 0xc2);
    if value.bytes().fold(false, suspects)
        && let Some(c) = value.chars().find(|c| c.is_control())
    {
        return Err(Error::argument(format!(
            "{name} contains the control character U+{:04X}",
            u32::from(c)
        )));
    }
    Ok(())
}

/// Checks a key or a token: as [`check`], and without blanks and `&`, which are left over if a
/// header, a query string or a cookie was cut in the wrong place. The service would treat such a
/// key as another visitor.
pub(super) fn check_key(name: &str, value: &str) -> Result<(), Error> {
    check(name, value, MAX_KEY)?;
    // UUIDs, hashes and tokens are ASCII; only other text needs a check of its characters.
    let suspects = |found: bool, b: u8| found | (b <= b' ') | (b == b'&') | (b >= 0x80);
    if !value.bytes().fold(false, suspects) {
        return Ok(());
    }
    if value.contains('&') {
        return Err(Error::argument(format!(
            "{name} contains `&`: it looks like a part of a query string that was cut in the wrong place"
        )));
    }
    if let Some(c) = value
        .chars()
        .find(|c| c.is_whitespace() || is_invisible(*c))
    {
        return Err(Error::argument(format!(
            "{name} contains a blank (U+{:04X}): keys and tokens have none, so it was cut out of other text, padded, or \
             read from a file with a byte-order mark",
            u32::from(c)
        )));
    }
    Ok(())
}

/// Characters without width, such as a byte-order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(result: Result<(), Error>) -> String {
        result.unwrap_err().detail().to_owned()
    }

    #[test]
    fn control_characters_are_refused_at_every_position() {
        let controls = (0..=0x9f_u8).map(char::from).filter(|c| c.is_control());
        for c in controls {
            let expected = format!("x contains the control character U+{:04X}", u32::from(c));
            for text in [format!("a{c}"), format!("{c}a"), format!("a{c}b{c}")] {
                assert_eq!(detail(check("x", &text, 9)), expected, "{text:?}");
            }
            if !c.is_whitespace() {
                for text in [format!("{c}"), format!("{c}{c}")] {
                    assert_eq!(detail(check("x", &text, 9)), expected, "{text:?}");
                }
            }
        }
        for text in ["a b", "~", "\u{a0}a", "\u{c2}", "é", "日本", "\u{ad}"] {
            check("x", text, 9).unwrap();
        }
    }

    #[test]
    fn text_is_refused_when_it_is_empty_blank_or_too_long() {
        assert_eq!(detail(check("x", "", 2)), "x is empty");
        assert_eq!(detail(check("x", " \n", 2)), "x is only white space");
        let too_long = detail(check("x", "abc", 2));
        assert_eq!(too_long, "x is 3 bytes long; at most 2 are allowed");
        check("x", "ab", 2).unwrap();
    }

    #[test]
    fn blanks_are_refused_in_keys_beside_any_other_character() {
        let blanks = [
            ' ', '\u{a0}', '\u{ad}', '\u{200b}', '\u{200f}', '\u{2060}', '\u{2064}', '\u{3000}',
            '\u{feff}',
        ];
        for c in blanks {
            let begins = format!("x contains a blank (U+{:04X}): ", u32::from(c));
            for other in ["a", "~", "é", "日"] {
                let refused = detail(check_key("x", &format!("{other}{c}")));
                assert!(refused.starts_with(&begins), "{refused}");
            }
        }
        for visible in [
            "\u{200a0}",
            "\u{2010}",
            "\u{2065}",
            "\u{feee}",
            "%",
            "'",
            "é",
            "!",
        ] {
            check_key("x", visible).unwrap();
        }
    }
}
