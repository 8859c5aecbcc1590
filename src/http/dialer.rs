//! Makes a connection: name look-up, TCP, proxy and TLS, each before the deadline of the call.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use ureq::http;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout};

use super::connection::{Connection, Lifetime};
use super::deadline::{self, Step};
use super::race;
use super::resolver::CachingResolver;
use super::tcp::{DeadlineStream, Stream};
use super::tls::TlsStream;
use super::tunnel::ProxyServer;

/// How to connect to one origin.
#[derive(Debug)]
pub(super) struct Dialer {
    pub(super) resolver: CachingResolver,
    /// Host of the service, as in a URL: an IPv6 address has brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// `None`: the service is reached without a proxy.
    pub(super) proxy: Option<ProxyServer>,
    pub(super) is_https: bool,
    /// `None`: TLS is not used.
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) lifetime: Arc<Lifetime>,
}

impl Dialer {
    /// Host and port of the server to connect to: the proxy or the service.
    pub(super) fn first_hop(&self) -> (&str, u16) {
        match &self.proxy {
            Some(proxy) => (&proxy.host, proxy.port),
            None => (&self.host, self.port),
        }
    }

    /// The addresses of the server to connect to, in the order in which they are tried.
    pub(super) fn addresses(&self) -> io::Result<Vec<std::net::SocketAddr>> {
        deadline::enter(Step::Resolve);
        let (host, port) = self.first_hop();
        self.resolver.addresses(host, port)
    }

    /// Connects to the service's port, through the proxy if there is one.
    pub(super) fn reach(&self) -> io::Result<Box<dyn Stream>> {
        let addresses = self.addresses()?;
        deadline::enter(Step::Connect);
        let (stream, answered) = race::connect(&addresses)?;
        let (host, port) = self.first_hop();
        self.resolver.prefer(host, port, &addresses, answered);
        let stream: Box<dyn Stream> = Box::new(DeadlineStream::new(stream));
        let Some(proxy) = &self.proxy else {
            return Ok(stream);
        };
        deadline::enter(Step::Tunnel);
        let stream = if proxy.is_https {
            self.wrap(stream, &proxy.host)?
        } else {
            stream
        };
        proxy.open_tunnel(stream, &format!("{}:{}", self.host, self.port))
    }

    fn dial(&self) -> io::Result<Connection> {
        deadline::connection_is_fresh();
        let mut stream = self.reach()?;
        if self.is_https {
            deadline::enter(Step::Tls);
            stream = self.wrap(stream, &self.host)?;
        }
        // A handshake may have ended after the deadline. Then nothing is sent.
        deadline::check()?;
        deadline::enter(Step::Exchange);
        Ok(Connection::new(stream, self.is_https, &self.lifetime))
    }

    fn wrap(&self, stream: Box<dyn Stream>, host: &str) -> io::Result<Box<dyn Stream>> {
        let Some(config) = &self.tls else {
            return Err(io::Error::other("TLS is not set up"));
        };
        Ok(Box::new(TlsStream::handshake(config, host, stream)?))
    }
}

/// The interface of the dialer for ureq's pool.
#[derive(Debug)]
pub(super) struct Dial(pub(super) Arc<Dialer>);

impl Connector<()> for Dial {
    type Out = Connection;

    fn connect(
        &self,
        _: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<Connection>, ureq::Error> {
        Ok(Some(self.0.dial()?))
    }
}

/// Returns no address. ureq asks for addresses before it uses its pool, but the dialer looks them
/// up when it makes a connection.
#[derive(Debug)]
pub(super) struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(
        &self,
        _: &http::Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    #[test]
    fn address_that_answered_is_tried_first_by_the_next_connect() {
        let (_listener, _waiting, dead) = race::tests::unresponsive();
        let alive = TcpListener::bind("127.0.0.1:0").unwrap();
        let alive = alive.local_addr().unwrap();
        let best = |round: usize| {
            let lookup = move |_: &str, _| Ok(vec![dead, dead, dead, alive]);
            let dialer = Dialer {
                resolver: CachingResolver::with_lookup(Duration::from_secs(60), lookup),
                host: "shop.test".to_owned(),
                port: 80,
                proxy: None,
                is_https: false,
                tls: None,
                lifetime: Arc::new(Lifetime::new(Duration::ZERO)),
            };
            let took = [(); 2].map(|()| {
                deadline::begin(Instant::now() + Duration::from_secs(3));
                let start = Instant::now();
                drop(dialer.reach().unwrap());
                start.elapsed()
            });
            took[round]
        };
        // The machine may be busy in some of the rounds.
        let first = (0..5).map(|_| best(0)).min().unwrap();
        assert!(first <= Duration::from_millis(800), "{first:?}");
        let second = (0..5).map(|_| best(1)).min().unwrap();
        assert!(second <= Duration::from_millis(100), "{second:?}");
    }
}
