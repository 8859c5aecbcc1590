//! One connection: hyper drives it until a scripted answer takes it over.
//!
//! A handler that is to misbehave sends the action through [`Connection::take_over`] and never
//! returns. The loop below then takes the stream back from hyper, which has read the request and
//! written nothing, and hands it to `wire`.

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

/// The longest head of a request, in bytes, and the most that is read at once.
const LONGEST_HEAD: usize = 64 * 1024;

/// What the handlers know of the connection that their request came on.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) number: ConnectionNumber,
    takeover: UnboundedSender<Action>,
}

impl Connection {
    /// Leaves the answer, and the connection, to `wire`. Never returns: the caller is dropped.
    pub(crate) async fn take_over(&self, action: Action) -> Infallible {
        let _ = self.takeover.send(action); // refused only when the connection is gone already
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
                if activity.is_busy() {
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
