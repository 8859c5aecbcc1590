//! The checks on a new connection: the engine's role, version and settings, and the user's rights.

use std::time::Instant;

use super::connection::{Broken, Connection, Info};
use super::resp::{Command, Value};
use super::script;
use crate::host::Timestamp;
use crate::options::{Durability, EnginePlace, QueueSettings};

/// The reason why an engine is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfit {
    /// The engine is a replica. Another host of the option may be the primary.
    Replica,
    Other(String),
}

impl Unfit {
    pub(super) fn text(&self) -> String {
        match self {
            Unfit::Replica => {
                "it is a read-only replica (role:slave): name the primary, or its Sentinels with &sentinel=MASTER"
                    .to_owned()
            }
            Unfit::Other(text) => text.clone(),
        }
    }
}

impl From<Broken> for Unfit {
    fn from(broken: Broken) -> Unfit {
        Unfit::Other(broken.error.to_string())
    }
}

fn other<T>(text: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit::Other(text.into()))
}

/// Logs in, selects the database and reads the engine's properties. Fails only if the engine refuses these commands.
pub(super) fn greet(
    connection: &mut Connection,
    place: &EnginePlace,
    settings: &QueueSettings,
    deadline: Instant,
) -> Result<Info, Unfit> {
    let mut commands = Vec::new();
    commands.extend(login(place, settings));
    if place.database != 0 {
        commands.push(Command::new("SELECT").number(place.database.into()));
    }
    let greetings = commands.len();
    commands.push(Command::new("INFO"));
    commands.push(Command::new("TIME"));
    commands.push(Command::new("CONFIG").arg("GET").arg("appendfsync"));
    let replies = connection.exchange(&commands, deadline)?;
    let now = Timestamp::now();
    let (before, after) = replies.split_at_checked(greetings).unwrap_or_default();
    for reply in before {
        if let Value::Error(error) = reply {
            return other(explained(error));
        }
    }
    let mut info = match after.first() {
        Some(Value::Error(error)) => return other(explained(error)),
        Some(reply) => Info::parse(reply.text().unwrap_or_default()),
        None => Info::default(),
    };
    // Each producer computes the engine's time from this.
    if let Some(Value::Error(error)) = after.get(1) {
        return other(explained(error));
    }
    info.clock = after.get(1).and_then(server_ms).map(|ms| (ms, now));
    // The user may lack the right to read the settings: they are then unknown.
    let fsync = after.get(2).and_then(Value::list).and_then(|l| l.get(1));
    info.syncs_always = fsync.and_then(Value::text).map(|mode| mode == "always");
    Ok(info)
}

/// The command that logs in, if there is a user or a password.
pub(super) fn login(place: &EnginePlace, settings: &QueueSettings) -> Option<Command> {
    let password = settings.spool_password.as_ref();
    let login = match &place.user {
        Some(user) => Command::new("AUTH").arg(user),
        None if password.is_none() => return None,
        None => Command::new("AUTH"),
    };
    Some(login.arg(password.map_or("", |secret| secret.reveal())))
}

fn server_ms(reply: &Value) -> Option<u64> {
    let parts = reply.list()?;
    let seconds = parts.first()?.number()?;
    let micros = parts.get(1)?.number()?;
    Some(seconds.saturating_mul(1000) + micros / 1000)
}

/// Refuses an engine that would lose or refuse the queue. The message names the engine's own setting.
pub(super) fn check(info: &Info, settings: &QueueSettings) -> Result<(), Unfit> {
    let (name, oldest) = match info.is_valkey {
        true => ("Valkey", (7, 2)),
        false => ("Redis", (6, 2)),
    };
    if info.release() < oldest {
        return other(format!(
            "it is {name} {}, and {name} {}.{} is the oldest that works",
            info.version, oldest.0, oldest.1
        ));
    }
    if info.is_loading {
        return other("it is loading its data (LOADING)");
    }
    // A cluster redirects to the node that has the key.
    if !info.is_primary && !info.is_cluster {
        return Err(Unfit::Replica);
    }
    if info.eviction.starts_with("allkeys") {
        return other(format!(
            "maxmemory-policy is {}, which evicts the queue when memory is short: set noeviction, or a volatile policy",
            info.eviction
        ));
    }
    if !info.has_aof && !settings.allow_volatile {
        return other(
            "appendonly is no: everything that is pending is lost when the engine ends; set appendonly yes, or set \
             allow_volatile if you accept that",
        );
    }
    if settings.durability == Durability::Disk {
        check_disk(info)?;
    }
    Ok(())
}

fn check_disk(info: &Info) -> Result<(), Unfit> {
    if !info.has_aof {
        return other("durability is disk, and appendonly is no: set appendonly yes");
    }
    if info.syncs_always == Some(true) || info.has_wait_aof() {
        return Ok(());
    }
    other(format!(
        "durability is disk, and appendfsync is {}: set appendfsync always, or use a version with WAITAOF (7.2 or newer)",
        match info.syncs_always {
            Some(_) => "not always",
            None => "unknown, because this user may not run CONFIG GET",
        }
    ))
}

/// Refuses a user who lacks a right. An engine before 7.0 cannot report rights; the first command that needs the right
/// then fails.
pub(super) fn check_rights(
    connection: &mut Connection,
    prefix: &str,
    deadline: Instant,
) -> Result<(), Unfit> {
    let none = Command::default();
    let call = script::RIGHTS.by_name(prefix, &none);
    let mut replies = connection.exchange(&[call], deadline)?;
    if let Some(Value::Error(error)) = replies.first()
        && error.starts_with("NOSCRIPT")
    {
        replies = connection.exchange(&[script::RIGHTS.with_text(prefix, &none)], deadline)?;
    }
    match replies.first() {
        Some(Value::Error(error)) => other(explained(error)),
        Some(Value::List(refused)) if !refused.is_empty() => {
            let names: Vec<&str> = refused.iter().filter_map(Value::text).collect();
            other(format!(
                "the user may not run {} on {prefix}* (NOPERM): see the ACL rule in docs/fleet.md",
                names.join(", ")
            ))
        }
        _ => Ok(()),
    }
}

/// Explains an error reply to a reader who does not know the engine.
pub(super) fn explained(error: &str) -> String {
    let code = error.split(' ').next().unwrap_or_default();
    let hint = match code {
        "ESALES" => return error.strip_prefix("ESALES ").unwrap_or(error).to_owned(),
        "NOAUTH" => "the engine wants a password: set spool_password or spool_password_file",
        "WRONGPASS" => "the user or the password is wrong: see spool_password",
        "NOPERM" => "the user lacks a right: see the ACL rule in docs/fleet.md",
        "READONLY" => "it is a read-only replica",
        "LOADING" => "it is loading its data",
        "OOM" => "its memory is full (maxmemory)",
        "NOREPLICAS" => "it has too few replicas (min-replicas-to-write)",
        "BUSY" => "another client's script keeps it busy",
        "MISCONF" => "it cannot write its data to the disk",
        "WRONGTYPE" => "a key of the spool has another type: another program uses the same name",
        "CLUSTERDOWN" | "MASTERDOWN" | "TRYAGAIN" => "it is being reorganised",
        _ if error.contains("permission") => {
            "the user lacks a right: see the ACL rule in docs/fleet.md"
        }
        _ => return error.to_owned(),
    };
    format!("{hint} ({error})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::kit;

    fn sound() -> Info {
        Info {
            version: "7.0.15".to_owned(),
            is_primary: true,
            has_aof: true,
            eviction: "noeviction".to_owned(),
            ..Info::default()
        }
    }

    fn refusal(change: impl FnOnce(&mut Info, &mut QueueSettings)) -> String {
        let (mut info, mut settings) = (sound(), kit::settings());
        change(&mut info, &mut settings);
        check(&info, &settings).unwrap_err().text()
    }

    #[test]
    fn engine_is_refused_with_the_name_of_its_setting() {
        check(&sound(), &kit::settings()).unwrap();
        for (message, change) in [
            (
                "maxmemory-policy is allkeys-lru",
                (|i, _| i.eviction = "allkeys-lru".into()) as fn(&mut Info, &mut QueueSettings),
            ),
            ("appendonly is no", |i, _| i.has_aof = false),
            ("allow_volatile", |i, _| i.has_aof = false),
            ("read-only replica", |i, _| i.is_primary = false),
            ("Redis 6.0.16", |i, _| i.version = "6.0.16".into()),
            ("Valkey 7.2 is the oldest", |i, _| {
                (i.is_valkey, i.version) = (true, "7.0.0".into())
            }),
            ("LOADING", |i, _| i.is_loading = true),
            ("appendfsync", |_, s| s.durability = Durability::Disk),
            ("durability is disk", |i, s| {
                (i.has_aof, s.allow_volatile, s.durability) = (false, true, Durability::Disk)
            }),
        ] {
            let refused = refusal(change);
            assert!(refused.contains(message), "{refused}");
        }
    }

    #[test]
    fn engine_is_accepted_when_its_settings_suffice() {
        for change in [
            (|i, _| i.eviction = "volatile-lru".into()) as fn(&mut Info, &mut QueueSettings),
            |i, s| (i.has_aof, s.allow_volatile) = (false, true),
            |i, s| (i.syncs_always, s.durability) = (Some(true), Durability::Disk),
            |i, s| (i.version, s.durability) = ("7.4.0".into(), Durability::Disk),
            |i, _| (i.is_primary, i.is_cluster) = (false, true),
        ] {
            let (mut info, mut settings) = (sound(), kit::settings());
            change(&mut info, &mut settings);
            check(&info, &settings).unwrap();
        }
    }
}
