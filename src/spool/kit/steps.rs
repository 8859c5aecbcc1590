//! The steps of the model test, and their probabilities.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::settings;
use crate::options::QueueSettings;

pub(crate) const HANDLES: usize = 3;
pub(crate) const ORIGINS: [&str; 3] = [super::SHOP, super::OTHER, "http://[::1]:9/odd\torigin\n"];
pub(crate) const OWNERS: [&str; 3] = ["ann", "bo", "cy"];

/// The length of a body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Filler {
    Bytes(usize),
    /// Until `max_bytes` is reached, or exceeded by this much.
    ToTheLimit {
        over: usize,
    },
}

/// The relation of an item to the session of its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    /// Its body has no session.
    None,
    Within,
    End,
}

/// A step. The numbers choose among the items that exist at that time.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Push {
        producer: usize,
        origin: usize,
        owner: usize,
        filler: Filler,
        attempts: u32,
        has_common_id: bool,
        session: Session,
    },
    Acquire {
        handle: usize,
    },
    Release {
        is_regular: bool,
    },
    /// The drainer hangs until another one has the lease, and then tries to settle.
    Hang {
        handle: usize,
    },
    Poll,
    Fetch {
        origin: usize,
        limit: usize,
    },
    Overdue {
        origin: usize,
    },
    /// The deliveries of some items that are in flight begin.
    Begin {
        which: Vec<usize>,
    },
    Settle {
        fates: Vec<(usize, u8)>,
        gate: Option<(usize, u32, u64)>,
    },
    SettleAgain {
        which: usize,
        fate: u8,
    },
    Maintain,
    Advance {
        ms: u64,
    },
    SetWallClock {
        days: i64,
    },
    Mark {
        handle: usize,
    },
    Requeue {
        handle: usize,
        which: u8,
    },
    Discard {
        handle: usize,
        which: u8,
    },
    Purge {
        handle: usize,
        owner: usize,
    },
    ProbeNow {
        handle: usize,
    },
    /// A process ends, and another one starts.
    Reopen {
        handle: usize,
    },
    Restart,
    /// During one of the next calls all processes are killed, and perhaps again during the next start.
    Crash {
        after: u64,
        again: Option<u64>,
    },
}

fn filler() -> impl Strategy<Value = Filler> {
    prop_oneof![
        6 => prop_oneof![Just(0_usize), 0..12_usize, Just(60)].prop_map(Filler::Bytes),
        1 => (0..2_usize).prop_map(|over| Filler::ToTheLimit { over }),
    ]
}

fn session() -> impl Strategy<Value = Session> {
    prop_oneof![
        6 => Just(Session::None),
        2 => Just(Session::Within),
        1 => Just(Session::End),
    ]
}

pub(crate) fn step(crash_span: u64) -> impl Strategy<Value = Step> {
    let handle = 0..HANDLES;
    let origin = 0..ORIGINS.len();
    prop_oneof![
        30 => (
            (handle.clone(), origin.clone(), 0..OWNERS.len()),
            (filler(), 0..2_u32, proptest::bool::weighted(0.1), session()),
        ).prop_map(|((producer, origin, owner), (filler, attempts, has_common_id, session))| Step::Push {
            producer, origin, owner, filler, attempts, has_common_id, session,
        }),
        8 => handle.clone().prop_map(|handle| Step::Acquire { handle }),
        2 => any::<bool>().prop_map(|is_regular| Step::Release { is_regular }),
        2 => handle.clone().prop_map(|handle| Step::Hang { handle }),
        3 => Just(Step::Poll),
        18 => (origin.clone(), 0..5_usize).prop_map(|(origin, limit)| Step::Fetch { origin, limit }),
        4 => origin.clone().prop_map(|origin| Step::Overdue { origin }),
        4 => vec(0..8_usize, 0..3).prop_map(|which| Step::Begin { which }),
        16 => (
            vec((0..8_usize, 0..6_u8), 0..4),
            proptest::option::weighted(0.3, (origin, 0..3_u32, 0..5000_u64)),
        ).prop_map(|(fates, gate)| Step::Settle { fates, gate }),
        3 => (0..8_usize, 0..6_u8).prop_map(|(which, fate)| Step::SettleAgain { which, fate }),
        2 => Just(Step::Maintain),
        10 => prop_oneof![Just(1_u64), Just(9), Just(10), 1..3000_u64].prop_map(|ms| Step::Advance { ms }),
        2 => (-40..40_i64).prop_map(|days| Step::SetWallClock { days }),
        3 => handle.clone().prop_map(|handle| Step::Mark { handle }),
        3 => (handle.clone(), any::<u8>()).prop_map(|(handle, which)| Step::Requeue { handle, which }),
        2 => (handle.clone(), any::<u8>()).prop_map(|(handle, which)| Step::Discard { handle, which }),
        2 => (handle.clone(), 0..OWNERS.len()).prop_map(|(handle, owner)| Step::Purge { handle, owner }),
        2 => handle.clone().prop_map(|handle| Step::ProbeNow { handle }),
        2 => handle.prop_map(|handle| Step::Reopen { handle }),
        1 => Just(Step::Restart),
        4 => (0..=crash_span, proptest::option::weighted(0.3, 0..=crash_span))
            .prop_map(|(after, again)| Step::Crash { after, again }),
    ]
}

pub(crate) fn limits() -> impl Strategy<Value = QueueSettings> {
    (
        1..=6_u64,
        prop_oneof![20..=90_u64, Just(1 << 20)],
        any::<bool>(),
        0..=3_u64,
        prop_oneof![Just(0_u64), Just(2), Just(1000)],
    )
        .prop_map(
            |(max_items, max_bytes, drops_oldest, max_dead, retention)| QueueSettings {
                max_items,
                max_bytes,
                drops_oldest,
                max_dead,
                receipt_retention: Duration::from_secs(retention),
                ..settings()
            },
        )
}
