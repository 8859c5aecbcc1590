//! Decides which hosts are reached without the proxy, from the option `no_proxy` or the variable
//! with the same name.
//!
//! All programs of a machine share the variable, so it is read as curl reads it (7.88, the oldest
//! common version): users expect the same result from all programs. The option belongs to this
//! library and accepts a few more forms.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

/// The list, and whether the option's or the variable's rules apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoProxy {
    pub(crate) list: String,
    pub(crate) is_from_environment: bool,
}

impl NoProxy {
    /// Whether `host` (as in a URL, with brackets for IPv6) is reached without the proxy.
    pub(crate) fn covers(&self, host: &str) -> bool {
        if self.list == "*" {
            return true;
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = bare.strip_suffix('.').unwrap_or(bare);
        let ip = name.parse::<IpAddr>().ok();
        self.list
            .split(|c: char| c == ',' || c.is_ascii_whitespace())
            .filter(|entry| !entry.is_empty())
            .any(|entry| {
                let is_curls = match ip {
                    Some(IpAddr::V4(ip)) => covers_v4(entry, ip),
                    _ => covers_name(entry, name),
                };
                is_curls || (!self.is_from_environment && covers_more(entry, name, ip))
            })
    }
}

impl NoProxy {
    /// The entries that match no host at all with the rules of this list, such as `shop.example:443`.
    #[cfg(feature = "diagnose")]
    pub(crate) fn without_effect(&self) -> Vec<String> {
        let entries = self
            .list
            .split(|c: char| c == ',' || c.is_ascii_whitespace());
        let entries = entries.filter(|entry| !entry.is_empty() && !self.may_match(entry));
        entries.map(str::to_owned).collect()
    }

    /// Whether the entry matches its own host.
    #[cfg(feature = "diagnose")]
    fn may_match(&self, entry: &str) -> bool {
        if entry == "*" {
            return self.list == "*" || !self.is_from_environment;
        }
        let (address, bits) = entry.split_once('/').unwrap_or((entry, ""));
        let host = address.trim_matches(['[', ']', '.']);
        let host = host.strip_prefix("*.").unwrap_or(host);
        let is_ip = host.parse::<IpAddr>().is_ok();
        let is_label = |label: &str| {
            let is_allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
            !label.is_empty() && label.chars().all(is_allowed)
        };
        // A name whose last label is a number would be an address.
        let last = host.rsplit('.').next().unwrap_or_default();
        let is_name = host.split('.').all(is_label) && !last.bytes().all(|b| b.is_ascii_digit());
        let alone = NoProxy {
            list: entry.to_owned(),
            is_from_environment: self.is_from_environment,
        };
        (is_ip || (is_name && bits.is_empty() && !entry.contains('/'))) && alone.covers(host)
    }
}

/// A name is covered by itself and by every parent domain.
fn covers_name(entry: &str, name: &str) -> bool {
    let entry = entry.strip_suffix('.').unwrap_or(entry);
    let entry = entry.strip_prefix('.').unwrap_or(entry);
    let Some(start) = name.len().checked_sub(entry.len()) else {
        return false;
    };
    let is_suffix = name
        .get(start..)
        .is_some_and(|end| end.eq_ignore_ascii_case(entry));
    let at_label = start == 0 || name.get(..start).is_some_and(|rest| rest.ends_with('.'));
    !entry.is_empty() && is_suffix && at_label
}

/// An IPv4 address, or a network with 1 to 32 bits.
fn covers_v4(entry: &str, ip: Ipv4Addr) -> bool {
    let Some((network, bits)) = entry.split_once('/') else {
        return entry == ip.to_string();
    };
    // Reads a number like atoi in C.
    let end = bits.bytes().take_while(u8::is_ascii_digit).count();
    let bits = bits.get(..end).and_then(|digits| digits.parse().ok());
    let network = network.parse::<Ipv4Addr>().ok();
    match (network, bits) {
        (Some(network), Some(bits @ 1..)) => {
            Ipv4Net::new(network, bits).is_ok_and(|net| net.contains(&ip))
        }
        _ => false,
    }
}

/// The additional forms of the option: `*` in a list, `*.domain`, IPv6 addresses in any spelling,
/// with or without brackets, and IPv6 networks.
fn covers_more(entry: &str, name: &str, ip: Option<IpAddr>) -> bool {
    if entry == "*" {
        return true;
    }
    let Some(ip) = ip else {
        return entry
            .strip_prefix("*.")
            .is_some_and(|domain| covers_name(domain, name));
    };
    let plain: String = entry.chars().filter(|c| !matches!(c, '[' | ']')).collect();
    plain.parse::<IpAddr>().is_ok_and(|one| one == ip)
        || plain.parse::<IpNet>().is_ok_and(|net| net.contains(&ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "w1.shop.internal.test";

    /// The results of curl 7.88.1 for the same variable.
    #[test]
    fn no_proxy_variable_is_read_as_curl_reads_it() {
        for (host, entries, expected) in [
            (
                NAME,
                &[
                    "internal.test",
                    ".internal.test",
                    "w1.shop.internal.test",
                    "W1.SHOP.Internal.Test",
                    " internal.test , x",
                    "x internal.test",
                    "x\tinternal.test",
                    "x,,internal.test",
                    "internal.test.",
                    "*",
                ][..],
                true,
            ),
            (
                NAME,
                &[
                    "",
                    ".",
                    "nal.test",
                    "..internal.test",
                    "internal.test..",
                    "*.internal.test",
                    "w1.shop.internal.test:443",
                    "v.w1.shop.internal.test",
                    "x,*",
                    "* ",
                    "x;internal.test",
                ],
                false,
            ),
            (
                "w1.shop.internal.test.",
                &["internal.test", "internal.test."],
                true,
            ),
            ("W1.Shop.Internal.Test", &["internal.test"], true),
            (
                "10.9.8.7",
                &["10.9.8.7", "10.0.0.0/8", "10.9.8.0/24x", "x 10.9.8.7"],
                true,
            ),
            (
                "10.9.8.7",
                &[
                    "10.0.0.0/33",
                    "10.0.0.0/",
                    "10.0.0.0/0",
                    "11.0.0.0/8",
                    "10.9.8.7:443",
                    "10.*",
                    "10.9.8",
                    "8.7",
                    ".8.7",
                    "10/8",
                    "010.9.8.7",
                ],
                false,
            ),
            ("[fd00::7]", &["fd00::7", "FD00::7", "x,fd00::7"], true),
            (
                "[fd00::7]",
                &["[fd00::7]", "fd00::/64", "fd00::8", "x"],
                false,
            ),
            ("127.0.0.1", &["localhost"], false),
        ] {
            for entry in entries {
                let list = NoProxy {
                    list: (*entry).to_owned(),
                    is_from_environment: true,
                };
                assert_eq!(list.covers(host), expected, "{host}: {entry:?}");
            }
        }
    }

    #[test]
    fn no_proxy_option_accepts_ipv6_networks_brackets_and_stars() {
        for (host, entries, expected) in [
            (
                "[fd00::7]",
                &[
                    "fd00::7",
                    "[fd00::7]",
                    "fd00:0:0::7",
                    "fd00::/8",
                    "[fd00::]/8",
                    "[fd00::/8]",
                    "x,*",
                ][..],
                true,
            ),
            (
                "[fd00::7]",
                &["fe80::/10", "[fd00::7]:443", "fd00::/129"],
                false,
            ),
            (
                NAME,
                &[
                    "*.internal.test",
                    "x *",
                    "internal.test",
                    "*.shop.internal.test.",
                ],
                true,
            ),
            (
                NAME,
                &["*.test2", "*w1.shop.internal.test", "10.0.0.0/8"],
                false,
            ),
            ("10.9.8.7", &["10.0.0.0/8", "0.0.0.0/0"], true),
            ("10.9.8.7", &["10.*", "::/0"], false),
        ] {
            for entry in entries {
                let list = NoProxy {
                    list: (*entry).to_owned(),
                    is_from_environment: false,
                };
                assert_eq!(list.covers(host), expected, "{host}: {entry:?}");
            }
        }
    }

    #[cfg(feature = "diagnose")]
    #[test]
    fn entry_is_without_effect_when_it_matches_no_host() {
        for (list, by_option, by_variable) in [
            ("*", &[][..], &[][..]),
            ("internal.test, .internal.test w1. 10.9.8.7", &[], &[]),
            ("10.0.0.0/8 fd00::7 2001:db8::1,localhost", &[], &[]),
            ("*.internal.test", &[], &["*.internal.test"]),
            ("a.test,*", &[], &["*"]),
            ("[fd00::7] fd00::/8", &[], &["[fd00::7]", "fd00::/8"]),
            ("0.0.0.0/0", &[], &["0.0.0.0/0"]),
            (
                "w1.test:443,10.9.8.7:80 [fd00::7]:443",
                &["w1.test:443", "10.9.8.7:80", "[fd00::7]:443"],
                &["w1.test:443", "10.9.8.7:80", "[fd00::7]:443"],
            ),
            (
                "http://w1.test a.test/path 10.0.0.0/33 10.* 10.9.8 a;b x..y .",
                &[
                    "http://w1.test",
                    "a.test/path",
                    "10.0.0.0/33",
                    "10.*",
                    "10.9.8",
                    "a;b",
                    "x..y",
                    ".",
                ],
                &[
                    "http://w1.test",
                    "a.test/path",
                    "10.0.0.0/33",
                    "10.*",
                    "10.9.8",
                    "a;b",
                    "x..y",
                    ".",
                ],
            ),
        ] {
            for (is_from_environment, expected) in [(false, by_option), (true, by_variable)] {
                let list = NoProxy {
                    list: list.to_owned(),
                    is_from_environment,
                };
                assert_eq!(list.without_effect(), expected, "{list:?}");
            }
        }
    }
}
