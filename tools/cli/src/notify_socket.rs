//! The notification protocol of systemd (sd_notify), for sockets in a folder and for abstract names (`@name`).
//! Containers and other service managers use abstract names; the crate `sd-notify` treats them as paths.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

/// The variable with the socket of the service manager, if there is one.
const VARIABLE: &str = "NOTIFY_SOCKET";
/// How long to wait for a service manager with a full buffer.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// Reports these states to the service manager, if there is one. Ignores errors.
pub(crate) fn notify(states: &[NotifyState<'_>]) {
    if let Some(name) = env::var_os(VARIABLE).filter(|name| !name.is_empty()) {
        let _ = send(&name, states);
    }
}

fn send(name: &OsStr, states: &[NotifyState<'_>]) -> io::Result<()> {
    let message: String = states.iter().map(|state| format!("{state}\n")).collect();
    let socket = UnixDatagram::unbound()?;
    // A service manager that does not read must not stop the delivery.
    socket.set_write_timeout(Some(SEND_TIMEOUT))?;
    socket.send_to_addr(message.as_bytes(), &address(name)?)?;
    Ok(())
}

fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name),
        None => SocketAddr::from_pathname(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn notify_socket_receives_states_when_its_name_is_abstract() {
        let name = format!("esales-notify-test-{}", std::process::id());
        let bound = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let socket = UnixDatagram::bind_addr(&bound).unwrap();
        let states = [NotifyState::Ready, NotifyState::Status("1 pending")];
        send(OsStr::new(&format!("@{name}")), &states).unwrap();
        assert_eq!(received(&socket), "READY=1\nSTATUS=1 pending\n");
    }

    #[test]
    fn notify_socket_receives_states_when_its_name_is_abstract_and_not_utf8() {
        let name = [&b"esales-\xff-"[..], &std::process::id().to_ne_bytes()].concat();
        let socket =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let given = [b"@", &*name].concat();
        send(OsStr::from_bytes(&given), &[NotifyState::Watchdog]).unwrap();
        assert_eq!(received(&socket), "WATCHDOG=1\n");
    }

    #[test]
    fn notify_socket_is_an_error_when_its_name_is_too_long() {
        let name = format!("@{}", "x".repeat(200));
        assert!(send(OsStr::new(&name), &[NotifyState::Ready]).is_err());
        let name = format!("/{}", "x".repeat(200));
        assert!(send(OsStr::new(&name), &[NotifyState::Ready]).is_err());
    }
}
