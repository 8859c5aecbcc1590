//! The addresses at which the agent listens: loopback addresses and Unix sockets.

use std::fmt;
use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};

use crate::users;

/// The prefix of a Unix socket's path.
const UNIX: &str = "unix:";

/// An address from the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        if let Some(path) = text.strip_prefix(UNIX) {
            let path = PathBuf::from(path);
            return match path.is_absolute() {
                true => Ok(Address::Unix(path)),
                false => Err("the path after unix: must be absolute".to_owned()),
            };
        }
        text.parse().map(Address::Tcp).map_err(|_| {
            "it must be an IP address with a port, such as 127.0.0.1:8181, or unix:PATH".to_owned()
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "http://{address}"),
            Address::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

/// The allowed addresses, and the mode of a new socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) may_be_remote: bool,
    pub(crate) socket_mode: u32,
}

/// A bound listener.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

impl Listener {
    /// Binds. The message of a failure names the address.
    pub(crate) fn bind(address: &Address, rules: Rules) -> Result<Listener, String> {
        let wrong = |e: io::Error| format!("--listen {address}: {e}");
        let listener = match address {
            Address::Tcp(tcp) if !(tcp.ip().is_loopback() || rules.may_be_remote) => {
                return Err(format!(
                    "--listen {tcp} can be reached from other machines, without TLS and without a password: use a \
                     loopback address or unix:PATH, or add --insecure-listen-on-network"
                ));
            }
            Address::Tcp(tcp) => Listener::Tcp(TcpListener::bind(tcp).map_err(wrong)?),
            Address::Unix(path) => {
                let (listener, file) = bind_unix(path, rules.socket_mode).map_err(wrong)?;
                Listener::Unix(listener, file)
            }
        };
        match &listener {
            Listener::Tcp(listener) => listener.set_nonblocking(true),
            Listener::Unix(listener, _) => listener.set_nonblocking(true),
        }
        .map_err(wrong)?;
        Ok(listener)
    }

    /// The address, with the actual port if port 0 was given.
    pub(crate) fn address(&self) -> io::Result<Address> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            Listener::Unix(_, file) => Ok(Address::Unix(file.path.clone())),
        }
    }
}

/// The file of a listening socket. It is removed on drop, unless another process has replaced it.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    file: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.file) {
            // If the file stays, the next agent replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Binds the socket under a temporary name first: no client can connect before the socket has its mode, and a stale
/// socket is replaced in one step.
fn bind_unix(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    refuse_in_use(path)?;
    let draft = path.with_file_name(format!(".{}", std::process::id()));
    let _ = fs::remove_file(&draft);
    let listener = UnixListener::bind(&draft)?;
    let made = set_owner_and_mode(&draft, mode)
        .and_then(|found| fs::rename(&draft, path).map(|()| identity(&found)));
    match made {
        Ok(file) => {
            let path = path.to_owned();
            Ok((listener, SocketFile { path, file }))
        }
        Err(e) => {
            let _ = fs::remove_file(&draft);
            Err(e)
        }
    }
}

/// Sets the mode, and gives a socket that root makes in a folder of the shop to the shop, which could not connect
/// otherwise. The folder's owner may replace the file meanwhile, so both are done to an open file.
fn set_owner_and_mode(socket: &Path, mode: u32) -> io::Result<Metadata> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(socket, flags, Mode::empty())?);
    let found = file.metadata()?;
    if !found.file_type().is_socket() || found.uid() != users::this_user() {
        return Err(io::Error::other("another process has replaced the socket"));
    }
    let folder = fs::metadata(socket.parent().unwrap_or(Path::new("/")))?;
    // fchmod refuses a file that was opened with O_PATH. In a folder of this user no /proc is needed.
    let path = match folder.uid() == users::this_user() {
        true => socket.to_owned(),
        false => format!("/proc/self/fd/{}", file.as_raw_fd()).into(),
    };
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    let is_writable_by_all = folder.mode() & 0o002 != 0;
    if users::this_user() == 0 && folder.uid() != 0 && !is_writable_by_all {
        let (user, group) = (Uid::from_raw(folder.uid()), Gid::from_raw(folder.gid()));
        rustix::fs::chownat(&file, "", Some(user), Some(group), AtFlags::EMPTY_PATH)?;
    }
    Ok(found)
}

/// Returns an error if a file other than a stale socket is at the path.
fn refuse_in_use(path: &Path) -> io::Result<()> {
    let in_use = |message: &str| Err(io::Error::new(ErrorKind::AddrInUse, message.to_owned()));
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
        Ok(found) if !found.file_type().is_socket() => {
            return in_use("the file there is not a socket");
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(e) if e.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
        Ok(_) => in_use("another process listens there"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        may_be_remote: false,
        socket_mode: 0o660,
    };

    #[test]
    fn address_is_parsed_when_it_is_an_ip_address_or_an_absolute_path() {
        let shown = |text: &str| text.parse::<Address>().map(|a| a.to_string());
        assert_eq!(shown("127.0.0.1:80").unwrap(), "http://127.0.0.1:80");
        assert_eq!(shown("[::1]:0").unwrap(), "http://[::1]:0");
        assert_eq!(shown("unix:/run/x").unwrap(), "unix:/run/x");
        for other in ["", "8181", "localhost:80", "unix:x", "unix:", "127.0.0.1"] {
            shown(other).unwrap_err();
        }
    }

    #[test]
    fn address_is_refused_when_other_machines_reach_it() {
        for text in ["0.0.0.0:0", "[::]:0", "192.0.2.1:1"] {
            let refused = Listener::bind(&text.parse().unwrap(), RULES).unwrap_err();
            assert!(
                refused.contains("--insecure-listen-on-network"),
                "{refused}"
            );
        }
    }

    #[test]
    fn socket_replaces_only_a_stale_one_and_gets_its_mode() {
        let folder = std::env::temp_dir().join(format!("esales-agent-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("socket");
        let address = Address::Unix(path.clone());
        drop(UnixListener::bind(&path).unwrap());
        let listener = Listener::bind(&address, RULES).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o660);
        let refused = Listener::bind(&address, RULES).unwrap_err();
        assert!(
            refused.contains("another process listens there"),
            "{refused}"
        );
        drop(listener);
        assert!(!path.exists());
        fs::write(&path, "a file").unwrap();
        let refused = Listener::bind(&address, RULES).unwrap_err();
        assert!(refused.contains("not a socket"), "{refused}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
