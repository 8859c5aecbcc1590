//! One HTTP exchange: sends a request and returns its outcome before the deadline.

mod answer;
mod connection;
mod deadline;
mod dialer;
mod head;
mod line;
mod message;
mod pool;
#[cfg(feature = "diagnose")]
mod probe;
mod race;
mod resolver;
mod scrub;
mod tcp;
mod tls;
mod tls_error;
mod tunnel;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use ureq::http::header::{self, HeaderMap, HeaderValue};
use ureq::{Agent, Body, Proxy, ProxyProtocol, http};

pub(crate) use answer::Outcome;
#[cfg(any(test, fuzzing))]
pub(crate) use answer::parse_retry_after;
pub(crate) use line::{Dialler, Line};
pub(crate) use pool::{Pool, pool_of};
#[cfg(feature = "diagnose")]
pub use probe::{Probe, ProbeAnswer, Trust};
pub(crate) use tls::Roots;

use crate::host;
use crate::options::{ProxySettings, ServiceSettings};
use crate::outcome::{Error, Status};
use connection::Lifetime;
use deadline::Step;
use dialer::{Dial, Dialer, NoResolver};
use resolver::CachingResolver;
use tunnel::ProxyServer;

/// How many bytes of an answer's body are read. If it is longer, the connection is not reused.
const MAX_ANSWER: u64 = 64 * 1024;
/// How many of them are used for the message.
const MAX_MESSAGE: usize = 4 * 1024;
/// Number of idle connections in a pool: one for each thread that sends at the same time.
const MAX_IDLE: usize = 64;
/// The User-Agent field.
const USER_AGENT: &str = concat!("esales-notify/", env!("CARGO_PKG_VERSION"));

/// A request to the origin.
pub(crate) struct Request<'a> {
    /// Path and query, after the origin.
    pub(crate) path: &'a str,
    /// The body, in JSON.
    pub(crate) body: &'a [u8],
    /// Whether the request may be sent again if it may have arrived.
    pub(crate) may_repeat: bool,
    /// Returns the secrets that must not appear in a message. It is called only if the service
    /// sends a message.
    pub(crate) secrets: &'a dyn Fn() -> Vec<String>,
}

/// The connections to one origin.
#[derive(Debug)]
pub(crate) struct Transport {
    agent: Agent,
    /// For requests that must not be repeated. It keeps no connections: a kept connection may turn
    /// out to be closed while the request is in flight, and then it is unknown whether the request
    /// arrived.
    unkept: Agent,
    dialer: Arc<Dialer>,
    /// The source of the trusted authorities and their number; `None`: TLS is not used.
    roots: Option<Roots>,
    origin: http::Uri,
    /// The fields that are the same in every request. Copying them is faster than making them.
    fields: HeaderMap,
}

/// Has ureq make the one value that it keeps for the whole process and needs for each request. If a fork interrupted
/// another thread in that, every request of the child would wait for ever.
fn initialise_ureq() {
    static IS_DONE: AtomicBool = AtomicBool::new(false);
    if IS_DONE.load(Ordering::Acquire) {
        return;
    }
    host::undisturbed(|| {
        let config = Agent::config_builder().proxy(None).build();
        // ureq's connector `()` makes no connection, which a request needs last.
        let agent = Agent::with_parts(config, (), NoResolver);
        let _ = agent.get("http://localhost/").call();
    });
    IS_DONE.store(true, Ordering::Release);
}

impl Transport {
    /// `roots` is called only if TLS is needed, to the service or to the proxy.
    pub(crate) fn new(
        service: &ServiceSettings,
        roots: impl FnOnce() -> Result<Roots, Error>,
    ) -> Result<Transport, Error> {
        let origin: http::Uri = service.endpoint.origin.parse().map_err(|e| {
            Error::config(format!(
                "the origin {} is not a URL: {e}",
                service.endpoint.origin
            ))
        })?;
        initialise_ureq();
        let host = origin.host().unwrap_or_default().to_owned();
        let is_https = service.endpoint.is_https;
        let proxy = service.proxy.as_ref();
        let proxy = proxy.filter(|proxy| !proxy.no_proxy.covers(&host));
        let proxy = proxy.map(proxy_server).transpose()?;
        let needs_tls = is_https || proxy.as_ref().is_some_and(|proxy| proxy.is_https);
        let roots = needs_tls.then(roots).transpose()?;
        let tls = roots.as_ref().map(Roots::client_config).transpose()?;
        let dialer = Arc::new(Dialer {
            resolver: CachingResolver::new(service.dns_cache),
            host,
            port: origin.port_u16().unwrap_or(if is_https { 443 } else { 80 }),
            proxy,
            is_https,
            tls: tls.map(Arc::new),
            lifetime: Arc::new(Lifetime::new(service.keep_alive)),
        });
        let agent = |max_idle| {
            let config = Agent::config_builder()
                // The dialer uses the proxy.
                .proxy(None)
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent(USER_AGENT)
                .accept("*/*")
                .max_idle_age(service.keep_alive)
                .max_idle_connections(max_idle)
                .max_idle_connections_per_host(max_idle)
                .build();
            Agent::with_parts(config, Dial(Arc::clone(&dialer)), NoResolver)
        };
        Ok(Transport {
            agent: agent(MAX_IDLE),
            unkept: agent(0),
            fields: fields(&dialer)?,
            dialer,
            roots,
            origin,
        })
    }

    /// Sends a request and waits for the answer until `deadline`.
    ///
    /// If a kept connection turns out to be closed, the request is sent on a new one at once. This
    /// does not count as an attempt. The other kept connections are closed too, because they are
    /// probably dead as well.
    pub(crate) fn exchange(&self, request: &Request<'_>, deadline: Instant) -> Outcome {
        let outcome = self.exchange_within(request, deadline);
        match request.may_repeat {
            true => outcome,
            false => outcome.of_unrepeatable(),
        }
    }

    fn exchange_within(&self, request: &Request<'_>, deadline: Instant) -> Outcome {
        deadline::begin(deadline);
        if deadline::remaining().is_none() {
            return answer::too_late();
        }
        let failed = match self.exchange_once(request) {
            Ok(outcome) => return outcome,
            Err(outcome) => outcome,
        };
        if deadline::is_fresh() {
            return failed;
        }
        // Retire all, so that only one call has the delay of a dead connection.
        self.dialer.lifetime.retire_all();
        if request.may_repeat
            && failed.status == Status::ConnectionLost
            && deadline::step() == Step::Exchange
        {
            deadline::begin(deadline);
            return self
                .exchange_once(request)
                .unwrap_or_else(|outcome| outcome);
        }
        failed
    }

    /// Returns `Err` if there was no answer.
    fn exchange_once(&self, request: &Request<'_>) -> Result<Outcome, Outcome> {
        self.post(request).map_err(|error| {
            let step = deadline::step();
            if step == Step::Connect {
                self.dialer.resolver.doubt();
            }
            answer::from_error(&error, step)
        })
    }

    /// The URL of a path of the origin.
    fn url(&self, path: &str) -> Result<http::Uri, ureq::Error> {
        let mut parts = self.origin.clone().into_parts();
        let prefix = self.origin.path().trim_end_matches('/');
        let whole = http::uri::PathAndQuery::from_maybe_shared(format!("{prefix}{path}"));
        parts.path_and_query = Some(whole.map_err(http::Error::from)?);
        Ok(http::Uri::from_parts(parts).map_err(http::Error::from)?)
    }

    fn post(&self, request: &Request<'_>) -> Result<Outcome, ureq::Error> {
        let agent = match request.may_repeat {
            true => &self.agent,
            false => &self.unkept,
        };
        let mut post = http::Request::new(request.body);
        *post.method_mut() = http::Method::POST;
        *post.uri_mut() = self.url(request.path)?;
        *post.headers_mut() = self.fields.clone();
        let response = agent.run(post)?;
        let code = response.status().as_u16();
        let field = |name| response.headers().get(name)?.to_str().ok();
        let retry_after = field(header::RETRY_AFTER).and_then(|value| {
            // A date refers to the service's clock, which may differ from this machine's.
            let date = field(header::DATE).and_then(|date| httpdate::parse_http_date(date).ok());
            answer::parse_retry_after(value, date.unwrap_or_else(SystemTime::now))
        });
        let (text, is_whole) = read_body(response.into_body());
        let secrets = match text.is_empty() {
            true => Vec::new(),
            false => (request.secrets)(),
        };
        let message = message::readable(&scrub::scrub(&text, &secrets));
        Ok(answer::from_status(code, &message, is_whole, retry_after))
    }
}

/// The fields that ureq would otherwise make for each request from the URL and its configuration.
fn fields(dialer: &Dialer) -> Result<HeaderMap, Error> {
    let Dialer { host, port, .. } = dialer;
    let host = match (port, dialer.is_https) {
        (443, true) | (80, false) => host.clone(),
        _ => format!("{host}:{port}"),
    };
    let host = HeaderValue::try_from(host)
        .map_err(|e| Error::config(format!("the host cannot be sent: {e}")))?;
    let json = HeaderValue::from_static("application/json");
    Ok(HeaderMap::from_iter([
        (header::HOST, host),
        (header::USER_AGENT, HeaderValue::from_static(USER_AGENT)),
        (header::ACCEPT, HeaderValue::from_static("*/*")),
        (header::CONTENT_TYPE, json),
    ]))
}

/// Reads the body to its end, so that the connection can be reused. Errors here do not change the
/// outcome, which the status line has decided. Returns the beginning of the body, and whether the
/// body ended.
fn read_body(body: Body) -> (String, bool) {
    let mut bytes = Vec::new();
    let mut reader = body.into_reader().take(MAX_ANSWER);
    let is_whole = reader.read_to_end(&mut bytes).is_ok() && bytes.len() < MAX_ANSWER as usize;
    bytes.truncate(MAX_MESSAGE);
    (String::from_utf8_lossy(&bytes).into_owned(), is_whole)
}

fn proxy_server(service: &ProxySettings) -> Result<ProxyServer, Error> {
    let proxy = Proxy::new(&service.url).map_err(|_| {
        Error::config("proxy does not have the form http://[user:password@]host:port")
    })?;
    let credentials = match (proxy.username(), proxy.password()) {
        (None, None) => None,
        (user, password) => Some((
            user.unwrap_or_default().to_owned(),
            password.unwrap_or_default().to_owned(),
        )),
    };
    Ok(ProxyServer {
        host: proxy.host().to_owned(),
        port: proxy.port(),
        is_https: proxy.protocol() == ProxyProtocol::Https,
        credentials,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn request_is_not_sent_when_its_deadline_has_passed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"first") {
                let mut bytes = [0; 1024];
                let n = stream.read(&mut bytes).unwrap();
                request.extend_from_slice(&bytes[..n]);
            }
            stream
                .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                .unwrap();
            let mut rest = String::new();
            stream.read_to_string(&mut rest).unwrap();
            rest
        });
        let mut config = Config::new();
        config.set("base_url", &base_url).unwrap();
        let service = config.settings().unwrap().service;
        let transport = Transport::new(&service, || Err(Error::config("no TLS"))).unwrap();
        let in_time = Instant::now() + Duration::from_secs(60);
        let request = |body| Request {
            path: "/x",
            body,
            may_repeat: true,
            secrets: &Vec::new,
        };
        let first = transport.exchange(&request(b"first"), in_time);
        assert_eq!(first.status, Status::Delivered, "{first:?}");
        let late = transport.exchange(&request(b"late"), Instant::now());
        assert_eq!(late.status, Status::Timeout);
        assert!(late.detail.contains("before anything was sent"), "{late:?}");
        drop(transport);
        assert_eq!(server.join().unwrap(), "");
    }
}
