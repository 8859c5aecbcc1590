//! TLS: the trusted authorities, and the stream.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::tcp::Stream;
use crate::host;
use crate::options::CaFile;
use crate::outcome::Error;

/// The authorities that a connection trusts.
#[derive(Debug, Clone)]
pub(crate) struct Roots {
    pub(super) store: Arc<RootCertStore>,
    pub(super) source: RootSource,
}

/// The source of the authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RootSource {
    CaFile,
    System,
    Bundled,
}

impl Roots {
    pub(super) fn from_file(file: &CaFile) -> Roots {
        Roots {
            store: Arc::clone(&file.roots),
            source: RootSource::CaFile,
        }
    }

    /// The system's authorities, or the bundled ones if the system has none (a bare container).
    /// This reads files, which takes tens of milliseconds, so it is done once per process.
    pub(super) fn from_system() -> Roots {
        let mut store = RootCertStore::empty();
        let found = host::apart_from_stdio(|| rustls_native_certs::load_native_certs().certs);
        // A system's bundle may contain an unreadable certificate; the others are still used.
        store.add_parsable_certificates(found);
        let source = if store.is_empty() {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            RootSource::Bundled
        } else {
            RootSource::System
        };
        Roots {
            store: Arc::new(store),
            source,
        }
    }

    /// The configuration for TLS 1.2 and 1.3 with these authorities. It is made with the client, so
    /// that the first call need not read 140 certificates.
    pub(super) fn client_config(&self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(ring::default_provider());
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::config(format!("TLS cannot be set up: {e}")))?
            .with_root_certificates(Arc::clone(&self.store))
            .with_no_client_auth())
    }
}

/// The name that a server's certificate must have, from a URL's host.
pub(super) fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned()).map_err(|_| {
        let message = format!("{bare} is not a name that a certificate can be for");
        io::Error::other(rustls::Error::General(message))
    })
}

#[derive(Debug)]
pub(super) struct TlsStream {
    connection: ClientConnection,
    stream: Box<dyn Stream>,
}

impl TlsStream {
    pub(super) fn handshake(
        config: &Arc<ClientConfig>,
        host: &str,
        mut stream: Box<dyn Stream>,
    ) -> io::Result<TlsStream> {
        let mut connection = ClientConnection::new(Arc::clone(config), server_name(host)?)
            .map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(TlsStream { connection, stream })
    }

    fn tls(&mut self) -> rustls::Stream<'_, ClientConnection, Box<dyn Stream>> {
        rustls::Stream::new(&mut self.connection, &mut self.stream)
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tls().read(buffer)
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tls().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tls().flush()
    }
}

impl Stream for TlsStream {
    fn is_quiet(&mut self) -> bool {
        let state = self.connection.process_new_packets();
        let has_nothing = state
            .is_ok_and(|state| state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed());
        has_nothing && self.stream.is_quiet()
    }
}
