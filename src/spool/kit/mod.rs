//! The conformance kit: tests that every engine must pass.
//!
//! An engine implements [`Engine`] in its tests and calls `conformance_tests!`, which makes one `#[test]` of every
//! case and of the model test. `faulty` plants faults in an engine and shows that the kit finds them.

pub(crate) mod dead;
pub(crate) mod faulty;
pub(crate) mod lease;
pub(crate) mod ledger;
pub(crate) mod limits;
pub(crate) mod model;
pub(crate) mod odd;
pub(crate) mod order;
pub(crate) mod receipts;
pub(crate) mod restart;
pub(crate) mod sequence;
mod steps;
mod wrapped;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Counts, Fate, Item, Lease, NewItem, Position, Settlement, Spool, StoredItem, Totals};
use crate::host::Timestamp;
use crate::notification::{self, Kind};
use crate::options::{Config, QueueSettings};
use crate::outcome::Status;

/// The order of dead letters: `max_dead` drops the first one, and lists begin with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeadOrder {
    Acceptance,
    Death,
}

/// One spool of the engine under test, and outside events that a test can cause.
///
/// The test drops every handle and lease before it calls a method that takes `&mut self`.
pub(crate) trait Engine: Sized {
    /// Whether a spool outlives the processes that use it.
    const SURVIVES: bool;
    /// Whether every handle is a separate producer, as if it were in its own process.
    const IS_SHARED: bool;
    const DEAD_ORDER: DeadOrder;
    /// Steps of the model test in every run of the tests.
    const MODEL_STEPS: u32;
    /// The greatest argument of `crash_after` in the model test: about what ten calls write.
    const CRASH_SPAN: u64 = 400;

    /// Whether a push is ignored if its id is pending or has a receipt.
    const IGNORES_REPEATED_IDS: bool = false;

    /// A new, empty spool. `settings.spool` is not set: the engine chooses a place.
    fn new(settings: &QueueSettings) -> Self;

    /// Opens a handle, as a process does.
    fn open(&self) -> Box<dyn Spool>;

    /// Lets the present lease expire, as if its holder hung: the next `acquire` succeeds.
    fn expire_lease(&self);

    /// Kills every process that uses the spool. Written data stays, and calls succeed again.
    fn restart(&mut self);

    /// Arms a crash: after `writes` more bytes or operations, every call fails until `restart`. Returns false if the
    /// engine has no writes that could be cut in half.
    fn crash_after(&self, _writes: u64) -> bool {
        false
    }

    /// Whether the armed crash has happened.
    fn has_crashed(&self) -> bool {
        false
    }

    /// Like `restart`, but only synced data stays. `None`: the engine has no disk.
    fn power_cut(&mut self) -> Option<()> {
        None
    }

    /// Whether a file of the spool contains the text. `None`: the engine has no files.
    fn has_in_files(&self, _text: &str) -> Option<bool> {
        None
    }

    /// Opens a copy that `backup` made. `None`: the engine has no files.
    fn open_copy(&self, _copy: &Path) -> Option<Box<dyn Spool>> {
        None
    }
}

/// Makes one test of every case, and of the model test, for an engine.
macro_rules! conformance_tests {
    ($engine:ty) => {
        $crate::spool::kit::tests_of_cases! { $engine,
            order {
                items_are_fetched_oldest_first_when_several_producers_push
                fetch_returns_only_its_origin_when_there_are_several
                fetch_passes_over_skipped_items
                fetch_returns_no_more_than_its_limit
                item_is_fetched_again_until_it_is_completed
                completed_item_is_not_fetched_again
                retried_item_keeps_its_position_and_its_attempts
                retried_item_waits_for_its_pause
                retried_item_waits_for_its_pause_when_the_wall_clock_is_set
                retried_item_is_fetched_within_its_pause_when_its_age_is_uncertain
                overdue_returns_items_older_than_max_age
                overdue_passes_over_untried_items_when_their_age_is_uncertain
                overdue_ignores_pauses_and_respects_skip_and_origin
                poll_returns_true_once_when_something_was_pushed
                end_is_fetched_once_everything_older_of_its_session_is_completed
                end_is_fetched_when_only_other_sessions_or_origins_have_older_items
            }
            lease {
                lease_is_granted_to_one_drainer_at_a_time
                begun_item_is_marked_when_the_next_drainer_fetches_it
                begun_item_is_marked_when_an_operator_lists_it
                begun_item_is_not_marked_after_its_result_was_recorded
                begin_is_refused_when_the_lease_is_lost
                lease_is_granted_at_once_after_a_release_or_a_drop
                stale_lease_is_refused_when_another_drainer_leads
                stale_lease_does_not_release_the_next_one_when_it_is_dropped
                totals_include_every_settlement_after_a_release
                settle_records_nothing_when_the_lease_is_lost
                settle_ignores_items_that_were_already_completed
                settle_counts_a_delivery_when_the_item_was_dropped_in_flight
                settle_ignores_other_fates_when_the_item_was_dropped_in_flight
            }
            limits {
                max_items_is_exact_when_overflow_refuses
                max_bytes_is_exact_when_overflow_refuses
                max_items_is_exact_when_overflow_drops_the_oldest
                max_bytes_is_exact_when_overflow_drops_the_oldest
                body_larger_than_max_bytes_is_refused_and_drops_nothing
                completed_items_free_room_and_retried_items_do_not
                limits_hold_for_all_handles_together
                dead_letters_do_not_count_towards_the_limits_and_can_be_requeued_over_them
            }
            ledger {
                counters_change_with_every_fate
                process_counters_count_the_items_of_the_handle
                totals_return_bytes_and_the_age_of_the_oldest_item
                totals_return_age_and_latency_of_the_last_deliveries
                mark_is_settled_once_everything_before_it_has_left
                gate_is_stored_for_each_origin
                probe_now_ends_the_pause_of_every_origin_that_is_backing_off
                origins_are_listed_once_each
                list_returns_pages
                overview_returns_dead_letters_by_status
                overview_returns_the_leader
                spool_call_returns_when_its_deadline_has_passed
            }
            receipts {
                receipt_of_a_pending_item_shows_its_last_attempt
                receipt_shows_the_outcome_of_a_completed_item
                receipt_of_a_dropped_item_has_the_status_dropped
                receipt_of_an_unknown_id_is_none
                receipt_is_the_newest_when_an_id_was_used_twice
                repeated_push_is_ignored_while_its_receipt_exists
                repeated_push_is_accepted_when_no_receipt_is_kept
                receipt_is_discarded_after_its_retention
                receipts_are_not_kept_when_the_retention_is_zero
                receipts_of_the_last_20000_are_kept
                known_ids_are_those_with_a_receipt
            }
            dead {
                dead_letter_is_returned_with_its_details
                oldest_dead_letters_are_dropped_over_max_dead
                dead_letters_are_dropped_at_once_when_max_dead_is_zero
                requeued_letters_are_delivered_last_with_their_new_body
                requeue_returns_only_the_number_of_existing_dead_letters
                discarded_dead_letter_counts_as_dropped
                purge_drops_pending_items_and_dead_letters_of_one_person
                purge_works_when_bodies_are_not_json
                purge_leaves_no_copy_of_a_delivered_body
            }
            odd {
                odd_ids_round_trip
                odd_origins_round_trip
                odd_bodies_round_trip
                odd_details_round_trip
                extreme_numbers_round_trip
            }
            restart {
                spool_keeps_everything_after_a_restart
                begun_item_is_marked_after_a_restart
                begun_item_is_marked_after_a_power_cut_when_durability_is_disk
                memory_spool_is_empty_after_a_restart
                lease_is_granted_at_once_after_a_restart
                push_is_atomic_when_it_is_interrupted
                settle_is_atomic_when_it_is_interrupted
                purge_leaves_no_receipt_when_it_is_interrupted
                accepted_items_survive_a_power_cut_when_durability_is_disk
                backup_holds_everything_that_is_pending
            }
        }

        #[test]
        fn engine_agrees_with_the_model() {
            $crate::spool::kit::sequence::run::<$engine>();
        }
    };
}
pub(crate) use conformance_tests;

macro_rules! tests_of_cases {
    ($engine:ty, $($module:ident { $($case:ident)* })*) => {
        $(mod $module {
            use super::*;

            $(#[test]
            fn $case() {
                $crate::spool::kit::$module::$case::<$engine>();
            })*
        })*
    };
}
pub(crate) use tests_of_cases;

pub(crate) const SHOP: &str = "https://shop.example:443/prefix";
pub(crate) const OTHER: &str = "http://127.0.0.1:8080";

/// Limits that no case reaches unless it lowers them.
pub(crate) fn settings() -> QueueSettings {
    Config::new().queue_settings().unwrap()
}

/// A deadline that no call needs.
pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// A time during one boot of the machine, in milliseconds after its start.
pub(crate) fn at(ms: u64) -> Timestamp {
    Timestamp {
        unix_ms: 1_700_000_000_000 + ms,
        uptime_ms: 5_000_000 + ms,
        boot: 7,
    }
}

/// A time with only a wall clock.
pub(crate) fn wall(ms: u64) -> Timestamp {
    Timestamp {
        unix_ms: 1_700_000_000_000 + ms,
        uptime_ms: 0,
        boot: 0,
    }
}

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The n-th item of a case: id `n-1` and so on, with a body of its own.
pub(crate) fn item(n: u64) -> NewItem {
    NewItem {
        id: format!("n-{n}"),
        origin: Arc::from(SHOP),
        path: notification::path(Kind::AddToCart, None),
        body: format!("{{\"n\":{n}}}"),
        accepted: at(0),
        attempts: 0,
        detail: String::new(),
    }
}

/// The n-th item of this session; with `ends`, the end of the session.
pub(crate) fn of_session(n: u64, session: &str, ends: bool) -> NewItem {
    let kind = if ends { Kind::End } else { Kind::Click };
    NewItem {
        path: notification::path(kind, None),
        body: format!("{{\"sessionKey\":\"{session}\",\"n\":{n}}}"),
        ..item(n)
    }
}

pub(crate) fn push_all(spool: &dyn Spool, numbers: std::ops::RangeInclusive<u64>) {
    for n in numbers {
        spool.push(&item(n), soon()).unwrap();
    }
}

/// Reads repeatedly, for a few seconds, until the value is as expected; returns the last value. A process that another
/// test starts has a copy of every lock until it runs its program, so a lease that was just released may look held.
pub(crate) fn until<T>(mut read: impl FnMut() -> T, is_as_expected: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let found = read();
        if is_as_expected(&found) || Instant::now() >= deadline {
            return found;
        }
        std::thread::yield_now();
    }
}

pub(crate) fn lead(spool: &dyn Spool) -> Box<dyn Lease> {
    let free = until(|| spool.acquire(soon()).unwrap(), |lease| lease.is_some());
    let mut lease = free.expect("the lease is free");
    refresh(&mut *lease);
    lease
}

/// Polls until there are no more changes.
pub(crate) fn refresh(lease: &mut dyn Lease) {
    for _ in 0..100_000 {
        if !lease.poll(at(0)).unwrap() {
            return;
        }
    }
    panic!("poll never returned false");
}

/// All items of an origin that may be tried.
pub(crate) fn fetch(lease: &mut dyn Lease, origin: &str, now: Timestamp) -> Vec<Item> {
    refresh(lease);
    lease.fetch(origin, now, 1000, &HashSet::new()).unwrap()
}

pub(crate) fn ids(items: &[Item]) -> Vec<&str> {
    items.iter().map(|i| i.id.as_str()).collect()
}

pub(crate) fn stored_ids(items: &[StoredItem]) -> Vec<&str> {
    items.iter().map(|s| s.item.id.as_str()).collect()
}

/// The settlement of one more attempt.
pub(crate) fn settlement(item: &Item, fate: Fate, at: Timestamp) -> Settlement {
    let (status, http_status) = match fate {
        Fate::Delivered => (Status::Delivered, Some(200)),
        Fate::Dead => (Status::Rejected, Some(422)),
        Fate::Expired => (Status::Expired, None),
        Fate::Retry { .. } => (Status::ServerError, Some(503)),
    };
    let attempts = item.attempts + u32::from(fate != Fate::Expired);
    Settlement {
        item: Item {
            attempts,
            ..item.clone()
        },
        fate,
        status,
        http_status,
        detail: format!("{} after {attempts}", status.name()),
        latency: ms(12),
        at,
    }
}

/// Settles all these items with the same fate, at `at(50)`.
pub(crate) fn settle(lease: &mut dyn Lease, items: &[Item], fate: Fate) {
    let settlements: Vec<Settlement> = items
        .iter()
        .map(|item| settlement(item, fate, at(50)))
        .collect();
    lease.settle(&settlements, &[]).unwrap();
}

pub(crate) fn totals(spool: &dyn Spool) -> Totals {
    let totals = spool.totals(soon()).unwrap();
    assert!(totals.spool.is_balanced(), "{:?}", totals.spool);
    assert!(totals.process.is_balanced(), "{:?}", totals.process);
    totals
}

/// `[accepted, delivered, dead, expired, dropped, pending]` of the spool.
pub(crate) fn counts(spool: &dyn Spool) -> [u64; 6] {
    numbers(totals(spool).spool)
}

pub(crate) fn numbers(counts: Counts) -> [u64; 6] {
    [
        counts.accepted,
        counts.delivered,
        counts.dead,
        counts.expired,
        counts.dropped,
        counts.pending,
    ]
}

/// Reads a list page by page.
pub(crate) fn all_pages(
    mut page: impl FnMut(Option<Position>) -> Vec<StoredItem>,
) -> Vec<StoredItem> {
    let mut all: Vec<StoredItem> = Vec::new();
    loop {
        let after = all.last().map(|s| s.item.position);
        let more = page(after);
        for stored in &more {
            let last = all.last().map(|s| s.item.position);
            assert!(last < Some(stored.item.position), "positions ascend");
            all.push(stored.clone());
        }
        if more.is_empty() {
            return all;
        }
    }
}

pub(crate) fn all_pending(spool: &dyn Spool) -> Vec<StoredItem> {
    all_pages(|after| spool.pending(after, 100, soon()).unwrap())
}

pub(crate) fn all_dead(spool: &dyn Spool) -> Vec<StoredItem> {
    all_pages(|after| spool.dead(after, 100, soon()).unwrap())
}
