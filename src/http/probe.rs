//! The way to the service, one step at a time, for a diagnosis (`esales-notify doctor`).
//!
//! Every step is taken by the very parts that a notification uses: the agent with its authorities and its proxy, the
//! resolver, the connections. So what is found here is what a client would meet. Nothing here sends a notification.

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

/// The way from this machine to the service, as a client with the same options takes it. Each step blocks for at
/// most `timeout_ms`.
#[derive(Debug)]
pub struct Probe {
    pool: Arc<Pool>,
    service: ServiceSettings,
    timeout: Duration,
}

/// Whom TLS trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// This many authorities, in the file of `ca_file`.
    CaFile(String, usize),
    /// This many authorities of the system.
    System(usize),
    /// The bundled authorities: the system has none.
    Bundled,
}

/// What the service answered to a question that is no notification.
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
    /// [`crate::Status::InvalidConfig`], in the same cases and words as [`crate::Client::new`]; of the spool nothing
    /// is checked.
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

    /// What [`Probe::ask`] asks for.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.origin(), Kind::AddToCart.spec().path)
    }

    /// Whether the way is TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.service.endpoint.is_https
    }

    /// Whether the service is this machine itself.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.service.endpoint.is_loopback
    }

    /// The longest that a step takes.
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

    /// Host and port of the proxy on the way; `None` if there is none, or the service is reached without it.
    #[must_use]
    pub fn proxy(&self) -> Option<(&str, u16)> {
        let proxy = self.pool.transport.dialer.proxy.as_ref()?;
        Some((&proxy.host, proxy.port))
    }

    /// Whether a proxy is set, be it used for this service or not.
    #[must_use]
    pub fn has_proxy(&self) -> bool {
        self.service.proxy.is_some()
    }

    /// The entries of the option `no_proxy`, or of the variable of the same name, that match no host at all; empty if no
    /// proxy is set. True if they are the variable's.
    #[must_use]
    pub fn no_proxy_without_effect(&self) -> (Vec<String>, bool) {
        let list = self.service.proxy.as_ref().map(|proxy| &proxy.no_proxy);
        list.map_or_else(Default::default, |list| {
            (list.without_effect(), list.is_from_environment)
        })
    }

    /// Whom TLS trusts; `None` if the way is not TLS.
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

    /// The addresses of the first host on the way: of the proxy, else of the service. Of those, a client tries the
    /// first eight in turn.
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

    /// Opens a TCP connection and closes it; says how long that took.
    ///
    /// # Errors
    /// [`crate::Status::ConnectFailed`] or [`crate::Status::Timeout`].
    pub fn connect(&self, addr: &SocketAddr) -> Result<Duration, Error> {
        self.begin(Step::Connect);
        let start = Instant::now();
        race::connect(&[*addr]).map_err(|e| error(&e))?;
        Ok(start.elapsed())
    }

    /// Goes as far as the service's own port, through the proxy if there is one, and no further.
    ///
    /// # Errors
    /// [`crate::Status::ConnectFailed`], which is also what a proxy that refuses is, [`crate::Status::Timeout`] or
    /// [`crate::Status::ConnectionLost`].
    pub fn reach(&self) -> Result<(), Error> {
        self.begin(Step::Exchange);
        let reached = self.pool.transport.dialer.reach();
        reached.map(drop).map_err(|e| error(&e))
    }

    /// The certificates that the service shows, its own first, as DER. Whether they are trusted is not judged here:
    /// [`Probe::ask`] does that, as a notification would.
    ///
    /// # Errors
    /// As [`Probe::reach`], and [`crate::Status::TlsFailed`] if it does not come to certificates.
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

    /// Asks for the head of the notification's address (`HEAD`). That is no notification, and what the service
    /// answers to it says nothing of notifications; but the question goes the way of one.
    ///
    /// # Errors
    /// What a notification would meet: the statuses from [`crate::Status::Timeout`] on.
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

/// Remembers the certificates that it is shown, and trusts none: what comes after is not its business.
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
