//! RESP2, the protocol of the engine: encodes commands and decodes replies.
//!
//! The published codec crates are not used: they decode a reply from its start each time more bytes arrive, and they
//! follow nested arrays to any depth, so a hostile server could exhaust the stack of the host's thread.

use std::io;

/// Greatest depth of nested arrays in a reply.
const MAX_DEPTH: usize = 8;
/// Greatest length of a reply, in bytes.
const MAX_REPLY: usize = 256 << 20;

/// A command and its arguments.
#[derive(Default)]
pub(super) struct Command {
    count: usize,
    bytes: Vec<u8>,
}

impl Command {
    pub(super) fn new(name: &str) -> Command {
        Command::default().arg(name)
    }

    /// An empty command with space for this many bytes, so that it is allocated once.
    pub(super) fn with_capacity(bytes: usize) -> Command {
        Command {
            count: 0,
            bytes: Vec::with_capacity(bytes),
        }
    }

    /// The number of bytes of the arguments.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn arg(mut self, word: impl AsRef<[u8]>) -> Command {
        self.push(word);
        self
    }

    /// Appends the arguments of another command.
    pub(super) fn with_all(mut self, other: &Command) -> Command {
        self.count += other.count;
        self.bytes.extend_from_slice(&other.bytes);
        self
    }

    pub(super) fn number(self, number: u64) -> Command {
        self.arg(itoa::Buffer::new().format(number))
    }

    pub(super) fn push(&mut self, word: impl AsRef<[u8]>) {
        let word = word.as_ref();
        self.count += 1;
        self.head(b'$', word.len());
        self.bytes.extend_from_slice(word);
        self.bytes.extend_from_slice(b"\r\n");
    }

    pub(super) fn push_number(&mut self, number: u64) {
        self.push(itoa::Buffer::new().format(number));
    }

    fn head(&mut self, kind: u8, number: usize) {
        self.bytes.push(kind);
        let mut buffer = itoa::Buffer::new();
        self.bytes
            .extend_from_slice(buffer.format(number).as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Appends the encoded command.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(b'*');
        out.extend_from_slice(itoa::Buffer::new().format(self.count).as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.bytes);
    }
}

/// A reply, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Nil,
    Number(i64),
    Text(Vec<u8>),
    Error(String),
    List(Vec<Value>),
}

impl Value {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Value::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// A number, which may have been sent as text.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Value::Number(number) => u64::try_from(*number).ok(),
            other => other.text()?.parse().ok(),
        }
    }

    pub(super) fn list(&self) -> Option<&[Value]> {
        match self {
            Value::List(values) => Some(values),
            _ => None,
        }
    }
}

/// An array with elements that have not arrived yet.
struct Unfinished {
    left: usize,
    values: Vec<Value>,
}

/// Decodes replies from the bytes that arrive. Each byte is read once, however the bytes are split.
#[derive(Default)]
pub(super) struct Decoder {
    bytes: Vec<u8>,
    /// The bytes before this index have been decoded.
    at: usize,
    unfinished: Vec<Unfinished>,
    taken: usize,
}

fn malformed(what: &str) -> io::Error {
    let message = format!("this is not a reply of Redis or Valkey: {what}");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

impl Decoder {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.at == self.bytes.len() {
            self.bytes.clear();
            self.at = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether all bytes have been decoded.
    pub(super) fn is_empty(&self) -> bool {
        self.at == self.bytes.len() && self.unfinished.is_empty()
    }

    /// The next complete reply; `None`: more bytes are needed.
    pub(super) fn next(&mut self) -> io::Result<Option<Value>> {
        loop {
            let before = self.at;
            let Some(element) = self.element()? else {
                return match self.taken + self.bytes.len() - self.at > MAX_REPLY {
                    true => Err(malformed("it is too long")),
                    false => Ok(None),
                };
            };
            self.taken += self.at - before;
            let Some(mut value) = element else {
                // An array begins.
                continue;
            };
            loop {
                let Some(array) = self.unfinished.last_mut() else {
                    self.taken = 0;
                    return Ok(Some(value));
                };
                array.values.push(value);
                array.left -= 1;
                if array.left > 0 {
                    break;
                }
                let values = self.unfinished.pop().map(|array| array.values);
                value = Value::List(values.unwrap_or_default());
            }
        }
    }

    /// One element: a value, or (`Some(None)`) the head of an array that is not empty.
    fn element(&mut self) -> io::Result<Option<Option<Value>>> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', rest) else {
            return Ok(None);
        };
        let line = rest.get(..end).and_then(|line| line.strip_suffix(b"\r"));
        let Some((kind, line)) = line.and_then(<[u8]>::split_first) else {
            return Err(malformed("a line without its end"));
        };
        let line = std::str::from_utf8(line).map_err(|_| malformed("a line is not UTF-8"))?;
        let number = || line.parse::<i64>().map_err(|_| malformed("no number"));
        let mut length = end + 1;
        let value = match kind {
            b'+' => Some(Value::Text(line.as_bytes().to_vec())),
            b'-' => Some(Value::Error(line.to_owned())),
            b':' => Some(Value::Number(number()?)),
            b'$' if number()? < 0 => Some(Value::Nil),
            b'$' => {
                let size = usize::try_from(number()?).unwrap_or(usize::MAX);
                if size > MAX_REPLY {
                    return Err(malformed("it is too long"));
                }
                let Some(text) = rest.get(length..length + size + 2) else {
                    return Ok(None);
                };
                length += size + 2;
                let text = text.strip_suffix(b"\r\n");
                let text = text.ok_or_else(|| malformed("a text does not end where it should"))?;
                Some(Value::Text(text.to_vec()))
            }
            b'*' if number()? < 0 => Some(Value::Nil),
            b'*' if number()? == 0 => Some(Value::List(Vec::new())),
            b'*' => {
                if self.unfinished.len() >= MAX_DEPTH {
                    return Err(malformed("its arrays are nested too deeply"));
                }
                let left = usize::try_from(number()?).unwrap_or(usize::MAX);
                self.unfinished.push(Unfinished {
                    left,
                    values: Vec::new(),
                });
                None
            }
            _ => return Err(malformed("it begins with an unknown byte")),
        };
        self.at += length;
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> io::Result<Option<Value>> {
        let mut decoder = Decoder::default();
        decoder.feed(bytes);
        decoder.next()
    }

    fn text(text: &str) -> Value {
        Value::Text(text.as_bytes().to_vec())
    }

    #[test]
    fn command_is_encoded_as_an_array_of_its_arguments() {
        let mut out = Vec::new();
        Command::new("GET").arg("å").number(12).encode(&mut out);
        assert_eq!(out, "*3\r\n$3\r\nGET\r\n$2\r\nå\r\n$2\r\n12\r\n".as_bytes());
    }

    #[test]
    fn reply_is_the_same_when_it_arrives_in_pieces() {
        let bytes = b"*5\r\n$4\r\na\r\nb\r\n:-7\r\n*2\r\n$-1\r\n*0\r\n-ERR no\r\n*-1\r\n+OK\r\n";
        let list = Value::List(vec![
            text("a\r\nb"),
            Value::Number(-7),
            Value::List(vec![Value::Nil, Value::List(Vec::new())]),
            Value::Error("ERR no".to_owned()),
            Value::Nil,
        ]);
        for size in 1..=bytes.len() {
            let mut decoder = Decoder::default();
            let mut replies = Vec::new();
            for piece in bytes.chunks(size) {
                decoder.feed(piece);
                while let Some(reply) = decoder.next().unwrap() {
                    replies.push(reply);
                }
            }
            assert_eq!(replies, [list.clone(), text("OK")], "in pieces of {size}");
            assert!(decoder.is_empty());
        }
        for end in 0..bytes.len() - 5 {
            assert_eq!(decode(&bytes[..end]).unwrap(), None, "{end}");
        }
    }

    #[test]
    fn oversized_reply_is_refused_before_memory_is_allocated() {
        let deep = "*1\r\n".repeat(100_000);
        for hostile in [
            deep.as_bytes(),
            b"$99999999999\r\n",
            b"$9223372036854775808\r\n",
            b":1x\r\n",
            b"\n",
            b"+OK\n",
            b"HTTP/1.1 400 Bad Request\r\n",
            b"$1\r\nabc",
        ] {
            assert!(
                decode(hostile).is_err(),
                "{:?}",
                &hostile[..hostile.len().min(9)]
            );
        }
        // A large count without its elements allocates nothing.
        assert_eq!(decode(b"*9223372036854775807\r\n").unwrap(), None);
    }
}
