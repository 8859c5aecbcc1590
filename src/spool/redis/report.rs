//! The engine itself, for a diagnosis (`esales-notify doctor`).

use std::time::{Duration, Instant};

use super::checks;
use super::engine::Engine;
use crate::options::{EnginePlace, QueueSettings};
use crate::outcome::Error;

/// What a Redis or Valkey says of itself, and what is to be said of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineReport {
    /// Host and port of the primary.
    pub host: String,
    /// Its name and version, such as `Redis 7.0.15`.
    pub version: String,
    /// Whether it is a primary, rather than a replica.
    pub is_primary: bool,
    /// Replicas that are connected to it.
    pub replicas: u64,
    /// Whether it keeps an append-only file.
    pub has_append_only_file: bool,
    /// Whether each write is on its disk before the answer (`appendfsync always`); `None`: this user may not ask.
    pub syncs_always: Option<bool>,
    /// Its `maxmemory-policy`.
    pub eviction_policy: String,
    /// Memory in use, in bytes.
    pub used_memory: u64,
    /// Its `maxmemory`, in bytes; 0: there is no limit.
    pub max_memory: u64,
    /// Connected clients.
    pub clients: u64,
    /// Its `maxclients`; 0: it does not say.
    pub max_clients: u64,
    /// How long an empty command took.
    pub latency: Duration,
    /// Why the queue cannot be in this engine, with the name of its setting; `None`: it can.
    pub refusal: Option<String>,
}

/// Looks at the engine of a spool. Nothing is changed.
pub(crate) fn inspect(
    place: &EnginePlace,
    settings: &QueueSettings,
    deadline: Instant,
) -> Result<EngineReport, Error> {
    let engine = Engine::new(place, settings)?;
    let (info, host, latency) = engine
        .inspect(deadline)
        .map_err(|failure| engine.failed(&failure))?;
    let refusal = match checks::check(&info, settings) {
        Err(unfit) => Some(unfit.text()),
        // The rights are checked with the first connection.
        Ok(()) => engine.usable(deadline).err().map(|failure| failure.text),
    };
    let name = if info.is_valkey { "Valkey" } else { "Redis" };
    Ok(EngineReport {
        host: host.to_string(),
        version: format!("{name} {}", info.version),
        is_primary: info.is_primary,
        replicas: info.replicas,
        has_append_only_file: info.has_aof,
        syncs_always: info.syncs_always,
        eviction_policy: info.eviction,
        used_memory: info.used_memory,
        max_memory: info.max_memory,
        clients: info.clients,
        max_clients: info.max_clients,
        latency,
        refusal,
    })
}
