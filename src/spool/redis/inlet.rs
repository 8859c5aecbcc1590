//! Enqueues a notification: calls one script and acts on its reply.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::codec::About;
use super::engine::{Confirm, Failure};
use super::resp::{Command, Value};
use super::script::{PUSH, PUSH_DROPPING, Script};
use super::{RedisSpool, Shared};
use crate::host::{self, Timestamp, log};
use crate::outcome::Error;
use crate::spool::{Inlet, NewItem, full, new_producer};

/// Number of possibly lost notifications that are pushed again in one pipeline.
const PIECE: usize = 50;

/// About the length of the arguments of a push without the body, in bytes.
const ARGUMENTS: usize = 512;

/// The replies of the script.
const ACCEPTED: i64 = 1;
const KNOWN: i64 = 0;
const FULL: i64 = -1;

impl Shared {
    fn push_script(&self) -> &'static Script {
        match self.settings.drops_oldest {
            true => &PUSH_DROPPING,
            false => &PUSH,
        }
    }

    fn push_command(&self, item: &NewItem, producer: u64, producer_accepted: u64) -> Command {
        let limits = &self.settings;
        let (clock, now) = (self.clock(), Timestamp::now());
        let about = About {
            engine_ms: clock.engine_ms(item.accepted, now),
            accepted: item.accepted,
            producer,
            attempts: item.attempts,
            detail: &item.detail,
        };
        Command::with_capacity(item.body.len() + ARGUMENTS)
            .arg(item.origin.as_bytes())
            .arg(&item.id)
            .arg(item.path.as_bytes())
            .arg(&item.body)
            .arg(about.pack())
            .number(producer)
            .number(producer_accepted)
            .number(limits.max_items)
            .number(limits.max_bytes)
            .number(clock.engine_ms(now, now) / 1000)
            .number(self.receipt_ms())
    }

    /// Pushes recent notifications again if the engine's replication id has changed, because the engine may have lost
    /// them. They have the same ids, so none is accepted twice. False: the engine lacked some of
    /// them, or may still lack some.
    pub(super) fn push_unconfirmed(&self, deadline: Instant) -> bool {
        let mut acceptances = host::lock(&self.acceptances);
        let mut left = acceptances.take_unconfirmed(self.engine.replications());
        let (producer, accepted) = (acceptances.producer, acceptances.accepted);
        if left.is_empty() {
            return !acceptances.is_pushing_again();
        }
        drop(acceptances);
        let (total, mut again) = (left.len(), 0);
        while !left.is_empty() {
            let piece = left.get(..left.len().min(PIECE)).unwrap_or_default();
            let commands: Vec<Command> = piece
                .iter()
                .map(|item| self.push_command(item, producer, accepted))
                .collect();
            let script = self.push_script();
            let engine = &self.engine;
            let Ok(replies) = engine.call_all(script, &commands, Confirm::Engine, None, deadline)
            else {
                host::lock(&self.acceptances).put_back(left);
                return false;
            };
            let accepted_again = replies.iter().filter(|r| **r == Value::Number(ACCEPTED));
            again += accepted_again.count();
            left.drain(..commands.len());
        }
        if again > 0 {
            let newest = self.heads(deadline).map(|(newest, _)| newest.0);
            self.pushed_again
                .store(newest.unwrap_or(u64::MAX), Ordering::Relaxed);
            log::warn(|| {
                format!(
                    "{}: after a failover or a restart of the engine, {again} of the last {total} notifications were lost and are accepted again",
                    self.engine.place
                )
            });
        }
        host::lock(&self.acceptances).confirm();
        again == 0
    }

    fn push(&self, item: &NewItem, deadline: Instant) -> Result<i64, Failure> {
        self.engine.compare_clocks(deadline)?;
        let (producer, accepted) = {
            let mut acceptances = host::lock(&self.acceptances);
            acceptances.renew(|| new_producer().ok());
            (acceptances.producer, acceptances.accepted)
        };
        let command = self.push_command(item, producer, accepted);
        let commands = std::slice::from_ref(&command);
        let script = self.push_script();
        let engine = &self.engine;
        let replies = engine.call_all(script, commands, Confirm::Durability, None, deadline)?;
        match replies.first() {
            Some(Value::Number(answer)) => Ok(*answer),
            _ => Err(Failure {
                text: "the engine sent an unexpected reply".to_owned(),
                may_have_run: true,
            }),
        }
    }
}

impl Inlet for RedisSpool {
    fn push(&self, item: &NewItem, deadline: Instant) -> Result<(), Error> {
        let shared = &self.shared;
        let pushed = shared.push(item, deadline);
        let mut acceptances = host::lock(&shared.acceptances);
        match pushed {
            Ok(ACCEPTED) => acceptances.accept(item, &shared.settings),
            // An earlier call enqueued it, but that call did not receive the reply.
            Ok(KNOWN) if acceptances.is_unsure(&item.id) => {
                acceptances.accept(item, &shared.settings)
            }
            Ok(KNOWN) => {}
            Ok(FULL) => return Err(full(shared.settings.max_items, shared.settings.max_bytes)),
            Ok(_) => return Err(shared.odd()),
            Err(mut failure) => {
                if failure.may_have_run {
                    acceptances.doubt(&item.id);
                    failure.text.push_str(": it may yet be accepted");
                }
                return Err(shared.failed(&failure));
            }
        }
        drop(acceptances);
        shared.push_unconfirmed(deadline);
        Ok(())
    }
}
