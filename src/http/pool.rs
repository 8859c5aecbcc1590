//! Connection pools. Clients with equal endpoint settings share a pool, which is kept after the
//! last of them is freed.
//!
//! Under php-fpm a client exists for one page. Its pool (connections, resolved addresses, trusted
//! roots) stays in the process, so that the next page can reuse the TLS connection.
//!
//! The registry belongs to one process. A forked child does not use the inherited registry, which
//! may be locked, and makes its own. It never writes to a socket that its parent also has.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use super::{Roots, Transport};
use crate::host::{self, PerProcess};
use crate::options::ServiceSettings;
use crate::outcome::Error;

/// How many pools without a client are kept. A shop has one or two pools.
const MAX_WARM: usize = 8;

/// The connections of one process with the same endpoint settings.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) transport: Transport,
    process: u32,
}

impl Pool {
    /// Whether it belongs to this process, and not to the parent from which the process was forked.
    pub(crate) fn is_ours(&self) -> bool {
        self.process == host::this_process()
    }
}

struct PoolEntry {
    service: ServiceSettings,
    pool: Arc<Pool>,
    last_use: Instant,
}

impl PoolEntry {
    fn is_unused(&self) -> bool {
        Arc::strong_count(&self.pool) == 1
    }

    fn has_cooled_down(&self, now: Instant) -> bool {
        let warm_for = self.service.keep_alive.max(Duration::from_secs(1));
        now.duration_since(self.last_use) > warm_for
    }
}

#[derive(Default)]
struct Registry {
    system_roots: OnceLock<Roots>,
    /// A list, because a shop has one or two pools.
    pools: Mutex<Vec<PoolEntry>>,
}

static REGISTRY: PerProcess<Registry> = PerProcess::new();

/// The registry of this process. It inherits only the system's authorities from the parent. Reading an initialised
/// `OnceLock` takes no lock, so a fork cannot have left one held.
fn registry() -> &'static Registry {
    REGISTRY.get(|parents| Registry {
        system_roots: parents
            .and_then(|r| r.system_roots.get().cloned())
            .map_or_else(OnceLock::new, OnceLock::from),
        pools: Mutex::default(),
    })
}

/// The system's authorities, which this process reads once.
pub(super) fn system_roots() -> Roots {
    registry()
        .system_roots
        .get_or_init(Roots::from_system)
        .clone()
}

impl Registry {
    fn lock_pools(&self) -> MutexGuard<'_, Vec<PoolEntry>> {
        host::lock(&self.pools)
    }
}

/// The pool for these settings; made if there is none.
pub(crate) fn pool_of(service: &ServiceSettings) -> Result<Arc<Pool>, Error> {
    let registry = registry();
    let now = Instant::now();
    if let Some(pool) = find(&mut registry.lock_pools(), service, now) {
        return Ok(pool);
    }
    // Outside the lock, because this may read files. Two threads may do it at once; one of the
    // pools is used.
    let transport = Transport::new(service, || match &service.ca_file {
        Some(file) => file.as_ref().map(Roots::from_file).map_err(Error::clone),
        None => Ok(system_roots()),
    })?;
    let mut pools = registry.lock_pools();
    if let Some(pool) = find(&mut pools, service, now) {
        return Ok(pool);
    }
    let pool = Arc::new(Pool {
        transport,
        process: host::this_process(),
    });
    let evicted = make_room(&mut pools, now);
    pools.push(PoolEntry {
        service: service.clone(),
        pool: Arc::clone(&pool),
        last_use: now,
    });
    drop(pools);
    // Dropped outside the lock, because this closes sockets.
    drop(evicted);
    Ok(pool)
}

fn find(pools: &mut [PoolEntry], service: &ServiceSettings, now: Instant) -> Option<Arc<Pool>> {
    let entry = pools.iter_mut().find(|entry| entry.service == *service)?;
    entry.last_use = now;
    Some(Arc::clone(&entry.pool))
}

/// Removes unused pools that are too old. If too many are left, removes those that were used
/// longest ago.
fn make_room(pools: &mut Vec<PoolEntry>, now: Instant) -> Vec<PoolEntry> {
    let mut evicted: Vec<PoolEntry> = pools
        .extract_if(.., |entry| entry.is_unused() && entry.has_cooled_down(now))
        .collect();
    pools.sort_by_key(|entry| entry.last_use);
    let warm = pools.iter().filter(|entry| entry.is_unused()).count();
    let excess = (warm + 1).saturating_sub(MAX_WARM);
    evicted.extend(pools.extract_if(.., |entry| entry.is_unused()).take(excess));
    evicted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn service(port: u16, keep_alive: &str) -> ServiceSettings {
        let mut config = Config::new();
        config
            .set("base_url", &format!("http://127.0.0.1:{port}"))
            .unwrap();
        config.set("keep_alive_s", keep_alive).unwrap();
        config.settings().unwrap().service
    }

    #[test]
    fn pool_is_shared_by_clients_of_equal_settings_and_outlives_them() {
        let first = Arc::as_ptr(&pool_of(&service(1, "60")).unwrap());
        assert_eq!(first, Arc::as_ptr(&pool_of(&service(1, "60")).unwrap()));
        assert_ne!(first, Arc::as_ptr(&pool_of(&service(1, "61")).unwrap()));
    }

    #[test]
    fn pools_without_a_client_are_evicted_when_they_are_old_or_too_many() {
        let mut pools = Vec::new();
        let start = Instant::now();
        let put = |pools: &mut Vec<PoolEntry>, port: u16, last_use| {
            let service = service(port, "60");
            let pool = Arc::new(Pool {
                transport: Transport::new(&service, || Err(Error::config("no TLS"))).unwrap(),
                process: host::this_process(),
            });
            pools.push(PoolEntry {
                service,
                pool: Arc::clone(&pool),
                last_use,
            });
            pool
        };
        let in_use = put(&mut pools, 1, start);
        drop(put(&mut pools, 2, start));
        assert!(make_room(&mut pools, start + Duration::from_secs(60)).is_empty());
        assert_eq!(
            make_room(&mut pools, start + Duration::from_secs(61)).len(),
            1
        );
        for port in 10..30 {
            drop(put(
                &mut pools,
                port,
                start + Duration::from_millis(u64::from(port)),
            ));
        }
        let evicted = make_room(&mut pools, start + Duration::from_secs(1));
        assert_eq!(evicted.len(), 20 - (MAX_WARM - 1));
        // The oldest pool was removed, and the pool in use was kept.
        assert!(pools.iter().any(|e| e.service == service(1, "60")));
        assert!(!pools.iter().any(|e| e.service == service(10, "60")));
        drop(in_use);
    }
}
