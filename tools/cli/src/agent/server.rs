//! The server's thread: accepts a limited number of connections, and closes them after their answers.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use esales_notify_serving::{Activity, Heads, InFlight};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::address::{Listener, SocketFile};
use super::requests::Requests;

/// Longest head of a request, and size of a read, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// Time after which an idle connection is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// If there is no room for a new connection, connections that have been idle for this time are closed.
const IDLE_UNDER_PRESSURE: Duration = Duration::from_secs(1);
/// How often idle connections are asked to make room.
const PRESSURE_PAUSE: Duration = Duration::from_millis(100);
/// The pause after a failed accept, for example because there are no file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
/// Time for the client to read the answer of a connection that is closing.
const LINGER: Duration = Duration::from_secs(10);

/// State that the connections of all listeners share.
pub(super) struct Server {
    pub(super) requests: Arc<Requests>,
    /// Room for connections.
    room: Arc<Semaphore>,
    /// Raised when a connection finds no room.
    pressure: watch::Sender<u64>,
    stop: watch::Receiver<bool>,
}

impl Server {
    pub(super) fn new(
        requests: Arc<Requests>,
        max_connections: usize,
        stop: watch::Receiver<bool>,
    ) -> Server {
        Server {
            requests,
            room: Arc::new(Semaphore::new(max_connections)),
            pressure: watch::Sender::new(0),
            stop,
        }
    }

    /// Serves until the stop signal, and until the requests in flight have their answers.
    pub(super) async fn run(self: Arc<Server>, listeners: Vec<Listener>) -> io::Result<()> {
        let mut accepting = JoinSet::new();
        for listener in listeners {
            let server = Arc::clone(&self);
            match listener {
                Listener::Tcp(listener) => {
                    accepting.spawn(server.accept(TcpListener::from_std(listener)?, None));
                }
                Listener::Unix(listener, file) => {
                    accepting.spawn(server.accept(UnixListener::from_std(listener)?, Some(file)));
                }
            }
        }
        while accepting.join_next().await.is_some() {}
        Ok(())
    }

    /// Accepts connections of one listener until the stop signal; returns when they have ended.
    async fn accept<L: Accept>(self: Arc<Server>, listener: L, file: Option<SocketFile>) {
        let mut connections = JoinSet::new();
        let mut stopped = pin!(stopped(self.stop.clone()));
        let is_local = file.is_some();
        loop {
            let next = async {
                let room = self.make_room().await;
                (listener.accept().await, room)
            };
            tokio::select! {
                biased;
                () = &mut stopped => break,
                // Removes the connections that have ended.
                Some(_) = connections.join_next() => {}
                (accepted, room) = next => match (accepted, room) {
                    (Ok(stream), Some(room)) => {
                        connections.spawn(Arc::clone(&self).serve(stream, is_local, room));
                    }
                    _ => sleep(ACCEPT_PAUSE).await,
                },
            }
        }
        // New connections are refused from now on, and a new agent may listen.
        drop((listener, file));
        while connections.join_next().await.is_some() {}
    }

    /// Waits for room for another connection. If there is none, idle connections are asked to close.
    async fn make_room(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            let room = Arc::clone(&self.room).acquire_owned();
            match timeout(PRESSURE_PAUSE, room).await {
                Ok(room) => return room.ok(),
                Err(_) => self.pressure.send_modify(|raised| *raised += 1),
            }
        }
    }

    /// Serves one connection to its end.
    async fn serve(
        self: Arc<Server>,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        is_local: bool,
        _room: OwnedSemaphorePermit,
    ) {
        let activity = Arc::new(Activity::default());
        let last = Arc::new(Mutex::new(Instant::now()));
        let _open = self.requests.count_connection();
        let stream = Heads::new(stream, Arc::clone(&activity), self.requests.unfinished());
        let service = service_fn(|request: Request<Incoming>| {
            let in_flight = InFlight::new(&activity);
            let (requests, last) = (Arc::clone(&self.requests), Arc::clone(&last));
            let stop = self.stop.clone();
            async move {
                let mut answer = requests.answer(request, is_local).await;
                // The connection may be in the middle of a poll that began before the signal.
                if *stop.borrow() {
                    let close = HeaderValue::from_static("close");
                    answer.headers_mut().insert(CONNECTION, close);
                }
                drop(in_flight);
                *last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                Ok::<_, Infallible>(answer)
            }
        });
        // hyper's own time-out for heads includes the time between two requests, so the time-out of `Heads` is used.
        let http = http1::Builder::new()
            .header_read_timeout(None)
            .max_buf_size(LONGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let mut http = pin!(http);
        let idle_since = || *last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle_for = |time| !activity.is_busy() && idle_since().elapsed() >= time;
        let mut stopped = pin!(stopped(self.stop.clone()));
        let mut pressure = self.pressure.subscribe();
        let mut next_look = Instant::now() + IDLE_TIMEOUT;
        loop {
            tokio::select! {
                () = &mut stopped => break,
                _ = http.as_mut() => return,
                _ = pressure.changed() => {
                    if is_idle_for(IDLE_UNDER_PRESSURE) {
                        break;
                    }
                }
                () = sleep_until(next_look) => {
                    if is_idle_for(IDLE_TIMEOUT) {
                        break;
                    }
                    next_look = (idle_since() + IDLE_TIMEOUT).max(Instant::now() + IDLE_UNDER_PRESSURE);
                }
            }
        }
        // An idle connection is closed at once, a busy one after its answer.
        http.as_mut().graceful_shutdown();
        let bound = self.requests.longest_request() + LINGER;
        let _ = timeout(bound, http).await;
    }
}

/// Returns on the stop signal, or when its sender is gone.
async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

trait Accept: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Accept for TcpListener {
    type Stream = tokio::net::TcpStream;
    async fn accept(&self) -> io::Result<Self::Stream> {
        let (stream, _) = TcpListener::accept(self).await?;
        // If this fails, answers are only slower.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

impl Accept for UnixListener {
    type Stream = tokio::net::UnixStream;
    async fn accept(&self) -> io::Result<Self::Stream> {
        UnixListener::accept(self).await.map(|(stream, _)| stream)
    }
}
