//! Reports on the engine, for `esales-notify doctor`.

use std::time::{Duration, Instant};

use super::checks;
use super::engine::Engine;
use crate::options::{EnginePlace, QueueSettings};
use crate::outcome::Error;

/// The properties of a Redis or Valkey server, and whether it can hold a queue.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineReport {
    /// Host and port of the primary.
    pub host: String,
    /// Name and version, such as `Redis 7.0.15`.
    pub version: String,
    /// Whether the engine is a primary, not a replica.
    pub is_primary: bool,
    /// Number of connected replicas.
    pub replicas: u64,
    /// Whether the engine has an append-only file.
    pub has_append_only_file: bool,
    /// Whether each write is on the disk before the reply (`appendfsync always`). `None`: the user may not read this
    /// setting.
    pub syncs_always: Option<bool>,
    /// The engine's `maxmemory-policy`.
    pub eviction_policy: String,
    /// Memory in use, in bytes.
    pub used_memory: u64,
    /// The engine's `maxmemory`, in bytes. 0: there is no limit.
    pub max_memory: u64,
    /// Number of connected clients.
    pub clients: u64,
    /// The engine's `maxclients`. 0: not known.
    pub max_clients: u64,
    /// Round-trip time of an empty command.
    pub latency: Duration,
    /// The reason why the engine cannot hold the queue, with the name of the setting. `None`: it can.
    pub refusal: Option<String>,
}

/// Examines the engine of a spool. Changes nothing.
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
        // The rights are checked on the first connection.
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
