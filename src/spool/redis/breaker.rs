//! The circuit breaker: after the engine did not answer, calls skip it for a while. The processes of a machine that
//! have the same `spool_fallback` share it through a file. Where that is not possible, each process has its own.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::RedisSpool;
use crate::host::{self, log};
use crate::spool::log::{Outage, OutageFile};

/// The pause after the first failure; it doubles with each further failure.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Breaker {
    file: OutageFile,
    /// Whether the file is there and can be used, as far as this process knows.
    is_shared: bool,
    failures: u32,
    /// The end of the pause after a failure that this process has seen. It also keeps a process with another clock from
    /// trying in every call.
    until: Option<Instant>,
}

/// Whether a call uses the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EngineUse {
    /// The engine answered last time.
    Normal,
    /// The engine did not answer, and the pause is over: this call tries it with a short time-out, and other calls skip
    /// it.
    Briefly,
    Skip,
}

fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_PAUSE
        .saturating_mul(1 << doublings)
        .min(LONGEST_PAUSE)
}

/// A time that no process can have meant is due: the file is damaged, or the machine was started again.
fn is_due(outage: Outage) -> bool {
    host::uptime().is_none_or(|now| {
        let left = outage.next_try.saturating_sub(now);
        left.is_zero() || left > LONGEST_PAUSE
    })
}

fn outage(failures: u32) -> Outage {
    Outage {
        next_try: host::uptime().unwrap_or_default() + pause(failures),
        failures,
    }
}

impl Breaker {
    /// `fallback` comes from [`crate::spool::log::check`].
    pub(super) fn new(fallback: &Path, creates: bool) -> Breaker {
        Breaker {
            file: OutageFile::new(fallback, creates),
            is_shared: false,
            failures: 0,
            until: None,
        }
    }

    /// Whether this call uses the engine. One call on the machine for each pause gets `Briefly`. It begins the next
    /// pause before the try, so that a process that is killed meanwhile costs one pause only.
    pub(super) fn engine_use(&mut self, now: Instant) -> EngineUse {
        let engine_use = self.look(now);
        if engine_use != EngineUse::Briefly {
            return engine_use;
        }
        if self.is_shared {
            let failures = &mut self.failures;
            let claimed = self.file.update(|known| {
                *failures = known.failures;
                is_due(known).then(|| outage(known.failures.saturating_add(1)))
            });
            match (claimed, self.until) {
                (Ok(true), _) => {}
                (Ok(false), _) => return EngineUse::Skip,
                // The file cannot be written: this process's own breaker decides.
                (Err(_), None) => return EngineUse::Normal,
                (Err(_), Some(_)) => {}
            }
        }
        self.count(now);
        EngineUse::Briefly
    }

    /// Like [`Breaker::engine_use`], for a caller that does not try an engine that did not answer.
    pub(super) fn look(&mut self, now: Instant) -> EngineUse {
        match self.file.read() {
            Ok(Some(outage)) => {
                self.is_shared = true;
                if !is_due(outage) {
                    return EngineUse::Skip;
                }
            }
            // Another process has found that the engine answers again.
            Ok(None) if self.is_shared => self.close(),
            Ok(None) => {}
            Err(_) => self.is_shared = false,
        }
        match self.until {
            None if !self.is_shared => EngineUse::Normal,
            Some(until) if now < until => EngineUse::Skip,
            _ => EngineUse::Briefly,
        }
    }

    fn count(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + pause(self.failures));
    }

    fn close(&mut self) {
        self.is_shared = false;
        self.failures = 0;
        self.until = None;
    }

    /// Records that the engine did not answer. Returns true for the first such call on the machine.
    pub(super) fn fail(&mut self, now: Instant) -> bool {
        let had_answered = self.until.is_none();
        if had_answered {
            self.count(now);
        }
        let begun = self.file.begin(outage(self.failures));
        self.is_shared = begun.is_ok();
        had_answered && begun.unwrap_or(true)
    }

    /// Records that the engine answered. Returns true for the first such call on the machine after a failure. It ends
    /// an outage that other processes found only if this process has looked.
    pub(super) fn succeed(&mut self) -> bool {
        let had_failed = self.until.is_some();
        let is_first = match self.is_shared {
            true => self.file.end().unwrap_or(had_failed),
            false => had_failed,
        };
        self.close();
        is_first
    }
}

/// Records and logs that the engine answered.
pub(super) fn succeed(breaker: &Mutex<Breaker>, engine: &RedisSpool) {
    // The host's log callback must not be called under the lock.
    let is_first = host::lock(breaker).succeed();
    if is_first {
        log::info(|| format!("the engine {} answers again", engine.shared.engine.place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    /// A fallback directory, as several processes use it.
    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Machine {
            Machine(tempfile::tempdir().unwrap())
        }

        fn process(&self) -> Breaker {
            Breaker::new(&self.0.path().join("fallback"), true)
        }

        fn file(&self) -> PathBuf {
            self.0.path().join("fallback/outage")
        }

        /// Lets the pause of the file pass.
        fn pass_pause(&self) {
            let text = fs::read_to_string(self.file()).unwrap();
            let (_, failures) = text.split_once(' ').unwrap();
            fs::write(self.file(), format!("{:020} {failures}", 0)).unwrap();
        }

        /// The pause in the file.
        fn pause(&self) -> Duration {
            let text = fs::read_to_string(self.file()).unwrap();
            let next: u64 = text.split_once(' ').unwrap().0.parse().unwrap();
            Duration::from_millis(next).saturating_sub(host::uptime().unwrap())
        }
    }

    #[test]
    fn breaker_lets_one_call_try_after_each_pause() {
        let machine = Machine::new();
        let mut breaker = machine.process();
        let start = Instant::now();
        assert_eq!(breaker.engine_use(start), EngineUse::Normal);
        assert!(!machine.file().exists());
        assert!(breaker.fail(start));
        machine.pass_pause();
        assert_eq!(breaker.engine_use(start + FIRST_PAUSE / 2), EngineUse::Skip);
        let next = start + FIRST_PAUSE;
        assert_eq!(breaker.look(next), EngineUse::Briefly);
        assert_eq!(breaker.engine_use(next), EngineUse::Briefly);
        assert_eq!(breaker.engine_use(next), EngineUse::Skip);
        assert!(!breaker.fail(next));
        machine.pass_pause();
        assert_eq!(breaker.engine_use(next + FIRST_PAUSE), EngineUse::Skip);
        let next = next + FIRST_PAUSE * 2;
        assert_eq!(breaker.engine_use(next), EngineUse::Briefly);
        assert!(breaker.succeed());
        assert!(!breaker.succeed());
        assert_eq!(breaker.engine_use(start), EngineUse::Normal);
        assert!(!machine.file().exists());
    }

    #[test]
    fn outage_is_shared_by_the_processes_of_a_machine() {
        let machine = Machine::new();
        let mut all: Vec<Breaker> = (0..50).map(|_| machine.process()).collect();
        let now = Instant::now();
        assert!(all[0].fail(now));
        let used = |all: &mut Vec<Breaker>, at: Instant| -> Vec<EngineUse> {
            all.iter_mut()
                .map(|process| process.engine_use(at))
                .collect()
        };
        assert_eq!(used(&mut all, now), [EngineUse::Skip; 50]);
        // A call that was in flight fails later: it is the same outage.
        assert!(!all[1].fail(now));
        assert!(machine.pause() <= FIRST_PAUSE);
        for failures in 2..9 {
            machine.pass_pause();
            let later = now + LONGEST_PAUSE * failures;
            let used = used(&mut all, later);
            let tries = used.iter().filter(|used| **used == EngineUse::Briefly);
            assert_eq!(tries.count(), 1);
            let expected = pause(failures);
            assert!(machine.pause() <= expected && machine.pause() > expected / 2);
        }
        // One process reports that the engine answers.
        assert!(all[7].succeed());
        assert!(!all[8].succeed());
        let later = now + LONGEST_PAUSE;
        assert_eq!(used(&mut all, later), [EngineUse::Normal; 50]);
    }

    #[test]
    fn one_thread_tries_when_several_find_the_pause_over() {
        let machine = Machine::new();
        machine.process().fail(Instant::now());
        for _ in 0..20 {
            machine.pass_pause();
            let tries: usize = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|_| {
                        let mut process = machine.process();
                        scope.spawn(move || process.engine_use(Instant::now()))
                    })
                    .collect();
                let used = threads.into_iter().map(|thread| thread.join().unwrap());
                used.filter(|used| *used == EngineUse::Briefly).count()
            });
            assert_eq!(tries, 1);
        }
    }

    #[test]
    fn engine_is_tried_when_the_file_is_damaged_or_of_another_boot() {
        let far = host::uptime().unwrap() + LONGEST_PAUSE + Duration::from_secs(60);
        let of_another_boot = format!("{:020} {:010}\n", far.as_millis(), 3);
        for content in [
            "",
            "\n",
            "garbage",
            "1",
            "-1 -1",
            "99999999999999999999999 1",
            &of_another_boot,
            &"9".repeat(5000),
        ] {
            let machine = Machine::new();
            machine.process().fail(Instant::now());
            fs::write(machine.file(), content).unwrap();
            let now = Instant::now();
            let (mut first, mut second) = (machine.process(), machine.process());
            assert_eq!(first.engine_use(now), EngineUse::Briefly, "{content}");
            assert_eq!(second.engine_use(now), EngineUse::Skip, "{content}");
            assert!(first.succeed());
            assert_eq!(second.engine_use(now), EngineUse::Normal, "{content}");
        }
    }

    #[test]
    fn breaker_is_per_process_when_the_file_cannot_be_used() {
        let machine = Machine::new();
        machine.process().fail(Instant::now());
        fs::remove_file(machine.file()).unwrap();
        fs::create_dir(machine.file()).unwrap();
        let (mut first, mut second) = (machine.process(), machine.process());
        let now = Instant::now();
        assert_eq!(first.engine_use(now), EngineUse::Normal);
        first.fail(now);
        assert_eq!(first.engine_use(now), EngineUse::Skip);
        assert_eq!(second.engine_use(now), EngineUse::Normal);
        assert_eq!(first.engine_use(now + FIRST_PAUSE), EngineUse::Briefly);
        assert_eq!(first.engine_use(now + FIRST_PAUSE), EngineUse::Skip);
        assert!(first.succeed());
        assert_eq!(first.engine_use(now), EngineUse::Normal);
    }

    #[test]
    fn breaker_is_per_process_when_the_directory_cannot_be_made() {
        let machine = Machine::new();
        fs::write(machine.0.path().join("fallback"), "a file").unwrap();
        let mut breaker = machine.process();
        let now = Instant::now();
        assert_eq!(breaker.engine_use(now), EngineUse::Normal);
        assert!(breaker.fail(now));
        assert!(!breaker.fail(now));
        assert_eq!(breaker.engine_use(now), EngineUse::Skip);
        assert_eq!(breaker.engine_use(now + FIRST_PAUSE), EngineUse::Briefly);
        assert!(breaker.succeed());
    }

    #[test]
    fn pause_is_limited() {
        assert_eq!(pause(1), FIRST_PAUSE);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }
}
