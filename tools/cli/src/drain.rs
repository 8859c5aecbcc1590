//! `drain`: delivers a spool, as a service in the foreground, or once until it is empty.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use esales_notify::{
    Client, Config, Counts, Error, LogCallback, LogLevel, SpoolAdmin, Stats, log_to,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sd_notify::NotifyState;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::agent::{self, Agent, Bound};
use crate::metrics::DrainMetrics;
use crate::notify_socket::notify as notify_manager;
use crate::{EXIT_LEFT, of_spool, options, users};

/// How often the service manager gets the state, and the library's worker is woken: the worker sleeps after 30 s
/// without work, and then does not see what other processes enqueue.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Longer than the time between two polls of a healthy delivery.
const DELIVERY_POLL: Duration = Duration::from_secs(2);
/// How often the progress is drawn.
const DRAW_INTERVAL: Duration = Duration::from_millis(250);
/// Ten years: no limit.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

const LONG_ABOUT: &str = "\
Delivers a spool: the directory in the option spool (--spool, ESALES_SPOOL), into which other processes of this machine \
enqueue notifications. Run it as the owner of the spool.

Without --once it runs as a service in the foreground until SIGTERM or SIGINT. After the signal it starts no further \
request, waits up to --stop-timeout-s for requests in flight, and exits with 0. Requests that are still in flight then \
are sent again later, with the same id. A second signal ends the wait. Pending notifications stay in the spool.

Any number of these services may run for one spool: one delivers, and the others are on standby. When the leader ends, \
one of the others becomes the leader. Under systemd, drain uses the notification protocol (Type=notify, WatchdogSec), \
and its log messages have priorities.

With --once it delivers what is in the spool when it starts, prints the outcomes, and ends. During an outage of the \
service it waits, unless --max-wait-s limits the wait.

Each notification is sent to the origin for which it was accepted. cluster_id or base_url is required nevertheless, and \
the connection options (proxy, ca_file, ...) apply to every origin. The option delivery has no effect.

With --listen it is also an agent, for shops whose language cannot load the library: it accepts the service's own \
requests (POST /api/v1/notifications/..., as JSON), so that a shop changes only its base address. It answers 202 with \
the id once the notification is in the spool, 400 if it is malformed, and 503 if it was not accepted. GET /receipts/ID returns the receipt of a notification, and GET /metrics the metrics for Prometheus. /healthz fails if the delivery hangs, and /readyz if the spool cannot be written.";

const EXIT_CODES: &str = "\
Examples, with ESALES_CLUSTER_ID in the environment:
  esales-notify drain --spool /var/lib/esales-notify/spool
  esales-notify drain --spool /var/lib/esales-notify/spool --once --max-wait-s 60

Exit code: 0 stopped by a signal or, with --once, everything that was pending has left the queue; 2 wrong usage or \
options; 4 with --once, something is left; 6 the spool could not be used, or its folder is missing; 7 the agent cannot \
listen.";
/// The agent cannot listen.
const EXIT_LISTEN: u8 = 7;

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
            "End when everything that is pending at the start has left the spool",
        ))
        .arg(
            seconds(
                "max-wait-s",
                1,
                "With --once: end after this many seconds, even if something is left",
            )
            .requires("once"),
        )
        .arg(flag("json", "With --once: print the summary as JSON").requires("once"))
        .arg(
            seconds(
                "stop-timeout-s",
                0,
                "How long to wait for requests in flight after a signal, in seconds",
            )
            .default_value("5"),
        )
        .arg(
            Arg::new("log-level")
                .long("log-level")
                .value_name("LEVEL")
                .value_parser(["error", "warn", "info", "debug"])
                .default_value("info")
                .help("The most verbose level of log messages on stderr: attempts are debug, dead letters warn"),
        )
        .args(agent::args())
        .args(options::flags().filter(|flag| flag.get_id() != "delivery"))
}

pub(crate) fn run(args: &ArgMatches) -> Result<ExitCode, String> {
    let mut config = options::config(args)?;
    let Some(spool) = config.get("spool").map(str::to_owned) else {
        return Err(
            "spool is missing: name the directory to drain (--spool or ESALES_SPOOL)".to_owned(),
        );
    };
    config
        .set("delivery", "background")
        .map_err(|e| e.to_string())?;
    // Installed before the first request: from here on, a signal stops the delivery in the regular way.
    let (sender, events) = channel();
    let signals = Signals::new([SIGTERM, SIGINT]).map_err(|e| format!("signals: {e}"))?;
    listen(signals, sender.clone());
    let is_once = args.get_flag("once");
    let log = Log {
        level: level(args),
        bar: progress_bar(is_once),
        is_journal: std::env::var_os("JOURNAL_STREAM").is_some(),
    };
    log_to(log.level, Some(log.callback()));
    let bound = match agent::bind(args) {
        Ok(bound) => bound,
        Err(message) => {
            errln!("esales-notify: {message}");
            return Ok(ExitCode::from(EXIT_LISTEN));
        }
    };
    let result = open(&config, is_once, &spool, &log).and_then(|client| {
        let drain = Drain {
            client: Arc::new(client),
            spool,
            sender,
            events,
            log: log.clone(),
            stop_timeout: seconds(args, "stop-timeout-s").unwrap_or_default(),
            watchdog: sd_notify::watchdog_enabled().map(|every| every / 2),
        };
        match is_once {
            true => drain.once(
                seconds(args, "max-wait-s").unwrap_or(FOR_EVER),
                args.get_flag("json"),
            ),
            false => drain.serve(bound, config),
        }
    });
    log.bar.finish_and_clear();
    log_to(LogLevel::Error, None);
    of_spool(result)
}

/// Opens the spool, and logs the number of pending notifications before the library logs that it delivers.
fn open(config: &Config, is_once: bool, spool: &str, log: &Log) -> Result<Client, Error> {
    SpoolAdmin::path(config)?;
    let report = SpoolAdmin::open(config).and_then(|spool| spool.report());
    let pending = match report {
        Ok(report) => format!(": {} pending", report.counts.pending),
        // A misspelt path must not look like an empty spool.
        Err(e) if is_once => return Err(e),
        // The client makes a spool that does not exist yet, and returns every other error.
        Err(_) => String::new(),
    };
    let user = users::user_name(users::this_user());
    log.info(&format!("draining {spool} as {user}{pending}"));
    Client::new(config)
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

/// Writes messages to stderr, above the progress bar. A stderr that fails does not stop the delivery.
#[derive(Clone)]
struct Log {
    level: LogLevel,
    bar: ProgressBar,
    /// systemd sets JOURNAL_STREAM, and reads a priority at the start of a line.
    is_journal: bool,
}

impl Log {
    fn write(&self, level: LogLevel, message: &str) {
        let (priority, name) = match level {
            LogLevel::Error => ("<3>", "error"),
            LogLevel::Warn => ("<4>", "warn"),
            LogLevel::Info => ("<6>", "info"),
            _ => ("<7>", "debug"),
        };
        let priority = if self.is_journal { priority } else { "" };
        self.bar.suspend(|| {
            let _ = writeln!(io::stderr(), "{priority}esales-notify: {name}: {message}");
        });
    }

    /// Logs a message of the command itself.
    fn info(&self, message: &str) {
        if self.level >= LogLevel::Info {
            self.write(LogLevel::Info, message);
        }
    }

    /// The callback for the library's log messages.
    fn callback(&self) -> LogCallback {
        let log = self.clone();
        Box::new(move |level, message| log.write(level, message))
    }
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
    /// Whether everything that was pending has left the queue.
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

fn status_line(stats: &Stats) -> String {
    let mut line = format!(
        "{} pending, {} delivered, {} dead",
        stats.spool.pending, stats.spool.delivered, stats.spool.dead
    );
    if let Some(wait) = stats.gate_closed_for {
        line += &format!(
            "; deliveries are failing, next try in {:.0} s",
            wait.as_secs_f64()
        );
    }
    line
}

struct Drain {
    client: Arc<Client>,
    sender: Sender<Event>,
    events: Receiver<Event>,
    spool: String,
    log: Log,
    stop_timeout: Duration,
    watchdog: Option<Duration>,
}

impl Drain {
    /// Delivers until a signal comes.
    fn serve(&self, bound: Option<Bound>, config: Config) -> Result<ExitCode, Error> {
        // Opens the spool, makes it if need be, and starts the delivery: the service is ready then.
        let stats = self.client.stats()?;
        let agent = match bound {
            None => None,
            Some(bound) => match self.start_agent(bound, config)? {
                Ok(agent) => Some(agent),
                Err(e) => {
                    errln!("esales-notify: the agent cannot start: {e}");
                    return Ok(ExitCode::from(EXIT_LISTEN));
                }
            },
        };
        notify_manager(&[
            NotifyState::Ready,
            NotifyState::Status(&status_line(&stats)),
        ]);
        let _signal = self.next_event(POLL_INTERVAL, || {
            // If the spool cannot be read just now, the library's worker logs it and tries again.
            if let Ok(stats) = self.client.stats() {
                notify_manager(&[NotifyState::Status(&status_line(&stats))]);
            }
        });
        if let Some(agent) = &agent {
            agent.stop(self.stop_timeout);
        }
        self.stop();
        if let Ok(stats) = self.client.stats() {
            self.log_stop(stats.spool.pending);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn start_agent(&self, bound: Bound, config: Config) -> Result<io::Result<Agent>, Error> {
        let metrics = DrainMetrics::default();
        let observed = metrics.clone();
        self.client
            .on_timed_delivery(Some(Box::new(move |receipt, latency| {
                observed.observe(receipt, latency);
            })))?;
        let addresses = bound.addresses.clone();
        let agent = Agent::start(bound, Arc::clone(&self.client), config, metrics);
        if agent.is_ok() {
            for address in addresses {
                self.log.info(&format!("listening on {address}"));
            }
        }
        Ok(agent)
    }

    /// Delivers until everything that is pending now has left the queue.
    fn once(&self, max_wait: Duration, is_json: bool) -> Result<ExitCode, Error> {
        let start = Instant::now();
        let before = self.client.stats()?;
        notify_manager(&[
            NotifyState::Ready,
            NotifyState::Status(&status_line(&before)),
        ]);
        self.log.bar.set_length(before.spool.pending);
        self.flush(max_wait);
        let draw = || {
            // Reading the counters slows the delivery down, so it happens only when they are shown.
            if !self.log.bar.is_hidden()
                && let Ok(stats) = self.client.stats()
            {
                let left = completed(stats.spool, before.spool).min(before.spool.pending);
                self.log.bar.set_position(left);
                self.log.bar.set_message(status_line(&stats));
            }
        };
        let mut is_empty = match self.next_event(DRAW_INTERVAL, draw) {
            Event::Flushed(result) => result?,
            Event::Signal | Event::Stopped => {
                self.stop();
                false
            }
        };
        let after = self.client.stats()?;
        is_empty |= after.spool.pending == 0;
        self.log.bar.finish_and_clear();
        self.log_stop(after.spool.pending);
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

    fn log_stop(&self, pending: u64) {
        self.log.info(&format!(
            "stopped draining {}: {pending} pending",
            self.spool
        ));
    }

    /// Ends the delivery; requests in flight have the stop timeout to end.
    fn stop(&self) {
        notify_manager(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
        let (client, sender) = (Arc::clone(&self.client), self.sender.clone());
        let timeout = self.stop_timeout;
        thread::spawn(move || {
            // Notifications without an answer are still in the spool.
            let _ = client.stop_delivery(timeout);
            let _ = sender.send(Event::Stopped);
        });
        // The flush that `once` began may end meanwhile.
        while matches!(self.next_event(DRAW_INTERVAL, || ()), Event::Flushed(_)) {}
    }

    /// Starts a flush; its end is an event.
    fn flush(&self, timeout: Duration) {
        let (client, sender) = (Arc::clone(&self.client), self.sender.clone());
        thread::spawn(move || {
            let _ = sender.send(Event::Flushed(client.flush(timeout)));
        });
    }

    /// Waits for an event. Meanwhile it calls `poll` as often as `every` says, and feeds the watchdog while the
    /// delivery polls.
    fn next_event(&self, every: Duration, poll: impl Fn()) -> Event {
        let mut next_poll = Instant::now() + every;
        loop {
            let pause = self.watchdog.map_or(every, |w| w.min(every));
            match self.events.recv_timeout(pause) {
                Ok(event) => return event,
                Err(RecvTimeoutError::Timeout) => {}
                // Impossible: this struct holds a sender.
                Err(RecvTimeoutError::Disconnected) => return Event::Signal,
            }
            // If the delivery hangs, the watchdog gets no sign, and the service manager restarts the command.
            if let Some(every) = self.watchdog
                && self
                    .client
                    .has_polled(every.max(DELIVERY_POLL))
                    .unwrap_or(false)
            {
                notify_manager(&[NotifyState::Watchdog]);
            }
            if Instant::now() >= next_poll {
                poll();
                next_poll = Instant::now() + every;
            }
        }
    }
}

/// The number of notifications that left the queue.
fn completed(after: Counts, before: Counts) -> u64 {
    let completed = |c: Counts| c.delivered + c.dead + c.expired + c.dropped;
    completed(after).saturating_sub(completed(before))
}

fn summarize(before: Counts, after: Counts, is_empty: bool, elapsed: Duration, is_json: bool) {
    // An operator may retry or drop dead letters meanwhile.
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
    let state = if is_empty { "empty" } else { "not empty" };
    outln!(
        "{state} after {:.1} s: {delivered} delivered, {dead} dead, {expired} expired, {dropped} dropped, {} pending",
        elapsed.as_secs_f64(),
        after.pending
    );
}
