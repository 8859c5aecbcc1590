//! Connects to one of several addresses (Happy Eyeballs, RFC 8305): if an address does not answer
//! in time, the next one is tried in parallel, and the first connection is used.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::deadline;
use crate::host;

/// How long to wait for an address before the next one is tried too ("Connection Attempt Delay").
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// IPv6 and IPv4 addresses alternately, each kind in the resolver's order.
pub(super) fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else {
        return addresses;
    };
    let (mine, others): (Vec<_>, Vec<_>) = addresses.iter().partition(|a| a.is_ipv6() == first);
    let mut others = others.into_iter();
    let mut ordered: Vec<SocketAddr> = mine
        .into_iter()
        .flat_map(|addr| [Some(addr), others.next()])
        .flatten()
        .collect();
    ordered.extend(others);
    ordered
}

/// A pending attempt.
struct Attempt {
    socket: Socket,
    address: SocketAddr,
}

/// Connects to the address that answers first, before the deadline of this thread's call.
pub(super) fn connect(addresses: &[SocketAddr]) -> io::Result<(TcpStream, SocketAddr)> {
    let mut untried = addresses.iter();
    let mut running: Vec<Attempt> = Vec::new();
    let mut next_at = Instant::now();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    loop {
        let mut left = deadline::check()?;
        if running.is_empty() || Instant::now() >= next_at {
            match untried.next() {
                Some(address) => {
                    match start(*address) {
                        Ok(attempt) => running.push(attempt),
                        Err(e) => {
                            failure = named(address, &e);
                            continue;
                        }
                    }
                    // Each address gets a share of the time, so that every address is tried even if little time is
                    // left.
                    let share = left / (untried.len() as u32 + 2);
                    next_at = Instant::now() + NEXT_AFTER.min(share);
                }
                None if running.is_empty() => return Err(failure),
                None => {}
            }
        }
        if untried.len() > 0 {
            left = left.min(next_at.saturating_duration_since(Instant::now()));
        }
        let sockets: Vec<_> = running.iter().map(|attempt| &attempt.socket).collect();
        let ready = host::wait_connected(&sockets, left)?;
        let mut ready = ready.into_iter();
        let ended: Vec<Attempt> = running
            .extract_if(.., |_| ready.next().unwrap_or(false))
            .collect();
        for Attempt { socket, address } in ended {
            match socket.take_error().and_then(|e| e.map_or(Ok(()), Err)) {
                Ok(()) => return finish(socket).map(|stream| (stream, address)),
                Err(e) => {
                    failure = named(&address, &e);
                    next_at = Instant::now();
                }
            }
        }
    }
}

fn start(address: SocketAddr) -> io::Result<Attempt> {
    let open = || Socket::new(Domain::for_address(address), Type::STREAM, None);
    let socket = Socket::from(host::open_above_stdio(open)?);
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(e) if e.raw_os_error() != Some(libc::EINPROGRESS) && !is_waiting(&e) => Err(e),
        _ => Ok(Attempt { socket, address }),
    }
}

/// Whether the connection is still in progress. It continues if a signal interrupts the call.
fn is_waiting(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

fn finish(socket: Socket) -> io::Result<TcpStream> {
    socket.set_nonblocking(false)?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

fn named(address: &SocketAddr, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{address}: {e}"))
}

/// The IP address in a URL's host, if it is one; an IPv6 address has brackets.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::net::TcpListener;

    fn addresses(of: &[&str]) -> Vec<SocketAddr> {
        of.iter().map(|a| a.parse().unwrap()).collect()
    }

    /// A listener whose backlog is full: the kernel drops further SYNs, and connect never completes.
    pub(in crate::http) fn unresponsive() -> (Socket, Vec<Socket>, SocketAddr) {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        listener.listen(0).unwrap();
        let addr = listener.local_addr().unwrap().as_socket().unwrap();
        let mut waiting = Vec::new();
        loop {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            let full = socket
                .connect_timeout(&addr.into(), Duration::from_millis(300))
                .is_err();
            waiting.push(socket);
            if full {
                return (listener, waiting, addr);
            }
        }
    }

    #[test]
    fn connect_race_alternates_between_ipv6_and_ipv4() {
        let mixed = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1", "10.0.0.2:1"]);
        assert_eq!(
            interleave(mixed),
            addresses(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "10.0.0.2:1", "[::3]:1"])
        );
        let more = addresses(&["10.0.0.1:1", "[::1]:1", "[::2]:1"]);
        assert_eq!(interleave(more.clone()), more);
        assert!(interleave(Vec::new()).is_empty());
    }

    #[test]
    fn connect_takes_at_most_800_ms_when_three_addresses_are_unresponsive() {
        let (_listener, _waiting, dead) = unresponsive();
        let alive = TcpListener::bind("127.0.0.1:0").unwrap();
        let alive = alive.local_addr().unwrap();
        let took = (0..5).map(|_| {
            deadline::begin(Instant::now() + Duration::from_secs(3));
            let start = Instant::now();
            let (_, winner) = connect(&[dead, dead, dead, alive]).unwrap();
            assert_eq!(winner, alive);
            start.elapsed()
        });
        assert!(took.min().unwrap() <= Duration::from_millis(800));
    }

    #[test]
    fn connect_tries_the_next_address_at_once_when_one_refuses() {
        let refusing = {
            let gone = TcpListener::bind("127.0.0.1:0").unwrap();
            gone.local_addr().unwrap()
        };
        let alive = TcpListener::bind("127.0.0.1:0").unwrap();
        deadline::begin(Instant::now() + Duration::from_secs(60));
        let start = Instant::now();
        connect(&[refusing, refusing, alive.local_addr().unwrap()]).unwrap();
        assert!(start.elapsed() < Duration::from_secs(10));
        let refused = connect(&[refusing]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(refused.to_string().contains(&refusing.to_string()));
    }

    #[test]
    fn connect_ends_with_the_deadline_when_all_addresses_are_unresponsive() {
        let (_listener, _waiting, dead) = unresponsive();
        deadline::begin(Instant::now() + Duration::from_millis(100));
        let spent = connect(&[dead, dead]).unwrap_err();
        assert!(spent.get_ref().unwrap().is::<deadline::BudgetSpent>());
        assert!(connect(&[]).is_err());
    }
}
