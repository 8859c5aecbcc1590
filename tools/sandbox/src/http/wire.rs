//! Faulty answers, written directly to the connection.
//!
//! hyper has read the request and no longer uses the stream (see `connection`): this module owns the stream, plain or
//! TLS, and closes it at the end.

use std::io;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::server::TlsStream;

use crate::script::{Action, Status};

/// A connection to write raw bytes to.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// How long the body of `drip-body` claims to be, in bytes.
const DRIP_BODY_LENGTH: usize = 1_000;
/// Bytes that are not HTTP.
const GARBAGE: &[u8] = b"\x00\xff\x16\x03This is not HTTP.\r\n\r\n\xfe\x01";

/// Performs the action and closes the connection.
///
/// # Errors
/// The client closed the connection first.
pub(crate) async fn play(mut wire: impl Wire, action: &Action) -> io::Result<()> {
    match action {
        // Dropped without the TLS close message, because the script wants no bytes. A normal answer goes through
        // hyper and never gets here.
        Action::Close | Action::Normal => return Ok(()),
        Action::Reset => return wire.tcp().set_zero_linger(),
        Action::Hang => {
            let mut ignored = [0; 1024];
            while wire.read(&mut ignored).await? > 0 {}
        }
        Action::Status(status) => wire.write_all(&whole(status, "keep-alive")).await?,
        Action::Drip { every_ms, body } => {
            let status = Status {
                code: if body.is_some() { 200 } else { 204 },
                retry_after: None,
                location: None,
                body: body.clone(),
                then_close: true,
            };
            drip(&mut wire, &whole(&status, "close"), *every_ms).await?;
        }
        Action::DripBody { every_ms } => {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\n\
                 content-length: {DRIP_BODY_LENGTH}\r\nconnection: close\r\n\r\n"
            );
            wire.write_all(head.as_bytes()).await?;
            wire.flush().await?;
            drip(&mut wire, &[b'.'; DRIP_BODY_LENGTH], *every_ms).await?;
        }
        Action::Endless => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\n\
                         transfer-encoding: chunked\r\n\r\n";
            let chunk = format!("2000\r\n{}\r\n", ".".repeat(0x2000));
            return for_ever(&mut wire, head, chunk.as_bytes()).await;
        }
        Action::EndlessHead => {
            let line = format!("x-sandbox: {}\r\n", ".".repeat(100));
            let lines = line.repeat(64);
            return for_ever(&mut wire, b"HTTP/1.1 200 OK\r\n", lines.as_bytes()).await;
        }
        Action::Garbage => wire.write_all(GARBAGE).await?,
    }
    wire.flush().await?;
    wire.shutdown().await
}

/// Writes one byte, then a pause: each byte is a packet (and a TLS record) of its own.
async fn drip(wire: &mut impl Wire, bytes: &[u8], every_ms: u64) -> io::Result<()> {
    let mut ticks = interval(Duration::from_millis(every_ms));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for byte in bytes {
        ticks.tick().await;
        wire.write_all(&[*byte]).await?;
        wire.flush().await?;
    }
    Ok(())
}

/// Ends only when the peer or the sandbox ends.
async fn for_ever(wire: &mut impl Wire, first: &[u8], again: &[u8]) -> io::Result<()> {
    wire.write_all(first).await?;
    loop {
        wire.write_all(again).await?;
        wire.flush().await?;
    }
}

/// A complete answer, head and body.
fn whole(status: &Status, connection: &str) -> Vec<u8> {
    let reason = StatusCode::from_u16(status.code)
        .ok()
        .and_then(|code| code.canonical_reason())
        .unwrap_or("Sandbox");
    let mut text = format!(
        "HTTP/1.1 {} {reason}\r\nconnection: {connection}\r\n",
        status.code
    );
    let headers = [
        ("retry-after", &status.retry_after),
        ("location", &status.location),
    ];
    for (name, value) in headers {
        if let Some(value) = value {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    let body = status.body.as_deref().unwrap_or_default();
    if !body.is_empty() {
        text.push_str("content-type: text/plain; charset=utf-8\r\n");
    }
    if !matches!(status.code, 204 | 304) {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}
