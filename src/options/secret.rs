//! A password, which debug output does not show.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::host;
use crate::outcome::Error;

/// The longest file with a password, in bytes.
const MAX_BYTES: u64 = 4096;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Arc<str>);

impl Secret {
    pub(crate) fn new(value: &str) -> Secret {
        Secret(Arc::from(value))
    }

    /// Reads the first line of a file.
    pub(super) fn read(file: &Path) -> Result<Secret, Error> {
        let refuse = |why: &dyn fmt::Display| {
            Error::config(format!("spool_password_file {} {why}", file.display()))
        };
        if file.is_relative() {
            return Err(refuse(&"is not an absolute path"));
        }
        let bytes = host::read_file(file, MAX_BYTES)
            .map_err(|e| refuse(&format_args!("cannot be read: {e}")))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| refuse(&"is not UTF-8"))?;
        // Editors on Windows write a byte-order mark, which is not part of the password.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match text.lines().next().unwrap_or_default() {
            "" => Err(refuse(&"has an empty first line")),
            password => Ok(Secret::new(password)),
        }
    }

    /// The password itself. Only for the engine.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_is_the_first_line_of_its_file_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        for (content, password) in [
            ("s3cret\n", "s3cret"),
            ("a b \r\nmore", "a b "),
            ("x", "x"),
            ("\u{feff}s3cret\r\n", "s3cret"),
        ] {
            std::fs::write(&file, content).unwrap();
            let secret = Secret::read(&file).unwrap();
            assert_eq!(secret.reveal(), password);
            assert_eq!(format!("{secret:?}"), "Secret(..)");
        }
        std::fs::write(&file, "\u{feff}\nsecond").unwrap();
        let refused = Secret::read(&file).unwrap_err();
        assert!(
            refused.detail().contains("spool_password_file"),
            "{refused}"
        );
        assert!(!refused.detail().contains("second"), "{refused}");
        assert!(Secret::read(&folder.path().join("none")).is_err());
    }
}
