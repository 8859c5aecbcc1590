//! A spool that wraps another one, so that a test can intercept its calls.

use std::collections::HashSet;
use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::host::{self, Timestamp};
use crate::outcome::{Error, Receipt};
use crate::spool::{
    Gate, Inlet, Item, Lease, LeaseError, Ledger, NewItem, Operator, Outlet, Overview, Position,
    Settlement, Spool, StoredItem, Totals,
};

/// A lease that several callers share. `None`: it was released.
pub(crate) type SharedLease = Arc<LeaseSlot>;

pub(crate) type LeaseSlot = Mutex<Option<Box<dyn Lease>>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Intercepts the calls of the engine for a test.
pub(crate) trait Interceptor: Debug + Send + Sync + 'static {
    /// Performs or changes one call.
    fn call<T, F: From<Error>>(
        &self,
        _access: Access,
        call: impl FnOnce() -> Result<T, F>,
    ) -> Result<T, F> {
        call()
    }

    fn push(&self, inner: &dyn Spool, item: &NewItem, deadline: Instant) -> Result<(), Error> {
        inner.push(item, deadline)
    }

    fn acquired(&self, _lease: &SharedLease) {}

    fn fetched(
        &self,
        _origin: &str,
        _limit: usize,
        _skip: &HashSet<Position>,
        _items: &mut Vec<Item>,
    ) {
    }

    fn settle(
        &self,
        lease: &SharedLease,
        settlements: &[Settlement],
        gates: &[(Arc<str>, Gate)],
    ) -> Result<(), LeaseError> {
        lock(lease)
            .as_mut()
            .map_or(Err(LeaseError::Lost), |l| l.settle(settlements, gates))
    }
}

pub(crate) fn lock(lease: &SharedLease) -> MutexGuard<'_, Option<Box<dyn Lease>>> {
    host::lock(lease)
}

#[derive(Debug)]
pub(crate) struct Wrapped<I> {
    pub(crate) inner: Box<dyn Spool>,
    pub(crate) interceptor: Arc<I>,
}

#[derive(Debug)]
struct WrappedLease<I> {
    inner: SharedLease,
    interceptor: Arc<I>,
}

impl<I: Interceptor> Wrapped<I> {
    fn read<T>(&self, call: impl FnOnce(&dyn Spool) -> Result<T, Error>) -> Result<T, Error> {
        self.interceptor.call(Access::Read, || call(&*self.inner))
    }

    fn write<T>(&self, call: impl FnOnce(&dyn Spool) -> Result<T, Error>) -> Result<T, Error> {
        self.interceptor.call(Access::Write, || call(&*self.inner))
    }
}

impl<I: Interceptor> Inlet for Wrapped<I> {
    fn push(&self, item: &NewItem, deadline: Instant) -> Result<(), Error> {
        self.write(|inner| self.interceptor.push(inner, item, deadline))
    }
}

impl<I: Interceptor> Outlet for Wrapped<I> {
    fn acquire(&self, deadline: Instant) -> Result<Option<Box<dyn Lease>>, Error> {
        let Some(lease) = self.read(|inner| inner.acquire(deadline))? else {
            return Ok(None);
        };
        let inner = Arc::new(Mutex::new(Some(lease)));
        self.interceptor.acquired(&inner);
        Ok(Some(Box::new(WrappedLease {
            inner,
            interceptor: Arc::clone(&self.interceptor),
        })))
    }
}

impl<I: Interceptor> Ledger for Wrapped<I> {
    fn totals(&self, deadline: Instant) -> Result<Totals, Error> {
        self.read(|inner| inner.totals(deadline))
    }

    fn gate(&self, origin: &str, deadline: Instant) -> Result<Gate, Error> {
        self.read(|inner| inner.gate(origin, deadline))
    }

    fn receipt(
        &self,
        id: &str,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Option<Receipt>, Error> {
        self.read(|inner| inner.receipt(id, now, deadline))
    }

    fn known(&self, ids: &HashSet<&str>, deadline: Instant) -> Result<HashSet<String>, Error> {
        self.read(|inner| inner.known(ids, deadline))
    }

    fn mark(&self, deadline: Instant) -> Result<Option<Position>, Error> {
        self.read(|inner| inner.mark(deadline))
    }

    fn is_settled(&self, mark: Position, deadline: Instant) -> Result<bool, Error> {
        self.read(|inner| inner.is_settled(mark, deadline))
    }
}

impl<I: Interceptor> Operator for Wrapped<I> {
    fn overview(&self, deadline: Instant) -> Result<Overview, Error> {
        self.read(|inner| inner.overview(deadline))
    }

    fn pending(
        &self,
        after: Option<Position>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error> {
        self.read(|inner| inner.pending(after, limit, deadline))
    }

    fn dead(
        &self,
        after: Option<Position>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<StoredItem>, Error> {
        self.read(|inner| inner.dead(after, limit, deadline))
    }

    fn requeue(&self, letters: &[StoredItem], deadline: Instant) -> Result<u64, Error> {
        self.write(|inner| inner.requeue(letters, deadline))
    }

    fn discard(&self, letters: &[Position], deadline: Instant) -> Result<u64, Error> {
        self.write(|inner| inner.discard(letters, deadline))
    }

    fn purge(&self, theirs: &dyn Fn(&str) -> bool, deadline: Instant) -> Result<u64, Error> {
        self.write(|inner| inner.purge(theirs, deadline))
    }

    fn probe_now(&self, deadline: Instant) -> Result<u64, Error> {
        self.write(|inner| inner.probe_now(deadline))
    }

    fn is_done(&self, deadline: Instant) -> Result<bool, Error> {
        self.read(|inner| inner.is_done(deadline))
    }

    fn backup(&self, to: &Path, deadline: Instant) -> Result<u64, Error> {
        self.write(|inner| inner.backup(to, deadline))
    }
}

impl<I: Interceptor> WrappedLease<I> {
    fn call<T>(
        &self,
        access: Access,
        call: impl FnOnce(&mut dyn Lease) -> Result<T, LeaseError>,
    ) -> Result<T, LeaseError> {
        let call = || match lock(&self.inner).as_deref_mut() {
            Some(lease) => call(lease),
            None => Err(LeaseError::Lost),
        };
        self.interceptor.call(access, call)
    }
}

impl<I: Interceptor> Lease for WrappedLease<I> {
    fn poll(&mut self, now: Timestamp) -> Result<bool, LeaseError> {
        self.call(Access::Read, |inner| inner.poll(now))
    }

    fn origins(&self) -> Vec<(Arc<str>, Gate)> {
        lock(&self.inner)
            .as_ref()
            .map_or(Vec::new(), |l| l.origins())
    }

    fn fetch(
        &mut self,
        origin: &str,
        now: Timestamp,
        limit: usize,
        skip: &HashSet<Position>,
    ) -> Result<Vec<Item>, LeaseError> {
        let fetch = |inner: &mut dyn Lease| inner.fetch(origin, now, limit, skip);
        let mut items = self.call(Access::Read, fetch)?;
        self.interceptor.fetched(origin, limit, skip, &mut items);
        Ok(items)
    }

    fn overdue(
        &mut self,
        origin: &str,
        now: Timestamp,
        max_age: Duration,
        skip: &HashSet<Position>,
    ) -> Result<Vec<Item>, LeaseError> {
        let overdue = |inner: &mut dyn Lease| inner.overdue(origin, now, max_age, skip);
        self.call(Access::Read, overdue)
    }

    fn begin(&mut self, items: &[Position]) -> Result<(), LeaseError> {
        self.call(Access::Write, |inner| inner.begin(items))
    }

    fn settle(
        &mut self,
        settlements: &[Settlement],
        gates: &[(Arc<str>, Gate)],
    ) -> Result<(), LeaseError> {
        let settle = || self.interceptor.settle(&self.inner, settlements, gates);
        self.interceptor.call(Access::Write, settle)
    }

    fn maintain(&mut self, now: Timestamp) -> Result<(), LeaseError> {
        self.call(Access::Write, |inner| inner.maintain(now))
    }

    fn release(self: Box<Self>) {
        let inner = lock(&self.inner).take();
        if let Some(lease) = inner {
            lease.release();
        }
    }
}

impl<I> Drop for WrappedLease<I> {
    fn drop(&mut self) {
        let inner = lock(&self.inner).take();
        drop(inner);
    }
}
