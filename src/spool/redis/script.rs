//! The Lua scripts: each is one atomic step of the engine. The engine knows a script by its SHA-1.

use once_cell::race::OnceBox;
use sha1::{Digest, Sha1};

use super::resp::Command;

/// More than the bytes of a call by SHA-1 before its arguments, without the prefix.
const HEAD: usize = 100;

/// A script, and the SHA-1 by which it is called.
pub(super) struct Script {
    text: &'static str,
    /// Several threads may compute it at the same time. A lock could stay held in a forked child.
    digest: OnceBox<String>,
}

macro_rules! script {
    ($($file:literal),*) => {
        Script {
            text: concat!(include_str!("scripts/keys.lua"), $(include_str!($file)),*),
            digest: OnceBox::new(),
        }
    };
}

macro_rules! scripts {
    ($($name:ident = $file:literal;)*) => {
        $(pub(super) static $name: Script = script!("scripts/prelude.lua", $file);)*
    };
}

/// An enqueue waits for this script. It has no prelude, because running the prelude takes 2 µs.
pub(super) static PUSH: Script = script!("scripts/push.lua");
/// The same for a spool that drops the oldest notifications when it is full.
pub(super) static PUSH_DROPPING: Script = script!(
    "scripts/prelude.lua",
    "scripts/make_room.lua",
    "scripts/push.lua"
);

scripts! {
    ACQUIRE = "scripts/acquire.lua";
    RELEASE = "scripts/release.lua";
    POLL = "scripts/poll.lua";
    AHEAD = "scripts/ahead.lua";
    BEGIN = "scripts/begin.lua";
    SETTLE = "scripts/settle.lua";
    MAINTAIN = "scripts/maintain.lua";
    TOTALS = "scripts/totals.lua";
    GATE = "scripts/gate.lua";
    RECEIPT = "scripts/receipt.lua";
    HEADS = "scripts/heads.lua";
    LIST = "scripts/list.lua";
    OVERVIEW = "scripts/overview.lua";
    REQUEUE = "scripts/requeue.lua";
    DISCARD = "scripts/discard.lua";
    PURGE = "scripts/purge.lua";
    PROBE = "scripts/probe.lua";
    RIGHTS = "scripts/rights.lua";
}

impl Script {
    /// A call by SHA-1. The engine replies `NOSCRIPT` if it does not know the script.
    pub(super) fn by_name(&self, prefix: &str, arguments: &Command) -> Command {
        let digest = self
            .digest
            .get_or_init(|| Box::new(hex::encode(Sha1::digest(self.text))));
        let call = Command::with_capacity(arguments.len() + prefix.len() + HEAD);
        let call = call.arg("EVALSHA").arg(digest).arg("1").arg(prefix);
        call.with_all(arguments)
    }

    /// The same call with the text of the script. The engine remembers the script.
    pub(super) fn with_text(&self, prefix: &str, arguments: &Command) -> Command {
        let call = Command::new("EVAL").arg(self.text).arg("1").arg(prefix);
        call.with_all(arguments)
    }
}
