//! One connection to an engine, and the properties that the engine reports when it is made.

use std::io;
use std::time::{Duration, Instant};

use super::resp::{Command, Decoder, Value};
use crate::host::{self, Timestamp};
use crate::http::Line;

/// Longest life of a connection, because the host name may have moved to another engine.
const MAX_AGE: Duration = Duration::from_secs(60);
const PIECE: usize = 16 << 10;
/// Longest encoded commands whose buffer is kept, in bytes.
const MAX_KEPT: usize = 64 << 10;

pub(super) struct Connection {
    line: Line,
    decoder: Decoder,
    /// Buffer for the encoded commands. It is kept, so that an exchange does not allocate one.
    commands: Vec<u8>,
    /// Buffer for reading.
    piece: Box<[u8]>,
    opened: Instant,
    /// The process that opened the connection: a forked child must not write to its parent's connections.
    process: u32,
    pub(super) info: Info,
    /// The value of `Engine::replications` since this connection was opened.
    pub(super) replications: u64,
}

/// The reason why an exchange failed, and whether the engine may have run the commands.
pub(super) struct Broken {
    pub(super) error: io::Error,
    pub(super) may_have_run: bool,
}

impl Connection {
    pub(super) fn new(line: Line) -> Connection {
        Connection {
            line,
            decoder: Decoder::default(),
            commands: Vec::new(),
            piece: vec![0; PIECE].into_boxed_slice(),
            opened: Instant::now(),
            process: host::this_process(),
            info: Info::default(),
            replications: 0,
        }
    }

    /// Whether this process, not its parent before a fork, opened the connection.
    pub(super) fn is_ours(&self) -> bool {
        self.process == host::this_process()
    }

    /// Whether the connection may be used again.
    pub(super) fn is_usable(&mut self) -> bool {
        self.opened.elapsed() < MAX_AGE && self.decoder.is_empty() && self.line.is_quiet()
    }

    /// Sends the commands as one pipeline and reads a reply to each. After an error the connection must be dropped.
    pub(super) fn exchange<'c>(
        &mut self,
        commands: impl IntoIterator<Item = &'c Command>,
        deadline: Instant,
    ) -> Result<Vec<Value>, Broken> {
        // A long pipeline's buffer is not kept.
        if self.commands.capacity() > MAX_KEPT {
            self.commands = Vec::new();
        }
        self.commands.clear();
        let mut wanted = 0;
        for command in commands {
            command.encode(&mut self.commands);
            wanted += 1;
        }
        let broken = |may_have_run| {
            move |error| Broken {
                error,
                may_have_run,
            }
        };
        // The engine does not run a command that is not complete.
        #[cfg(test)]
        crash::pass().map_err(broken(false))?;
        let is_late = Instant::now() >= deadline;
        self.line
            .write(&self.commands, deadline)
            .map_err(broken(!is_late && wanted > 1))?;
        let mut replies = Vec::with_capacity(wanted);
        while replies.len() < wanted {
            replies.push(self.reply(deadline).map_err(broken(true))?);
        }
        Ok(replies)
    }

    fn reply(&mut self, deadline: Instant) -> io::Result<Value> {
        loop {
            if let Some(value) = self.decoder.next()? {
                return Ok(value);
            }
            let amount = self.line.read(&mut self.piece, deadline)?;
            #[cfg(test)]
            crash::pass()?;
            if amount == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the engine closed the connection",
                ));
            }
            self.decoder
                .feed(self.piece.get(..amount).unwrap_or_default());
        }
    }
}

/// The properties that an engine reports (`INFO`, `TIME`, `CONFIG GET`).
#[derive(Debug, Clone, Default)]
pub(super) struct Info {
    pub(super) is_valkey: bool,
    pub(super) version: String,
    pub(super) is_primary: bool,
    pub(super) is_cluster: bool,
    pub(super) is_loading: bool,
    pub(super) replicas: u64,
    pub(super) replication_id: String,
    pub(super) has_aof: bool,
    pub(super) eviction: String,
    pub(super) used_memory: u64,
    pub(super) max_memory: u64,
    pub(super) clients: u64,
    pub(super) max_clients: u64,
    /// Whether each write is on the disk before the reply; `None`: the user may not read this setting.
    pub(super) syncs_always: Option<bool>,
    /// The engine's clock in milliseconds since 1970, and this machine's at that moment.
    pub(super) clock: Option<(u64, Timestamp)>,
}

impl Info {
    pub(super) fn parse(text: &str) -> Info {
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        let word = |name| field(name).unwrap_or_default().to_owned();
        let number = |name| field(name).and_then(|n| n.parse().ok()).unwrap_or(0);
        let is_on = |name| field(name) == Some("1");
        let valkey = field("valkey_version");
        Info {
            is_valkey: valkey.is_some(),
            version: valkey.map_or_else(|| word("redis_version"), str::to_owned),
            is_primary: field("role") == Some("master"),
            is_cluster: is_on("cluster_enabled"),
            is_loading: is_on("loading"),
            replicas: number("connected_slaves"),
            replication_id: word("master_replid"),
            has_aof: is_on("aof_enabled"),
            eviction: word("maxmemory_policy"),
            used_memory: number("used_memory"),
            max_memory: number("maxmemory"),
            clients: number("connected_clients"),
            max_clients: number("maxclients"),
            syncs_always: None,
            clock: None,
        }
    }

    /// Major and minor version.
    pub(super) fn release(&self) -> (u32, u32) {
        let mut parts = self
            .version
            .split('.')
            .map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }

    /// Whether the engine has `WAITAOF`.
    pub(super) fn has_wait_aof(&self) -> bool {
        self.release() >= (7, 2)
    }
}

/// Makes the connections of a test fail after a number of writes and reads, until they are allowed again.
#[cfg(test)]
pub(super) mod crash {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
        static HAS_STRUCK: Cell<bool> = const { Cell::new(false) };
    }

    pub(in crate::spool::redis) fn after(operations: Option<u64>) {
        LEFT.set(operations);
        HAS_STRUCK.set(false);
    }

    pub(in crate::spool::redis) fn has_struck() -> bool {
        HAS_STRUCK.get()
    }

    pub(super) fn pass() -> io::Result<()> {
        let Some(left) = LEFT.get() else {
            return Ok(());
        };
        match left.checked_sub(1) {
            Some(left) if !HAS_STRUCK.get() => {
                LEFT.set(Some(left));
                Ok(())
            }
            _ => {
                HAS_STRUCK.set(true);
                Err(io::Error::other("the process crashed"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_of_redis_and_valkey_is_parsed() {
        let redis = Info::parse(
            "# Server\r\nredis_version:7.0.15\r\nrole:master\r\naof_enabled:1\r\nmaxmemory_policy:noeviction\r\n\
             master_replid:abc\r\nmaxmemory:0\r\nmaxmemory_human:0B\r\n",
        );
        assert_eq!((redis.is_valkey, redis.release()), (false, (7, 0)));
        assert!(redis.is_primary && redis.has_aof && !redis.has_wait_aof());
        assert_eq!(redis.replication_id, "abc");
        let valkey = Info::parse("redis_version:7.2.4\r\nvalkey_version:8.1.0\r\nrole:slave\r\n");
        assert_eq!((valkey.is_valkey, valkey.release()), (true, (8, 1)));
        assert!(!valkey.is_primary && valkey.has_wait_aof());
    }
}
