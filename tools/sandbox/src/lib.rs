//! A local stand-in for the Elevate 3 notification service.
//!
//! It answers every kind of notification of version 1 of the web API (`POST /api/v1/notifications/...`) as the vendor's
//! documents say, remembers the requests, and gives faulty answers on request: see [`Answer`]. Users are tests in the
//! same process, tests in other languages through the control interface, and people who want to see whether the events
//! of their shop arrive. It is not for production: it keeps the requests in memory and shows them to anyone who can
//! reach its port.
//!
//! ```
//! use esales_notify_sandbox::{Answer, Options, Sandbox};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sandbox = Sandbox::start(Options::default())?;
//! sandbox.script(Answer::parse_list("503:retry-after=1, 204")?);
//! println!("send notifications to {}", sandbox.base_url());
//! assert_eq!(sandbox.stats().script_left, 2);
//! # Ok(())
//! # }
//! ```
//!
//! # Page
//! `GET /` is the inspector: a page that shows requests as they arrive, and can make the next answers fail. It needs no
//! other files or sites, and uses only the control interface.
//!
//! # Control interface
//! On the same listener, for the page and for tests in other languages. Its requests are not recorded or counted.
//!
//! | request | answer |
//! |---|---|
//! | `GET /sandbox/events` | server-sent events: `state` (`run`, `era`, `script`, `script_left`, `private_key`, `kinds`) first and when it changes, `received` (an array of [`Received`], with payment tokens too short to be used) as they arrive; the id of the last one in `Last-Event-ID` or `?after=` sets the position |
//! | `GET /sandbox/received` | a JSON array of [`Received`], oldest first |
//! | `GET /sandbox/received/SEQ` | one [`Received`]; 404 if it is not remembered |
//! | `DELETE /sandbox/received` | 204, after [`Sandbox::clear`] |
//! | `PUT /sandbox/script` | 204, after [`Sandbox::script`] with the body's text; 400 with the reason if it does not parse |
//! | `GET /sandbox/status` | [`Stats`] as JSON |
//! | `POST /sandbox/close-idle` | `{"closed":N}`, after [`Sandbox::close_idle_connections`] |
//! | `GET /sandbox/ca.pem` | the CA's certificate; 404 without TLS |
//!
//! A browser's request for a page of another origin is refused with 403, and so is any request under a host name that
//! is not `localhost`, an address, or one of [`Options::allow_hosts`]: no web site can read, script or clear the
//! sandbox of its visitors. But it can send notifications, as any program can.
//!
//! # Records
//! Every complete request, with any path and method, except those above and a browser's `GET /` and
//! `GET /favicon.ico`. Only POSTs to the paths of the kinds get scripted answers, one each, with any contents (but a
//! body over 1 MiB gets 413 and uses no scripted answer).
//!
//! # Warnings
//! The sandbox warns of unusual values in one notification, and of problems that only several notifications show: a
//! payment that the service counts twice (the same bytes, both processed or perhaps processed), a notification of a
//! session that has ended, and an `end` that overtakes an older notification of its session. The numbers in these
//! warnings are those of [`Received::seq`].
//!
//! # Limits
//! A request that does not end is not recorded: see [`Options::request_timeout`] and [`Options::unfinished_bytes`]. A
//! script has at most 10,000 answers in 128 KiB of text.
//!
//! The newest 10,000 requests are remembered, at most as many as fit in 64 MiB: see [`Options::remember`] and
//! [`Options::remember_bytes`].

mod http;
mod journal;
#[path = "../../../src/notification/kind.rs"]
pub mod kind;
mod kind_text;
#[path = "../../../src/notification/personal_data.rs"]
mod personal_data;
mod script;
mod verdict;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

pub use http::tls::{TlsIdentity, UnknownTlsIdentity};
pub use journal::{Received, Stats};
pub use kind_text::kind_text;
pub use script::{Answer, ParseError};
pub use verdict::{Line, Notification, Visitor};

/// The path of the most common kind of notification; [`kind::KINDS`] has the paths of all. A path may have any prefix
/// (for example that of the shop's proxy).
pub const NOTIFICATION_PATH: &str = match kind::KINDS {
    [commonest, ..] => commonest.path,
    [] => "",
};

/// How to start a [`Sandbox`].
#[derive(Clone)]
pub struct Options {
    /// The address to listen on; port 0 means any free port. Default: `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// Use TLS with this certificate. Default: none, plain HTTP.
    pub tls: Option<TlsIdentity>,
    /// The private key that tokens are validated with; not empty. Default: none, and every
    /// SHA-256 customer key is answered 403.
    pub private_key: Option<String>,
    /// How many requests are remembered; older ones are forgotten, but stay counted. Default: 10000.
    pub remember: usize,
    /// How many bytes the remembered requests may take, with all values that were read from them. The oldest are
    /// forgotten, but never the newest one. The limit is needed because any web site can send requests to its
    /// visitor's machine. Default: 64 MiB.
    pub remember_bytes: usize,
    /// How many bytes unfinished requests may take together. One more is answered 503, or its connection is closed.
    /// Default: 64 MiB.
    pub unfinished_bytes: usize,
    /// How long the head of a request, its body, and a TLS handshake may each take. Then the connection is closed; a
    /// body is answered 408 first. Between two requests a connection may be idle without limit. Default: 30 s.
    pub request_timeout: Duration,
    /// Host names, beside `localhost` and any address, under which the page and the control interface may be used,
    /// for example the name of a container. Default: none.
    pub allow_hosts: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: None,
            private_key: None,
            remember: 10_000,
            remember_bytes: 64 * 1024 * 1024,
            unfinished_bytes: 64 * 1024 * 1024,
            request_timeout: Duration::from_secs(30),
            allow_hosts: Vec::new(),
        }
    }
}

impl fmt::Debug for Options {
    /// Omits the private key, so that it never gets into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("tls", &self.tls)
            .field("private_key", &self.private_key.as_ref().map(|_| "..."))
            .field("remember", &self.remember)
            .field("remember_bytes", &self.remember_bytes)
            .field("unfinished_bytes", &self.unfinished_bytes)
            .field("request_timeout", &self.request_timeout)
            .field("allow_hosts", &self.allow_hosts)
            .finish()
    }
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Listening on the address failed: it is in use, forbidden, or not an address of this machine.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address from the options.
        addr: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// The private key is empty, so that no token can be made.
    #[error("the private key is empty")]
    EmptyPrivateKey,
    /// The certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
    /// The system could not create a thread or an event queue.
    #[error("cannot start the server's thread: {0}")]
    Thread(io::Error),
}

/// A running sandbox, on its own thread.
///
/// Any number of threads may use it at once. Dropping it closes the listener and all connections immediately, and
/// joins the thread.
pub struct Sandbox {
    addr: SocketAddr,
    shared: Arc<http::Shared>,
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts listening; connections are accepted from when this returns.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(options: Options) -> Result<Sandbox, StartError> {
        if options.private_key.as_deref() == Some("") {
            return Err(StartError::EmptyPrivateKey);
        }
        let tls = options.tls.map(http::tls::make).transpose();
        let tls = tls.map_err(StartError::Certificate)?;
        let (acceptor, ca_pem) = tls
            .map(|tls| (TlsAcceptor::from(tls.config), tls.ca_pem))
            .unzip();
        let (listener, addr) = listen(options.listen).map_err(|source| StartError::Listen {
            addr: options.listen,
            source,
        })?;

        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let shared = http::Shared::new(
            journal::Journal::new(options.remember, options.remember_bytes),
            options.private_key,
            ca_pem,
            options.allow_hosts,
            http::Unfinished::new(options.unfinished_bytes, options.request_timeout),
        );
        let shared = Arc::new(shared);
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = {
            let _context = runtime.enter();
            let listener = tokio::net::TcpListener::from_std(listener);
            let listener = listener.map_err(StartError::Thread)?;
            http::run(listener, acceptor, Arc::clone(&shared))
        };
        let thread = thread::Builder::new()
            .name("esales-sandbox".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        biased;
                        _ = stopped => {}
                        () = server => {}
                    }
                });
                // The runtime is dropped here, and with it every connection.
            })
            .map_err(StartError::Thread)?;
        Ok(Sandbox {
            addr,
            shared,
            runtime: handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The address of the listener, with the actual port if port 0 was given.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT` or `https://127.0.0.1:PORT`, without a slash at the end. An
    /// unspecified address (0.0.0.0, ::) is given as the loopback address of its family.
    pub fn base_url(&self) -> String {
        let mut addr = self.addr;
        match addr.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => addr.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => addr.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        let scheme = match self.shared.ca_pem {
            Some(_) => "https",
            None => "http",
        };
        format!("{scheme}://{addr}")
    }

    /// The certificate, in PEM, of the CA that a client must trust; `None` without TLS. For `SelfSigned` and
    /// `UnknownCa` it is a CA that did not sign the certificate of the sandbox.
    pub fn ca_pem(&self) -> Option<&str> {
        self.shared.ca_pem.as_deref()
    }

    /// Answers the next notifications from this list, in order, and drops the rest of an earlier list. After the end
    /// of the list, or with an empty list, the sandbox answers normally.
    pub fn script(&self, answers: Vec<Answer>) {
        self.shared.journal.set_script(answers);
    }

    /// The remembered requests, oldest first.
    pub fn received(&self) -> Vec<Received> {
        let records = self.shared.journal.records();
        records.into_iter().map(Arc::unwrap_or_clone).collect()
    }

    /// Forgets the received requests and their ids, and counts from 1 again: requests, and connections too (an open
    /// one is counted when it is next used). The script stays.
    pub fn clear(&self) {
        self.shared.journal.clear();
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.shared.journal.stats()
    }

    /// Waits until `n` requests have been received since the start or the last `clear`, including forgotten ones.
    /// False when `timeout` ends first.
    ///
    /// A request is received when all of it has arrived: its answer may not be sent yet.
    pub fn wait_received(&self, n: usize, timeout: Duration) -> bool {
        self.shared.journal.wait(n, timeout)
    }

    /// Closes every idle connection, as a server does after some time with kept connections; returns their number
    /// when they are closed. Idle: no request is being answered, and of the next one at most a part of the head has
    /// arrived.
    pub fn close_idle_connections(&self) -> usize {
        let (done, wait) = mpsc::channel();
        let shared = Arc::clone(&self.shared);
        self.runtime.spawn(async move {
            let _ = done.send(shared.close_idle().await); // the receiver waits below
        });
        wait.recv().unwrap_or(0)
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // even after a panic it holds no shared state
        }
    }
}

fn listen(addr: SocketAddr) -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}
