//! Checks the path to the service: name, connection, proxy, TLS and answer. Also compares this machine's clock with the
//! service's.

use std::env;
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, SystemTime};

use esales_notify::{Error, Probe, ProbeAnswer, Status, Trust};

use super::certificate::ShownCertificate;
use super::report::{Check, CheckState};

/// A certificate that expires sooner gives a warning, in days.
const SOON: u64 = 14;
/// A greater difference of the clocks gives a warning.
const SKEW: Duration = Duration::from_secs(60);
/// Number of addresses that a client tries.
const MOST_ADDRESSES: usize = 8;
/// The checks, in order.
const NAMES: [&str; 6] = ["name", "connection", "proxy", "tls", "service", "clock"];

/// Runs the steps in order. The steps after a failed one are skipped.
pub(super) fn checks(probe: Option<&Probe>) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(probe) = probe {
        walk(probe, &mut checks);
    }
    let failed = checks.last().map_or("options", |check| check.name);
    let left = NAMES.iter().skip(checks.len());
    let left: Vec<Check> = left.map(|name| Check::not_tried(name, failed)).collect();
    checks.extend(left);
    checks
}

/// Adds checks until one fails.
fn walk(probe: &Probe, checks: &mut Vec<Check>) {
    let mut goes_on = |check: Check| {
        let goes_on = check.state != CheckState::Failed;
        checks.push(check);
        goes_on
    };
    let (addresses, check) = name(probe);
    if !goes_on(check) || !goes_on(connection(probe, &addresses)) || !goes_on(proxy(probe)) {
        return;
    }
    let chain = probe.is_https().then(|| probe.certificates());
    if let Some(Err(e)) = &chain {
        goes_on(Check::failed(
            "tls",
            e.detail(),
            advice(e.status(), e.detail()),
        ));
        return;
    }
    let before = SystemTime::now();
    let answer = probe.ask();
    let after = SystemTime::now();
    let chain = chain.and_then(Result::ok);
    if !goes_on(tls(probe, chain.as_deref(), &answer)) || !goes_on(service(probe, &answer)) {
        return;
    }
    let date = answer.ok().and_then(|a| a.date);
    goes_on(clock(date, before, after));
}

/// The host to connect to, for a message.
fn first_host(probe: &Probe) -> String {
    match probe.proxy() {
        Some((host, _)) => format!("{host} (the proxy)"),
        None => probe.service().0.to_owned(),
    }
}

fn name(probe: &Probe) -> (Vec<SocketAddr>, Check) {
    let host = first_host(probe);
    let bare = probe.proxy().unwrap_or_else(|| probe.service()).0;
    let bare = bare.trim_start_matches('[').trim_end_matches(']');
    match probe.addresses() {
        Ok(addresses) => {
            let all: Vec<String> = addresses.iter().map(|a| a.ip().to_string()).collect();
            let found = match bare.parse::<IpAddr>() {
                Ok(_) => format!("{host} is an address: there is nothing to look up"),
                Err(_) => format!("{host} is {}", all.join(", ")),
            };
            (addresses, Check::ok("name", found).fact("addresses", all))
        }
        Err(e) => {
            let advice = match e.status() {
                Status::Timeout => {
                    "the name server does not answer: see /etc/resolv.conf and the firewall"
                }
                _ => {
                    "check the name (cluster_id or base_url, or the proxy's), and the name server: `getent hosts NAME`"
                }
            };
            let message = format!("{host}: {}", e.detail());
            (Vec::new(), Check::failed("name", message, advice))
        }
    }
}

/// Tries all addresses at the same time, so that a dead one does not delay the others.
fn connection(probe: &Probe, addresses: &[SocketAddr]) -> Check {
    let tried: Vec<(&SocketAddr, Result<Duration, Error>)> = thread::scope(|scope| {
        let running: Vec<_> = addresses
            .iter()
            .take(MOST_ADDRESSES)
            .map(|addr| (addr, scope.spawn(move || probe.connect(addr))))
            .collect();
        let ended = running.into_iter();
        ended
            .filter_map(|(addr, thread)| Some((addr, thread.join().ok()?)))
            .collect()
    });
    let message: Vec<String> = tried
        .iter()
        .map(|(addr, result)| match result {
            Ok(time) => format!("{addr} in {:.1} ms", time.as_secs_f64() * 1e3),
            Err(e) if e.detail().contains(&addr.to_string()) => e.detail().to_owned(),
            Err(e) => format!("{addr}: {}", e.detail()),
        })
        .collect();
    let message = message.join("; ");
    let open = tried.iter().filter(|(_, result)| result.is_ok()).count();
    let has_timeout = tried
        .iter()
        .any(|(_, result)| matches!(result, Err(e) if e.status() == Status::Timeout));
    let check = if open == tried.len() && open > 0 {
        Check::ok("connection", message)
    } else if open > 0 {
        let advice = "a client loses time with the addresses that do not answer: open them in the firewall, or have \
                      them taken out of the name server (an IPv6 address without a route, perhaps)";
        Check::warning("connection", message, advice)
    } else {
        let (host, port) = probe.proxy().unwrap_or_else(|| probe.service());
        let advice = if has_timeout {
            format!(
                "nothing answers: a firewall may drop the packets; allow this machine to reach {host} at port {port}"
            )
        } else {
            format!("nothing listens there: check the address, and that {host} serves port {port}")
        };
        Check::failed("connection", message, advice)
    };
    check.fact("open", open).fact("tried", tried.len())
}

fn proxy(probe: &Probe) -> Check {
    let (service, port) = probe.service();
    let Some((host, proxy_port)) = probe.proxy() else {
        return Check::skipped(
            "proxy",
            match probe.has_proxy() {
                true => format!("a proxy is set, but no_proxy names {service}"),
                false => "no proxy is set for this address".to_owned(),
            },
        );
    };
    let proxy = format!("{host}:{proxy_port}");
    match probe.reach() {
        Ok(()) => Check::ok("proxy", format!("{proxy} opens a tunnel to {service}:{port}")),
        Err(e) => {
            let advice = match e.detail() {
                message if message.contains("407") => {
                    "the proxy requires a user name and a password: proxy=http://user:password@host:port".to_owned()
                }
                message if message.contains("403") => {
                    format!("have the proxy allow CONNECT {service}:{port}")
                }
                _ => format!(
                    "check that it is an HTTP proxy and can reach {service}:{port}; `no_proxy` bypasses it"
                ),
            };
            Check::failed("proxy", format!("{proxy}: {}", e.detail()), advice)
        }
    }
    .fact("proxy", proxy)
}

fn trusted(trust: Option<Trust>) -> String {
    match trust {
        Some(Trust::CaFile(path, 1)) => format!("trusted: the one authority in ca_file {path}"),
        Some(Trust::CaFile(path, n)) => format!("trusted: the {n} authorities in ca_file {path}"),
        Some(Trust::System(n)) => {
            let file = env::var("SSL_CERT_FILE").ok().filter(|f| !f.is_empty());
            let file = file.map_or_else(String::new, |f| format!(" (SSL_CERT_FILE={f})"));
            format!("trusted: the {n} authorities of this system{file}")
        }
        _ => "trusted: the bundled authorities, as this system has none".to_owned(),
    }
}

/// The library decides whether the certificate is trusted, with the same message as in a receipt.
fn tls(probe: &Probe, chain: Option<&[Vec<u8>]>, answer: &Result<ProbeAnswer, Error>) -> Check {
    let Some(chain) = chain else {
        return Check::skipped("tls", "the address is http://");
    };
    let trust = trusted(probe.trust());
    let refused = match answer {
        Err(e) if e.status() == Status::TlsFailed => Some(e.detail()),
        _ => None,
    };
    let shown = ShownCertificate::from_chain(chain);
    let now = SystemTime::now();
    let days = shown.as_ref().and_then(|s| s.end.days_left(now));
    // An expired certificate in a chain that is accepted is not needed.
    let intermediate = shown.as_ref().and_then(|s| s.intermediate.as_ref());
    let intermediate = intermediate.and_then(|(subject, end)| Some((subject, end.days_left(now)?)));
    let message = shown.as_ref().map_or_else(
        || "the certificate cannot be read".to_owned(),
        ShownCertificate::summary,
    );
    let found = format!("{message}; {trust}");
    let check = match (refused, days) {
        (Some(reason), _) => Check::failed(
            "tls",
            format!("{reason}; {found}"),
            advice(Status::TlsFailed, reason),
        ),
        (None, Some(days)) if days < SOON => Check::warning(
            "tls",
            format!("{found}: {days} days left"),
            "the operator of the service (or of the gateway) must renew the certificate",
        ),
        (None, _) => match intermediate {
            Some((subject, days)) if days < SOON => Check::warning(
                "tls",
                format!("{found}: {days} days left for that of {subject}"),
                "the operator of the service (or of the gateway) must renew its chain: the certificates between its own and the authority",
            ),
            _ => Check::ok("tls", found),
        },
    };
    let Some(shown) = shown else { return check };
    check
        .fact("subject", shown.subject)
        .fact("issuer", shown.issuer)
        .fact("names", shown.names)
        .fact("days_left", days)
}

/// `message` is the library's message for a failure with this status.
fn advice(status: Status, message: &str) -> &'static str {
    match status {
        Status::TlsFailed if message.contains("expired") || message.contains("not valid yet") => {
            "see this machine's clock (`date -u`); if it is right, the operator of the service must renew the certificate"
        }
        Status::TlsFailed if message.contains("another host") => {
            "use a name that the certificate is for: see cluster_id or base_url"
        }
        Status::TlsFailed if message.contains("not trusted") => {
            "if the authority is private, or belongs to a proxy that intercepts TLS, put its certificate into a PEM file and set ca_file to that file"
        }
        Status::TlsFailed
            if message.contains("the server's certificate") || message.contains("CA:TRUE") =>
        {
            "have the service's (or the gateway's) certificate replaced by one without this fault"
        }
        Status::TlsFailed => "check the address and the port, and the proxy or gateway on the way",
        Status::Timeout => {
            "the service is slow or does not answer: try again, or with a longer --timeout-ms"
        }
        Status::ConnectionLost => {
            "something on the way closes the connection: a firewall, a proxy, or a wrong port"
        }
        Status::BadResponse => "this is not the service: check the address and the port",
        _ => "check the address and the network",
    }
}

fn service(probe: &Probe, answer: &Result<ProbeAnswer, Error>) -> Check {
    let url = probe.url();
    match answer {
        Err(e) => Check::failed("service", e.detail(), advice(e.status(), e.detail())),
        Ok(answer) if answer.http_status >= 500 => Check::warning(
            "service",
            format!("HTTP {} to HEAD {url}", answer.http_status),
            "the service is unavailable or busy, or does not know HEAD: --send shows which",
        )
        .fact("http_status", answer.http_status),
        Ok(answer) => Check::ok(
            "service",
            format!(
                "the service answers (HTTP {} to HEAD {url}); only --send shows how it answers a notification",
                answer.http_status
            ),
        )
        .fact("http_status", answer.http_status),
    }
}

/// The service reads its clock between `before` and `after`, in whole seconds.
fn clock(date: Option<SystemTime>, before: SystemTime, after: SystemTime) -> Check {
    let Some(date) = date else {
        return Check::skipped("clock", "the answer has no date that can be read");
    };
    let since = |later: SystemTime, earlier| later.duration_since(earlier).unwrap_or_default();
    let behind = since(date, after);
    let ahead = since(before, date + Duration::from_secs(1));
    let (skew, message) = if behind > ahead {
        (behind, "behind")
    } else {
        (ahead, "ahead of")
    };
    let seconds = skew.as_secs();
    let signed = i64::try_from(seconds).unwrap_or(i64::MAX);
    let check = if skew > SKEW {
        Check::warning(
            "clock",
            format!("this machine's clock is {seconds} s {message} the service's"),
            "set it by NTP (`timedatectl set-ntp true`): certificates, ages in the spool and Retry-After dates depend on it",
        )
    } else {
        Check::ok(
            "clock",
            "this machine's clock agrees with the service's to within a minute",
        )
    };
    check.fact("skew_s", if behind > ahead { -signed } else { signed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_check_reports_skew_beyond_the_duration_of_the_exchange() {
        let at = |s| SystemTime::UNIX_EPOCH + Duration::from_secs(s);
        let of = |date| clock(Some(at(date)), at(1_000), at(1_010));
        for date in [999, 1_000, 1_005, 1_010, 1_070, 939] {
            assert_eq!(of(date).state, CheckState::Ok, "{date}");
        }
        assert!(of(1_071).found.contains("is 61 s behind"));
        assert!(of(938).found.contains("is 61 s ahead of"));
        assert_eq!(clock(None, at(0), at(0)).state, CheckState::Skipped);
    }
}
