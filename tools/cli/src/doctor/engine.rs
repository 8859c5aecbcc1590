//! The engine of a spool: whether it answers, and whether it may hold the queue.

use esales_notify::{Config, EngineReport, SpoolAdmin};

use super::report::Check;
use crate::millis;

/// The checks, in order.
pub(super) const NAMES: [&str; 5] = ["engine", "role", "persistence", "memory", "connections"];
/// A slower round trip gives a warning; one within a data centre is much faster.
const SLOW_MS: u64 = 20;

/// The checks of the engine. The caller checks whether the spool in it can be read.
pub(super) fn checks(config: &Config) -> (Vec<Check>, bool) {
    let report = match SpoolAdmin::inspect_engine(config) {
        Ok(Some(report)) => report,
        Ok(None) => return (Vec::new(), false),
        Err(e) => {
            let advice = "check that the engine runs, that this machine reaches its port, and that user and password are right (spool_password, spool_password_file)";
            let failed = Check::failed("engine", e.detail(), advice);
            let rest = NAMES.iter().skip(1);
            let rest = rest.map(|name| Check::not_tried(name, "engine"));
            return (std::iter::once(failed).chain(rest).collect(), false);
        }
    };
    let checks = vec![
        engine(&report),
        role(&report),
        persistence(&report, config),
        memory(&report),
        connections(&report),
    ];
    (checks, report.refusal.is_none())
}

fn engine(report: &EngineReport) -> Check {
    let found = format!(
        "{} at {}, answers in {:.1} ms",
        report.version,
        report.host,
        report.latency.as_secs_f64() * 1000.0
    );
    let check = if let Some(refusal) = &report.refusal {
        Check::failed(
            "engine",
            format!("{found}; it is refused: {refusal}"),
            "change the engine's setting that the message names, or name another engine",
        )
    } else if millis(report.latency) > SLOW_MS {
        let advice = "every enqueue takes a round trip: use an engine that is nearer";
        Check::warning("engine", found, advice)
    } else {
        Check::ok("engine", found)
    };
    check
        .fact("version", report.version.as_str())
        .fact("host", report.host.as_str())
        .fact(
            "latency_us",
            u64::try_from(report.latency.as_micros()).unwrap_or(u64::MAX),
        )
        .fact("refusal", report.refusal.as_deref())
}

fn role(report: &EngineReport) -> Check {
    let check = match (report.is_primary, report.replicas) {
        (false, _) => Check::failed(
            "role",
            "it is a replica",
            "name the primary, or its Sentinels with &sentinel=MASTER",
        ),
        (true, 0) => Check::ok("role", "it is a primary without a replica"),
        (true, n) => Check::ok("role", format!("it is a primary with {n} replicas")),
    };
    check
        .fact("is_primary", report.is_primary)
        .fact("replicas", report.replicas)
}

fn persistence(report: &EngineReport, config: &Config) -> Check {
    let is_volatile_allowed = config.get("allow_volatile") == Some("true");
    let check = match (report.has_append_only_file, report.syncs_always) {
        (true, Some(true)) => Check::ok("persistence", "appendonly yes, appendfsync always"),
        (true, _) => Check::ok(
            "persistence",
            "appendonly yes: a power loss may lose the notifications of the last second",
        ),
        (false, _) if is_volatile_allowed => Check::warning(
            "persistence",
            "appendonly no: everything that is pending is lost when the engine ends (allow_volatile)",
            "set appendonly yes in the engine",
        ),
        (false, _) => Check::failed(
            "persistence",
            "appendonly no: everything that is pending would be lost when the engine ends",
            "set appendonly yes in the engine, or allow_volatile if you accept that",
        ),
    };
    check.fact("has_append_only_file", report.has_append_only_file)
}

fn memory(report: &EngineReport) -> Check {
    let policy = &report.eviction_policy;
    let found = match report.max_memory {
        0 => format!(
            "{} bytes in use, no maxmemory, {policy}",
            report.used_memory
        ),
        max => format!("{} of {max} bytes in use, {policy}", report.used_memory),
    };
    let is_nearly_full =
        report.max_memory > 0 && report.used_memory > report.max_memory - report.max_memory / 10;
    let check = if policy.starts_with("allkeys") {
        Check::failed(
            "memory",
            format!("{found}: this policy evicts the queue when memory is short"),
            "set maxmemory-policy noeviction or a volatile policy; a cache that needs allkeys is no place for a queue",
        )
    } else if is_nearly_full {
        Check::warning(
            "memory",
            format!("{found}: nearly full"),
            "restore delivery, or raise maxmemory: a full engine refuses notifications (OOM)",
        )
    } else {
        Check::ok("memory", found)
    };
    check
        .fact("used_memory", report.used_memory)
        .fact("max_memory", report.max_memory)
        .fact("eviction_policy", policy.as_str())
}

fn connections(report: &EngineReport) -> Check {
    let (clients, max) = (report.clients, report.max_clients);
    let found = match max {
        0 => format!("{clients} clients are connected"),
        max => format!("{clients} of {max} clients (maxclients) are connected"),
    };
    let check = match max > 0 && clients > max - max / 5 {
        true => Check::warning(
            "connections",
            found,
            "each process of the shop keeps a connection: raise maxclients",
        ),
        false => Check::ok("connections", found),
    };
    check.fact("clients", clients).fact("max_clients", max)
}
