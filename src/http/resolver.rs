//! Looks up host names on a separate thread, and caches the results.
//!
//! `getaddrinfo` has no deadline, so it runs on a thread of the library, and the caller waits for
//! it until its deadline. There is at most one look-up for each host at a time, however many
//! callers wait and however long it takes.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::deadline;
use super::race::{interleave, literal};
use crate::host::{self, Stack};

/// How long a cached address may be used if no new one can be looked up: a name server that is down
/// must not stop deliveries. TLS authenticates the server.
const STALE: Duration = Duration::from_secs(3600);
/// How long a call waits for a new look-up if it has a cached address.
const REFRESH_WAIT: Duration = Duration::from_millis(500);
/// How long an address that answered is tried first (RFC 8305, section 7).
const PREFERRED_FOR: Duration = Duration::from_secs(600);
/// Greatest number of addresses of a host that are tried.
const MOST_ADDRESSES: usize = 8;

type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Used only for new connections, because an open connection needs no address.
pub(super) struct CachingResolver {
    lookup: Arc<Lookup>,
    fresh_for: Duration,
    hosts: Mutex<HashMap<(String, u16), Arc<Host>>>,
}

#[derive(Default)]
struct Host {
    state: Mutex<LookupState>,
    finished: Condvar,
}

#[derive(Default)]
struct LookupState {
    known: Option<(Vec<SocketAddr>, Instant)>,
    /// The address that answered when an earlier one in the list did not, and the time of that.
    preferred: Option<(SocketAddr, Instant)>,
    /// No address answered.
    is_doubtful: bool,
    /// Start of the look-up in progress.
    running_since: Option<Instant>,
    /// Number of finished look-ups, so that a waiting call notices one that ended after it began to
    /// wait.
    finished: u64,
    failure: String,
}

impl LookupState {
    /// The usable cached addresses, in the order in which they are tried, and their age.
    fn remembered(&self, fresh_for: Duration) -> Option<(Vec<SocketAddr>, Duration)> {
        let (addrs, since) = self.known.as_ref()?;
        let age = since.elapsed();
        if age >= fresh_for + STALE {
            return None;
        }
        let mut addrs = addrs.clone();
        if let Some((preferred, since)) = self.preferred
            && since.elapsed() < PREFERRED_FOR
        {
            // False sorts before true, and the sort is stable.
            addrs.sort_by_key(|addr| *addr != preferred);
        }
        Some((addrs, age))
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

    pub(super) fn with_lookup(
        fresh_for: Duration,
        lookup: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> CachingResolver {
        CachingResolver {
            lookup: Arc::new(lookup),
            fresh_for,
            hosts: Mutex::default(),
        }
    }

    /// Notes that no address could be connected to, perhaps because the host has moved. The next
    /// call waits for a new look-up, and uses the cached addresses only if that fails.
    pub(super) fn doubt(&self) {
        for host in lock(&self.hosts).values() {
            lock(&host.state).is_doubtful = true;
        }
    }

    /// Notes that `answered` was connected to, among the addresses `tried`. If others did not
    /// answer, it is tried first from now on.
    pub(super) fn prefer(&self, name: &str, port: u16, tried: &[SocketAddr], answered: SocketAddr) {
        if tried.first() == Some(&answered) {
            return;
        }
        if let Some(host) = lock(&self.hosts).get(&(name.to_owned(), port)) {
            lock(&host.state).preferred = Some((answered, Instant::now()));
        }
    }

    /// The addresses of `name`, looked up before the deadline of this thread's call, or cached.
    pub(super) fn addresses(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Some(ip) = literal(name) {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let host = Arc::clone(
            lock(&self.hosts)
                .entry((name.to_owned(), port))
                .or_default(),
        );
        let mut state = lock(&host.state);
        let remembered = state.remembered(self.fresh_for);
        if let Some((addrs, age)) = &remembered
            && !state.is_doubtful
            && *age < self.fresh_for
        {
            return Ok(addrs.clone());
        }
        let before = state.finished;
        let since = match self.start(&host, &mut state, name, port) {
            Ok(since) => since,
            Err(e) => return remembered.map(|(addrs, _)| addrs).ok_or(e),
        };
        // A call with a cached address does not wait for a name server that hangs.
        let may_wait_until = match &remembered {
            Some(_) if !state.is_doubtful => Some(since + REFRESH_WAIT),
            _ => None,
        };
        while state.finished == before {
            let left = match (deadline::remaining(), may_wait_until) {
                (Some(left), None) => left,
                (Some(left), Some(until)) => {
                    let left = (left / 2).min(until.saturating_duration_since(Instant::now()));
                    if left < Duration::from_millis(1) {
                        break;
                    }
                    left
                }
                (None, _) => return Err(deadline::spent()),
            };
            state = host
                .finished
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        match state.remembered(self.fresh_for) {
            Some((addrs, _)) => Ok(addrs),
            None => Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!(
                    "the host name {name} could not be resolved: {}",
                    state.failure
                ),
            )),
        }
    }

    /// Starts a look-up unless one is in progress. Returns the start of the look-up.
    fn start(
        &self,
        host: &Arc<Host>,
        state: &mut LookupState,
        name: &str,
        port: u16,
    ) -> io::Result<Instant> {
        if let Some(since) = state.running_since {
            return Ok(since);
        }
        let (lookup, host, name) = (Arc::clone(&self.lookup), Arc::clone(host), name.to_owned());
        host::spawn("esales-resolve", Stack::Ours, move || {
            host::part_from_stdio();
            let found = lookup(&name, port);
            let mut state = lock(&host.state);
            match found {
                Ok(addrs) if !addrs.is_empty() => {
                    let mut addrs = interleave(addrs);
                    addrs.truncate(MOST_ADDRESSES);
                    state.known = Some((addrs, Instant::now()));
                    state.is_doubtful = false;
                }
                Ok(_) => state.failure = "it has no address".to_owned(),
                Err(e) => state.failure = e.to_string(),
            }
            state.running_since = None;
            state.finished += 1;
            host.finished.notify_all();
        })
        .map_err(|e| io::Error::new(e.kind(), format!("no thread for the name look-up: {e}")))?;
        let now = Instant::now();
        state.running_since = Some(now);
        Ok(now)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    host::lock(mutex)
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
        deadline::begin(Instant::now() + budget);
    }

    #[test]
    fn resolver_shares_one_look_up_until_it_expires() {
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
    fn resolver_uses_a_failed_address_when_there_is_no_other() {
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
    fn resolver_returns_at_the_deadline_when_the_look_up_hangs() {
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
            assert!(
                err.get_ref()
                    .is_some_and(|e| e.is::<deadline::BudgetSpent>()),
                "{err}"
            );
        }
        assert!(calls.load(Ordering::SeqCst) <= 1);
        drop(release);
        begin(LONG);
        assert_eq!(resolver.addresses("shop.test", 80).unwrap(), [addr(1)]);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn resolver_looks_up_again_when_the_cached_address_is_expired() {
        let calls = AtomicUsize::new(0);
        let resolver = CachingResolver::with_lookup(Duration::ZERO, move |_, _| {
            let n = calls.fetch_add(1, Ordering::SeqCst) as u8;
            Ok(vec![addr(n + 1)])
        });
        begin(LONG);
        assert_eq!(resolver.addresses("shop.test", 80).unwrap(), [addr(1)]);
        assert_eq!(resolver.addresses("shop.test", 80).unwrap(), [addr(2)]);
    }

    #[test]
    fn resolver_uses_the_expired_address_while_the_name_server_hangs() {
        let (release, hold) = mpsc::channel::<()>();
        let hold = Mutex::new(hold);
        let calls = AtomicUsize::new(0);
        let resolver = CachingResolver::with_lookup(Duration::ZERO, move |_, _| {
            if calls.fetch_add(1, Ordering::SeqCst) > 0 {
                let _ = hold.lock().unwrap().recv();
            }
            Ok(vec![addr(1)])
        });
        begin(LONG);
        for _ in 0..3 {
            assert_eq!(resolver.addresses("shop.test", 80).unwrap(), [addr(1)]);
        }
        drop(release);
    }

    #[test]
    fn resolver_returns_the_address_that_answered_first() {
        let resolver =
            CachingResolver::with_lookup(LONG, |_, _| Ok(vec![addr(1), addr(2), addr(3)]));
        begin(LONG);
        let tried = resolver.addresses("shop.test", 80).unwrap();
        resolver.prefer("shop.test", 80, &tried, addr(2));
        assert_eq!(
            resolver.addresses("shop.test", 80).unwrap(),
            [addr(2), addr(1), addr(3)]
        );
    }

    #[test]
    fn resolver_reports_a_failed_look_up_and_does_not_cache_it() {
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
    fn resolver_makes_no_look_up_when_the_host_is_an_address() {
        let resolver = CachingResolver::with_lookup(LONG, |_, _| Err(io::Error::other("asked")));
        begin(LONG);
        assert_eq!(resolver.addresses("127.0.0.1", 80).unwrap(), [addr(1)]);
        assert_eq!(
            resolver.addresses("[::1]", 1).unwrap(),
            ["[::1]:1".parse().unwrap()]
        );
    }
}
