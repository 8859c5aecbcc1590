//! One HTTP exchange: request bytes in, outcome out, never later than the deadline.

mod answer;
mod cores;
mod probe;
mod resolver;
mod tcp;
mod tls;
mod trace;

use std::io::Read;
use std::time::{Duration, Instant, SystemTime};

use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, RustlsConnector};
use ureq::{Agent, Body, Proxy, ProxyProtocol, http};

pub(crate) use answer::Outcome;
#[cfg(any(test, fuzzing))]
pub(crate) use answer::parse_retry_after;
pub(crate) use cores::{Core, core_of};
pub use probe::{Probe, ProbeAnswer, Trust};
use tls::{read_ca_file, roots_in, roots_of_system};

use crate::config::{ProxyRoute, Route};
use crate::status::{Error, Status};
use crate::wire;
use resolver::CachingResolver;
use tcp::{TcpConnector, WatchConnector};
use trace::Step;

/// How much of an answer's body is read, in bytes. A longer one costs the connection, nothing else.
const MAX_ANSWER: u64 = 64 * 1024;
/// The status line decides; its body is only for the words of the receipt and is not worth more than this.
const BODY_PATIENCE: Duration = Duration::from_secs(1);
/// Idle connections kept per core: one for each thread that sends at the same time.
const MAX_IDLE: usize = 64;
const BUFFER: usize = 32 * 1024;
const MAX_HEAD: usize = 16 * 1024;

/// A number from 0 (included) to 1 (excluded), for jitter. Without randomness it is close to 1: the longest pause.
pub(crate) fn dice() -> f64 {
    let drawn = getrandom::u32().unwrap_or(u32::MAX);
    f64::from(drawn) / (f64::from(u32::MAX) + 1.0)
}

/// The connections to one endpoint.
#[derive(Debug)]
pub(crate) struct Transport {
    agent: Agent,
    resolver: CachingResolver,
    url: http::Uri,
}

impl Transport {
    /// `roots` is asked for only if the route needs TLS, to the service or to the proxy.
    pub(crate) fn new(
        route: &Route,
        roots: impl FnOnce() -> Result<RootCerts, Error>,
    ) -> Result<Transport, Error> {
        let url = route.endpoint.url.parse().map_err(|e| {
            Error::config(format!(
                "the address {} is not a URL: {e}",
                route.endpoint.url
            ))
        })?;
        let mut tls = TlsConfig::builder();
        let proxy = route.proxy.as_ref().map(proxy).transpose()?;
        let has_tls_to_proxy = |proxy: &Proxy| proxy.protocol() == ProxyProtocol::Https;
        if route.endpoint.is_https || proxy.as_ref().is_some_and(has_tls_to_proxy) {
            tls = tls.root_certs(roots()?);
        }
        let proxy_uri = proxy.as_ref().map(|proxy| proxy.uri().clone());
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("esales-notify/", env!("CARGO_PKG_VERSION")))
            .accept("*/*")
            .max_idle_age(route.keep_alive)
            .max_idle_connections(MAX_IDLE)
            .max_idle_connections_per_host(MAX_IDLE)
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .max_response_header_size(MAX_HEAD)
            .build();
        let connector = ()
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector {
                proxy: proxy_uri.clone(),
            })
            .chain(RustlsConnector::default())
            .chain(WatchConnector { proxy: proxy_uri });
        let resolver = CachingResolver::new(route.dns_cache);
        Ok(Transport {
            agent: Agent::with_parts(config, connector, resolver.clone()),
            resolver,
            url,
        })
    }

    /// Sends `body` and waits for the answer until `deadline`.
    ///
    /// A kept-alive connection that turns out to be closed is replaced at once, by a new one: that is housekeeping, not
    /// an attempt. The other kept ones are closed too, for they are not likely to be better.
    pub(crate) fn exchange(&self, body: &[u8], deadline: Instant) -> Outcome {
        trace::begin(deadline);
        if trace::remaining().is_none() {
            return answer::too_late();
        }
        match self.exchange_once(body) {
            Err(outcome) if !trace::is_fresh() && went_stale(&outcome) => {
                trace::begin_afresh(deadline);
                self.exchange_once(body).unwrap_or_else(|outcome| outcome)
            }
            Ok(outcome) | Err(outcome) => outcome,
        }
    }

    /// `Err`: there was no answer.
    fn exchange_once(&self, body: &[u8]) -> Result<Outcome, Outcome> {
        self.post(body).map_err(|error| {
            let step = trace::step();
            if step == Step::Connect {
                self.resolver.doubt();
            }
            answer::of_error(&error, step)
        })
    }

    fn post(&self, body: &[u8]) -> Result<Outcome, ureq::Error> {
        let response = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .send(body)?;
        let code = response.status().as_u16();
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|v| v.to_str().ok())
            .and_then(|v| answer::parse_retry_after(v, SystemTime::now()));
        let words = wire::scrub(&read_words(response.into_body()), body);
        Ok(answer::of_answer(code, &words, retry_after))
    }
}

/// Whether a connection seems to have been closed by the other side before it saw the request.
fn went_stale(outcome: &Outcome) -> bool {
    outcome.status == Status::ConnectionLost && trace::step() == Step::Exchange
}

/// Reads the body to its end, so that the connection can be kept. Whatever goes wrong here, the status line has
/// already said what became of the notification.
fn read_words(body: Body) -> String {
    trace::at_most(BODY_PATIENCE);
    let mut bytes = Vec::new();
    let mut reader = body.into_reader().take(MAX_ANSWER);
    let complete = reader.read_to_end(&mut bytes).is_ok() && bytes.len() < MAX_ANSWER as usize;
    let mut words = String::from_utf8_lossy(&bytes).into_owned();
    if !complete {
        words.insert_str(0, "[the answer's body did not end] ");
    }
    words
}

fn proxy(route: &ProxyRoute) -> Result<Proxy, Error> {
    let refused =
        |_| Error::config("proxy is not an address of the form http://[user:password@]host:port");
    let parsed = Proxy::new(&route.url).map_err(refused)?;
    let mut builder = Proxy::builder(parsed.protocol())
        .host(parsed.host())
        .port(parsed.port());
    if let Some(user) = parsed.username() {
        builder = builder.username(user);
    }
    if let Some(password) = parsed.password() {
        builder = builder.password(password);
    }
    for host in route
        .no_proxy
        .split(',')
        .map(str::trim)
        .filter(|h| !h.is_empty())
    {
        builder = builder.no_proxy(host);
    }
    builder.build().map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn nothing_is_sent_after_the_deadline_also_on_a_kept_connection() {
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
        let route = config.settings().unwrap().route;
        let transport = Transport::new(&route, || Ok(RootCerts::WebPki)).unwrap();
        let in_time = Instant::now() + Duration::from_secs(60);
        let first = transport.exchange(b"first", in_time);
        assert_eq!(first.status, Status::Delivered, "{first:?}");
        let late = transport.exchange(b"late", Instant::now());
        assert_eq!(late.status, Status::Timeout);
        assert!(late.detail.contains("before anything was sent"), "{late:?}");
        drop(transport);
        assert_eq!(server.join().unwrap(), "");
    }
}
