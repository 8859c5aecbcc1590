//! Unfinished requests: limits for their total memory and for the duration of each.
//!
//! Any program on this machine, and any web page, can send half a request and wait. Without a limit, 800 requests
//! that stop within a body of 1 MiB would hold almost a gigabyte without end.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::Activity;

/// The limits, and the present use of unfinished requests.
#[derive(Debug)]
pub struct Unfinished {
    most_bytes: usize,
    /// How long the head of a request, and its body, may each take.
    pub timeout: Duration,
    bytes: AtomicUsize,
}

impl Unfinished {
    /// Bounds: of all unfinished requests together, and of each.
    #[must_use]
    pub fn new(most_bytes: usize, timeout: Duration) -> Self {
        Unfinished {
            most_bytes,
            timeout,
            bytes: AtomicUsize::new(0),
        }
    }
}

/// The bytes of one unfinished request, until it is dropped.
#[derive(Debug)]
pub struct Share {
    of: Arc<Unfinished>,
    bytes: usize,
}

impl Share {
    /// The share of a request that has not begun.
    #[must_use]
    pub fn new(of: &Arc<Unfinished>) -> Self {
        Share {
            of: Arc::clone(of),
            bytes: 0,
        }
    }

    /// Adds this many bytes. False if all unfinished requests together would exceed the limit.
    #[must_use]
    pub fn take(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        let before = self.of.bytes.fetch_add(bytes, Ordering::Relaxed);
        before.saturating_add(bytes) <= self.of.most_bytes
    }

    fn give_back(&mut self) {
        self.of.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// A stream that fails when the head of a request takes too long or has too many bytes. Between two requests it may
/// stay open without limit; the reader of a body has its own limits.
#[derive(Debug)]
pub struct Heads<S> {
    stream: S,
    activity: Arc<Activity>,
    share: Share,
    /// The deadline of the head that has begun, and the number of requests when it began.
    head: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S> Heads<S> {
    /// The stream of a connection, whose requests `activity` counts.
    #[must_use]
    pub fn new(stream: S, activity: Arc<Activity>, of: &Arc<Unfinished>) -> Self {
        Heads {
            stream,
            activity,
            share: Share::new(of),
            head: None,
        }
    }

    /// The stream itself.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Removes the deadline of a head whose request was given to the handlers.
    fn forget_an_ended_head(&mut self) {
        let requests = self.activity.requests();
        if self
            .head
            .as_ref()
            .is_some_and(|(_, then)| *then != requests)
        {
            self.head = None;
            self.share.give_back();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heads<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.forget_an_ended_head();
        if let Some((timer, _)) = &mut this.head
            && timer.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let bytes = buf.filled().len() - before;
        if bytes == 0 || this.activity.is_busy() {
            return Poll::Ready(Ok(()));
        }
        if this.head.is_none() {
            let timer = Box::pin(sleep(this.share.of.timeout));
            this.head = Some((timer, this.activity.requests()));
        }
        if this.share.take(bytes) {
            Poll::Ready(Ok(()))
        } else {
            Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()))
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heads<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
