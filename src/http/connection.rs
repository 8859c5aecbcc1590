//! A connection for ureq. ureq writes a request and reads an answer whose head was rewritten so
//! that ureq can certainly read it.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};

use super::deadline::{self, Step};
use super::head::HeadReader;
use super::tcp::Stream;

const BUFFER: usize = 32 * 1024;
/// The size of a read of a head. A usual head fits, and a larger buffer would have to be cleared
/// for each answer.
const PIECE: usize = 1024;
/// Time limit for the rest of an answer after its status line, which decides the outcome. The rest
/// is only used for the message.
const REST_OF_ANSWER: Duration = Duration::from_secs(1);

/// Decides which connections of an origin may be reused.
#[derive(Debug)]
pub(super) struct Lifetime {
    max_age: Duration,
    generation: AtomicU64,
}

impl Lifetime {
    /// A connection that is older than `max_age` is replaced, even if it is never idle, because the
    /// host name may have moved.
    pub(super) fn new(max_age: Duration) -> Lifetime {
        Lifetime {
            max_age,
            generation: AtomicU64::new(0),
        }
    }

    /// Marks all open connections as not reusable, after one of them was found dead.
    pub(super) fn retire_all(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    is_tls: bool,
    buffers: LazyBuffers,
    /// Bytes that ureq wrote and that are not sent yet. ureq writes head and body separately, and
    /// they are sent in one write.
    held: Vec<u8>,
    /// Whether the next bytes are the head of an answer.
    expects_head: bool,
    /// Whether `is_open` has not been called since the last bytes arrived.
    has_just_answered: bool,
    opened: Instant,
    generation: u64,
    lifetime: Arc<Lifetime>,
}

impl Connection {
    pub(super) fn new(
        stream: Box<dyn Stream>,
        is_tls: bool,
        lifetime: &Arc<Lifetime>,
    ) -> Connection {
        Connection {
            stream,
            is_tls,
            buffers: LazyBuffers::new(BUFFER, BUFFER),
            held: Vec::new(),
            expects_head: true,
            has_just_answered: false,
            opened: Instant::now(),
            generation: lifetime.generation(),
            lifetime: Arc::clone(lifetime),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        self.stream.write_all(&self.held)?;
        self.stream.flush()?;
        self.held.clear();
        Ok(())
    }

    /// Reads a head, and gives ureq a rewritten head and the bytes of the body that were read.
    fn await_head(&mut self) -> io::Result<bool> {
        let mut reader = HeadReader::default();
        let mut piece = [0; PIECE];
        let mut is_limited = false;
        loop {
            let amount = match self.stream.read(&mut piece) {
                Err(e) if reader.code().is_none() => return Err(e),
                // The status line is complete: the answer counts, but the connection is not reused.
                Err(_) => 0,
                Ok(amount) => amount,
            };
            let bytes = piece.get(..amount).unwrap_or_default();
            if amount > 0 {
                deadline::enter(Step::Answer);
            }
            let used = reader
                .feed(bytes)
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
            if reader.code().is_some() && !is_limited {
                deadline::at_most(REST_OF_ANSWER);
                is_limited = true;
            }
            if reader.is_complete() || reader.is_too_long() || amount == 0 {
                let Some(head) = reader.for_ureq() else {
                    return Ok(false);
                };
                self.push(head.as_bytes());
                self.push(bytes.get(used..).unwrap_or_default());
                self.expects_head = false;
                self.has_just_answered = reader.is_complete();
                return Ok(true);
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let mut free = self.buffers.input_append_buf();
        // Writing into a slice cannot fail; what does not fit is skipped.
        let amount = free.write(bytes).unwrap_or_default();
        self.buffers.input_appended(amount);
    }

    fn await_body(&mut self) -> io::Result<bool> {
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        self.has_just_answered = amount > 0;
        Ok(amount > 0)
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let output = self.buffers.output();
        self.held
            .extend_from_slice(output.get(..amount).unwrap_or(output));
        self.expects_head = true;
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        self.flush()?;
        let more = if self.expects_head {
            self.await_head()?
        } else {
            self.await_body()?
        };
        Ok(more)
    }

    /// An idle connection is usable only if there is nothing to read: no end, no error and no stray
    /// byte.
    ///
    /// ureq calls this when it returns a connection to its pool, and when it takes it out again.
    /// The first call does not ask the kernel, because only the second result matters.
    fn is_open(&mut self) -> bool {
        self.held.is_empty()
            && self.opened.elapsed() < self.lifetime.max_age
            && self.generation == self.lifetime.generation()
            && (std::mem::take(&mut self.has_just_answered) || self.stream.is_quiet())
    }

    fn is_tls(&self) -> bool {
        self.is_tls
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::io::Read;
    use std::sync::Mutex;

    /// Records what is written, and returns these pieces as answers.
    #[derive(Debug)]
    struct Scripted {
        answers: VecDeque<&'static str>,
        written: Arc<Mutex<Vec<Vec<u8>>>>,
    }

    impl Read for Scripted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let mut piece = self.answers.pop_front().unwrap_or_default().as_bytes();
            piece.read(buffer)
        }
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.written.lock().unwrap().push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Stream for Scripted {
        fn is_quiet(&mut self) -> bool {
            self.answers.is_empty()
        }
    }

    type Written = Arc<Mutex<Vec<Vec<u8>>>>;

    fn connection(max_age: Duration, answers: &[&'static str]) -> (Connection, Written) {
        deadline::begin(Instant::now() + Duration::from_secs(60));
        let written = Written::default();
        let stream = Scripted {
            answers: answers.iter().copied().collect(),
            written: Arc::clone(&written),
        };
        let lifetime = Arc::new(Lifetime::new(max_age));
        let connection = Connection::new(Box::new(stream), false, &lifetime);
        (connection, written)
    }

    const LONG: Duration = Duration::from_secs(60);

    fn write(connection: &mut Connection, part: &[u8]) {
        connection.buffers().output()[..part.len()].copy_from_slice(part);
        connection
            .transmit_output(part.len(), NextTimeout::default())
            .unwrap();
    }

    #[test]
    fn request_head_and_body_are_sent_in_one_write() {
        let (mut connection, written) = connection(LONG, &["HTTP/1.1 204 -\r\n\r\n"]);
        write(&mut connection, b"head");
        write(&mut connection, b"body");
        assert!(!connection.is_open(), "kept with a request half sent");
        assert!(connection.await_input(NextTimeout::default()).unwrap());
        assert!(connection.is_open());
        assert_eq!(*written.lock().unwrap(), [b"headbody"]);
    }

    #[test]
    fn connection_is_closed_when_it_is_too_old_or_retired() {
        let (mut old, _) = connection(Duration::ZERO, &[]);
        assert!(!old.is_open());
        let (mut young, _) = connection(LONG, &[]);
        assert!(young.is_open());
        young.lifetime.retire_all();
        assert!(!young.is_open());
    }

    #[test]
    fn buffered_answer_body_follows_the_rewritten_head() {
        let (mut connection, _) = connection(
            LONG,
            &["HTTP/1.1 20", "0 OK\r\ncontent-length: 4\r\n\r\nbo", "dy"],
        );
        write(&mut connection, b"x");
        assert!(connection.await_input(NextTimeout::default()).unwrap());
        assert!(connection.await_input(NextTimeout::default()).unwrap());
        let input = connection.buffers().input();
        assert!(input.ends_with(b"\r\n\r\nbody"), "{input:?}");
    }
}
