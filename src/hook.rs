//! A callback of the host's: never called while a lock of ours is held, and never after it was taken back.

use std::cell::Cell;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

thread_local! {
    /// How many hooks are running on this thread.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// A place for one callback.
pub(crate) struct Hook<F: ?Sized> {
    state: Mutex<State<F>>,
    idle: Condvar,
}

struct State<F: ?Sized> {
    callback: Option<Arc<F>>,
    running: usize,
}

impl<F: ?Sized> Hook<F> {
    pub(crate) fn new(callback: Option<Arc<F>>) -> Hook<F> {
        Hook {
            state: Mutex::new(State {
                callback,
                running: 0,
            }),
            idle: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `call` with the callback, if there is one.
    pub(crate) fn run(&self, call: impl FnOnce(&F)) {
        let callback = {
            let mut state = self.lock();
            let Some(callback) = state.callback.clone() else {
                return;
            };
            state.running += 1;
            callback
        };
        INSIDE.with(|n| n.set(n.get() + 1));
        call(&callback);
        INSIDE.with(|n| n.set(n.get() - 1));
        self.lock().running -= 1;
        self.idle.notify_all();
    }

    /// Replaces the callback. When this returns, the earlier one has ended and is not called again; within a
    /// callback it does not wait, for it would wait for itself.
    pub(crate) fn set(&self, callback: Option<Arc<F>>) {
        let mut state = self.lock();
        state.callback = callback;
        if INSIDE.with(Cell::get) > 0 {
            return;
        }
        while state.running > 0 {
            state = self
                .idle
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The callback, if that can be told without waiting: for a forked child, to which the lock may be lost.
    pub(crate) fn peek(&self) -> Option<Arc<F>> {
        self.state.try_lock().ok()?.callback.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::thread;

    type Callback = dyn Fn() + Send + Sync;

    #[test]
    fn taking_it_back_waits_until_it_has_ended() {
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
        let hook = Arc::new(Hook::new(Some(callback)));
        let runner = {
            let hook = Arc::clone(&hook);
            thread::spawn(move || hook.run(|f| f()))
        };
        wait.recv().unwrap();
        let taker = {
            let (hook, ended) = (Arc::clone(&hook), Arc::clone(&ended));
            thread::spawn(move || {
                hook.set(None);
                assert!(ended.load(Ordering::SeqCst));
            })
        };
        go_on.send(()).unwrap();
        taker.join().unwrap();
        runner.join().unwrap();
        hook.run(|_| panic!("it was taken back"));
    }

    #[test]
    fn it_may_take_itself_back() {
        let hook: Arc<Hook<Callback>> = Arc::new(Hook::new(None));
        let inner = Arc::clone(&hook);
        hook.set(Some(Arc::new(move || inner.set(None))));
        hook.run(|f| f());
        hook.run(|_| panic!("it took itself back"));
    }
}
