//! An engine with a planted fault, and tests that the kit finds it.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use super::wrapped::{Interceptor, LeaseSlot, SharedLease, Wrapped};
use super::{DeadOrder, Engine};
use crate::options::{Durability, QueueSettings};
use crate::outcome::{Error, Status};
use crate::spool::{Fate, Gate, Item, LeaseError, NewItem, Position, Settlement, Spool};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No fault, to show that the kit finds the fault and not the wrapper.
    None,
    OneItemTooMany,
    OneByteTooMany,
    SettledItemFetchedAgain,
    StaleSettlementAccepted,
    /// A torn record is read as valid. Needs `Engine::crash_after`.
    TornRecordAccepted,
    /// A sync is skipped. Needs `Engine::power_cut`.
    SkippedSync,
}

/// A fault as a type.
pub(crate) trait Planted {
    const FAULT: Fault;
}

macro_rules! planted {
    ($($fault:ident)*) => {
        $(pub(crate) struct $fault;

        impl Planted for $fault {
            const FAULT: Fault = Fault::$fault;
        })*
    };
}

/// No fault; the name `None` is in use.
pub(crate) struct Nothing;

impl Planted for Nothing {
    const FAULT: Fault = Fault::None;
}

planted! {
    OneItemTooMany
    OneByteTooMany
    SettledItemFetchedAgain
    StaleSettlementAccepted
    TornRecordAccepted
    SkippedSync
}

/// An engine with a fault in it.
pub(crate) struct Faulty<E, P> {
    inner: E,
    saboteur: Arc<Saboteur>,
    planted: PhantomData<P>,
}

#[derive(Debug)]
struct Saboteur {
    fault: Fault,
    latest_lease: Mutex<Weak<LeaseSlot>>,
    delivered: Mutex<Vec<Item>>,
    torn: Mutex<Option<NewItem>>,
}

impl Interceptor for Saboteur {
    fn push(&self, inner: &dyn Spool, item: &NewItem, deadline: Instant) -> Result<(), Error> {
        let answer = inner.push(item, deadline);
        let is_interrupted = matches!(&answer, Err(e) if e.status() != Status::QueueFull);
        if is_interrupted && self.fault == Fault::TornRecordAccepted {
            let mut torn = item.clone();
            torn.body.pop();
            *self.torn.lock().unwrap() = Some(torn);
        }
        answer
    }

    fn acquired(&self, lease: &SharedLease) {
        *self.latest_lease.lock().unwrap() = Arc::downgrade(lease);
    }

    fn fetched(&self, origin: &str, limit: usize, skip: &HashSet<Position>, items: &mut Vec<Item>) {
        let delivered = self.delivered.lock().unwrap();
        let again = delivered.last().filter(|item| {
            &*item.origin == origin && !skip.contains(&item.position) && items.len() < limit
        });
        if let Some(item) = again {
            items.insert(0, item.clone());
        }
    }

    fn settle(
        &self,
        lease: &SharedLease,
        settlements: &[Settlement],
        gates: &[(Arc<str>, Gate)],
    ) -> Result<(), LeaseError> {
        let settle = |lease: &SharedLease| {
            super::wrapped::lock(lease)
                .as_mut()
                .map_or(Err(LeaseError::Lost), |l| l.settle(settlements, gates))
        };
        match settle(lease) {
            Err(LeaseError::Lost) if self.fault == Fault::StaleSettlementAccepted => {
                let latest = self.latest_lease.lock().unwrap().upgrade();
                latest.map_or(Err(LeaseError::Lost), |latest| settle(&latest))?;
            }
            answer => answer?,
        }
        if self.fault == Fault::SettledItemFetchedAgain {
            let delivered = settlements.iter().filter(|s| s.fate == Fate::Delivered);
            let items = delivered.map(|s| s.item.clone());
            self.delivered.lock().unwrap().extend(items);
        }
        Ok(())
    }
}

impl<E: Engine, P: Planted> Engine for Faulty<E, P> {
    const SURVIVES: bool = E::SURVIVES;
    const IS_SHARED: bool = E::IS_SHARED;
    const DEAD_ORDER: DeadOrder = E::DEAD_ORDER;
    const MODEL_STEPS: u32 = E::MODEL_STEPS;
    const CRASH_SPAN: u64 = E::CRASH_SPAN;
    const IGNORES_REPEATED_IDS: bool = E::IGNORES_REPEATED_IDS;

    fn new(settings: &QueueSettings) -> Faulty<E, P> {
        let mut settings = settings.clone();
        match P::FAULT {
            Fault::OneItemTooMany => settings.max_items += 1,
            Fault::OneByteTooMany => settings.max_bytes += 1,
            Fault::SkippedSync => settings.durability = Durability::Process,
            _ => {}
        }
        Faulty {
            inner: E::new(&settings),
            saboteur: Arc::new(Saboteur {
                fault: P::FAULT,
                latest_lease: Mutex::default(),
                delivered: Mutex::default(),
                torn: Mutex::default(),
            }),
            planted: PhantomData,
        }
    }

    fn open(&self) -> Box<dyn Spool> {
        Box::new(Wrapped {
            inner: self.inner.open(),
            interceptor: Arc::clone(&self.saboteur),
        })
    }

    fn expire_lease(&self) {
        self.inner.expire_lease();
    }

    fn restart(&mut self) {
        self.inner.restart();
        self.saboteur.delivered.lock().unwrap().clear();
        if let Some(torn) = self.saboteur.torn.lock().unwrap().take() {
            let _ = self.inner.open().push(&torn, super::soon());
        }
    }

    fn crash_after(&self, writes: u64) -> bool {
        self.inner.crash_after(writes)
    }

    fn has_crashed(&self) -> bool {
        self.inner.has_crashed()
    }

    fn power_cut(&mut self) -> Option<()> {
        self.inner.power_cut()
    }

    fn has_in_files(&self, text: &str) -> Option<bool> {
        self.inner.has_in_files(text)
    }

    fn open_copy(&self, copy: &Path) -> Option<Box<dyn Spool>> {
        self.inner.open_copy(copy)
    }
}

/// Steps of the model test within which a planted fault must be found.
pub(crate) const STEPS: u32 = 3000;

/// Asserts that a test fails.
pub(crate) fn assert_found(test: fn()) {
    // Its output is captured with the output of this test.
    let outcome = std::panic::catch_unwind(test);
    assert!(outcome.is_err(), "the planted fault was not found");
}

/// The faults that can be planted in any engine.
macro_rules! fault_tests {
    ($engine:ty) => {
        mod faults {
            use super::*;
            use $crate::spool::kit::faulty::*;
            use $crate::spool::kit::sequence::run_fixed;
            use $crate::spool::kit::{lease, limits, order};

            #[test]
            fn kit_and_model_pass_when_no_fault_is_planted() {
                type Sound = Faulty<$engine, Nothing>;
                limits::max_items_is_exact_when_overflow_refuses::<Sound>();
                limits::max_bytes_is_exact_when_overflow_refuses::<Sound>();
                order::completed_item_is_not_fetched_again::<Sound>();
                lease::stale_lease_is_refused_when_another_drainer_leads::<Sound>();
                run_fixed::<Sound>(STEPS);
            }

            #[test]
            fn kit_and_model_fail_when_max_items_is_off_by_one() {
                type Unsound = Faulty<$engine, OneItemTooMany>;
                assert_found(limits::max_items_is_exact_when_overflow_refuses::<Unsound>);
                assert_found(limits::max_items_is_exact_when_overflow_drops_the_oldest::<Unsound>);
                assert_found(|| run_fixed::<Unsound>(STEPS));
            }

            #[test]
            fn kit_and_model_fail_when_max_bytes_is_off_by_one() {
                type Unsound = Faulty<$engine, OneByteTooMany>;
                assert_found(limits::max_bytes_is_exact_when_overflow_refuses::<Unsound>);
                assert_found(limits::max_bytes_is_exact_when_overflow_drops_the_oldest::<Unsound>);
                assert_found(|| run_fixed::<Unsound>(STEPS));
            }

            #[test]
            fn kit_and_model_fail_when_a_completed_item_is_fetched_again() {
                type Unsound = Faulty<$engine, SettledItemFetchedAgain>;
                assert_found(order::completed_item_is_not_fetched_again::<Unsound>);
                assert_found(|| run_fixed::<Unsound>(STEPS));
            }

            #[test]
            fn kit_and_model_fail_when_a_stale_settlement_is_accepted() {
                type Unsound = Faulty<$engine, StaleSettlementAccepted>;
                assert_found(lease::stale_lease_is_refused_when_another_drainer_leads::<Unsound>);
                assert_found(lease::settle_records_nothing_when_the_lease_is_lost::<Unsound>);
                assert_found(|| run_fixed::<Unsound>(STEPS));
            }
        }
    };
}
pub(crate) use fault_tests;

/// The faults that can be planted only in an engine with files.
macro_rules! file_fault_tests {
    ($engine:ty) => {
        mod file_faults {
            use super::*;
            use $crate::spool::kit::faulty::*;
            use $crate::spool::kit::restart;
            use $crate::spool::kit::sequence::run_fixed;

            #[test]
            fn crash_kit_passes_when_no_fault_is_planted() {
                type Sound = Faulty<$engine, Nothing>;
                restart::push_is_atomic_when_it_is_interrupted::<Sound>();
                restart::accepted_items_survive_a_power_cut_when_durability_is_disk::<Sound>();
            }

            #[test]
            fn kit_and_model_fail_when_a_torn_record_is_accepted() {
                type Unsound = Faulty<$engine, TornRecordAccepted>;
                assert_found(restart::push_is_atomic_when_it_is_interrupted::<Unsound>);
                assert_found(|| run_fixed::<Unsound>(STEPS));
            }

            #[test]
            fn kit_fails_when_a_sync_is_skipped() {
                type Unsound = Faulty<$engine, SkippedSync>;
                assert_found(
                    restart::accepted_items_survive_a_power_cut_when_durability_is_disk::<Unsound>,
                );
            }
        }
    };
}
pub(crate) use file_fault_tests;
