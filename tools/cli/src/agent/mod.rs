//! The agent: accepts notifications over HTTP from shops whose language cannot load the library, and enqueues them in
//! the spool that `drain` delivers.

mod address;
mod pace;
mod readiness;
mod requests;
mod server;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use esales_notify::{Client, Config};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::sync::watch;

pub(crate) use address::Address;
use address::{Listener, Rules};
use requests::{MAX_CALLS, Requests};
use server::Server;

use crate::metrics::DrainMetrics;

/// The variable with the addresses, for containers.
pub(crate) const LISTEN_VARIABLE: &str = "ESALES_NOTIFY_LISTEN";
/// The file descriptors reserved for everything except connections.
const OTHER_DESCRIPTORS: u64 = 256;

/// The agent's flags of `drain`.
pub(crate) fn args() -> [Arg; 5] {
    let heading = "Options of the agent";
    [
        Arg::new("listen")
            .long("listen")
            .value_name("ADDRESS")
            .env(LISTEN_VARIABLE)
            .value_delimiter(',')
            .action(ArgAction::Append)
            .value_parser(|text: &str| text.parse::<Address>())
            .conflicts_with("once")
            .help(
                "Also accept notifications over HTTP, at a loopback address such as 127.0.0.1:8181 (port 0: a free one) or at \
                 a Unix socket, unix:PATH; may be given more than once",
            ),
        Arg::new("socket-mode")
            .long("socket-mode")
            .value_name("MODE")
            .default_value("0660")
            .value_parser(mode)
            .help("Mode of the Unix socket; every user who may write to it may enqueue"),
        Arg::new("allow-host")
            .long("allow-host")
            .value_name("NAME")
            .action(ArgAction::Append)
            .help("Also answer under this host name; localhost and addresses always work"),
        Arg::new("max-connections")
            .long("max-connections")
            .value_name("N")
            .default_value("1024")
            .value_parser(value_parser!(u32).range(1..=65_536))
            .help("Greatest number of open connections; above it, idle ones are closed and new ones wait"),
        Arg::new("insecure-listen-on-network")
            .long("insecure-listen-on-network")
            .action(ArgAction::SetTrue)
            .help(
                "Let --listen name an address that other machines reach. Every program that reaches it may enqueue and read receipts, \
                 and visitor data crosses the network unencrypted",
            ),
    ]
    .map(|arg| arg.help_heading(heading))
}

fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("it must be an octal number of 0 to 0777, such as 0660".to_owned()),
    }
}

/// The bound listeners of the agent, before they are served.
pub(crate) struct Bound {
    listeners: Vec<Listener>,
    /// The addresses of the listeners.
    pub(crate) addresses: Vec<String>,
    allow_hosts: Vec<String>,
    max_connections: u32,
}

/// Binds the addresses of the flags. `None`: no agent was requested.
pub(crate) fn bind(args: &ArgMatches) -> Result<Option<Bound>, String> {
    let Some(listen) = args.get_many::<Address>("listen") else {
        return Ok(None);
    };
    let rules = Rules {
        may_be_remote: args.get_flag("insecure-listen-on-network"),
        socket_mode: args.get_one::<u32>("socket-mode").copied().unwrap_or(0o660),
    };
    let listeners: Vec<Listener> = listen
        .map(|address| Listener::bind(address, rules))
        .collect::<Result<_, _>>()?;
    let address = |listener: &Listener| listener.address().map(|a| a.to_string());
    Ok(Some(Bound {
        addresses: listeners
            .iter()
            .map(address)
            .collect::<io::Result<_>>()
            .map_err(|e| format!("--listen: {e}"))?,
        listeners,
        allow_hosts: args
            .get_many::<String>("allow-host")
            .map(|names| names.cloned().collect())
            .unwrap_or_default(),
        max_connections: args.get_one("max-connections").copied().unwrap_or(1024),
    }))
}

/// A running agent, on a separate thread.
pub(crate) struct Agent {
    requests: Arc<Requests>,
    stop: watch::Sender<bool>,
    stopped: Receiver<()>,
}

impl Agent {
    /// Starts to serve. Notifications go into the spool of the client, which was made from `config`.
    pub(crate) fn start(
        bound: Bound,
        client: Arc<Client>,
        config: Config,
        metrics: DrainMetrics,
    ) -> io::Result<Agent> {
        raise_descriptor_limit(u64::from(bound.max_connections));
        let requests = Arc::new(Requests::new(client, config, bound.allow_hosts, metrics));
        let (stop, is_stopping) = watch::channel(false);
        let max_connections = usize::try_from(bound.max_connections).unwrap_or(usize::MAX);
        let server = Server::new(Arc::clone(&requests), max_connections, is_stopping);
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(MAX_CALLS)
            .build()?;
        let (end, stopped) = mpsc::channel();
        let listeners = bound.listeners;
        thread::Builder::new()
            .name("esales-agent".to_owned())
            .spawn(move || {
                // The only failure is that a listener cannot be registered with the system.
                if let Err(e) = runtime.block_on(Arc::new(server).run(listeners)) {
                    errln!("esales-notify: the agent has failed: {e}");
                }
                let _ = end.send(());
                // A call to the spool ends at its own deadline.
                runtime.shutdown_background();
            })?;
        Ok(Agent {
            requests,
            stop,
            stopped,
        })
    }

    /// Accepts no further connection, and waits for the answers to the requests in flight, for at most `timeout`.
    pub(crate) fn stop(&self, timeout: Duration) {
        self.requests.stop();
        let _ = self.stop.send(true);
        let _ = self.stopped.recv_timeout(timeout);
    }
}

/// If the limit cannot be raised, it bounds the number of connections.
fn raise_descriptor_limit(connections: u64) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = connections.saturating_add(OTHER_DESCRIPTORS);
    if limit.current.is_some_and(|current| current < wanted) {
        let current = limit.maximum.map_or(wanted, |most| wanted.min(most));
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(current),
                maximum: limit.maximum,
            },
        );
    }
}
