//! Opens a tunnel through an HTTP proxy with CONNECT (RFC 9110, section 9.3.6). Any 2xx opens the
//! tunnel, interim answers (1xx) are skipped, and the answer has no body, whatever its fields are.

use std::fmt;
use std::io::{self, Read, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::USER_AGENT;
use super::head::HeadReader;
use super::tcp::Stream;

/// The error if the proxy did not open the tunnel.
#[derive(Debug)]
pub(super) struct ProxyRefused(pub(super) String);

impl fmt::Display for ProxyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ProxyRefused {}

/// A proxy.
pub(super) struct ProxyServer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_https: bool,
    /// User and password, if the proxy's URL has one of them.
    pub(super) credentials: Option<(String, String)>,
}

/// The output does not show the password.
impl fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyServer({}:{})", self.host, self.port)
    }
}

impl ProxyServer {
    /// Requests a tunnel to `target` (`host:port`) on a connection to the proxy.
    pub(super) fn open_tunnel(
        &self,
        mut stream: Box<dyn Stream>,
        target: &str,
    ) -> io::Result<Box<dyn Stream>> {
        let mut request = format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: {USER_AGENT}\r\n\
             Proxy-Connection: Keep-Alive\r\n"
        );
        if let Some((user, password)) = &self.credentials {
            let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
            request.push_str(&format!("Proxy-Authorization: Basic {pair}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes())?;
        stream.flush()?;
        let early = read_answer(&mut *stream)?;
        Ok(Box::new(Tunnel { stream, early }))
    }
}

/// Reads the answer to CONNECT. Returns the bytes after the answer.
fn read_answer(stream: &mut dyn Stream) -> io::Result<Vec<u8>> {
    let refused = |message: String| io::Error::other(ProxyRefused(message));
    let mut reader = HeadReader::default();
    let mut piece = vec![0; 4096];
    loop {
        let read = stream.read(&mut piece);
        let code = reader.code();
        let bytes = match read {
            Ok(0) if code.is_none() => {
                return Err(refused(
                    "the proxy closed the connection without an answer".to_owned(),
                ));
            }
            Ok(0) => return Err(refused("the proxy's answer is incomplete".to_owned())),
            Ok(amount) => piece.get(..amount).unwrap_or_default(),
            Err(e) => return Err(e),
        };
        let used = reader
            .feed(bytes)
            .map_err(|e| refused(format!("the proxy does not speak HTTP: {e}")))?;
        match reader.code() {
            // The status line is enough.
            Some(code) if !(200..300).contains(&code) => {
                let reason = match code {
                    407 => "407: it wants a user and a password (proxy=http://user:password@...)",
                    403 => "403: it does not allow this host and port",
                    _ => return Err(refused(format!("the proxy answered CONNECT with {code}"))),
                };
                return Err(refused(format!("the proxy answered CONNECT with {reason}")));
            }
            Some(_) if reader.is_complete() => {
                return Ok(bytes.get(used..).unwrap_or_default().to_vec());
            }
            Some(_) if reader.is_too_long() => {
                return Err(refused("the proxy's answer does not end".to_owned()));
            }
            _ => {}
        }
    }
}

/// The connection to the proxy once the tunnel is open.
#[derive(Debug)]
struct Tunnel {
    stream: Box<dyn Stream>,
    /// Bytes of the server that arrived together with the proxy's answer.
    early: Vec<u8>,
}

impl Read for Tunnel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.early.is_empty() {
            return self.stream.read(buffer);
        }
        let amount = self.early.as_slice().read(buffer)?;
        self.early.drain(..amount);
        Ok(amount)
    }
}

impl Write for Tunnel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Stream for Tunnel {
    fn is_quiet(&mut self) -> bool {
        self.early.is_empty() && self.stream.is_quiet()
    }
}
