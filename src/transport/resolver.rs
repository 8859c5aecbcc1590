//! Host names, looked up off the caller's thread and remembered.
//!
//! `getaddrinfo` knows no deadline, so it runs on a thread of ours and the caller waits for it no longer than its
//! budget. There is at most one look-up per host at a time, however many callers wait and however long it hangs.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, Timeout};

use super::trace::{self, Step};
use crate::host::{self, Stack};

/// How long a remembered address may still be used while newer ones cannot be had: a name server that is down
/// must not stop deliveries. TLS proves who answers there.
const STALE: Duration = Duration::from_secs(3600);
/// How many addresses of one host are tried (ureq's list holds 16).
const MOST_ADDRESSES: usize = 8;

type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Shared: the agent owns one handle, the core the other (to doubt an address that did not answer).
#[derive(Clone)]
pub(super) struct CachingResolver(Arc<Inner>);

struct Inner {
    lookup: Arc<Lookup>,
    fresh_for: Duration,
    hosts: Mutex<HashMap<(String, u16), Arc<Host>>>,
}

#[derive(Default)]
struct Host {
    state: Mutex<State>,
    finished: Condvar,
}

#[derive(Default)]
struct State {
    known: Option<(Vec<SocketAddr>, Instant)>,
    /// An address did not answer.
    is_doubtful: bool,
    running: bool,
    /// Counts finished look-ups, so that a waiter can tell one that ended after it began to wait.
    finished: u64,
    failure: String,
}

impl State {
    /// The addresses that may be used, and their age.
    fn remembered(&self, fresh_for: Duration) -> Option<(Vec<SocketAddr>, Duration)> {
        let (addrs, since) = self.known.as_ref()?;
        let age = since.elapsed();
        (age < fresh_for + STALE).then(|| (addrs.clone(), age))
    }
}

impl fmt::Debug for CachingResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CachingResolver")
    }
}

impl CachingResolver {
    pub(super) fn new(fresh_for: Duration) -> CachingResolver {
        CachingResolver::with_lookup(fresh_for, |host, port| {
            (host, port).to_socket_addrs().map(Iterator::collect)
        })
    }

    fn with_lookup(
        fresh_for: Duration,
        lookup: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> CachingResolver {
        CachingResolver(Arc::new(Inner {
            lookup: Arc::new(lookup),
            fresh_for,
            hosts: Mutex::default(),
        }))
    }

    /// The last address could not be connected to, and may have moved: the next call waits for a new look-up, and
    /// uses what is remembered only if that fails.
    pub(super) fn doubt(&self) {
        for host in lock(&self.0.hosts).values() {
            lock(&host.state).is_doubtful = true;
        }
    }

    /// The addresses of `name`, looked up within the budget of this thread's call or remembered.
    pub(super) fn addresses(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let host = Arc::clone(
            lock(&self.0.hosts)
                .entry((name.to_owned(), port))
                .or_default(),
        );
        let mut state = lock(&host.state);
        if let Some((addrs, age)) = state.remembered(self.0.fresh_for)
            && !state.is_doubtful
        {
            if age >= self.0.fresh_for {
                // Look again, but do not make this caller wait. A failure to start shows at the next call.
                let _ = self.start(&host, &mut state, name, port);
            }
            return Ok(addrs);
        }
        let before = state.finished;
        self.start(&host, &mut state, name, port)?;
        while state.finished == before {
            let Some(left) = trace::remaining() else {
                return Err(Error::Timeout(Timeout::Resolve));
            };
            state = host
                .finished
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        match state.remembered(self.0.fresh_for) {
            Some((addrs, _)) => Ok(addrs),
            None => Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!(
                    "the host name {name} could not be resolved: {}",
                    state.failure
                ),
            )
            .into()),
        }
    }

    fn start(
        &self,
        host: &Arc<Host>,
        state: &mut State,
        name: &str,
        port: u16,
    ) -> Result<(), Error> {
        if state.running {
            return Ok(());
        }
        let (lookup, host, name) = (
            Arc::clone(&self.0.lookup),
            Arc::clone(host),
            name.to_owned(),
        );
        host::spawn("esales-resolve", Stack::Ours, move || {
            let found = lookup(&name, port);
            let mut state = lock(&host.state);
            match found {
                Ok(addrs) if !addrs.is_empty() => {
                    state.known = Some((addrs, Instant::now()));
                    state.is_doubtful = false;
                }
                Ok(_) => state.failure = "it has no address".to_owned(),
                Err(e) => state.failure = e.to_string(),
            }
            state.running = false;
            state.finished += 1;
            host.finished.notify_all();
        })
        .map_err(|e| io::Error::new(e.kind(), format!("no thread for the name look-up: {e}")))?;
        state.running = true;
        Ok(())
    }
}

impl Resolver for CachingResolver {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        // Not at "resolve" for a kept connection: ureq asks before it looks into its pool.
        let before = trace::step();
        trace::enter(Step::Resolve);
        let name = uri.host().ok_or(Error::HostNotFound)?;
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let mut resolved = self.empty();
        for addr in self.addresses(name, port)?.into_iter().take(MOST_ADDRESSES) {
            resolved.push(addr);
        }
        trace::enter(before);
        Ok(resolved)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_secs(60);

    fn addr(n: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, n], 80))
    }

    fn begin(budget: Duration) {
        trace::begin(Instant::now() + budget);
    }

    #[test]
    fn one_look_up_serves_all_until_it_is_old() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let resolver = CachingResolver::with_lookup(LONG, move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(vec![addr(1), addr(2)])
        });
        begin(LONG);
        for _ in 0..3 {
            assert_eq!(
                resolver.addresses("shop.test", 80).unwrap(),
                [addr(1), addr(2)]
            );
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        resolver.doubt();
        resolver.addresses("shop.test", 80).unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_doubtful_address_is_used_if_there_is_no_other() {
        let is_down = Arc::new(AtomicBool::new(false));
        let down = Arc::clone(&is_down);
        let resolver = CachingResolver::with_lookup(LONG, move |_, _| {
            if down.load(Ordering::SeqCst) {
                return Err(io::Error::other("the name server is down"));
            }
            Ok(vec![addr(1)])
        });
        begin(LONG);
        resolver.addresses("shop.test", 80).unwrap();
        is_down.store(true, Ordering::SeqCst);
        for _ in 0..2 {
            resolver.doubt();
            assert_eq!(resolver.addresses("shop.test", 80).unwrap(), [addr(1)]);
        }
    }

    #[test]
    fn a_look_up_that_hangs_costs_the_budget_and_one_thread() {
        let (release, hold) = mpsc::channel::<()>();
        let hold = Mutex::new(hold);
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let resolver = CachingResolver::with_lookup(LONG, move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = hold.lock().unwrap().recv();
            Ok(vec![addr(1)])
        });
        for _ in 0..5 {
            begin(Duration::from_millis(10));
            let err = resolver.addresses("shop.test", 80).unwrap_err();
            assert!(matches!(err, Error::Timeout(Timeout::Resolve)), "{err}");
        }
        assert!(calls.load(Ordering::SeqCst) <= 1);
        drop(release);
        begin(LONG);
        assert_eq!(resolver.addresses("shop.test", 80).unwrap(), [addr(1)]);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn an_old_address_is_used_while_it_is_looked_up_again() {
        let (looked, seen) = mpsc::channel();
        let resolver = CachingResolver::with_lookup(Duration::ZERO, move |_, _| {
            looked.send(()).unwrap();
            Ok(vec![addr(1)])
        });
        begin(LONG);
        resolver.addresses("shop.test", 80).unwrap();
        seen.recv().unwrap();
        assert_eq!(resolver.addresses("shop.test", 80).unwrap(), [addr(1)]);
        seen.recv().unwrap();
    }

    #[test]
    fn a_failure_is_told_and_not_remembered() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let resolver = CachingResolver::with_lookup(LONG, move |_, _| {
            match counted.fetch_add(1, Ordering::SeqCst) {
                0 => Err(io::Error::other("no such name")),
                _ => Ok(vec![addr(1)]),
            }
        });
        begin(LONG);
        let err = resolver.addresses("shop.test", 80).unwrap_err().to_string();
        assert!(
            err.contains("shop.test") && err.contains("no such name"),
            "{err}"
        );
        assert_eq!(resolver.addresses("shop.test", 80).unwrap(), [addr(1)]);
    }

    #[test]
    fn an_address_needs_no_look_up() {
        let resolver = CachingResolver::with_lookup(LONG, |_, _| Err(io::Error::other("asked")));
        begin(LONG);
        assert_eq!(resolver.addresses("127.0.0.1", 80).unwrap(), [addr(1)]);
        assert_eq!(
            resolver.addresses("[::1]", 1).unwrap(),
            ["[::1]:1".parse().unwrap()]
        );
    }
}
