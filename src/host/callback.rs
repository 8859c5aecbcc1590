//! The host's callbacks. A callback is never called while the library holds a lock, and never after
//! it was unregistered.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use crate::host::PerThread;

/// The slots whose callback is running on this thread, by address.
static INSIDE: PerThread<RefCell<Vec<usize>>> = PerThread::new();

/// Whether this thread is running a callback of the host.
pub(crate) fn is_in_callback() -> bool {
    INSIDE
        .with(|inside| !inside.borrow().is_empty())
        .unwrap_or(false)
}

/// A slot for one callback.
pub(crate) struct CallbackSlot<F: ?Sized> {
    /// Write-locked only while it is replaced, so that a forked child can read it whatever else its
    /// parent was doing.
    callback: RwLock<Option<Arc<F>>>,
    running: Mutex<usize>,
    idle: Condvar,
}

impl<F: ?Sized> CallbackSlot<F> {
    pub(crate) fn new(callback: Option<Arc<F>>) -> CallbackSlot<F> {
        CallbackSlot {
            callback: RwLock::new(callback),
            running: Mutex::new(0),
            idle: Condvar::new(),
        }
    }

    fn running(&self) -> MutexGuard<'_, usize> {
        super::lock(&self.running)
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Runs `call` with the callback, if there is one. A panic of the callback ends only this call.
    pub(crate) fn run(&self, call: impl FnOnce(&F)) {
        // Counted before the callback is read: the thread that replaces the callback waits for
        // every thread that may have read the old one.
        *self.running() += 1;
        let callback = self
            .callback
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(callback) = callback {
            INSIDE.with(|inside| inside.borrow_mut().push(self.address()));
            let _ = catch_unwind(AssertUnwindSafe(|| call(&callback)));
            INSIDE.with(|inside| inside.borrow_mut().pop());
        }
        *self.running() -= 1;
        self.idle.notify_all();
    }

    /// Replaces the callback. When this returns, the earlier callback has ended and is not called
    /// again. A call from within the callback itself does not wait, because it would wait for
    /// itself. A call from within another callback does wait: two callbacks that unregister each
    /// other at the same time wait for ever.
    pub(crate) fn set(&self, callback: Option<Arc<F>>) {
        let before = std::mem::replace(
            &mut *self
                .callback
                .write()
                .unwrap_or_else(PoisonError::into_inner),
            callback,
        );
        let is_inside = INSIDE
            .with(|inside| inside.borrow().contains(&self.address()))
            .unwrap_or(false);
        if !is_inside {
            drop(
                self.idle
                    .wait_while(self.running(), |running| *running > 0)
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
        // Dropped without a lock: its destructor runs code of the host.
        drop(before);
    }

    /// The callback, if it can be read without waiting, for a forked child. It cannot be read only
    /// if another thread was replacing it during the fork.
    pub(crate) fn peek(&self) -> Option<Arc<F>> {
        self.callback.try_read().ok()?.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::thread;

    type Callback = dyn Fn() + Send + Sync;

    fn runs(slot: &CallbackSlot<Callback>) -> bool {
        let mut runs = false;
        slot.run(|_| runs = true);
        runs
    }

    #[test]
    fn set_waits_until_the_earlier_callback_has_ended() {
        let (entered, wait) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let may_go_on = Mutex::new(may_go_on);
        let ended = Arc::new(AtomicBool::new(false));
        let callback: Arc<Callback> = {
            let ended = Arc::clone(&ended);
            Arc::new(move || {
                entered.send(()).unwrap();
                may_go_on.lock().unwrap().recv().unwrap();
                ended.store(true, Ordering::SeqCst);
            })
        };
        let slot = Arc::new(CallbackSlot::new(Some(callback)));
        let runner = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.run(|f| f()))
        };
        wait.recv().unwrap();
        let taker = {
            let (slot, ended) = (Arc::clone(&slot), Arc::clone(&ended));
            thread::spawn(move || {
                slot.set(None);
                assert!(ended.load(Ordering::SeqCst));
            })
        };
        go_on.send(()).unwrap();
        taker.join().unwrap();
        runner.join().unwrap();
        assert!(!runs(&slot), "it was taken back");
    }

    #[test]
    fn callback_can_unregister_itself() {
        let slot: Arc<CallbackSlot<Callback>> = Arc::new(CallbackSlot::new(None));
        let inner = Arc::clone(&slot);
        slot.set(Some(Arc::new(move || inner.set(None))));
        slot.run(|f| f());
        assert!(!runs(&slot), "it took itself back");
    }

    #[test]
    fn panic_in_a_callback_does_not_reach_the_caller() {
        let slot: CallbackSlot<Callback> =
            CallbackSlot::new(Some(Arc::new(|| panic!("the host's defect"))));
        slot.run(|f| f());
        assert!(runs(&slot), "it is called the next time too");
        // A call from within the callback does not wait.
        slot.set(None);
        assert_eq!(INSIDE.with(|inside| inside.borrow().is_empty()), Some(true));
    }

    #[test]
    fn set_within_one_callback_waits_for_another_slots_callback() {
        let (entered, wait) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let may_go_on = Mutex::new(may_go_on);
        let ended = Arc::new(AtomicBool::new(false));
        let other: Arc<CallbackSlot<Callback>> = Arc::new(CallbackSlot::new(None));
        other.set(Some({
            let ended = Arc::clone(&ended);
            Arc::new(move || {
                entered.send(()).unwrap();
                may_go_on.lock().unwrap().recv().unwrap();
                ended.store(true, Ordering::SeqCst);
            })
        }));
        let runner = {
            let other = Arc::clone(&other);
            thread::spawn(move || other.run(|f| f()))
        };
        wait.recv().unwrap();
        let (taking, is_taking) = mpsc::channel();
        let taker = thread::spawn(move || {
            let had_ended = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&had_ended);
            let one: CallbackSlot<Callback> = CallbackSlot::new(Some(Arc::new(move || {
                taking.send(()).unwrap();
                other.set(None);
                seen.store(ended.load(Ordering::SeqCst), Ordering::SeqCst);
            })));
            one.run(|f| f());
            had_ended.load(Ordering::SeqCst)
        });
        is_taking.recv().unwrap();
        go_on.send(()).unwrap();
        assert!(taker.join().unwrap(), "it did not wait for the other one");
        runner.join().unwrap();
    }

    #[test]
    fn forked_child_keeps_the_callback_when_another_thread_was_running_it() {
        let slot: CallbackSlot<Callback> = CallbackSlot::new(Some(Arc::new(|| {})));
        // The state in a child that was forked while other threads were starting the callback.
        let _reading = slot.callback.read().unwrap();
        let _counting = slot.running.lock().unwrap();
        assert!(slot.peek().is_some());
    }
}
