//! The way to the service, one step at a time, for a diagnosis (`esales-notify doctor`).
//!
//! Every step is taken by the very parts that a notification uses: the agent with its authorities and its proxy, the
//! resolver, the connections. So what is found here is what a client would meet. Nothing here sends a notification.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use ureq::tls::RootCerts;
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, Either, RustlsConnector, Transport,
    TransportAdapter,
};
use ureq::{Agent, Proxy, http};

use super::tcp::{self, TcpConnector};
use super::trace::{self, Step};
use super::{Core, answer, core_of};
use crate::config::{Config, Route};
use crate::status::Error;

/// The way from this machine to the service, as a client with the same options takes it. Each step blocks for at
/// most `timeout_ms`.
#[derive(Debug)]
pub struct Probe {
    core: Arc<Core>,
    route: Route,
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
            core: core_of(&settings.route)?,
            route: settings.route,
            timeout: settings.timeout,
        })
    }

    /// The whole URL of the notification.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.route.endpoint.url
    }

    /// Whether the way is TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.route.endpoint.is_https
    }

    /// Whether the service is this machine itself.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.route.endpoint.is_loopback
    }

    /// The longest that a step takes.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Host and port of the service.
    #[must_use]
    pub fn service(&self) -> (&str, u16) {
        let url = &self.core.transport.url;
        let usual = if self.is_https() { 443 } else { 80 };
        (
            url.host().unwrap_or_default(),
            url.port_u16().unwrap_or(usual),
        )
    }

    /// Host and port of the proxy on the way; `None` if there is none, or the service is reached without it.
    #[must_use]
    pub fn proxy(&self) -> Option<(&str, u16)> {
        self.used_proxy().map(|proxy| (proxy.host(), proxy.port()))
    }

    /// Whether a proxy is set, be it used for this service or not.
    #[must_use]
    pub fn has_proxy(&self) -> bool {
        self.agent().config().proxy().is_some()
    }

    /// Whom TLS trusts; `None` if the way is not TLS.
    #[must_use]
    pub fn trust(&self) -> Option<Trust> {
        if !self.is_https() {
            return None;
        }
        Some(match self.agent().config().tls_config().root_certs() {
            RootCerts::Specific(roots) => match &self.route.ca_file {
                Some(path) => Trust::CaFile(path.clone(), roots.len()),
                None => Trust::System(roots.len()),
            },
            _ => Trust::Bundled,
        })
    }

    /// The addresses of the first host on the way: of the proxy, else of the service. Of those, a client tries the
    /// first eight in turn.
    ///
    /// # Errors
    /// [`crate::Status::ConnectFailed`] or [`crate::Status::Timeout`].
    pub fn addresses(&self) -> Result<Vec<SocketAddr>, Error> {
        self.begin(Step::Resolve);
        let (host, port) = self.proxy().unwrap_or_else(|| self.service());
        let found = self.core.transport.resolver.addresses(host, port);
        found.map_err(|e| in_words(&e))
    }

    /// Opens a TCP connection and closes it; says how long that took.
    ///
    /// # Errors
    /// [`crate::Status::ConnectFailed`] or [`crate::Status::Timeout`].
    pub fn connect(&self, addr: &SocketAddr) -> Result<Duration, Error> {
        self.begin(Step::Connect);
        let start = Instant::now();
        match tcp::connect(addr, self.timeout) {
            Ok(_) => Ok(start.elapsed()),
            Err(e) if e.kind() == std::io::ErrorKind::TimedOut => {
                Err(in_words(&ureq::Error::Timeout(ureq::Timeout::Connect)))
            }
            Err(e) => Err(in_words(
                &std::io::Error::new(e.kind(), format!("{addr}: {e}")).into(),
            )),
        }
    }

    /// Goes as far as the service's own port, through the proxy if there is one, and no further.
    ///
    /// # Errors
    /// [`crate::Status::ConnectFailed`], which is also what a proxy that refuses is, [`crate::Status::Timeout`] or
    /// [`crate::Status::ConnectionLost`].
    pub fn reach(&self) -> Result<(), Error> {
        self.go(None).map(drop)
    }

    /// The certificates that the service shows, its own first, as DER. Whether they are trusted is not judged here:
    /// [`Probe::ask`] does that, as a notification would.
    ///
    /// # Errors
    /// As [`Probe::reach`], and [`crate::Status::TlsFailed`] if it does not come to certificates.
    pub fn certificates(&self) -> Result<Vec<Vec<u8>>, Error> {
        self.go(Some(Recorder::new()))
    }

    /// Asks for the head of the notification's address (`HEAD`). That is no notification, and what the service
    /// answers to it says nothing of notifications; but the question goes the way of one.
    ///
    /// # Errors
    /// What a notification would meet: the statuses from [`crate::Status::Timeout`] on.
    pub fn ask(&self) -> Result<ProbeAnswer, Error> {
        self.begin(Step::Exchange);
        let answer = self.agent().head(&self.core.transport.url).call();
        let response = answer.map_err(|e| in_words(&e))?;
        let date = response.headers().get("date").and_then(|v| v.to_str().ok());
        Ok(ProbeAnswer {
            http_status: response.status().as_u16(),
            date: date.and_then(|d| httpdate::parse_http_date(d).ok()),
        })
    }

    fn agent(&self) -> &Agent {
        &self.core.transport.agent
    }

    fn used_proxy(&self) -> Option<&Proxy> {
        let proxy = self.agent().config().proxy()?;
        (!proxy.is_no_proxy(&self.core.transport.url)).then_some(proxy)
    }

    fn begin(&self, step: Step) {
        trace::begin(Instant::now() + self.timeout);
        trace::enter(step);
    }

    /// The agent's way, with an end before the first byte of HTTP.
    fn go(&self, recorder: Option<Recorder>) -> Result<Vec<Vec<u8>>, Error> {
        self.begin(Step::Exchange);
        let seen = recorder.as_ref().map(|r| Arc::clone(&r.seen));
        let end = EndConnector {
            target: self.core.transport.url.clone(),
            has_arrived: Arc::default(),
            recorder: recorder.map(Arc::new),
            to_proxy: RustlsConnector::default(),
        };
        let has_arrived = Arc::clone(&end.has_arrived);
        let tcp = TcpConnector {
            proxy: self.used_proxy().map(|proxy| proxy.uri().clone()),
        };
        let connector = ().chain(ConnectProxyConnector::default()).chain(tcp).chain(end);
        let transport = &self.core.transport;
        let agent = Agent::with_parts(
            transport.agent.config().clone(),
            connector,
            transport.resolver.clone(),
        );
        let ended = agent.head(&transport.url).call();
        if has_arrived.load(Ordering::Relaxed) {
            return Ok(seen.map(|seen| lock(&seen).clone()).unwrap_or_default());
        }
        match ended {
            Err(e) => Err(in_words(&e)),
            // Cannot be: the last connector makes no connection.
            Ok(_) => Ok(Vec::new()),
        }
    }
}

fn in_words(error: &ureq::Error) -> Error {
    let outcome = answer::of_error(error, trace::step());
    Error::new(outcome.status, outcome.detail)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Last in the chain: ends where the way is long enough.
#[derive(Debug)]
struct EndConnector {
    target: http::Uri,
    has_arrived: Arc<AtomicBool>,
    /// `None`: ends as soon as the service's port is reached.
    recorder: Option<Arc<Recorder>>,
    to_proxy: RustlsConnector,
}

impl<In: Transport> Connector<In> for EndConnector {
    type Out = Either<In, <RustlsConnector as Connector<In>>::Out>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        if *details.uri != self.target {
            // On the way to the proxy.
            let connected = self.to_proxy.connect(details, chained)?;
            return Ok(connected.map(Either::B));
        }
        if let (Some(recorder), Some(transport)) = (&self.recorder, chained) {
            recorder.listen(details, transport)?;
        }
        self.has_arrived.store(true, Ordering::Relaxed);
        Err(ureq::Error::Other("far enough".into()))
    }
}

/// Remembers the certificates that it is shown, and trusts none: what comes after is not its business.
struct Recorder {
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
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
            seen: Arc::default(),
            provider: Arc::new(ring::default_provider()),
        }
    }

    fn listen(
        self: &Arc<Recorder>,
        details: &ConnectionDetails,
        transport: impl Transport,
    ) -> Result<(), ureq::Error> {
        let verifier: Arc<dyn ServerCertVerifier> = Arc::clone(self) as _;
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        let host = details.uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| ureq::Error::Tls("the host is no name that a certificate could be for"))?;
        let mut connection = ClientConnection::new(Arc::new(config), name)?;
        let mut wire = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        let ended = connection.complete_io(&mut wire);
        if lock(&self.seen).is_empty() {
            ended?;
        }
        Ok(())
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
