//! `drain`: delivers a spool, as a service in the foreground, or once until it is empty.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use esales_notify::{Client, Counts, Error, LogCallback, LogLevel, SpoolFile, Stats, log_to};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sd_notify::NotifyState;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::notify_socket::notify as tell;
use crate::{of_spool, options};

/// `--once`: something is left.
const EXIT_LEFT: u8 = 4;
/// How often the state is told, and the library's worker woken: it would go to sleep after 30 s without work, and
/// not see what other processes put in.
const LOOK: Duration = Duration::from_secs(5);
/// How often the progress is drawn.
const DRAW: Duration = Duration::from_millis(250);
/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

const LONG_ABOUT: &str = "\
Delivers a spool: the file that the option spool (--spool, ESALES_SPOOL) names, into which other processes of this \
machine put notifications. It must run as the user who owns the spool.

Without --once it is a service in the foreground: it delivers what is there and what comes, until SIGTERM or SIGINT. \
Then it takes nothing more out, waits up to --stop-timeout-s for the answers to what is being sent, and exits with 0; \
what is left stays in the spool. What has no answer by then is sent once more later, with the same id. A second \
signal ends the waiting. Any number may run: one delivers, the others stand by and take over when it \
ends, however it ends. Under systemd it speaks the notification protocol (Type=notify, WatchdogSec), and its messages \
carry their priority.

With --once it delivers what is in the spool when it starts, says what became of it, and stops. While the service is \
down it keeps waiting, unless --max-wait-s says for how long.

Each notification goes to the address that it was accepted for. cluster_id or base_url is needed all the same, and \
the options of the connection (proxy, ca_file, ...) hold for every address. The option delivery has no meaning here.";

const EXIT_CODES: &str = "\
Exit code: 0 stopped by a signal or, with --once, everything there has left the queue; 2 wrong usage or options; \
4 with --once, something is left; 6 the spool could not be used.";

pub(crate) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    let seconds = |name: &'static str, least: u64, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("N")
            .value_parser(value_parser!(u64).range(least..=86_400))
            .help(help)
    };
    Command::new("drain")
        .about("Deliver a spool: as a service, or once until it is empty")
        .long_about(LONG_ABOUT)
        .after_help(EXIT_CODES)
        .arg(flag(
            "once",
            "Stop when what is in the spool now has left it",
        ))
        .arg(
            seconds(
                "max-wait-s",
                1,
                "With --once: stop after this many seconds, whatever is left",
            )
            .requires("once"),
        )
        .arg(flag("json", "With --once: print the summary as JSON").requires("once"))
        .arg(
            seconds(
                "stop-timeout-s",
                0,
                "After a signal, how long what is being sent may take, in seconds",
            )
            .default_value("5"),
        )
        .arg(
            Arg::new("log-level")
                .long("log-level")
                .value_name("LEVEL")
                .value_parser(["error", "warn", "info", "debug"])
                .default_value("info")
                .help("What to say on stderr, up to: each attempt is debug, a dead letter warn"),
        )
        .args(options::flags().filter(|flag| flag.get_id() != "delivery"))
}

pub(crate) fn run(args: &ArgMatches) -> Result<ExitCode, String> {
    let mut config = options::config(args)?;
    if config.get("spool").is_none() {
        return Err(
            "spool is missing: name the file to drain (--spool or ESALES_SPOOL)".to_owned(),
        );
    }
    config
        .set("delivery", "background")
        .map_err(|e| e.to_string())?;
    let is_once = args.get_flag("once");
    if is_once {
        // A slip in the name must not look like an empty spool.
        SpoolFile::open(&config).map_err(|e| e.to_string())?;
    }
    // Before the first thread of the library, and before anything can be under way.
    let (sender, events) = channel();
    let signals = Signals::new([SIGTERM, SIGINT]).map_err(|e| format!("signals: {e}"))?;
    listen(signals, sender.clone());
    let bar = progress_bar(is_once);
    log_to(level(args), Some(logger(bar.clone())));
    let drain = Drain {
        client: Arc::new(Client::new(&config).map_err(|e| e.to_string())?),
        sender,
        events,
        bar,
        stop_timeout: seconds(args, "stop-timeout-s").unwrap_or_default(),
        watchdog: sd_notify::watchdog_enabled().map(|every| every / 2),
    };
    let result = if is_once {
        drain.once(
            seconds(args, "max-wait-s").unwrap_or(FOR_EVER),
            args.get_flag("json"),
        )
    } else {
        drain.serve()
    };
    drain.bar.finish_and_clear();
    log_to(LogLevel::Error, None);
    of_spool(result)
}

fn seconds(args: &ArgMatches, name: &str) -> Option<Duration> {
    args.get_one::<u64>(name).copied().map(Duration::from_secs)
}

fn level(args: &ArgMatches) -> LogLevel {
    match args.get_one::<String>("log-level").map(String::as_str) {
        Some("error") => LogLevel::Error,
        Some("warn") => LogLevel::Warn,
        Some("debug") => LogLevel::Debug,
        _ => LogLevel::Info,
    }
}

/// Writes to stderr, above the progress bar. A stderr that nobody reads is no reason to stop delivering.
fn logger(bar: ProgressBar) -> LogCallback {
    // systemd sets it, and reads a priority at the start of a line.
    let is_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    Box::new(move |level, words| {
        let (priority, name) = match level {
            LogLevel::Error => ("<3>", "error"),
            LogLevel::Warn => ("<4>", "warn"),
            LogLevel::Info => ("<6>", "info"),
            _ => ("<7>", "debug"),
        };
        let priority = if is_journal { priority } else { "" };
        bar.suspend(|| {
            let _ = writeln!(io::stderr(), "{priority}esales-notify: {name}: {words}");
        });
    })
}

fn progress_bar(is_wanted: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    if is_wanted && io::stderr().is_terminal() {
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    bar
}

enum Event {
    Signal,
    /// What the queue held has left it, or not.
    Flushed(Result<bool, Error>),
    /// The delivery has ended.
    Stopped,
}

fn listen(mut signals: Signals, events: Sender<Event>) {
    thread::spawn(move || {
        for _ in signals.forever() {
            if events.send(Event::Signal).is_err() {
                return;
            }
        }
    });
}

fn in_words(stats: &Stats) -> String {
    let mut words = format!(
        "{} pending, {} delivered, {} dead",
        stats.spool.pending, stats.spool.delivered, stats.spool.dead
    );
    if let Some(wait) = stats.gate_closed_for {
        words += &format!(
            "; deliveries are failing, next try in {:.0} s",
            wait.as_secs_f64()
        );
    }
    words
}

struct Drain {
    client: Arc<Client>,
    sender: Sender<Event>,
    events: Receiver<Event>,
    bar: ProgressBar,
    stop_timeout: Duration,
    watchdog: Option<Duration>,
}

impl Drain {
    /// Until a signal comes.
    fn serve(&self) -> Result<ExitCode, Error> {
        // Opens the spool, makes it if need be, and starts the delivery: now the service can be said to be ready.
        let stats = self.client.stats()?;
        tell(&[NotifyState::Ready, NotifyState::Status(&in_words(&stats))]);
        let _signal = self.next_event(LOOK, || {
            // A spool that cannot be read just now: the library's worker says so, and goes on when it can.
            if let Ok(stats) = self.client.stats() {
                tell(&[NotifyState::Status(&in_words(&stats))]);
            }
        });
        self.stop();
        Ok(ExitCode::SUCCESS)
    }

    /// Until what is there has left the queue.
    fn once(&self, max_wait: Duration, is_json: bool) -> Result<ExitCode, Error> {
        let start = Instant::now();
        let before = self.client.stats()?;
        tell(&[NotifyState::Ready, NotifyState::Status(&in_words(&before))]);
        self.bar.set_length(before.spool.pending);
        self.flush(max_wait);
        let draw = || {
            // To ask costs the delivery time.
            if !self.bar.is_hidden()
                && let Ok(stats) = self.client.stats()
            {
                self.bar
                    .set_position(settled(stats.spool, before.spool).min(before.spool.pending));
                self.bar.set_message(in_words(&stats));
            }
        };
        let mut is_empty = match self.next_event(DRAW, draw) {
            Event::Flushed(result) => result?,
            Event::Signal | Event::Stopped => {
                self.stop();
                false
            }
        };
        let after = self.client.stats()?;
        is_empty |= after.spool.pending == 0;
        self.bar.finish_and_clear();
        summarize(
            before.spool,
            after.spool,
            is_empty,
            start.elapsed(),
            is_json,
        );
        Ok(if is_empty {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(EXIT_LEFT)
        })
    }

    /// Gives what is being sent the time that is left to it.
    fn stop(&self) {
        tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
        let (client, sender) = (Arc::clone(&self.client), self.sender.clone());
        let timeout = self.stop_timeout;
        thread::spawn(move || {
            // What is still being sent is in the spool: there is nothing more to do about it.
            let _ = client.stop_delivery(timeout);
            let _ = sender.send(Event::Stopped);
        });
        // A flush that `once` began may end meanwhile.
        while matches!(self.next_event(DRAW, || ()), Event::Flushed(_)) {}
    }

    /// Starts a flush; its end is an event.
    fn flush(&self, timeout: Duration) {
        let (client, sender) = (Arc::clone(&self.client), self.sender.clone());
        thread::spawn(move || {
            let _ = sender.send(Event::Flushed(client.flush(timeout)));
        });
    }

    /// Waits for an event, calls `look` meanwhile as often as `every` says, and keeps the watchdog quiet.
    fn next_event(&self, every: Duration, look: impl Fn()) -> Event {
        let mut next_look = Instant::now() + every;
        loop {
            let pause = self.watchdog.map_or(every, |w| w.min(every));
            match self.events.recv_timeout(pause) {
                Ok(event) => return event,
                Err(RecvTimeoutError::Timeout) => {}
                // Cannot happen: this holds a sender.
                Err(RecvTimeoutError::Disconnected) => return Event::Signal,
            }
            if self.watchdog.is_some() {
                tell(&[NotifyState::Watchdog]);
            }
            let now = Instant::now();
            if now >= next_look {
                look();
                next_look = Instant::now() + every;
            }
        }
    }
}

/// How many left the queue.
fn settled(after: Counts, before: Counts) -> u64 {
    let gone = |c: Counts| c.delivered + c.dead + c.expired + c.dropped;
    gone(after).saturating_sub(gone(before))
}

fn summarize(before: Counts, after: Counts, is_empty: bool, elapsed: Duration, is_json: bool) {
    // An operator may take dead letters away meanwhile.
    let [delivered, dead, expired, dropped] = [
        (after.delivered, before.delivered),
        (after.dead, before.dead),
        (after.expired, before.expired),
        (after.dropped, before.dropped),
    ]
    .map(|(after, before)| after.saturating_sub(before));
    if is_json {
        let summary = json!({
            "is_empty": is_empty,
            "delivered": delivered,
            "dead": dead,
            "expired": expired,
            "dropped": dropped,
            "pending": after.pending,
            "elapsed_ms": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        });
        outln!("{summary}");
        return;
    }
    let words = if is_empty { "empty" } else { "not empty" };
    outln!(
        "{words} after {:.1} s: {delivered} delivered, {dead} dead, {expired} expired, {dropped} dropped, {} pending",
        elapsed.as_secs_f64(),
        after.pending
    );
}
