//! Standard output and standard error. The exit code is the outcome of the command: a closed reader (`head`, a pager)
//! or a full disk never changes it, and never causes a panic as `println!` would.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Makes a write beyond the limit of file sizes (`ulimit -f`) an error like a full disk. Without it, the signal
/// SIGXFSZ would end the command after it has sent.
pub(crate) fn survive_file_size_limit() {
    // Any handler makes the write fail; the flag is not read. If this fails, the command still works.
    let _ = signal_hook::flag::register(
        signal_hook::consts::SIGXFSZ,
        Arc::new(AtomicBool::new(false)),
    );
}

/// Whether writing to standard output failed, for another reason than a closed reader.
static HAS_FAILED: AtomicBool = AtomicBool::new(false);

/// Writes to standard output. The first failure is reported on standard error.
pub(crate) fn write(text: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    match out.write_fmt(text).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(e) if e.kind() == ErrorKind::BrokenPipe => {}
        Err(e) => {
            if !HAS_FAILED.swap(true, Ordering::Relaxed) {
                write_error(format_args!("esales-notify: standard output: {e}\n"));
            }
        }
    }
}

/// Writes to standard error. A failure is ignored: there is no other place to report it.
pub(crate) fn write_error(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// The exit code of a command whose only outcome is its output.
pub(crate) fn exit_code() -> ExitCode {
    if HAS_FAILED.load(Ordering::Relaxed) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Text from outside, for a terminal: escapes control characters, which could control the terminal, and characters
/// that reorder the text around them.
pub(crate) fn printable(text: &str) -> String {
    let is_escaped = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_escaped(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// `print!` without its panic.
macro_rules! out {
    ($($argument:tt)*) => {
        $crate::output::write(format_args!($($argument)*))
    };
}

/// `println!` without its panic.
macro_rules! outln {
    ($($argument:tt)*) => {
        $crate::output::write(format_args!("{}\n", format_args!($($argument)*)))
    };
}

/// `eprintln!` without its panic.
macro_rules! errln {
    ($($argument:tt)*) => {
        $crate::output::write_error(format_args!("{}\n", format_args!($($argument)*)))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_keeps_quotes_and_backslashes_when_the_text_is_json() {
        let body = r#"{"market":"UK","ticket":"a\"b\\c åäö 日本 'x'"}"#;
        assert_eq!(printable(body), body);
    }

    #[test]
    fn printable_escapes_terminal_control_characters() {
        assert_eq!(
            printable("a\u{1b}[2Jb\nc\u{85}\u{202e}d"),
            "a\\u{1b}[2Jb\\nc\\u{85}\\u{202e}d"
        );
    }
}
