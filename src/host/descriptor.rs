//! Keeps the library's descriptors above 2, so that they cannot be mistaken for standard input,
//! output and error.
//!
//! A host that closed descriptors 0, 1 and 2 may still print. If a socket of the library had one of
//! these numbers, the host's text would be sent to the service within a request.

use std::fs::File;
use std::io::{self, Read};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::ptr;
use std::sync::{Mutex, MutexGuard, mpsc};

use super::{PerProcess, Stack, lock, spawn};

/// The lowest descriptor that is not a standard one.
const FIRST: libc::c_int = 3;

/// Placeholders for closed standard descriptors, which exist while files are opened. All threads
/// share them: a thread that relied on the placeholders of another thread would lose them when that
/// thread has finished.
struct Placeholders {
    openings: usize,
    held: Vec<OwnedFd>,
}

/// Per process, because a child must not wait for a thread of its parent.
static PLACEHOLDERS: PerProcess<Mutex<Placeholders>> = PerProcess::new();

fn placeholders() -> MutexGuard<'static, Placeholders> {
    let nothing_held = |_: Option<&_>| {
        Mutex::new(Placeholders {
            openings: 0,
            held: Vec::new(),
        })
    };
    lock(PLACEHOLDERS.get(nothing_held))
}

/// While this value exists, closed standard descriptors are taken by placeholders.
struct Opening;

impl Opening {
    fn begin() -> Opening {
        let mut shared = placeholders();
        shared.openings += 1;
        for _ in 0..FIRST {
            if !has_stdio_gap() {
                break;
            }
            shared.held.extend(placeholder());
        }
        Opening
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let mut shared = placeholders();
        shared.openings = shared.openings.saturating_sub(1);
        if shared.openings == 0 {
            shared.held.clear();
        }
    }
}

/// Opens a file or a socket on a descriptor above 2. If a standard descriptor is closed, a
/// placeholder takes its number meanwhile, because the host could print into a file that had this
/// number even briefly. A thread with its own descriptor table must not call this: it would close
/// the placeholders in the wrong table.
pub(crate) fn open_above_stdio<T: Into<OwnedFd>>(
    open: impl FnOnce() -> io::Result<T>,
) -> io::Result<OwnedFd> {
    let opened = beside_stdio(open);
    // The host may have closed a standard descriptor meanwhile.
    above_stdio(opened?.into())
}

/// Does work that opens files with the standard library: none of them gets a standard descriptor, which another thread
/// could then give to a file of its own while the host prints.
pub(crate) fn beside_stdio<T>(work: impl FnOnce() -> T) -> T {
    let _opening = Opening::begin();
    work()
}

/// A descriptor that can neither be read nor written, like a closed one.
fn placeholder() -> Option<OwnedFd> {
    // SAFETY: opens a folder that exists, without access to it.
    let fd = unsafe { libc::open(c"/".as_ptr(), libc::O_PATH | libc::O_CLOEXEC) };
    // SAFETY: open has just made it, and nothing else owns it.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The same open file under a descriptor above 2.
fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= FIRST {
        return Ok(fd);
    }
    // SAFETY: duplicates an open descriptor; only this function knows the new one.
    match unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, FIRST) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: fcntl has just made it, it is open, and nothing else owns it.
        moved => Ok(unsafe { OwnedFd::from_raw_fd(moved) }),
    }
}

/// Reads a regular file of at most `limit` bytes, through a descriptor above 2.
pub(crate) fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Checked before it is opened, because opening a FIFO waits for a writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let file = File::from(open_above_stdio(|| File::open(path))?);
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}

/// Whether the host has closed a standard descriptor, even if a placeholder has its number.
fn is_stdio_closed() -> bool {
    let shared = placeholders();
    !shared.held.is_empty() || has_stdio_gap()
}

/// Whether the next file that is opened would get a standard descriptor.
fn has_stdio_gap() -> bool {
    // SAFETY: this only checks whether the descriptor is open.
    (0..FIRST).any(|fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1)
}

/// Gives this thread its own descriptor table, in which all standard descriptors are open, if one
/// of them is closed. It is for a thread whose code opens files, such as the resolver of the C
/// library.
///
/// It changes nothing if the standard descriptors are open, or if the system refuses it (system
/// call filter of a container).
pub(crate) fn part_from_stdio() {
    if !is_stdio_closed() {
        return;
    }
    // SAFETY: this affects only the descriptor table of this thread, which belongs to the library
    // and uses no descriptor of the host. The host's descriptors stay open in its own table, to
    // which its record locks belong.
    unsafe {
        if libc::unshare(libc::CLONE_FILES) != 0 {
            return;
        }
        // No copy is kept here, because what the host closes must be closed even while a look-up
        // hangs.
        libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0);
        for _ in 0..FIRST {
            if !has_stdio_gap() {
                break;
            }
            libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        }
    }
}

/// Runs `read`, whose code opens files, so that none of them gets a standard descriptor of the
/// host.
pub(crate) fn apart_from_stdio<T: Send + 'static>(
    read: impl Fn() -> T + Clone + Send + 'static,
) -> T {
    if !is_stdio_closed() {
        return read();
    }
    let (answer, answered) = mpsc::channel();
    let reads = read.clone();
    let started = spawn("esales-files", Stack::Ours, move || {
        part_from_stdio();
        // The caller waits for the answer.
        let _ = answer.send(reads());
    });
    match started.ok().and_then(|()| answered.recv().ok()) {
        Some(value) => value,
        None => read(),
    }
}

/// Waits until at least one of the sockets is connected or has failed, or until `timeout`. Returns
/// for each socket whether it is connected or has failed. A signal ends the wait early.
pub(crate) fn wait_connected(
    sockets: &[impl AsFd],
    timeout: std::time::Duration,
) -> io::Result<Vec<bool>> {
    let mut polled: Vec<libc::pollfd> = sockets
        .iter()
        .map(|socket| libc::pollfd {
            fd: socket.as_fd().as_raw_fd(),
            events: libc::POLLOUT,
            revents: 0,
        })
        .collect();
    // SAFETY: zero is a valid value of every field.
    let mut limit: libc::timespec = unsafe { mem::zeroed() };
    limit.tv_sec = libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX);
    limit.tv_nsec = libc::c_long::from(timeout.subsec_nanos().cast_signed());
    let count = polled.len() as libc::nfds_t;
    // SAFETY: `polled` is valid for reads and writes of its length, `limit` is initialised, and no mask is given.
    let ready = unsafe { libc::ppoll(polled.as_mut_ptr(), count, &raw const limit, ptr::null()) };
    if ready < 0 {
        let e = io::Error::last_os_error();
        if e.kind() != io::ErrorKind::Interrupted {
            return Err(e);
        }
    }
    Ok(polled.iter().map(|p| ready > 0 && p.revents != 0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    /// Runs `child` in a forked process without standard descriptors. Returns whether it returned
    /// true.
    fn without_stdio(child: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child makes system calls only (and allocates, which glibc allows after a fork).
        unsafe {
            match libc::fork() {
                0 => {
                    for fd in 0..FIRST {
                        libc::close(fd);
                    }
                    libc::_exit(if child() { 0 } else { 1 })
                }
                pid => {
                    let mut status = -1;
                    libc::waitpid(pid, &raw mut status, 0) == pid && status == 0
                }
            }
        }
    }

    #[test]
    fn descriptor_is_moved_above_2_when_stdio_is_closed() {
        assert!(without_stdio(|| {
            let Ok(file) = File::open("/dev/null") else {
                return false;
            };
            let was_low = file.as_raw_fd() < FIRST;
            let moved = above_stdio(file.into());
            was_low && moved.is_ok_and(|fd| fd.as_raw_fd() >= FIRST) && has_stdio_gap()
        }));
    }

    #[test]
    fn open_never_returns_a_descriptor_below_3_when_stdio_is_closed() {
        // SAFETY: writes a byte of a string.
        let is_written = |fd| unsafe { libc::write(fd, c"x".as_ptr().cast(), 1) } >= 0;
        assert!(without_stdio(|| {
            let mut is_apart = false;
            let opened = open_above_stdio(|| {
                let file = File::options().write(true).open("/dev/null")?;
                is_apart = file.as_raw_fd() >= FIRST && !(0..FIRST).any(is_written);
                Ok(file)
            });
            is_apart && opened.is_ok() && (0..FIRST).all(|fd| !is_written(fd)) && has_stdio_gap()
        }));
    }

    #[test]
    fn concurrent_opens_return_no_descriptor_below_3_when_stdio_is_closed() {
        assert!(without_stdio(|| {
            let open = || {
                (0..5000).all(|_| {
                    let mut is_apart = true;
                    let opened = open_above_stdio(|| {
                        let file = File::open("/dev/null")?;
                        is_apart = file.as_raw_fd() >= FIRST;
                        Ok(file)
                    });
                    is_apart && opened.is_ok()
                })
            };
            let others: Vec<_> = (0..3).map(|_| std::thread::spawn(open)).collect();
            let is_apart = open();
            let are_apart = others
                .into_iter()
                .all(|t| t.join().is_ok_and(|apart| apart));
            is_apart && are_apart && has_stdio_gap()
        }));
    }

    #[test]
    fn thread_with_its_own_descriptor_table_leaves_the_hosts_unchanged() {
        assert!(without_stdio(|| {
            let opened_low = std::thread::spawn(|| {
                part_from_stdio();
                File::open("/dev/null").map_or(0, |f| f.as_raw_fd())
            })
            .join();
            opened_low.is_ok_and(|fd| fd >= FIRST) && has_stdio_gap()
        }));
    }

    #[test]
    fn read_file_is_refused_when_it_is_not_a_regular_file_or_too_long() {
        let refused = |path: &str, limit| read_file(Path::new(path), limit).unwrap_err();
        assert!(refused("/dev/zero", 10).to_string().contains("regular"));
        assert!(refused("/", 10).to_string().contains("regular"));
        let exe = std::env::current_exe().unwrap();
        assert!(
            refused(exe.to_str().unwrap(), 10)
                .to_string()
                .contains("longer than 10")
        );
    }

    #[test]
    fn wait_connected_returns_the_connected_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(
            wait_connected(&[socket], Duration::from_secs(60)).unwrap(),
            [true]
        );
        let none: [TcpStream; 0] = [];
        assert!(wait_connected(&none, Duration::ZERO).unwrap().is_empty());
    }
}
