//! TCP under a deadline: every connect, read and write gets what is left of the call's budget, no more.
//!
//! ureq's own connection restarts its timeout with each partial write and, behind a proxy, with each read; a peer
//! that drips could stretch a call beyond its budget. This one cannot.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ureq::http::Uri;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Error, Timeout};

use super::trace::{self, Step};
use crate::host;

#[derive(Debug)]
pub(super) struct TcpConnector {
    /// The way's proxy: a connection to it is there to ask it for a tunnel.
    pub(super) proxy: Option<Uri>,
}

impl<In: Transport> Connector<In> for TcpConnector {
    type Out = Either<In, TcpTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        trace::connection_is_fresh();
        let connected = match chained {
            // A tunnel through the proxy.
            Some(tunnel) => Either::A(tunnel),
            None => Either::B(open(details)?),
        };
        trace::enter(if self.proxy.as_ref() == Some(details.uri) {
            Step::Tunnel
        } else if details.needs_tls() {
            Step::Tls
        } else {
            Step::Exchange
        });
        Ok(Some(connected))
    }
}

fn open(details: &ConnectionDetails) -> Result<TcpTransport, Error> {
    trace::enter(Step::Connect);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let mut left_to_try = details.addrs.len() as u32;
    for addr in details.addrs.iter() {
        let Some(remaining) = trace::remaining() else {
            return Err(Error::Timeout(Timeout::Connect));
        };
        // Half of what is left for each address but the last, so that one dead address does not eat the budget.
        let share = if left_to_try > 1 {
            remaining / 2
        } else {
            remaining
        };
        left_to_try = left_to_try.saturating_sub(1);
        match connect(addr, share) {
            Ok(stream) => {
                let config = details.config;
                let buffers =
                    LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
                return Ok(TcpTransport {
                    stream,
                    buffers,
                    read_timeout: Duration::ZERO,
                    has_just_answered: false,
                });
            }
            Err(e) => last = io::Error::new(e.kind(), format!("{addr}: {e}")),
        }
    }
    if last.kind() == io::ErrorKind::TimedOut {
        return Err(Error::Timeout(Timeout::Connect));
    }
    Err(last.into())
}

pub(super) fn connect(addr: &SocketAddr, share: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(addr, share)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[derive(Debug)]
pub(super) struct TcpTransport {
    stream: TcpStream,
    buffers: LazyBuffers,
    /// The kernel's timeout for reads.
    read_timeout: Duration,
    /// Whether nobody asked since the last bytes came.
    has_just_answered: bool,
}

/// Runs one system call under what is left of the budget; an interrupting signal of the host's restarts it.
/// `prepare` tells the kernel how long it may wait at most; it may be less than asked for.
fn within_budget<T>(
    mut prepare: impl FnMut(Duration) -> io::Result<()>,
    mut call: impl FnMut() -> io::Result<T>,
) -> Result<T, Error> {
    loop {
        let Some(remaining) = trace::remaining() else {
            return Err(Error::Timeout(Timeout::Global));
        };
        prepare(remaining)?;
        match call() {
            Ok(value) => return Ok(value),
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::Interrupted
                        | io::ErrorKind::WouldBlock
                        | io::ErrorKind::TimedOut
                ) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// The kernel counts in microseconds, and 0 would mean for ever.
fn timeout(duration: Duration) -> Option<Duration> {
    Some(duration.max(Duration::from_micros(1)))
}

impl Transport for TcpTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let mut stream = &self.stream;
        let mut rest = self.buffers.output().get(..amount).unwrap_or_default();
        while !rest.is_empty() {
            // The kernel takes a request at once, unless the other side reads nothing.
            let written = match host::send_now(stream, rest) {
                Ok(written) => written,
                Err(_) => within_budget(
                    |left| stream.set_write_timeout(timeout(left)),
                    || stream.write(rest),
                )?,
            };
            if written == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let mut stream = &self.stream;
        let input = self.buffers.input_append_buf();
        let kernels = &mut self.read_timeout;
        let amount = within_budget(
            |left| {
                // Three quarters of the budget: the next call on this connection, with as much, need not set it.
                if !(left / 2..=left).contains(kernels) {
                    *kernels = left - left / 4;
                    stream.set_read_timeout(timeout(*kernels))?;
                }
                Ok(())
            },
            || stream.read(input),
        )?;
        self.buffers.input_appended(amount);
        self.has_just_answered = amount > 0;
        Ok(amount > 0)
    }

    /// An idle connection is good only if there is nothing to read: no end, no error, no stray byte.
    ///
    /// ureq asks when it gives a connection back to its pool, and when it takes it out again. The first time the kernel is
    /// not asked: the second tells all.
    fn is_open(&mut self) -> bool {
        if trace::wants_fresh_connection() {
            return false;
        }
        std::mem::take(&mut self.has_just_answered) || host::is_quiet(&self.stream)
    }
}

/// Last in the chain: notes that the connection stands, and when the first byte of an answer came; and sends a
/// request in one write, where ureq makes two, of head and body.
#[derive(Debug)]
pub(super) struct WatchConnector {
    /// As in [`TcpConnector`].
    pub(super) proxy: Option<Uri>,
}

impl<In: Transport> Connector<In> for WatchConnector {
    type Out = Watched<In>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let is_to_proxy = self.proxy.as_ref() == Some(details.uri);
        if !is_to_proxy {
            trace::enter(Step::Exchange);
        }
        Ok(chained.map(|inner| Watched {
            inner,
            held: Vec::new(),
            is_to_proxy,
        }))
    }
}

#[derive(Debug)]
pub(super) struct Watched<T> {
    inner: T,
    /// What ureq wrote and is not sent yet. A request is small, and waiting for its answer sends it.
    held: Vec<u8>,
    /// Then what is read is the proxy's, or belongs to what goes through the tunnel.
    is_to_proxy: bool,
}

impl<T: Transport> Watched<T> {
    fn flush(&mut self, timeout: NextTimeout) -> Result<(), Error> {
        while !self.held.is_empty() {
            let output = self.inner.buffers().output();
            let amount = output.len().min(self.held.len());
            for (to, from) in output.iter_mut().zip(self.held.drain(..amount)) {
                *to = from;
            }
            self.inner.transmit_output(amount, timeout)?;
        }
        Ok(())
    }
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let output = self.inner.buffers().output();
        self.held.extend(output.iter().take(amount));
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.flush(timeout)?;
        let more = self.inner.await_input(timeout)?;
        if more && !self.is_to_proxy {
            trace::enter(Step::Answer);
        }
        Ok(more)
    }

    fn is_open(&mut self) -> bool {
        self.held.is_empty() && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remembers its writes, and has room for 8 bytes at a time.
    #[derive(Debug)]
    struct Recorder {
        buffers: LazyBuffers,
        writes: Vec<Vec<u8>>,
    }

    impl Transport for Recorder {
        fn buffers(&mut self) -> &mut dyn Buffers {
            &mut self.buffers
        }

        fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
            let written = self.buffers.output()[..amount].to_vec();
            self.writes.push(written);
            Ok(())
        }

        fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
            Ok(true)
        }

        fn is_open(&mut self) -> bool {
            true
        }
    }

    fn writes_of(parts: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut watched = Watched {
            inner: Recorder {
                buffers: LazyBuffers::new(8, 8),
                writes: Vec::new(),
            },
            held: Vec::new(),
            is_to_proxy: false,
        };
        for part in parts {
            watched.buffers().output()[..part.len()].copy_from_slice(part);
            watched
                .transmit_output(part.len(), NextTimeout::default())
                .unwrap();
        }
        assert!(!watched.is_open(), "kept with a request half sent");
        watched.await_input(NextTimeout::default()).unwrap();
        assert!(watched.is_open());
        watched.inner.writes
    }

    #[test]
    fn head_and_body_leave_in_one_write() {
        assert_eq!(writes_of(&[b"head", b"body"]), [b"headbody"]);
    }

    #[test]
    fn what_does_not_fit_leaves_in_several_and_in_order() {
        let writes = writes_of(&[b"12345678", b"9abcdefg", b"h"]);
        assert_eq!(writes.concat(), b"123456789abcdefgh");
        assert_eq!(writes.len(), 3);
    }
}
