//! Messages of panics. A panic's message is put into the error that the call returns, or into the
//! log. It is not printed to the host's stderr, which may be closed or may be a file of the host.

use std::any::Any;

/// The message of a caught panic, with its location if that is known.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic");
    format!("a defect in esales-notify: {message}{}", location())
}

/// Without the feature `guest`, the panic hook belongs to the program.
#[cfg(not(feature = "guest"))]
pub(crate) fn silence() {}

#[cfg(not(feature = "guest"))]
fn location() -> &'static str {
    ""
}

#[cfg(feature = "guest")]
use guest::location;
#[cfg(feature = "guest")]
pub(crate) use guest::silence;

#[cfg(feature = "guest")]
mod guest {
    use std::cell::RefCell;
    use std::panic;
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::host::PerThread;

    /// The location of this thread's last panic.
    static LOCATION: PerThread<RefCell<String>> = PerThread::new();

    /// Stops panics from printing. The hook belongs to the library's own copy of std.
    pub(crate) fn silence() {
        static IS_DONE: AtomicBool = AtomicBool::new(false);
        if IS_DONE.load(Ordering::Relaxed) || IS_DONE.swap(true, Ordering::Relaxed) {
            return;
        }
        panic::set_hook(Box::new(|panic| {
            let location = panic.location().map(|location| format!(" ({location})"));
            LOCATION.with(|known| *known.borrow_mut() = location.unwrap_or_default());
        }));
    }

    pub(super) fn location() -> String {
        LOCATION.with(RefCell::take).unwrap_or_default()
    }
}
