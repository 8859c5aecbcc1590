//! Cores: what clients of an equal route share, and keep warm when the last of them goes.
//!
//! Under php-fpm a client lives for one page. Its core (connections, resolved addresses, trusted roots) stays in
//! the process, so that the next page finds the TLS connection open.
//!
//! The registry belongs to one process. A child after fork leaves the inherited one alone, locked or not, and
//! starts its own: it never writes to a socket that its parent also holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use ureq::tls::RootCerts;

use super::{Transport, read_ca_file, roots_in, roots_of_system};
use crate::config::Route;
use crate::host::{self, PerProcess};
use crate::status::Error;

/// How many cores without a client are kept. A shop has one or two.
const MAX_WARM: usize = 8;

/// One route's connections, of one process.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) transport: Transport,
    process: u32,
}

impl Core {
    /// Whether it belongs to this process, rather than to the parent it was forked from.
    pub(crate) fn is_ours(&self) -> bool {
        self.process == host::this_process()
    }
}

/// When a file was changed, and its length; `None`: that cannot be told.
type Version = Option<(SystemTime, u64)>;

/// What a `ca_file` held.
#[derive(Clone)]
struct FileRoots {
    version: Version,
    roots: RootCerts,
    /// From the parent, which may have been allowed to read what this process is not.
    is_inherited: bool,
}

struct Entry {
    route: Route,
    /// A `ca_file` that was replaced is read again.
    ca_file_version: Version,
    core: Arc<Core>,
    last_use: Instant,
}

impl Entry {
    fn is_of(&self, route: &Route, ca_file_version: Version) -> bool {
        self.route == *route && self.ca_file_version == ca_file_version
    }

    fn is_unused(&self) -> bool {
        Arc::strong_count(&self.core) == 1
    }

    fn has_cooled_down(&self, now: Instant) -> bool {
        let warm_for = self.route.keep_alive.max(Duration::from_secs(1));
        now.duration_since(self.last_use) > warm_for
    }
}

#[derive(Default)]
struct Registry {
    system_roots: OnceLock<RootCerts>,
    /// By the path. Locked for writing only while one is added.
    file_roots: RwLock<HashMap<String, FileRoots>>,
    /// A shop has one or two: no map finds them faster.
    cores: Mutex<Vec<Entry>>,
}

static REGISTRY: PerProcess<Registry> = PerProcess::new();

/// The registry of this process. From the parent it takes over the trusted roots and nothing else; reading a
/// finished `OnceLock` takes no lock that the fork could have left held, and the roots of files are left out if another
/// thread was just adding one: they are then read again.
fn registry() -> &'static Registry {
    REGISTRY.get(|parents| Registry {
        file_roots: RwLock::new(parents.map_or_else(HashMap::new, inherited_roots)),
        system_roots: parents
            .and_then(|r| r.system_roots.get().cloned())
            .map_or_else(OnceLock::new, OnceLock::from),
        cores: Mutex::default(),
    })
}

fn inherited_roots(parents: &Registry) -> HashMap<String, FileRoots> {
    let Ok(roots) = parents.file_roots.try_read() else {
        return HashMap::new();
    };
    let mut roots = roots.clone();
    roots.values_mut().for_each(|r| r.is_inherited = true);
    roots
}

impl Registry {
    fn lock_cores(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.cores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The authorities in the `ca_file` at `path`: as they were read, unless it was replaced. A child that may not read
    /// it (any more) goes on with what its parent read: servers begin as root, and their workers do not stay it.
    fn roots_of_file(&self, path: &str, version: Version) -> Result<RootCerts, Error> {
        let known = {
            let all = self
                .file_roots
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            all.get(path).cloned()
        };
        if let Some(known) = known
            .as_ref()
            .filter(|k| k.version.is_some() && k.version == version)
        {
            return Ok(known.roots.clone());
        }
        let pem = match (read_ca_file(path), known.filter(|k| k.is_inherited)) {
            (Ok(pem), _) => pem,
            (Err(_), Some(known)) => return Ok(known.roots),
            (Err(e), None) => return Err(e),
        };
        let roots = roots_in(&pem, path)?;
        let read = FileRoots {
            version,
            roots: roots.clone(),
            is_inherited: false,
        };
        self.file_roots
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(path.to_owned(), read);
        Ok(roots)
    }
}

/// The core of this route, made now or found warm.
pub(crate) fn core_of(route: &Route) -> Result<Arc<Core>, Error> {
    let registry = registry();
    let ca_file_version = route.ca_file.as_deref().and_then(version);
    let now = Instant::now();
    if let Some(core) = find(&mut registry.lock_cores(), route, ca_file_version, now) {
        return Ok(core);
    }
    // Outside the lock: this may read files. Two threads may do it at once; one core wins.
    let transport = Transport::new(route, || match &route.ca_file {
        Some(path) => registry.roots_of_file(path, ca_file_version),
        None => Ok(registry.system_roots.get_or_init(roots_of_system).clone()),
    })?;
    let mut cores = registry.lock_cores();
    if let Some(core) = find(&mut cores, route, ca_file_version, now) {
        return Ok(core);
    }
    let core = Arc::new(Core {
        transport,
        process: host::this_process(),
    });
    let evicted = make_room(&mut cores, now);
    cores.push(Entry {
        route: route.clone(),
        ca_file_version,
        core: Arc::clone(&core),
        last_use: now,
    });
    drop(cores);
    // Closes sockets: not under the lock.
    drop(evicted);
    Ok(core)
}

fn find(
    cores: &mut [Entry],
    route: &Route,
    ca_file_version: Version,
    now: Instant,
) -> Option<Arc<Core>> {
    let entry = cores
        .iter_mut()
        .find(|entry| entry.is_of(route, ca_file_version))?;
    entry.last_use = now;
    Some(Arc::clone(&entry.core))
}

/// Takes out the cores that nobody holds and that have cooled down, or are too many: of those the ones that were used
/// longest ago.
fn make_room(cores: &mut Vec<Entry>, now: Instant) -> Vec<Entry> {
    let mut gone: Vec<Entry> = cores
        .extract_if(.., |entry| entry.is_unused() && entry.has_cooled_down(now))
        .collect();
    cores.sort_by_key(|entry| entry.last_use);
    let warm = cores.iter().filter(|entry| entry.is_unused()).count();
    let excess = (warm + 1).saturating_sub(MAX_WARM);
    gone.extend(cores.extract_if(.., |entry| entry.is_unused()).take(excess));
    gone
}

fn version(path: &str) -> Version {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn route(port: u16, keep_alive: &str) -> Route {
        let mut config = Config::new();
        config
            .set("base_url", &format!("http://127.0.0.1:{port}"))
            .unwrap();
        config.set("keep_alive_s", keep_alive).unwrap();
        config.settings().unwrap().route
    }

    #[test]
    fn equal_routes_share_a_core_also_after_the_last_client_went() {
        let first = Arc::as_ptr(&core_of(&route(1, "60")).unwrap());
        assert_eq!(first, Arc::as_ptr(&core_of(&route(1, "60")).unwrap()));
        assert_ne!(first, Arc::as_ptr(&core_of(&route(1, "61")).unwrap()));
    }

    #[test]
    fn cores_cool_down_and_are_bounded_but_never_while_in_use() {
        let mut cores = Vec::new();
        let start = Instant::now();
        let put = |cores: &mut Vec<Entry>, port: u16, last_use| {
            let route = route(port, "60");
            let core = Arc::new(Core {
                transport: Transport::new(&route, || Ok(RootCerts::WebPki)).unwrap(),
                process: host::this_process(),
            });
            cores.push(Entry {
                route,
                ca_file_version: None,
                core: Arc::clone(&core),
                last_use,
            });
            core
        };
        let in_use = put(&mut cores, 1, start);
        drop(put(&mut cores, 2, start));
        assert!(make_room(&mut cores, start + Duration::from_secs(60)).is_empty());
        assert_eq!(
            make_room(&mut cores, start + Duration::from_secs(61)).len(),
            1
        );
        for port in 10..30 {
            drop(put(
                &mut cores,
                port,
                start + Duration::from_millis(u64::from(port)),
            ));
        }
        let gone = make_room(&mut cores, start + Duration::from_secs(1));
        assert_eq!(gone.len(), 20 - (MAX_WARM - 1));
        // The oldest went, and the one in use stayed.
        assert!(cores.iter().any(|e| e.is_of(&route(1, "60"), None)));
        assert!(!cores.iter().any(|e| e.is_of(&route(10, "60"), None)));
        drop(in_use);
    }
}
