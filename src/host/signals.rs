//! Signal masks: a signal that a system call of the library causes never reaches the host.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Blocked signals of this thread. Dropping the value restores the host's mask.
pub(super) struct Blocked {
    previous: libc::sigset_t,
    /// Not `Send`, because the mask belongs to the thread.
    this_thread: PhantomData<*const ()>,
}

impl Blocked {
    /// Blocks every signal.
    pub(super) fn all() -> io::Result<Blocked> {
        Blocked::add(&every_signal())
    }

    fn add(signals: &libc::sigset_t) -> io::Result<Blocked> {
        let mut previous = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: `signals` is initialised, and so is `previous` when the call returns 0.
        unsafe {
            match libc::pthread_sigmask(libc::SIG_BLOCK, signals, previous.as_mut_ptr()) {
                0 => Ok(Blocked {
                    previous: previous.assume_init(),
                    this_thread: PhantomData,
                }),
                code => Err(io::Error::from_raw_os_error(code)),
            }
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: `previous` is an initialised set, and the old mask is not requested. With these
        // arguments the call cannot fail.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.previous, ptr::null_mut())
        };
    }
}

fn every_signal() -> libc::sigset_t {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises the whole set.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        all.assume_init()
    }
}

/// Unblocks every signal in this thread, which belongs to the library.
pub(super) fn open_all() -> io::Result<()> {
    change(libc::SIG_UNBLOCK)
}

/// Blocks every signal in this thread, which belongs to the library, again.
pub(super) fn block_all() -> io::Result<()> {
    change(libc::SIG_BLOCK)
}

fn change(how: c_int) -> io::Result<()> {
    // SAFETY: the set is initialised, and the old mask is not requested.
    match unsafe { libc::pthread_sigmask(how, &every_signal(), ptr::null_mut()) } {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// A signal that is blocked in this thread. When the value is dropped, the signal is discarded
/// unless it was pending before.
struct Discarded {
    /// The set with only this signal.
    set: libc::sigset_t,
    was_pending: bool,
    /// Dropped after the signal is discarded, because fields are dropped after the value itself.
    _blocked: Blocked,
}

impl Discarded {
    fn new(signal: c_int) -> io::Result<Discarded> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset initialises the whole set, and sigaddset is told of an initialised one.
        let set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), signal);
            set.assume_init()
        };
        let blocked = Blocked::add(&set)?;
        let mut pending = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: `pending` is read only if the call has initialised it.
        let was_pending = unsafe {
            libc::sigpending(pending.as_mut_ptr()) == 0
                && libc::sigismember(pending.as_ptr(), signal) == 1
        };
        Ok(Discarded {
            set,
            was_pending,
            _blocked: blocked,
        })
    }
}

impl Drop for Discarded {
    fn drop(&mut self) {
        if self.was_pending {
            return;
        }
        let at_once = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        loop {
            // SAFETY: the set and the time are initialised. The call takes at most one pending
            // signal, prefers the one of this thread, and does not wait.
            let taken = unsafe {
                libc::sigtimedwait(&raw const self.set, ptr::null_mut(), &raw const at_once)
            };
            if taken >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                return;
            }
        }
    }
}

/// Runs `call`, during which the kernel may send `signal` (SIGPIPE, SIGXFSZ) to this thread. The
/// host does not get the signal. It costs four additional system calls.
pub(crate) fn without_signal<T>(signal: c_int, call: impl FnOnce() -> T) -> T {
    // Blocking fails only for an invalid signal number.
    let _discarded = Discarded::new(signal);
    call()
}

/// Runs `call`, which writes to a file or extends it. If the host limits the size of files, the
/// call fails with EFBIG, and SIGXFSZ, which would end the host, is discarded. Without a limit it
/// costs one additional system call.
pub(crate) fn guard_file_size<T>(call: impl FnOnce() -> T) -> T {
    match file_size_is_limited() {
        true => without_signal(libc::SIGXFSZ, call),
        false => call(),
    }
}

/// How long [`append`] relies on its last check of the limit.
const LIMIT_CHECK: Duration = Duration::from_millis(1);

/// When `append` last found no limit, by `monotonic_ns`; 0: it must check.
static UNLIMITED_AT: AtomicU64 = AtomicU64::new(0);

/// One `write` with the guard of [`guard_file_size`], for code in which each system call counts: it
/// checks the limit at most once in [`LIMIT_CHECK`]. Returns the number of bytes written, which is
/// smaller if the disk is full or the limit is reached.
pub(crate) fn append(mut file: &File, bytes: &[u8]) -> io::Result<usize> {
    let now = monotonic_ns();
    let checked = UNLIMITED_AT.load(Ordering::Relaxed);
    let is_recent = u128::from(now.wrapping_sub(checked)) < LIMIT_CHECK.as_nanos();
    if checked == 0 || !is_recent {
        if file_size_is_limited() {
            UNLIMITED_AT.store(0, Ordering::Relaxed);
            return without_signal(libc::SIGXFSZ, || file.write(bytes));
        }
        UNLIMITED_AT.store(now, Ordering::Relaxed);
    }
    let written = file.write(bytes);
    if !matches!(written, Ok(length) if length == bytes.len()) {
        // The kernel shortens the write that reaches a new limit, and sends the signal only for the
        // next write.
        UNLIMITED_AT.store(0, Ordering::Relaxed);
    }
    written
}

fn file_size_is_limited() -> bool {
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: `limit` is read only if the call has initialised it.
    unsafe {
        libc::getrlimit(libc::RLIMIT_FSIZE, limit.as_mut_ptr()) != 0
            || limit.assume_init().rlim_cur != libc::RLIM_INFINITY
    }
}

/// The monotonic clock as a number for an atomic.
fn monotonic_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is valid for writes; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    (now.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(now.tv_nsec as u64)
}

#[cfg(test)]
mod tests {
    use super::super::child::in_a_child;
    use super::*;
    use std::os::fd::FromRawFd;

    fn limit_file_size(bytes: u64) {
        let limit = libc::rlimit {
            rlim_cur: bytes,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: the call only reads the struct.
        unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
    }

    fn set_of(signal: c_int) -> libc::sigset_t {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), signal);
            set.assume_init()
        }
    }

    /// Whether the signal is blocked and whether it is pending in this thread.
    fn state(signal: c_int) -> (bool, bool) {
        let (mut blocked, mut pending) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: both calls only initialise their set.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), blocked.as_mut_ptr());
            libc::sigpending(pending.as_mut_ptr());
            (
                libc::sigismember(blocked.as_ptr(), signal) == 1,
                libc::sigismember(pending.as_ptr(), signal) == 1,
            )
        }
    }

    fn is(written: &io::Result<usize>, code: c_int) -> bool {
        matches!(written, Err(error) if error.raw_os_error() == Some(code))
    }

    /// Runs `child` in a forked process with a new file that is opened for appending.
    fn with_a_file(child: impl FnOnce(&File) -> bool) -> i32 {
        let file = tempfile();
        // SAFETY: the children make system calls only.
        unsafe {
            in_a_child(|| {
                // Forget the last check, which another test may have made without a limit.
                UNLIMITED_AT.store(0, Ordering::Relaxed);
                child(&file).into()
            })
        }
    }

    fn tempfile() -> File {
        // SAFETY: the name is a C string, and only the file owns the new descriptor.
        unsafe {
            let fd = libc::memfd_create(c"esales-test".as_ptr(), libc::MFD_CLOEXEC);
            assert!(fd >= 0);
            libc::fcntl(fd, libc::F_SETFL, libc::O_APPEND);
            File::from_raw_fd(fd)
        }
    }

    #[test]
    fn sigxfsz_ends_the_process_when_a_write_is_not_guarded() {
        let killed = with_a_file(|mut file| {
            limit_file_size(0);
            let _ = file.write(b"x");
            true
        });
        assert_eq!(killed, -libc::SIGXFSZ);
    }

    #[test]
    fn append_fails_with_efbig_when_the_file_size_is_limited() {
        let is_right = with_a_file(|file| {
            limit_file_size(3);
            matches!(append(file, b"12345"), Ok(3))
                && is(&append(file, b"45"), libc::EFBIG)
                && is(&append(file, b"45"), libc::EFBIG)
                && state(libc::SIGXFSZ) == (false, false)
        });
        assert_eq!(is_right, 1);
    }

    #[test]
    fn append_fails_with_efbig_when_the_limit_is_set_after_a_write() {
        let is_right = with_a_file(|file| {
            let is_first_written = matches!(append(file, b"12"), Ok(2));
            limit_file_size(3);
            is_first_written
                && matches!(append(file, b"345"), Ok(1))
                && is(&append(file, b"45"), libc::EFBIG)
        });
        assert_eq!(is_right, 1);
    }

    #[test]
    fn append_writes_again_when_the_limit_is_lifted() {
        let is_right = with_a_file(|file| {
            limit_file_size(0);
            let is_refused = is(&append(file, b"1"), libc::EFBIG);
            limit_file_size(libc::RLIM_INFINITY);
            is_refused && matches!(append(file, b"1"), Ok(1)) && matches!(append(file, b"2"), Ok(1))
        });
        assert_eq!(is_right, 1);
    }

    #[test]
    fn append_asks_for_the_limit_at_most_once_in_its_interval() {
        let file = tempfile();
        append(&file, b"1").unwrap();
        let first = UNLIMITED_AT.load(Ordering::Relaxed);
        assert_ne!(first, 0);
        append(&file, b"2").unwrap();
        let second = UNLIMITED_AT.load(Ordering::Relaxed);
        let interval = u64::try_from(LIMIT_CHECK.as_nanos()).unwrap();
        assert!(second == first || second >= first + interval);
    }

    #[test]
    fn guard_file_size_discards_the_signal_when_a_file_is_made_longer() {
        let is_right = with_a_file(|file| {
            limit_file_size(10);
            let grown = guard_file_size(|| file.set_len(11)).map(|()| 0);
            is(&grown, libc::EFBIG) && state(libc::SIGXFSZ) == (false, false)
        });
        assert_eq!(is_right, 1);
    }

    #[test]
    fn guard_keeps_a_sigxfsz_that_was_pending_before() {
        let is_right = with_a_file(|file| {
            limit_file_size(0);
            let set = set_of(libc::SIGXFSZ);
            // SAFETY: the set is initialised; the signal is blocked when it is raised.
            unsafe {
                libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
                libc::raise(libc::SIGXFSZ);
            }
            is(&append(file, b"1"), libc::EFBIG) && state(libc::SIGXFSZ) == (true, true)
        });
        assert_eq!(is_right, 1);
    }

    #[test]
    fn guard_leaves_no_pending_sigxfsz_when_the_host_blocks_or_ignores_it() {
        for is_ignored in [false, true] {
            let is_right = with_a_file(|file| {
                limit_file_size(0);
                let set = set_of(libc::SIGXFSZ);
                // SAFETY: the set is initialised, and ignoring a signal runs no handler.
                unsafe {
                    if is_ignored {
                        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
                    } else {
                        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
                    }
                }
                is(&append(file, b"1"), libc::EFBIG) && state(libc::SIGXFSZ) == (!is_ignored, false)
            });
            assert_eq!(is_right, 1, "ignored: {is_ignored}");
        }
    }

    #[test]
    fn without_signal_discards_sigpipe_when_the_pipe_has_no_reader() {
        let mut ends = [0; 2];
        // SAFETY: the array has room for two descriptors, which are closed or owned by the file.
        // The child makes only system calls.
        let is_right = unsafe {
            assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
            libc::close(ends[0]);
            let mut pipe = File::from_raw_fd(ends[1]);
            in_a_child(|| {
                libc::signal(libc::SIGPIPE, libc::SIG_DFL);
                let written = without_signal(libc::SIGPIPE, || pipe.write(b"x"));
                u8::from(is(&written, libc::EPIPE) && state(libc::SIGPIPE) == (false, false))
            })
        };
        assert_eq!(is_right, 1);
    }
}
