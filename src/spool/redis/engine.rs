//! The engine of a spool: pools connections, and calls scripts.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::checks::explained;
use super::connection::{Broken, Connection};
use super::primary::{Redirection, redirection};
use super::resp::{Command, Value};
use super::script::Script;
use crate::host::{self, Timestamp};
use crate::http::Dialler;
use crate::options::{Durability, EnginePlace, Host, QueueSettings};
use crate::outcome::{Error, Status};

/// Greatest number of idle connections: about as many as threads of one process that call at the same time.
const MAX_IDLE: usize = 8;
/// Greatest number of times that one call is sent again: redirected by a cluster, to a new primary, or because a pooled
/// connection was closed.
const MAX_HOPS: usize = 4;
/// A confirmation ends this long before the call's deadline, so that the reply arrives in time.
const ANSWER: Duration = Duration::from_millis(100);

/// The reason why a call failed.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) text: String,
    /// Whether the engine may have run the command.
    pub(super) may_have_run: bool,
}

impl Failure {
    pub(super) fn refused(text: impl Into<String>) -> Failure {
        Failure {
            text: text.into(),
            may_have_run: false,
        }
    }
}

pub(super) struct Engine {
    pub(super) place: EnginePlace,
    /// The prefix of every key.
    pub(super) prefix: String,
    pub(super) settings: QueueSettings,
    pub(super) dialler: Dialler,
    idle: Mutex<Vec<Connection>>,
    pub(super) known: Mutex<EngineFacts>,
    /// Whether the user's rights were checked. This is done once.
    pub(super) has_checked_rights: AtomicBool,
    /// Incremented when the replication id changes: after a failover, or a restart of the engine. The engine may then
    /// lack the last writes, and may give their sequence numbers to other notifications.
    replications: AtomicU64,
}

/// Facts about the engine that earlier connections found.
#[derive(Default)]
pub(super) struct EngineFacts {
    /// The primary that a cluster or a Sentinel named.
    pub(super) primary: Option<Host>,
    replication_id: Option<String>,
    /// The engine's clock, and this machine's at that moment.
    clock: Option<(u64, Timestamp)>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({})", self.place)
    }
}

/// The confirmation that a write needs before the call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirm {
    /// The engine's reply.
    Engine,
    /// The confirmation that `durability` requires.
    Durability,
}

impl Engine {
    pub(super) fn new(place: &EnginePlace, settings: &QueueSettings) -> Result<Engine, Error> {
        Ok(Engine {
            prefix: format!("esales:{{{}}}:", place.name),
            dialler: Dialler::new(place.is_tls, settings.ca_file.as_ref())?,
            place: place.clone(),
            settings: settings.clone(),
            idle: Mutex::default(),
            known: Mutex::default(),
            has_checked_rights: AtomicBool::new(false),
            replications: AtomicU64::new(0),
        })
    }

    pub(super) fn replications(&self) -> u64 {
        self.replications.load(Ordering::Relaxed)
    }

    /// The error of a call. The address in its message has no password.
    pub(super) fn failed(&self, failure: &Failure) -> Error {
        Error::new(
            Status::SpoolFailed,
            format!("spool {}: {}", self.place, failure.text),
        )
    }

    /// The engine's clock and this machine's clock at the same moment. `None`: the engine's clock is not known.
    pub(super) fn clock(&self) -> Option<(u64, Timestamp)> {
        host::lock(&self.known).clock
    }

    /// Makes the engine's clock known: the first call of a process connects for it.
    pub(super) fn compare_clocks(&self, deadline: Instant) -> Result<(), Failure> {
        if self.clock().is_none() {
            let connection = self.open(deadline).map_err(Failure::refused)?;
            self.keep(connection);
        }
        Ok(())
    }

    /// Calls a script. `within`: see `call_all`.
    pub(super) fn call(
        &self,
        script: &Script,
        arguments: &Command,
        within: Option<u64>,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let called = self.call_all(
            script,
            std::slice::from_ref(arguments),
            Confirm::Engine,
            within,
            deadline,
        )?;
        Ok(called.into_iter().next().unwrap_or(Value::Nil))
    }

    /// Calls a script several times in one pipeline. An error reply to one call fails all of them. `within`: the value of
    /// `replications` when the positions in the calls were read; if it has changed, the calls fail.
    pub(super) fn call_all(
        &self,
        script: &Script,
        calls: &[Command],
        confirm: Confirm,
        within: Option<u64>,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let by_name: Vec<Command> = calls
            .iter()
            .map(|arguments| script.by_name(&self.prefix, arguments))
            .collect();
        let replies = self.run(by_name, confirm, within, deadline)?;
        let is_unknown =
            |reply: &Value| matches!(reply, Value::Error(e) if e.starts_with("NOSCRIPT"));
        let replies = match replies.iter().any(is_unknown) {
            false => replies,
            // The engine knows the script from then on.
            true => {
                let with_text = calls
                    .iter()
                    .map(|arguments| script.with_text(&self.prefix, arguments));
                self.run(with_text.collect(), confirm, within, deadline)?
            }
        };
        for reply in &replies {
            if let Value::Error(error) = reply {
                return Err(Failure::refused(explained(error)));
            }
        }
        Ok(replies)
    }

    /// Sends commands to the primary, and follows redirections.
    fn run(
        &self,
        commands: Vec<Command>,
        confirm: Confirm,
        within: Option<u64>,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let mut may_have_run = false;
        for _ in 0..MAX_HOPS {
            let (mut connection, is_pooled) = match self.pooled() {
                Some(connection) => (connection, true),
                None => {
                    let opened = self.open(deadline);
                    let connection = opened.map_err(|text| Failure { text, may_have_run })?;
                    (connection, false)
                }
            };
            if within.is_some_and(|replications| replications != connection.replications) {
                self.keep(connection);
                return Err(Failure {
                    text: "the engine has failed over or was restarted".to_owned(),
                    may_have_run,
                });
            }
            let exchanged = self.exchange(&mut connection, &commands, confirm, deadline);
            let replies = match exchanged {
                Ok(replies) => replies,
                Err(broken) => {
                    may_have_run |= broken.may_have_run;
                    let is_late = broken.error.kind() == std::io::ErrorKind::TimedOut;
                    if is_pooled && !is_late {
                        // The engine has closed the idle connections meanwhile. Every call may be repeated.
                        host::lock(&self.idle).clear();
                        continue;
                    }
                    host::lock(&self.known).primary = None;
                    let text = match is_late {
                        true => "the engine did not answer in time".to_owned(),
                        false => broken.error.to_string(),
                    };
                    return Err(Failure { text, may_have_run });
                }
            };
            match replies.iter().find_map(redirection) {
                Some(Redirection::To(host)) => {
                    host::lock(&self.known).primary = Some(host);
                    host::lock(&self.idle).clear();
                }
                Some(Redirection::Away) if is_pooled => {
                    // The role has changed, so the primary is looked up again.
                    host::lock(&self.known).primary = None;
                    host::lock(&self.idle).clear();
                }
                _ => {
                    self.keep(connection);
                    return self.confirmed(replies, commands.len());
                }
            }
        }
        Err(Failure {
            text: "the engine's hosts redirect each call to another host".to_owned(),
            may_have_run,
        })
    }

    /// Sends commands and the command that waits for the confirmation, as one pipeline.
    fn exchange(
        &self,
        connection: &mut Connection,
        commands: &[Command],
        confirm: Confirm,
        deadline: Instant,
    ) -> Result<Vec<Value>, Broken> {
        let wait = match (confirm, self.settings.durability) {
            (Confirm::Durability, Durability::Replica) => Command::new("WAIT").arg("1"),
            (Confirm::Durability, Durability::Disk)
                if connection.info.syncs_always != Some(true) =>
            {
                Command::new("WAITAOF").arg("1").arg("0")
            }
            _ => return connection.exchange(commands, deadline),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        // 0 would mean no time-out.
        let wait = wait.number(host::millis(left - ANSWER.min(left / 4)).max(1));
        connection.exchange(commands.iter().chain([&wait]), deadline)
    }

    /// Removes the reply to the confirmation from the replies, if there is one, and checks it.
    fn confirmed(&self, mut replies: Vec<Value>, commands: usize) -> Result<Vec<Value>, Failure> {
        if replies.len() <= commands {
            return Ok(replies);
        }
        let confirmation = replies.pop();
        if replies.iter().any(|reply| matches!(reply, Value::Error(_))) {
            return Ok(replies);
        }
        let copies = match &confirmation {
            Some(Value::Error(error)) => {
                return Err(Failure {
                    text: explained(error),
                    may_have_run: true,
                });
            }
            Some(Value::List(copies)) => copies.first().and_then(Value::number),
            Some(other) => other.number(),
            None => None,
        };
        if copies.unwrap_or(0) >= 1 {
            return Ok(replies);
        }
        let text = match self.settings.durability {
            Durability::Disk => "written, but not confirmed by the disk in time",
            _ => "written, but not confirmed by a replica in time",
        };
        Err(Failure {
            text: text.to_owned(),
            may_have_run: true,
        })
    }

    /// A pooled connection that is still open.
    fn pooled(&self) -> Option<Connection> {
        let mut idle = host::lock(&self.idle);
        while let Some(mut connection) = idle.pop() {
            let is_current = connection.replications == self.replications();
            if is_current && connection.is_ours() && connection.is_usable() {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, connection: Connection) {
        let mut idle = host::lock(&self.idle);
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
    }

    /// Opens a connection to the primary and runs every check.
    fn open(&self, deadline: Instant) -> Result<Connection, String> {
        let mut connection = self.reach(deadline)?;
        let info = &connection.info;
        let mut known = host::lock(&self.known);
        known.clock = info.clock.or(known.clock);
        let id = Some(info.replication_id.clone()).filter(|id| !id.is_empty());
        if known.replication_id.is_some() && known.replication_id != id {
            self.replications.fetch_add(1, Ordering::Relaxed);
        }
        known.replication_id = id;
        connection.replications = self.replications();
        drop(known);
        Ok(connection)
    }

    /// Opens a connection with all checks, as every call does.
    pub(super) fn usable(&self, deadline: Instant) -> Result<(), Failure> {
        self.open(deadline).map(drop).map_err(Failure::refused)
    }
}
