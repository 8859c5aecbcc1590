//! Finds the primary of an engine: among the hosts of the option, by a Sentinel, or by the redirection of a cluster.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::checks::{self, Unfit, explained};
use super::connection::{Connection, Info};
use super::engine::{Engine, Failure};
use super::resp::{Command, Value};
use crate::host;
use crate::options::Host;

impl Engine {
    /// The primary for a host of the option: the host itself, or the primary that the Sentinel on it names.
    fn primary_behind(&self, host: &Host, deadline: Instant) -> Result<Host, String> {
        match &self.place.sentinel {
            None => Ok(host.clone()),
            Some(name) => self.ask_sentinel(host, name, deadline),
        }
    }

    /// Connects to the primary.
    pub(super) fn reach(&self, deadline: Instant) -> Result<Connection, String> {
        let remembered = host::lock(&self.known).primary.clone();
        if let Some(host) = remembered {
            if let Ok(connection) = self.connect(&host, share(deadline, 1)) {
                return Ok(connection);
            }
            host::lock(&self.known).primary = None;
        }
        let mut failure = String::new();
        for (n, host) in self.place.hosts.iter().enumerate() {
            let until = share(deadline, self.place.hosts.len() - n - 1);
            let connected = self.primary_behind(host, until).and_then(|primary| {
                self.connect(&primary, until)
                    .map_err(|unfit| format!("{primary}: {}", unfit.text()))
            });
            match connected {
                Ok(connection) => return Ok(connection),
                Err(e) => failure = e,
            }
        }
        Err(failure)
    }

    /// Connects to an engine, and refuses it if it cannot hold the queue.
    fn connect(&self, host: &Host, deadline: Instant) -> Result<Connection, Unfit> {
        let mut connection = self.greet(host, deadline)?;
        checks::check(&connection.info, &self.settings)?;
        if !self.has_checked_rights.load(Ordering::Relaxed) && !connection.info.is_cluster {
            checks::check_rights(&mut connection, &self.prefix, deadline)?;
            self.has_checked_rights.store(true, Ordering::Relaxed);
        }
        Ok(connection)
    }

    /// Connects to an engine without checks.
    fn greet(&self, host: &Host, deadline: Instant) -> Result<Connection, Unfit> {
        let line = self.dialler.open(&host.name, host.port, deadline);
        let line = line.map_err(|e| Unfit::Other(e.to_string()))?;
        let mut connection = Connection::new(line);
        connection.info = checks::greet(&mut connection, &self.place, &self.settings, deadline)?;
        Ok(connection)
    }

    /// Asks a Sentinel for the primary.
    fn ask_sentinel(&self, host: &Host, name: &str, deadline: Instant) -> Result<Host, String> {
        let failed = |text: &dyn fmt::Display| format!("Sentinel {host}: {text}");
        let line = self.dialler.open(&host.name, host.port, deadline);
        let mut connection = Connection::new(line.map_err(|e| failed(&e))?);
        let question = || {
            Command::new("SENTINEL")
                .arg("get-master-addr-by-name")
                .arg(name)
        };
        let mut ask = |commands: &[Command]| {
            let replies = connection.exchange(commands, deadline);
            replies.map_err(|broken| failed(&broken.error))
        };
        let mut replies = ask(&[question()])?;
        if let Some(Value::Error(error)) = replies.first()
            && error.starts_with("NOAUTH")
            && let Some(login) = checks::login(&self.place, &self.settings)
        {
            replies = ask(&[login, question()])?;
        }
        let primary = match replies.last() {
            Some(Value::Error(error)) => return Err(failed(&explained(error))),
            Some(Value::List(address)) => address
                .first()
                .and_then(Value::text)
                .zip(address.get(1).and_then(Value::number)),
            _ => None,
        };
        let Some((address, port)) = primary else {
            return Err(failed(&format_args!("it knows no primary named {name}")));
        };
        Ok(host_from(address, port))
    }

    /// The properties that the engine reports, without any check, and the time of an empty command.
    pub(super) fn inspect(&self, deadline: Instant) -> Result<(Info, Host, Duration), Failure> {
        let mut failure = String::new();
        for host in &self.place.hosts {
            let greeted = self.primary_behind(host, deadline).and_then(|primary| {
                let greeted = self.greet(&primary, deadline);
                let connection = greeted.map_err(|unfit| format!("{primary}: {}", unfit.text()))?;
                Ok((connection, primary))
            });
            match greeted {
                Ok((mut connection, primary)) => {
                    let start = Instant::now();
                    let ping = connection.exchange(&[Command::new("PING")], deadline);
                    ping.map_err(|broken| Failure::refused(broken.error.to_string()))?;
                    return Ok((connection.info.clone(), primary, start.elapsed()));
                }
                Err(e) => failure = e,
            }
        }
        Err(Failure::refused(failure))
    }
}

/// The time for one host, when `untried` hosts are left.
fn share(deadline: Instant, others: usize) -> Instant {
    let now = Instant::now();
    let left = deadline.saturating_duration_since(now);
    now + left / u32::try_from(others + 1).unwrap_or(u32::MAX)
}

fn host_from(address: &str, port: u64) -> Host {
    let is_v6 = address.contains(':') && !address.starts_with('[');
    Host {
        name: match is_v6 {
            true => format!("[{address}]"),
            false => address.to_owned(),
        },
        port: u16::try_from(port).unwrap_or(0),
    }
}

/// The redirection in a reply.
pub(super) enum Redirection {
    To(Host),
    /// This engine is no longer the primary.
    Away,
}

pub(super) fn redirection(reply: &Value) -> Option<Redirection> {
    let Value::Error(error) = reply else {
        return None;
    };
    let mut words = error.split(' ');
    match words.next()? {
        "MOVED" => {
            let (address, port) = words.nth(1)?.rsplit_once(':')?;
            Some(Redirection::To(host_from(address, port.parse().ok()?)))
        }
        "READONLY" | "MASTERDOWN" | "LOADING" | "CLUSTERDOWN" => Some(Redirection::Away),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirection_reply_is_parsed() {
        let read = |text: &str| redirection(&Value::Error(text.to_owned()));
        let to = |text: &str| match read(text) {
            Some(Redirection::To(host)) => host.to_string(),
            _ => panic!("{text}"),
        };
        assert_eq!(to("MOVED 12182 10.0.0.7:7001"), "10.0.0.7:7001");
        assert_eq!(to("MOVED 1 ::1:7001"), "[::1]:7001");
        assert_eq!(to("MOVED 1 a.example:1"), "a.example:1");
        assert!(matches!(
            read("READONLY You can't"),
            Some(Redirection::Away)
        ));
        for other in [
            "MOVED",
            "MOVED 1",
            "MOVED 1 x",
            "MOVED 1 x:y",
            "ERR MOVED 1 a:1",
            "",
        ] {
            assert!(read(other).is_none(), "{other}");
        }
        assert!(redirection(&Value::Nil).is_none());
    }
}
