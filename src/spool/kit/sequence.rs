//! The model test: random sequences of every call, by three producers, a drainer and an operator, with crashes and
//! restarts, compared with the model after each step.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};

use super::model::{Model, Snapshot};
use super::steps::{Filler, HANDLES, ORIGINS, OWNERS, Session, Step, limits, step};
use super::{Engine, SHOP, ms, soon, until};
use crate::host::Timestamp;
use crate::notification::{self, Kind};
use crate::options::QueueSettings;
use crate::outcome::{Error, Status};
use crate::spool::{
    Fate, Gate, Item, Lease, LeaseError, NewItem, Position, Settlement, Spool, StoredItem,
};

const MAX_AGE: Duration = Duration::from_secs(3);

/// Runs random sequences until the number of steps is reached. A failing sequence is shortened and printed.
pub(crate) fn run<E: Engine>() {
    let config = Config {
        failure_persistence: None,
        // A failing step prints a backtrace, which is slow.
        max_shrink_time: 30_000,
        ..Config::default()
    };
    run_with::<E>(TestRunner::new(config), E::MODEL_STEPS);
}

/// Runs the same sequences each time, without shortening: to show that a planted fault is found.
pub(crate) fn run_fixed<E: Engine>(steps: u32) {
    let config = Config {
        failure_persistence: None,
        max_shrink_iters: 0,
        rng_seed: proptest::test_runner::RngSeed::Fixed(12),
        ..Config::default()
    };
    run_with::<E>(TestRunner::new(config), steps);
}

fn run_with<E: Engine>(mut runner: TestRunner, steps: u32) {
    let input = (limits(), vec(step(E::CRASH_SPAN), 0..=240));
    let made = std::cell::Cell::new(0);
    while made.get() < steps {
        let case = input.new_tree(&mut runner).unwrap();
        let outcome = runner.run_one(case, |(limits, sequence)| {
            made.set(made.get() + sequence.len() as u32);
            replay::<E>(&limits, &sequence);
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    }
}

/// Runs these steps. A failure of `run` can be pasted here.
pub(crate) fn replay<E: Engine>(limits: &QueueSettings, sequence: &[Step]) {
    let mut run = Run::<E>::new(limits);
    for step in sequence {
        if let Err(interrupted) = run.step(step).and_then(|()| run.check()) {
            run.recover(interrupted);
        }
    }
    run.recover(Interrupted::quietly(&run.model));
}

/// A call that a crash interrupted: the possible models after a restart.
#[derive(Debug)]
struct Interrupted {
    outcomes: Vec<Model>,
    /// Whether the call may have left a request that the next drainer performs.
    is_request: bool,
}

impl Interrupted {
    /// A crash during a call that changes nothing.
    fn quietly(model: &Model) -> Interrupted {
        Interrupted {
            outcomes: vec![model.clone()],
            is_request: false,
        }
    }
}

struct Run<E> {
    lease: Option<Box<dyn Lease>>,
    handles: Vec<Box<dyn Spool>>,
    engine: E,
    limits: QueueSettings,
    model: Model,
    now: Timestamp,
    /// The producer of each handle, in the model's numbers.
    producers: Vec<u64>,
    /// The model's position for each position of the engine.
    positions: HashMap<Position, Position>,
    in_flight: Vec<Item>,
    completed: Vec<Item>,
    marks: Vec<(Position, Position)>,
    serial: u64,
    checks: usize,
    /// After how many writes the engine crashes again after the next restart.
    again: Option<u64>,
    /// Whether the operator requested something that the drainer does when it polls next.
    is_requested: bool,
}

type Outcome = Result<(), Interrupted>;

fn shown<T>(result: Result<T, LeaseError>) -> Result<T, String> {
    result.map_err(|e| format!("{e:?}"))
}

impl<E: Engine> Run<E> {
    fn new(limits: &QueueSettings) -> Run<E> {
        let engine = E::new(limits);
        let mut run = Run {
            lease: None,
            handles: Vec::new(),
            engine,
            limits: limits.clone(),
            model: Model::new(limits, E::DEAD_ORDER),
            // The age of requeued letters depends on the real clock, so the clock of the test starts there.
            now: Timestamp::now(),
            producers: Vec::new(),
            positions: HashMap::new(),
            in_flight: Vec::new(),
            completed: Vec::new(),
            marks: Vec::new(),
            serial: 0,
            checks: 0,
            again: None,
            is_requested: false,
        };
        run.open_all();
        run
    }

    fn open_all(&mut self) {
        self.handles = (0..HANDLES).map(|_| self.engine.open()).collect();
        let next = self.serial + 1;
        self.serial += HANDLES as u64;
        self.producers = (next..).take(HANDLES).collect();
    }

    /// The answer of a call that changes nothing.
    fn read<T, F: Debug>(&self, answer: Result<T, F>) -> Result<T, Interrupted> {
        match self.engine.has_crashed() {
            true => Err(Interrupted::quietly(&self.model)),
            false => Ok(answer.unwrap()),
        }
    }

    /// Compares the answer of a call that turns the model into `after`, or, if it is interrupted, into one of `partly`.
    fn change<T: PartialEq + Debug, F: Debug>(
        &mut self,
        answer: Result<T, F>,
        expected: &T,
        after: Model,
        partly: impl FnOnce() -> Vec<Model>,
    ) -> Outcome {
        if self.engine.has_crashed() {
            let mut outcomes = vec![after];
            match answer {
                Ok(answer) => assert_eq!(&answer, expected),
                Err(_) => {
                    outcomes.push(self.model.clone());
                    outcomes.extend(partly());
                }
            }
            return Err(Interrupted {
                outcomes,
                is_request: false,
            });
        }
        assert_eq!(&answer.unwrap(), expected);
        self.model = after;
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Push { .. } => self.push(step),
            Step::Acquire { handle } => self.acquire(*handle),
            Step::Release { is_regular } => self.release(*is_regular),
            Step::Hang { handle } => self.hang(*handle),
            Step::Poll => self.refresh(),
            Step::Fetch { origin, limit } => self.fetch(ORIGINS[*origin], *limit),
            Step::Overdue { origin } => self.overdue(ORIGINS[*origin]),
            Step::Begin { which } => self.begin(which),
            Step::Settle { fates, gate } => self.settle(fates, *gate),
            Step::SettleAgain { which, fate } => self.settle_again(*which, *fate),
            Step::Maintain => self.maintain(),
            Step::Advance { ms } => {
                self.now.unix_ms += ms;
                self.now.uptime_ms += ms;
                Ok(())
            }
            Step::SetWallClock { days } => {
                let days = days.saturating_mul(86_400_000);
                self.now.unix_ms = self.now.unix_ms.saturating_add_signed(days);
                Ok(())
            }
            Step::Mark { handle } => self.mark(*handle),
            Step::Requeue { handle, which } => self.requeue(*handle, *which),
            Step::Discard { handle, which } => self.discard(*handle, *which),
            Step::Purge { handle, owner } => self.purge(*handle, OWNERS[*owner]),
            Step::ProbeNow { handle } => self.probe_now(*handle),
            Step::Reopen { handle } => self.reopen(*handle),
            Step::Restart => Err(Interrupted::quietly(&self.model)),
            Step::Crash { after, again } => {
                if self.engine.crash_after(*after) {
                    self.again = *again;
                }
                Ok(())
            }
        }
    }

    fn push(&mut self, step: &Step) -> Outcome {
        let &Step::Push {
            producer,
            origin,
            owner,
            filler,
            attempts,
            has_common_id,
            session,
        } = step
        else {
            return Ok(());
        };
        self.serial += 1;
        let serial = self.serial;
        let owner = OWNERS[owner];
        let (mut body, end) = match session {
            Session::None => (format!("{serial}:{owner}:"), ""),
            _ => (
                format!("{{\"sessionKey\":\"{owner}\",\"n\":\"{serial}:{owner}:"),
                "\"}",
            ),
        };
        let length = match filler {
            Filler::Bytes(length) => length,
            Filler::ToTheLimit { over } => {
                let room = self.limits.max_bytes.saturating_sub(self.model.bytes());
                // Without limits that are never reached.
                (room as usize + over)
                    .saturating_sub(body.len() + end.len())
                    .min(200)
            }
        };
        body.push_str(&"x".repeat(length));
        body.push_str(end);
        let kind = match session {
            Session::End => Kind::End,
            _ => Kind::AddToCart,
        };
        let new = NewItem {
            id: match has_common_id {
                // For an engine that ignores known ids, only pending ids are used again.
                true if !E::IGNORES_REPEATED_IDS || self.model.is_pending("common") => {
                    "common".to_owned()
                }
                true if self.model.has_left("common") => format!("common-{serial}"),
                true => "common".to_owned(),
                false => format!("id-{serial}"),
            },
            origin: Arc::from(ORIGINS[origin]),
            path: notification::path(kind, None),
            body,
            accepted: self.now,
            attempts,
            detail: "x".repeat(attempts as usize),
        };
        let mut after = self.model.clone();
        let is_repeated = E::IGNORES_REPEATED_IDS && self.model.is_pending(&new.id);
        let is_accepted = is_repeated || after.push(&new, self.producers[producer]);
        let answer = match self.handles[producer].push(&new, soon()) {
            Err(e) if e.status() == Status::QueueFull => Ok(false),
            other => other.map(|()| true),
        };
        self.change(answer, &is_accepted, after, Vec::new)
    }

    fn acquire(&mut self, handle: usize) -> Outcome {
        let lease = until(
            || self.handles[handle].acquire(soon()),
            |lease| !matches!(lease, Ok(lease) if lease.is_some() != self.lease.is_none()),
        );
        let lease = self.read(lease)?;
        assert_eq!(lease.is_some(), self.lease.is_none(), "one drainer leads");
        if let Some(lease) = lease {
            self.begin_lease(lease);
        }
        Ok(())
    }

    fn begin_lease(&mut self, lease: Box<dyn Lease>) {
        self.lease = Some(lease);
        self.in_flight.clear();
        self.completed.clear();
    }

    fn release(&mut self, is_regular: bool) -> Outcome {
        if is_regular && let Some(lease) = self.lease.take() {
            lease.release();
        }
        self.end_lease();
        self.read(Ok::<(), ()>(()))
    }

    /// Drops the lease, and waits until an operator's call no longer finds it held; see `until`.
    fn end_lease(&mut self) {
        self.lease = None;
        let leader = || self.handles[0].leader(soon());
        let _ = until(leader, |leader| !matches!(leader, Ok(Some(_))));
    }

    fn hang(&mut self, handle: usize) -> Outcome {
        let Some(mut stale) = self.lease.take() else {
            return Ok(());
        };
        self.engine.expire_lease();
        let in_flight = std::mem::take(&mut self.in_flight);
        let lease = self.read(self.handles[handle].acquire(soon()))?;
        self.begin_lease(lease.expect("the lease has run out"));
        let settlements: Vec<Settlement> = in_flight
            .iter()
            .map(|item| self.settlement(item, Fate::Delivered))
            .collect();
        let gates = [(Arc::from(SHOP), Gate::default())];
        let refusals = [
            stale.settle(&settlements, &gates),
            stale.poll(self.now).map(drop),
            stale.maintain(self.now),
        ];
        drop(stale);
        for refusal in refusals {
            if self.engine.has_crashed() {
                return Err(Interrupted::quietly(&self.model));
            }
            assert!(matches!(refusal, Err(LeaseError::Lost)), "{refusal:?}");
        }
        Ok(())
    }

    /// Polls until the drainer has read everything.
    fn refresh(&mut self) -> Outcome {
        let Some(mut lease) = self.lease.take() else {
            self.is_requested = false;
            return Ok(());
        };
        for _ in 0..1000 {
            if !self.read(shown(lease.poll(self.now)))? {
                break;
            }
        }
        self.is_requested = false;
        let mut origins = lease.origins();
        origins.sort_by(|a, b| a.0.cmp(&b.0));
        let expected = self.model.origins().clone();
        self.lease = Some(lease);
        assert_eq!(origins, expected.into_iter().collect::<Vec<_>>());
        Ok(())
    }

    /// The positions of items in flight, in the engine's and in the model's numbers.
    fn skip(&self) -> (HashSet<Position>, HashSet<Position>) {
        let theirs = self.in_flight.iter().map(|i| i.position);
        let ours = theirs.clone().map(|p| self.positions[&p]);
        (theirs.collect(), ours.collect())
    }

    /// Compares fetched items with those of the model, and marks them as in flight.
    fn take(&mut self, fetched: Vec<Item>, expected: &[Item]) {
        assert_eq!(fetched.len(), expected.len(), "{fetched:?} {expected:?}");
        for (item, expected) in fetched.iter().zip(expected) {
            let same = Item {
                position: expected.position,
                producer: expected.producer,
                has_begun: expected.has_begun,
                ..item.clone()
            };
            assert!(self.model.see_begun(expected.position, item.has_begun));
            assert_eq!(&same, expected);
            let known = self.positions.insert(item.position, expected.position);
            assert!(known.is_none_or(|p| p == expected.position), "{item:?}");
        }
        assert!(fetched.is_sorted_by(|a, b| a.position < b.position));
        self.in_flight.extend(fetched);
    }

    fn fetch(&mut self, origin: &str, limit: usize) -> Outcome {
        self.refresh()?;
        let (skip, ours) = self.skip();
        let Some(mut lease) = self.lease.take() else {
            return Ok(());
        };
        let fetched = self.read(shown(lease.fetch(origin, self.now, limit, &skip)))?;
        self.lease = Some(lease);
        let expected = self.model.fetch(origin, self.now, limit, &ours);
        self.take(fetched, &expected);
        Ok(())
    }

    fn overdue(&mut self, origin: &str) -> Outcome {
        self.refresh()?;
        let (skip, ours) = self.skip();
        let Some(mut lease) = self.lease.take() else {
            return Ok(());
        };
        let overdue = self.read(shown(lease.overdue(origin, self.now, MAX_AGE, &skip)))?;
        self.lease = Some(lease);
        let mut expected = self.model.overdue(origin, self.now, MAX_AGE, &ours);
        // An engine may return some now and the others at the next call.
        assert_eq!(overdue.is_empty(), expected.is_empty(), "{expected:?}");
        expected.truncate(overdue.len());
        self.take(overdue, &expected);
        Ok(())
    }

    fn begin(&mut self, which: &[usize]) -> Outcome {
        let Some(mut lease) = self.lease.take() else {
            return Ok(());
        };
        let count = self.in_flight.len();
        let chosen = which.iter().filter(|_| count > 0);
        let theirs: Vec<Position> = chosen
            .map(|which| self.in_flight[which % count].position)
            .collect();
        let ours: Vec<Position> = theirs.iter().map(|p| self.positions[p]).collect();
        let mut after = self.model.clone();
        after.begin(&ours);
        let answer = lease.begin(&theirs);
        self.lease = Some(lease);
        if answer.is_err() {
            after = self.model.clone();
            after.begin_perhaps(&ours);
            self.model.begin_perhaps(&ours);
        }
        self.change(answer, &(), after, Vec::new)
    }

    fn settlement(&self, item: &Item, fate: Fate) -> Settlement {
        Settlement {
            latency: ms(item.position.0 % 1000),
            ..super::settlement(item, fate, self.now)
        }
    }

    fn settle(&mut self, fates: &[(usize, u8)], gate: Option<(usize, u32, u64)>) -> Outcome {
        if self.lease.is_none() {
            return Ok(());
        }
        let mut settlements = Vec::new();
        for (which, fate) in fates {
            if self.in_flight.is_empty() {
                break;
            }
            let item = self.in_flight.remove(which % self.in_flight.len());
            settlements.push(self.settlement(&item, fate_from(*fate)));
        }
        let gates: Vec<(Arc<str>, Gate)> = gate
            .map(|(origin, failures, pause)| {
                let gate = Gate {
                    failures,
                    closed_at: self.now.unix_ms,
                    pause,
                };
                (Arc::from(ORIGINS[origin]), gate)
            })
            .into_iter()
            // No gates for origins without accepted items.
            .filter(|(origin, _)| self.model.origins().contains_key(origin))
            .collect();
        self.settle_all(&settlements, &gates)?;
        let completed = settlements
            .into_iter()
            .filter(|s| !matches!(s.fate, Fate::Retry { .. }));
        self.completed.extend(completed.map(|s| s.item));
        Ok(())
    }

    fn settle_all(&mut self, settlements: &[Settlement], gates: &[(Arc<str>, Gate)]) -> Outcome {
        let Some(mut lease) = self.lease.take() else {
            return Ok(());
        };
        let ours: Vec<Settlement> = settlements
            .iter()
            .map(|settlement| {
                let mut ours = settlement.clone();
                ours.item.position = self.positions[&settlement.item.position];
                ours
            })
            .collect();
        let mut after = self.model.clone();
        after.settle(&ours, gates);
        let answer = lease.settle(settlements, gates);
        self.lease = Some(lease);
        if answer.is_err() {
            self.model.interrupt(&ours);
        }
        self.change(answer, &(), after, Vec::new)
    }

    /// Settles an item that has already left.
    fn settle_again(&mut self, which: usize, fate: u8) -> Outcome {
        if self.completed.is_empty() {
            return Ok(());
        }
        let item = &self.completed[which % self.completed.len()];
        let again = self.settlement(item, fate_from(fate));
        self.settle_all(&[again], &[])
    }

    fn maintain(&mut self) -> Outcome {
        let Some(mut lease) = self.lease.take() else {
            return Ok(());
        };
        self.read(shown(lease.maintain(self.now)))?;
        self.lease = Some(lease);
        Ok(())
    }

    fn mark(&mut self, handle: usize) -> Outcome {
        let spool = &self.handles[handle];
        if let Some(mark) = self.read(spool.mark(soon()))? {
            self.marks.push((mark, self.model.last));
        }
        for (theirs, ours) in &self.marks {
            let is_settled = self.read(spool.is_settled(*theirs, soon()))?;
            assert_eq!(is_settled, self.model.is_settled(*ours));
        }
        Ok(())
    }

    /// The dead letters that the bits of `which` choose, in the engine's form, with the model's positions.
    fn letters(
        &self,
        handle: usize,
        which: u8,
    ) -> Result<Vec<(StoredItem, Position)>, Interrupted> {
        let letters = self.list(|after| self.handles[handle].dead(after, 2, soon()))?;
        let positions = self.model.dead.iter().map(|s| s.item.position);
        let both = letters.into_iter().zip(positions).enumerate();
        let chosen = both.filter(|(n, _)| which & (1 << n) != 0);
        Ok(chosen.map(|(_, both)| both).collect())
    }

    /// Compares the result of an operator's call.
    fn request<T: PartialEq + Debug>(
        &mut self,
        answer: Result<T, Error>,
        expected: &T,
        after: Model,
        partly: impl FnOnce() -> Vec<Model>,
    ) -> Outcome {
        self.is_requested = true;
        let outcome = self.change(answer, expected, after, partly);
        outcome.map_err(|interrupted| Interrupted {
            is_request: true,
            ..interrupted
        })
    }

    fn requeue(&mut self, handle: usize, which: u8) -> Outcome {
        let chosen = self.letters(handle, which)?;
        let mut theirs = Vec::new();
        let mut ours = Vec::new();
        for (mut letter, position) in chosen {
            if which & 128 != 0 {
                letter.item.body.push_str("again");
            }
            ours.push((position, letter.item.body.clone()));
            theirs.push(letter);
        }
        let before = Timestamp::now();
        let answer = self.handles[handle].requeue(&theirs, soon());
        // While a drainer works, the age of the letters counts from its next poll.
        let between = (before, later(Timestamp::now(), 5000));
        let mut after = self.model.clone();
        let requeued = after.requeue(&ours, between);
        let model = self.model.clone();
        self.request(answer, &requeued, after, || {
            subsets(&ours)
                .map(|some| {
                    let mut model = model.clone();
                    model.requeue(&some, between);
                    model
                })
                .collect()
        })
    }

    fn discard(&mut self, handle: usize, which: u8) -> Outcome {
        let chosen = self.letters(handle, which)?;
        let theirs: Vec<Position> = chosen.iter().map(|(s, _)| s.item.position).collect();
        let ours: Vec<Position> = chosen.iter().map(|(_, p)| *p).collect();
        let answer = self.handles[handle].discard(&theirs, soon());
        let mut after = self.model.clone();
        let discarded = after.discard(&ours);
        let model = self.model.clone();
        self.request(answer, &discarded, after, || {
            subsets(&ours)
                .map(|some| {
                    let mut model = model.clone();
                    model.discard(&some);
                    model
                })
                .collect()
        })
    }

    fn purge(&mut self, handle: usize, owner: &str) -> Outcome {
        let theirs = |body: &str| body.contains(&format!(":{owner}:"));
        let positions = self.model.theirs(&theirs);
        let answer = self.handles[handle].purge(&theirs, soon());
        let mut after = self.model.clone();
        after.purge(&positions, self.now);
        let (model, now) = (self.model.clone(), self.now);
        self.request(answer, &(positions.len() as u64), after, || {
            subsets(&positions)
                .map(|some| {
                    let mut model = model.clone();
                    model.purge(&some, now);
                    model
                })
                .collect()
        })
    }

    fn probe_now(&mut self, handle: usize) -> Outcome {
        let answer = self.handles[handle].probe_now(soon());
        let mut after = self.model.clone();
        let probed = after.probe_now();
        self.request(answer, &probed, after, Vec::new)
    }

    fn reopen(&mut self, handle: usize) -> Outcome {
        self.handles[handle] = self.engine.open();
        self.serial += 1;
        self.producers[handle] = self.serial;
        self.read(Ok::<(), ()>(()))
    }

    fn list(
        &self,
        page: impl Fn(Option<Position>) -> Result<Vec<StoredItem>, Error>,
    ) -> Result<Vec<StoredItem>, Interrupted> {
        let mut all: Vec<StoredItem> = Vec::new();
        loop {
            let more = self.read(page(all.last().map(|s| s.item.position)))?;
            if more.is_empty() {
                return Ok(all);
            }
            all.extend(more);
            assert!(all.len() < 1000, "the list never ends: {all:?}");
        }
    }

    fn snapshot(&self) -> Result<Snapshot, Interrupted> {
        // One producer at a time, because the calls cost most of the test's time.
        let turn = self.checks % HANDLES;
        let spool = &self.handles[turn];
        let producer = Some(self.producers[turn]).filter(|_| E::IS_SHARED);
        let totals = (producer, self.read(spool.totals(soon()))?);
        let mut gates = Vec::new();
        for origin in ORIGINS {
            gates.push((Arc::from(origin), self.read(spool.gate(origin, soon()))?));
        }
        let overview = until(
            || spool.overview(soon()),
            |found| !matches!(found, Ok(found) if found.leader.is_some() != self.lease.is_some()),
        );
        let overview = self.read(overview)?;
        assert_eq!(overview.leader.is_some(), self.lease.is_some());
        assert_eq!(overview.faults, Vec::<String>::new());
        let mut receipts = Vec::new();
        // The newest ids, some older ones in turn, and one that was never used.
        let newest = (self.serial.saturating_sub(3)..=self.serial + 1).map(|n| format!("id-{n}"));
        let turn = self.checks as u64;
        let older = (0..2).map(|n| format!("id-{}", (turn * 7 + n * 31) % (self.serial + 1)));
        for id in newest.chain(older).chain(["common".to_owned()]) {
            let receipt = self.read(spool.receipt(&id, self.now, soon()))?;
            receipts.push((id, receipt));
        }
        Ok(Snapshot {
            now: self.now,
            totals,
            pending: self.list(|after| spool.pending(after, 3, soon()))?,
            dead: self.list(|after| spool.dead(after, 2, soon()))?,
            gates,
            receipts,
        })
    }

    fn check(&mut self) -> Outcome {
        if self.is_requested {
            self.refresh()?;
        }
        self.checks += 1;
        let snapshot = self.snapshot()?;
        if let Err(difference) = self.model.check(&snapshot) {
            panic!("{difference}");
        }
        Ok(())
    }

    /// After all processes were killed: starts again, and finds the allowed outcome that happened.
    fn recover(&mut self, mut interrupted: Interrupted) {
        // An operator's earlier request is performed by the next drainer.
        interrupted.is_request |= self.is_requested;
        loop {
            self.lease = None;
            self.handles.clear();
            self.engine.restart();
            self.positions.clear();
            self.in_flight.clear();
            self.completed.clear();
            self.marks.clear();
            self.is_requested = false;
            self.open_all();
            if !E::SURVIVES {
                self.model = Model::new(&self.limits, E::DEAD_ORDER);
                return;
            }
            for outcome in &mut interrupted.outcomes {
                outcome.restart();
            }
            if let Some(again) = self.again.take() {
                self.engine.crash_after(again);
            }
            match self.identify(&mut interrupted) {
                Ok(model) => {
                    self.model = model;
                    return;
                }
                // The engine crashed again; the outcomes found so far remain possible.
                Err(_) => continue,
            }
        }
    }

    fn identify(&mut self, interrupted: &mut Interrupted) -> Result<Model, Interrupted> {
        if !interrupted.is_request {
            self.retain(interrupted)?;
        }
        let lease = until(
            || self.handles[0].acquire(soon()),
            |lease| !matches!(lease, Ok(None)),
        );
        let lease = self.read(lease)?;
        let mut lease = lease.expect("a dead process holds no lease");
        while self.read(shown(lease.poll(self.now)))? {}
        self.lease = Some(lease);
        self.retain(interrupted)?;
        self.end_lease();
        self.read(Ok::<(), ()>(()))?;
        Ok(interrupted.outcomes[0].clone())
    }

    /// Keeps the outcomes that match the contents of the spool.
    fn retain(&mut self, interrupted: &mut Interrupted) -> Outcome {
        self.checks += 1;
        let snapshot = self.snapshot()?;
        let mut differences = Vec::new();
        interrupted
            .outcomes
            .retain_mut(|model| match model.check(&snapshot) {
                Ok(()) => true,
                Err(difference) => {
                    differences.push(difference);
                    false
                }
            });
        if interrupted.outcomes.is_empty() {
            panic!("after a crash: {differences:#?}");
        }
        Ok(())
    }
}

fn fate_from(number: u8) -> Fate {
    match number {
        0 | 1 => Fate::Delivered,
        2 => Fate::Dead,
        3 => Fate::Expired,
        4 => Fate::Retry {
            pause: Duration::ZERO,
        },
        _ => Fate::Retry { pause: ms(10) },
    }
}

fn later(at: Timestamp, ms: u64) -> Timestamp {
    Timestamp {
        unix_ms: at.unix_ms + ms,
        ..at
    }
}

/// Every part of a list, in its order.
fn subsets<T: Clone>(all: &[T]) -> impl Iterator<Item = Vec<T>> {
    (0..1_u32 << all.len()).map(|bits| {
        let chosen = all.iter().enumerate().filter(|(n, _)| bits & (1 << n) != 0);
        chosen.map(|(_, one)| one.clone()).collect()
    })
}
