//! Times from two clocks: the wall clock, which may be set, and the clock that counts from the
//! start of the machine.

use std::mem::MaybeUninit;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant, SystemTime};

use once_cell::race::OnceNonZeroUsize;
use serde::{Deserialize, Serialize};

/// A point in time. It is stored in spools and can be compared by other processes, even after a
/// restart of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Timestamp {
    /// Milliseconds since 1970-01-01 UTC, from a clock that may be wrong or may be set.
    #[serde(rename = "t")]
    pub(crate) unix_ms: u64,
    /// Milliseconds since the machine started, suspension included.
    #[serde(rename = "u")]
    pub(crate) uptime_ms: u64,
    /// Identifies the start of the machine (boot); 0: unknown.
    #[serde(rename = "b")]
    pub(crate) boot: u32,
}

/// The time between two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Age {
    pub(crate) length: Duration,
    /// Whether it was measured with the clock that cannot be set.
    pub(crate) is_certain: bool,
}

impl Timestamp {
    pub(crate) fn now() -> Timestamp {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Timestamp {
            unix_ms: unix.map_or(0, millis),
            uptime_ms: uptime().map_or(0, millis),
            boot: boot(),
        }
    }

    /// How long ago `earlier` was; zero if it seems to be in the future.
    pub(crate) fn since(self, earlier: Timestamp) -> Age {
        let is_certain = self.boot != 0
            && self.boot == earlier.boot
            && self.uptime_ms != 0
            && earlier.uptime_ms <= self.uptime_ms;
        let ms = if is_certain {
            self.uptime_ms.saturating_sub(earlier.uptime_ms)
        } else {
            self.unix_ms.saturating_sub(earlier.unix_ms)
        };
        Age {
            length: Duration::from_millis(ms),
            is_certain,
        }
    }
}

/// Time since the machine started, including suspension; `None`: the kernel has no such clock.
pub(crate) fn uptime() -> Option<Duration> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is valid for a write, and the value is read only if the call succeeded.
    let time = unsafe {
        match libc::clock_gettime(libc::CLOCK_BOOTTIME, time.as_mut_ptr()) {
            0 => time.assume_init(),
            _ => return None,
        }
    };
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanos = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(seconds, nanos))
}

/// The time in `timeout` from now. A time-out that is too long for the clock never ends.
pub(crate) fn deadline_after(timeout: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(100 * 365 * 86_400);
    let now = Instant::now();
    now.checked_add(timeout.min(FAR)).unwrap_or(now)
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A number derived from the kernel's boot id. Without /proc it is unknown, and ages are measured
/// with the wall clock.
fn boot() -> u32 {
    // Several threads may compute it at the same time. They do not wait for each other, because a
    // forked child could not wait for its parent's thread.
    static BOOT: OnceNonZeroUsize = OnceNonZeroUsize::new();
    const UNKNOWN: NonZeroUsize = NonZeroUsize::MIN;
    let boot = BOOT.get_or_init(|| {
        let id = super::beside_stdio(|| std::fs::read("/proc/sys/kernel/random/boot_id"));
        let hash = id.ok().map(|id| crc32fast::hash(&id) as usize);
        hash.and_then(NonZeroUsize::new).unwrap_or(UNKNOWN)
    });
    match boot {
        UNKNOWN => 0,
        known => known.get() as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_ms: u64, uptime_ms: u64, boot: u32) -> Timestamp {
        Timestamp {
            unix_ms,
            uptime_ms,
            boot,
        }
    }

    #[test]
    fn age_ignores_the_wall_clock_when_both_moments_are_of_one_boot() {
        let age = at(1_700_000_000_000, 9000, 7).since(at(5, 5000, 7));
        assert_eq!((age.length, age.is_certain), (Duration::from_secs(4), true));
        let age = at(5, 9000, 7).since(at(1_700_000_000_000, 5000, 7));
        assert_eq!(age.length, Duration::from_secs(4));
    }

    #[test]
    fn age_comes_from_the_wall_clock_when_the_boots_differ_or_are_unknown() {
        for (now, then) in [
            (at(9000, 1, 8), at(5000, 2, 7)),
            (at(9000, 3, 0), at(5000, 2, 0)),
            (at(9000, 1, 7), at(5000, 2, 7)),
            (at(9000, 0, 7), at(5000, 0, 7)),
        ] {
            let age = now.since(then);
            assert_eq!(
                (age.length, age.is_certain),
                (Duration::from_secs(4), false)
            );
        }
        assert_eq!(at(1, 0, 1).since(at(2, 0, 2)).length, Duration::ZERO);
    }

    #[test]
    fn deadline_does_not_overflow() {
        assert!(deadline_after(Duration::MAX) > Instant::now() + Duration::from_secs(86_400));
        assert!(deadline_after(Duration::ZERO) <= Instant::now());
    }

    #[test]
    fn timestamp_now_has_the_boot_id() {
        let now = Timestamp::now();
        assert_ne!(now.boot, 0);
        assert_ne!(now.uptime_ms, 0);
        assert!(Timestamp::now().since(now).is_certain);
    }
}
