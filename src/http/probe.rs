//! Tests the path to the service, one step at a time, for `esales-notify doctor`.
//!
//! Every step uses the same code as a notification: the agent with its authorities and its proxy, the resolver, the
//! connections. So a client would get the same results. This module sends no notification.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use super::deadline::{self, Step};
use super::tls::{RootSource, server_name};
use super::{Pool, answer, pool_of, race};
use crate::host;
use crate::notification::Kind;
use crate::options::{Config, ServiceSettings};
use crate::outcome::Error;

/// The path from this machine to the service, for a client with these options. Each step blocks for at most
/// `timeout_ms`.
#[derive(Debug)]
pub struct Probe {
    pool: Arc<Pool>,
    service: ServiceSettings,
    timeout: Duration,
}

/// The authorities that TLS trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// The authorities in `ca_file`, and their number.
    CaFile(String, usize),
    /// The authorities of the system, and their number.
    System(usize),
    /// The bundled authorities: the system has none.
    Bundled,
}

/// The service's answer to a request that is not a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeAnswer {
    /// The HTTP status.
    pub http_status: u16,
    /// The service's clock, to the second.
    pub date: Option<SystemTime>,
}

impl Probe {
    /// # Errors
    /// [`crate::Status::InvalidConfig`], in the same cases and with the same messages as [`crate::Client::new`]. The
    /// spool is not checked.
    pub fn new(config: &Config) -> Result<Probe, Error> {
        let settings = config.settings()?;
        Ok(Probe {
            pool: pool_of(&settings.service)?,
            service: settings.service,
            timeout: settings.timeout,
        })
    }

    /// The origin: scheme, host, port and prefix. A notification's path follows it.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.service.endpoint.origin
    }

    /// The URL that [`Probe::ask`] requests.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.origin(), Kind::AddToCart.spec().path)
    }

    /// Whether the service is reached by TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.service.endpoint.is_https
    }

    /// Whether the service is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.service.endpoint.is_loopback
    }

    /// The time limit of a step.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Host and port of the service.
    #[must_use]
    pub fn service(&self) -> (&str, u16) {
        let url = &self.pool.transport.origin;
        let usual = if self.is_https() { 443 } else { 80 };
        (
            url.host().unwrap_or_default(),
            url.port_u16().unwrap_or(usual),
        )
    }

    /// Host and port of the proxy; `None` if there is none, or if the service is reached without it.
    #[must_use]
    pub fn proxy(&self) -> Option<(&str, u16)> {
        let proxy = self.pool.transport.dialer.proxy.as_ref()?;
        Some((&proxy.host, proxy.port))
    }

    /// Whether a proxy is set, even if it is not used for this service.
    #[must_use]
    pub fn has_proxy(&self) -> bool {
        self.service.proxy.is_some()
    }

    /// The entries of `no_proxy` that match no host; empty if no proxy is set. The flag is true if the entries are from
    /// the environment variable, and false if they are from the option.
    #[must_use]
    pub fn no_proxy_without_effect(&self) -> (Vec<String>, bool) {
        let list = self.service.proxy.as_ref().map(|proxy| &proxy.no_proxy);
        list.map_or_else(Default::default, |list| {
            (list.without_effect(), list.is_from_environment)
        })
    }

    /// The authorities that TLS trusts; `None` without TLS.
    #[must_use]
    pub fn trust(&self) -> Option<Trust> {
        let roots = self.pool.transport.roots.as_ref();
        let roots = roots.filter(|_| self.is_https())?;
        let count = roots.store.len();
        let file = self.service.ca_file.as_ref();
        let path = file.and_then(|file| Some(file.as_ref().ok()?.path.clone()));
        Some(match roots.source {
            RootSource::CaFile => Trust::CaFile(path.unwrap_or_default(), count),
            RootSource::System => Trust::System(count),
            RootSource::Bundled => Trust::Bundled,
        })
    }

    /// The addresses of the host to connect to: the proxy or the service. A client tries the first eight of them.
    ///
    /// # Errors
    /// [`crate::Status::ConnectFailed`] or [`crate::Status::Timeout`].
    pub fn addresses(&self) -> Result<Vec<SocketAddr>, Error> {
        self.begin(Step::Resolve);
        self.pool
            .transport
            .dialer
            .addresses()
            .map_err(|e| error(&e))
    }

    /// Opens a TCP connection and closes it. Returns how long that took.
    ///
    /// # Errors
    /// [`crate::Status::ConnectFailed`] or [`crate::Status::Timeout`].
    pub fn connect(&self, addr: &SocketAddr) -> Result<Duration, Error> {
        self.begin(Step::Connect);
        let start = Instant::now();
        race::connect(&[*addr]).map_err(|e| error(&e))?;
        Ok(start.elapsed())
    }

    /// Connects to the service's port, through the proxy if there is one.
    ///
    /// # Errors
    /// [`crate::Status::ConnectFailed`] (also if the proxy refuses), [`crate::Status::Timeout`] or
    /// [`crate::Status::ConnectionLost`].
    pub fn reach(&self) -> Result<(), Error> {
        self.begin(Step::Exchange);
        let reached = self.pool.transport.dialer.reach();
        reached.map(drop).map_err(|e| error(&e))
    }

    /// The certificates that the service presents, its own first, as DER. This does not check whether they are trusted;
    /// [`Probe::ask`] does.
    ///
    /// # Errors
    /// As [`Probe::reach`], and [`crate::Status::TlsFailed`] if the handshake fails before the certificates arrive.
    pub fn certificates(&self) -> Result<Vec<Vec<u8>>, Error> {
        self.begin(Step::Exchange);
        self.record().map_err(|e| error(&e))
    }

    fn record(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut stream = self.pool.transport.dialer.reach()?;
        deadline::enter(Step::Tls);
        let recorder = Arc::new(Recorder::new());
        let verifier: Arc<dyn ServerCertVerifier> = Arc::clone(&recorder) as _;
        let config = ClientConfig::builder_with_provider(Arc::clone(&recorder.provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        let name = server_name(self.service().0)?;
        let mut connection =
            ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        let ended = connection.complete_io(&mut stream);
        let seen = std::mem::take(&mut *lock(&recorder.seen));
        if seen.is_empty() {
            ended?;
        }
        Ok(seen)
    }

    /// Sends a `HEAD` request to the URL of a notification. The request takes the same path as a notification, but the
    /// service's answer to it does not show how the service answers notifications.
    ///
    /// # Errors
    /// The errors that a notification would have, except answers of the service: the statuses from
    /// [`crate::Status::Timeout`] on.
    pub fn ask(&self) -> Result<ProbeAnswer, Error> {
        self.begin(Step::Exchange);
        let transport = &self.pool.transport;
        let path = Kind::AddToCart.spec().path;
        let asked = transport
            .url(path)
            .and_then(|url| transport.agent.head(url).call());
        let response = asked.map_err(|e| {
            let outcome = answer::from_error(&e, deadline::step());
            Error::new(outcome.status, outcome.detail)
        })?;
        let date = response.headers().get("date").and_then(|v| v.to_str().ok());
        Ok(ProbeAnswer {
            http_status: response.status().as_u16(),
            date: date.and_then(|d| httpdate::parse_http_date(d).ok()),
        })
    }

    fn begin(&self, step: Step) {
        deadline::begin(Instant::now() + self.timeout);
        deadline::enter(step);
    }
}

fn error(e: &io::Error) -> Error {
    let outcome = answer::from_io(e, deadline::step());
    Error::new(outcome.status, outcome.detail)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    host::lock(mutex)
}

/// Stores the presented certificates and trusts none of them, so the handshake ends there.
struct Recorder {
    seen: Mutex<Vec<Vec<u8>>>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

impl Recorder {
    fn new() -> Recorder {
        Recorder {
            seen: Mutex::default(),
            provider: Arc::new(ring::default_provider()),
        }
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let all = std::iter::once(end_entity).chain(intermediates);
        *lock(&self.seen) = all.map(|c| c.as_ref().to_vec()).collect();
        Err(rustls::Error::General("seen".to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("seen".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("seen".to_owned()))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
