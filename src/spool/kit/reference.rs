//! The memory engine with a disk that is only imagined: it survives restarts, crashes between any two writes, and loses
//! what was not synced when the power is cut. It shows that the kit's crashes work, and what an engine with files must do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::faulty::{fault_tests, file_fault_tests};
use super::wrapped::{Access, Interceptor, Wrapped};
use super::{DeadOrder, Engine, conformance_tests};
use crate::config::QueueSettings;
use crate::spool::Spool;
use crate::spool::memory::MemorySpool;
use crate::status::{Error, Status};

pub(crate) struct Reference {
    disk: Arc<ImaginedDisk>,
}

#[derive(Debug)]
struct ImaginedDisk {
    is_synced: bool,
    spool: Mutex<MemorySpool>,
    /// What a power cut leaves.
    synced: Mutex<MemorySpool>,
    writes_left: Mutex<Option<u64>>,
    has_crashed: AtomicBool,
}

impl ImaginedDisk {
    fn write(&self) -> Result<(), Error> {
        let mut left = self.writes_left.lock().unwrap();
        match &mut *left {
            Some(0) => self.has_crashed.store(true, Ordering::Relaxed),
            Some(left) => *left -= 1,
            None => {}
        }
        self.check()
    }

    fn check(&self) -> Result<(), Error> {
        match self.has_crashed.load(Ordering::Relaxed) {
            true => Err(Error::new(Status::SpoolFailed, "crashed")),
            false => Ok(()),
        }
    }

    fn begin(&self, spool: MemorySpool) {
        spool.expire_lease();
        *self.spool.lock().unwrap() = spool;
        *self.writes_left.lock().unwrap() = None;
        self.has_crashed.store(false, Ordering::Relaxed);
    }
}

/// A call that writes may be interrupted before it has done anything, and after it has done everything.
impl Interceptor for ImaginedDisk {
    fn call<T, F: From<Error>>(
        &self,
        access: Access,
        call: impl FnOnce() -> Result<T, F>,
    ) -> Result<T, F> {
        if access == Access::Read {
            self.check()?;
            return call();
        }
        self.write()?;
        let answer = call()?;
        self.write()?;
        Ok(answer)
    }

    fn push(
        &self,
        inner: &dyn Spool,
        item: &crate::spool::NewItem,
        deadline: std::time::Instant,
    ) -> Result<(), Error> {
        inner.push(item, deadline)?;
        if self.is_synced {
            *self.synced.lock().unwrap() = self.spool.lock().unwrap().copy();
        }
        Ok(())
    }
}

impl Engine for Reference {
    const SURVIVES: bool = true;
    const IS_SHARED: bool = false;
    const DEAD_ORDER: DeadOrder = DeadOrder::Acceptance;
    const MODEL_STEPS: u32 = 40_000;
    const CRASH_SPAN: u64 = 30;

    fn new(settings: &QueueSettings) -> Reference {
        let spool = || Mutex::new(MemorySpool::new(settings));
        Reference {
            disk: Arc::new(ImaginedDisk {
                is_synced: settings.is_synced,
                spool: spool(),
                synced: spool(),
                writes_left: Mutex::default(),
                has_crashed: AtomicBool::new(false),
            }),
        }
    }

    fn open(&self) -> Box<dyn Spool> {
        Box::new(Wrapped {
            inner: Box::new(self.disk.spool.lock().unwrap().clone()),
            interceptor: Arc::clone(&self.disk),
        })
    }

    fn expire_lease(&self) {
        self.disk.spool.lock().unwrap().expire_lease();
    }

    fn restart(&mut self) {
        let spool = self.disk.spool.lock().unwrap().clone();
        self.disk.begin(spool);
    }

    fn crash_after(&self, writes: u64) -> bool {
        *self.disk.writes_left.lock().unwrap() = Some(writes);
        true
    }

    fn has_crashed(&self) -> bool {
        self.disk.check().is_err()
    }

    fn power_cut(&mut self) -> Option<()> {
        let spool = self.disk.synced.lock().unwrap().copy();
        self.disk.begin(spool);
        Some(())
    }
}

conformance_tests!(Reference);
fault_tests!(Reference);
file_fault_tests!(Reference);
