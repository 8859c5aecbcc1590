//! `esales_stats`: the queue in numbers.

use std::mem::offset_of;
use std::time::Duration;

use super::sized::{self, CallerStruct, Growing};
use crate::outcome::Error;
use crate::queue::Stats;

/// The counters of a queue. Begin with ESALES_STATS_INIT. The caller owns it, and there is nothing
/// to free. At every moment accepted = delivered + dead + expired + dropped + pending. The same
/// holds for the members that begin with process_.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct esales_stats {
    /// sizeof(esales_stats), set by ESALES_STATS_INIT.
    pub struct_size: u32,
    /// Number of consecutive failed deliveries. 0: deliveries are not backing off.
    pub gate_failures: u32,
    /// Time until the next delivery is tried, in milliseconds. 0: deliveries are not backing off,
    /// or the next one is due.
    pub gate_closed_ms: u64,
    /// Notifications that the queue has accepted from all processes since the spool was made.
    pub accepted: u64,
    /// Accepted notifications that the service received (2xx).
    pub delivered: u64,
    /// Accepted notifications that became dead letters: the service refused them for good (400,
    /// 403, ...), or they are payments that may have arrived. The spool keeps dead letters for an
    /// operator.
    pub dead: u64,
    /// Accepted notifications that were not delivered within max_age_s.
    pub expired: u64,
    /// Accepted notifications that were dropped: to make room (overflow, max_dead), by an operator,
    /// or because a spool file was deleted or damaged.
    pub dropped: u64,
    /// Accepted notifications that are still to be delivered.
    pub pending: u64,
    /// Bytes of the pending notifications (their JSON).
    pub pending_bytes: u64,
    /// How long the oldest pending notification has been waiting, in milliseconds. 0: none is
    /// pending.
    pub oldest_age_ms: u64,
    /// Notifications that this process accepted through clients that share this client's queue.
    pub process_accepted: u64,
    /// Notifications of process_accepted that the service received (2xx), delivered by any process.
    pub process_delivered: u64,
    /// Notifications of process_accepted that became dead letters.
    pub process_dead: u64,
    /// Notifications of process_accepted that were not delivered within max_age_s.
    pub process_expired: u64,
    /// Notifications of process_accepted that were dropped.
    pub process_dropped: u64,
    /// Notifications of process_accepted that are still to be delivered.
    pub process_pending: u64,
    /// Calls by the same clients that returned ESALES_QUEUE_FULL or ESALES_SPOOL_FAILED.
    /// process_accepted does not include them.
    pub process_refused: u64,
    /// Time from acceptance to the service's answer, in milliseconds: median of the last 1000
    /// delivered notifications.
    pub age_p50_ms: u64,
    /// The 95th percentile of that time.
    pub age_p95_ms: u64,
    /// The 99th percentile of that time.
    pub age_p99_ms: u64,
    /// Duration of the successful attempt, in microseconds: median of the last 1000 delivered
    /// notifications.
    pub latency_p50_us: u64,
    /// The 95th percentile of that duration.
    pub latency_p95_us: u64,
    /// The 99th percentile of that duration.
    pub latency_p99_us: u64,
    /// Accepted notifications that the spool's engine has lost, because it restarted without its
    /// data or because a replica without the newest notifications became the primary. The true
    /// number may be greater. accepted does not include them. 0 for a spool in a directory or in
    /// memory.
    pub lost: u64,
}

// SAFETY: its first member is its size, and the others are numbers.
unsafe impl Growing for esales_stats {
    const SIZES: &'static [usize] = &[
        #[cfg(esales_test_grown)]
        sized::up_to::<Self>(offset_of!(Self, latency_p99_us), size_of::<u64>()),
        sized::up_to::<Self>(offset_of!(Self, lost), size_of::<u64>()),
    ];
}

/// Checks the caller's struct.
///
/// # Safety
/// `pointer` is NULL or points to a struct that is writable as long as the value lives.
pub(super) unsafe fn prepare(
    pointer: *mut esales_stats,
) -> Result<CallerStruct<esales_stats>, Error> {
    // SAFETY: the caller's promise.
    unsafe { CallerStruct::new("stats", pointer) }
}

/// Converts the statistics to their C struct.
pub(super) fn to_c(stats: &Stats) -> esales_stats {
    let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    let us = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    esales_stats {
        struct_size: size_of::<esales_stats>() as u32,
        gate_failures: stats.gate_failures,
        gate_closed_ms: stats.gate_closed_for.map_or(0, ms),
        accepted: stats.spool.accepted,
        delivered: stats.spool.delivered,
        dead: stats.spool.dead,
        expired: stats.spool.expired,
        dropped: stats.spool.dropped,
        pending: stats.spool.pending,
        pending_bytes: stats.pending_bytes,
        oldest_age_ms: ms(stats.oldest_age),
        process_accepted: stats.process.accepted,
        process_delivered: stats.process.delivered,
        process_dead: stats.process.dead,
        process_expired: stats.process.expired,
        process_dropped: stats.process.dropped,
        process_pending: stats.process.pending,
        process_refused: stats.process_refused,
        age_p50_ms: ms(stats.delivery_age.p50),
        age_p95_ms: ms(stats.delivery_age.p95),
        age_p99_ms: ms(stats.delivery_age.p99),
        latency_p50_us: us(stats.attempt_latency.p50),
        latency_p95_us: us(stats.attempt_latency.p95),
        latency_p99_us: us(stats.attempt_latency.p99),
        lost: stats.lost,
    }
}
