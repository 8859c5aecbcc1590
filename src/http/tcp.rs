//! TCP with a deadline: every read and write ends at the deadline of the call.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::deadline;
use crate::host;

/// A byte stream with the deadline of the call on this thread.
pub(super) trait Stream: Read + Write + fmt::Debug + Send + Sync {
    /// Whether there is nothing to read, no end of the stream and no error.
    fn is_quiet(&mut self) -> bool;
}

#[derive(Debug)]
pub(super) struct DeadlineStream {
    stream: TcpStream,
    /// The time-out for reads that is set in the kernel.
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

/// Runs one system call before the deadline; restarts it if a signal of the host interrupts it.
/// `prepare` sets the time-out in the kernel, which may be shorter.
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

/// The kernel counts in microseconds, and 0 means no time-out.
fn timeout(duration: Duration) -> Option<Duration> {
    Some(duration.max(Duration::from_micros(1)))
}

impl Read for DeadlineStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut stream = &self.stream;
        let kernels = &mut self.read_timeout;
        within_budget(
            |left| {
                // Three quarters of the time left, so that the next call on this connection with
                // the same time-out need not set it.
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
        // The kernel accepts a request at once, unless the peer does not read.
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
