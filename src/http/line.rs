//! A connection that carries another protocol than HTTP: the same look-up of names, TCP and TLS, each call within its
//! deadline.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::deadline::{self, Step};
use super::pool::system_roots;
use super::race;
use super::resolver::CachingResolver;
use super::tcp::{DeadlineStream, Stream};
use super::tls::{Roots, TlsStream};
use super::tls_error;
use crate::options::CaFile;
use crate::outcome::Error;

/// How long a looked-up address is used for new connections.
const DNS_CACHE: Duration = Duration::from_secs(60);

/// Makes connections to any host.
#[derive(Debug)]
pub(crate) struct Dialler {
    resolver: CachingResolver,
    /// `None`: the connections are not encrypted.
    tls: Option<Arc<ClientConfig>>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Line(Box<dyn Stream>);

impl Dialler {
    /// `tls`: use TLS, and trust the authorities of `ca_file` or of the system.
    pub(crate) fn new(is_tls: bool, ca_file: Option<&CaFile>) -> Result<Dialler, Error> {
        let roots = is_tls.then(|| ca_file.map_or_else(system_roots, Roots::from_file));
        let tls = roots.as_ref().map(Roots::client_config).transpose()?;
        Ok(Dialler {
            resolver: CachingResolver::new(DNS_CACHE),
            tls: tls.map(Arc::new),
        })
    }

    /// Connects before `deadline`. An error names the step that failed.
    pub(crate) fn open(&self, host: &str, port: u16, deadline: Instant) -> io::Result<Line> {
        deadline::begin(deadline);
        deadline::enter(Step::Resolve);
        let opened = self.dial(host, port);
        opened.map_err(|e| {
            if deadline::step() == Step::Connect {
                self.resolver.doubt();
            }
            let e = explained(e);
            let message = format!("while {}: {e}", deadline::step().text());
            io::Error::new(e.kind(), message)
        })
    }

    fn dial(&self, host: &str, port: u16) -> io::Result<Line> {
        let addresses = self.resolver.addresses(host, port)?;
        deadline::enter(Step::Connect);
        let (stream, answered) = race::connect(&addresses)?;
        self.resolver.prefer(host, port, &addresses, answered);
        let stream: Box<dyn Stream> = Box::new(DeadlineStream::new(stream));
        let Some(tls) = &self.tls else {
            return Ok(Line(stream));
        };
        deadline::enter(Step::Tls);
        let stream = TlsStream::handshake(tls, host, stream)?;
        Ok(Line(Box::new(stream)))
    }
}

impl Line {
    /// Writes all the bytes before `deadline`. Writes nothing if the deadline has passed.
    pub(crate) fn write(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()> {
        deadline::begin(deadline);
        deadline::check()?;
        let written = self.0.write_all(bytes).and_then(|()| self.0.flush());
        written.map_err(explained)
    }

    /// Reads the available bytes, and waits for the first until `deadline`. 0: the peer has closed the connection.
    pub(crate) fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        deadline::begin(deadline);
        self.0.read(buffer).map_err(explained)
    }

    /// Whether there is nothing to read: no data, no end of the stream, and no error.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.0.is_quiet()
    }
}

/// A TLS error with its cause and advice, as for the service. Any other error is unchanged.
fn explained(e: io::Error) -> io::Error {
    match tls_error::inside(&e).map(tls_error::reason) {
        Some(reason) => io::Error::new(e.kind(), reason),
        None => e,
    }
}
