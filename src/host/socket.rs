//! Socket calls with flags that std does not have. Each returns at once, whatever mode the socket
//! is in.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;

/// Whether there is nothing to read, no end of the stream and no error. It takes nothing from the
/// stream.
pub(crate) fn is_quiet(stream: &TcpStream) -> bool {
    let mut byte = 0_u8;
    // SAFETY: the descriptor is open during the borrow, and `byte` is valid for a write of one
    // byte.
    let read = unsafe {
        libc::recv(
            stream.as_raw_fd(),
            (&raw mut byte).cast(),
            1,
            libc::MSG_PEEK | libc::MSG_DONTWAIT,
        )
    };
    read < 0 && io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock
}

/// Sends as much as the kernel accepts without waiting; `WouldBlock`: it accepts nothing. It raises
/// no SIGPIPE.
pub(crate) fn send_now(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the descriptor is open during the borrow, and `bytes` is valid for reads of its
    // length.
    let sent = unsafe {
        libc::send(
            stream.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (ours, listener.accept().unwrap().0)
    }

    #[test]
    fn socket_is_quiet_when_it_has_no_bytes_and_no_end() {
        let (ours, mut theirs) = pair();
        assert!(is_quiet(&ours));
        theirs.write_all(b"x").unwrap();
        // Waits until the byte has arrived, without taking it.
        ours.peek(&mut [0]).unwrap();
        assert!(!is_quiet(&ours));

        let (ours, theirs) = pair();
        drop(theirs);
        ours.peek(&mut [0]).unwrap();
        assert!(!is_quiet(&ours), "closed by the other side");
    }

    #[test]
    fn send_returns_would_block_when_the_socket_is_full() {
        let (ours, _theirs) = pair();
        let chunk = vec![0; 1 << 20];
        let full = loop {
            if let Err(e) = send_now(&ours, &chunk) {
                break e;
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    }
}
