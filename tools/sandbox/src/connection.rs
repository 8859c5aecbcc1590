//! One connection: hyper drives it until a scripted answer takes it over.
//!
//! A handler that is to misbehave sends the action through [`Connection::take_over`] and never
//! returns. The loop below then takes the stream back from hyper, which has read the request and
//! written nothing, and hands it to `wire`.

use std::convert::Infallible;
use std::future::{Future as _, pending, poll_fn};
use std::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::answer::Action;
use crate::record::ConnectionNumber;
use crate::unfinished::{Heads, Unfinished};
use crate::wire::{self, Wire};

/// The longest head of a request, in bytes, and the most that is read at once.
const LONGEST_HEAD: usize = 64 * 1024;

/// A request to close if idle: the answer is true if the connection was idle, and is closed now.
/// A connection that is busy with something else may drop it unanswered.
pub(crate) type CloseIfIdle = UnboundedSender<bool>;

/// What the handlers know of the connection that their request came on.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) number: ConnectionNumber,
    in_flight: AtomicUsize,
    requests: AtomicUsize,
    takeover: UnboundedSender<Action>,
}

impl Connection {
    /// How many requests were given to the handlers.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether a request is being answered.
    pub(crate) fn is_busy(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0
    }

    /// Leaves the answer, and the connection, to `wire`. Never returns: the caller is dropped.
    pub(crate) async fn take_over(&self, action: Action) -> Infallible {
        let _ = self.takeover.send(action); // refused only when the connection is gone already
        pending().await
    }
}

/// Counts a request as in flight until it is dropped.
struct InFlight(Arc<Connection>);

impl InFlight {
    fn new(connection: &Arc<Connection>) -> Self {
        connection.in_flight.fetch_add(1, Ordering::Relaxed);
        connection.requests.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(connection))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves the connection to its end.
pub(crate) async fn serve(
    stream: impl Wire,
    router: Router,
    mut close: UnboundedReceiver<CloseIfIdle>,
    unfinished: &Arc<Unfinished>,
) {
    let (takeover, mut taken_over) = unbounded_channel();
    let connection = Arc::new(Connection {
        number: ConnectionNumber::default(),
        in_flight: AtomicUsize::new(0),
        requests: AtomicUsize::new(0),
        takeover,
    });
    let router = TowerToHyperService::new(router);
    let stream = Heads::new(stream, Arc::clone(&connection), unfinished);
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        let in_flight = InFlight::new(&connection);
        request.extensions_mut().insert(Arc::clone(&connection));
        let answer = router.call(request);
        async move {
            let answer = answer.await;
            drop(in_flight);
            answer
        }
    });
    let mut http = http1::Builder::new()
        // hyper would count the time between two requests too: an idle connection stays open.
        .header_read_timeout(None)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    loop {
        // In this order: a request that has come in makes the connection busy before anybody asks.
        tokio::select! {
            biased;
            _ = &mut http => return, // a peer that breaks off is no news here
            Some(action) = taken_over.recv() => {
                drop(close);
                let stream = http.into_parts().io.into_inner().into_inner();
                let _ = wire::play(stream, &action).await; // an error: the peer went away first
                return;
            }
            Some(reply) = close.recv() => {
                if connection.is_busy() {
                    let _ = reply.send(false); // nobody waits for it any more: fine
                    continue;
                }
                // hyper closes at once when it is between two requests. Otherwise it is still
                // writing, or has read half a head: not idle, and it will close after the answer.
                pin::Pin::new(&mut http).graceful_shutdown();
                let ended = poll_fn(|cx| Poll::Ready(pin::Pin::new(&mut http).poll(cx).is_ready())).await;
                if ended {
                    drop(http);
                    let _ = reply.send(true);
                    return;
                }
                let _ = reply.send(false);
            }
        }
    }
}
