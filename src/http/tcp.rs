//! TCP under a deadline: every read and write gets the rest of the call's budget, no more.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::deadline;
use crate::host;

/// A byte stream under the deadline of the call that runs on this thread.
pub(super) trait Stream: Read + Write + fmt::Debug + Send + Sync {
    /// Whether there is nothing to read and no end or error to report.
    fn is_quiet(&mut self) -> bool;
}

#[derive(Debug)]
pub(super) struct DeadlineStream {
    stream: TcpStream,
    /// The kernel's timeout for reads.
    read_timeout: Duration,
}

impl DeadlineStream {
    pub(super) fn new(stream: TcpStream) -> DeadlineStream {
        DeadlineStream {
            stream,
            read_timeout: Duration::ZERO,
        }
    }
}

/// Runs one system call within the rest of the budget; an interrupting signal of the host's restarts it.
/// `prepare` sets the kernel's timeout, which may be shorter than the budget.
fn within_budget<T>(
    mut prepare: impl FnMut(Duration) -> io::Result<()>,
    mut call: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    use io::ErrorKind as Kind;
    loop {
        prepare(deadline::check()?)?;
        match call() {
            Err(e) if matches!(e.kind(), Kind::Interrupted | Kind::WouldBlock) => {}
            ended => return ended,
        }
    }
}

/// The kernel counts in microseconds, and 0 would mean for ever.
fn timeout(duration: Duration) -> Option<Duration> {
    Some(duration.max(Duration::from_micros(1)))
}

impl Read for DeadlineStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut stream = &self.stream;
        let kernels = &mut self.read_timeout;
        within_budget(
            |left| {
                // Three quarters of the budget: the next call on this connection, with as much, need not set it.
                if !(left / 2..=left).contains(kernels) {
                    *kernels = left - left / 4;
                    stream.set_read_timeout(timeout(*kernels))?;
                }
                Ok(())
            },
            || stream.read(buffer),
        )
    }
}

impl Write for DeadlineStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        deadline::check()?;
        let mut stream = &self.stream;
        // The kernel takes a request at once, unless the other side reads nothing.
        host::send_now(stream, bytes).or_else(|_| {
            within_budget(
                |left| stream.set_write_timeout(timeout(left)),
                || stream.write(bytes),
            )
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for DeadlineStream {
    fn is_quiet(&mut self) -> bool {
        host::is_quiet(&self.stream)
    }
}
