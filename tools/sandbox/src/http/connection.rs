//! One connection: hyper serves it until `wire` sends a faulty answer.
//!
//! A handler of a faulty answer sends the action through [`Connection::take_over`] and never returns. The loop below
//! then takes the stream from hyper, which has read the request and written nothing, and gives it to `wire`.

use std::convert::Infallible;
use std::future::{Future as _, pending, poll_fn};
use std::pin;
use std::sync::Arc;
use std::task::Poll;

use axum::Router;
use esales_notify_serving::{Activity, Heads, InFlight, Unfinished};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::shared::CloseIfIdle;
use super::wire::{self, Wire};
use crate::journal::ConnectionNumber;
use crate::script::Action;

/// Longest head of a request, and size of a read, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;

/// The connection of a request, for its handler.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) number: ConnectionNumber,
    takeover: UnboundedSender<Action>,
}

impl Connection {
    /// Passes the answer and the connection to `wire`. Never returns: the caller is dropped.
    pub(crate) async fn take_over(&self, action: Action) -> Infallible {
        let _ = self.takeover.send(action); // fails only if the connection is closed already
        pending().await
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
        takeover,
    });
    let activity = Arc::new(Activity::default());
    let router = TowerToHyperService::new(router);
    let stream = Heads::new(stream, Arc::clone(&activity), unfinished);
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        let in_flight = InFlight::new(&activity);
        request.extensions_mut().insert(Arc::clone(&connection));
        let answer = router.call(request);
        async move {
            let answer = answer.await;
            drop(in_flight);
            answer
        }
    });
    let mut http = http1::Builder::new()
        // hyper would also count the time between two requests, but an idle connection stays open.
        .header_read_timeout(None)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    loop {
        // In this order: a received request marks the connection as busy before `close_idle` asks.
        tokio::select! {
            biased;
            _ = &mut http => return, // a client that closes early is no error here
            Some(action) = taken_over.recv() => {
                drop(close);
                let stream = http.into_parts().io.into_inner().into_inner();
                let _ = wire::play(stream, &action).await; // an error: the client closed first
                return;
            }
            Some(reply) = close.recv() => {
                if activity.is_busy() {
                    let _ = reply.send(false); // fails if the caller no longer waits
                    continue;
                }
                // hyper closes at once between two requests. Otherwise it still writes an answer or has read half a
                // head: the connection is not idle, and closes after the answer.
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
