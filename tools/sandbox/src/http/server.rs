//! The listener and the routes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::control::{
    ca_pem, clear, close_idle, nothing_here, received, received_one, script, status,
};
use super::events::events;
use super::guard::guard;
use super::notify::notification;
use super::shared::Shared;
use super::{connection, page};

/// The pause after a failed accept (no file descriptors left, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Accepts connections until it is dropped.
pub(crate) async fn run(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let router = routes(Arc::clone(&shared));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(welcome(
                    stream,
                    tls.clone(),
                    router.clone(),
                    Arc::clone(&shared),
                ));
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn welcome(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true); // without it answers are only slower
    let register = || {
        let (close, closing) = unbounded_channel();
        shared.register(close);
        closing
    };
    match tls {
        None => connection::serve(stream, router, register(), &shared.unfinished).await,
        Some(tls) => {
            // A failed handshake is not reported here: the client has the reason.
            let accepted = timeout(shared.unfinished.timeout, tls.accept(stream)).await;
            if let Ok(Ok(stream)) = accepted {
                connection::serve(stream, router, register(), &shared.unfinished).await;
            }
        }
    }
}

/// The page and the control interface have routes behind the guard. Every other request counts as a notification, so
/// that a shop with a wrong path sees its requests too.
fn routes(shared: Arc<Shared>) -> Router {
    let guard = from_fn_with_state(Arc::clone(&shared), guard);
    let control = Router::new()
        .route("/sandbox/events", get(events))
        .route("/sandbox/received", get(received).delete(clear))
        .route("/sandbox/received/{seq}", get(received_one))
        .route("/sandbox/script", put(script))
        .route("/sandbox/status", get(status))
        .route("/sandbox/close-idle", post(close_idle))
        .route("/sandbox/ca.pem", get(ca_pem))
        .merge(page::files())
        .route_layer(guard.clone());
    // Other methods on these two paths are notifications, which the guard does not check.
    let home = get(page::page).layer(guard.clone()).fallback(notification);
    let icon = get(nothing_here).layer(guard).fallback(notification);
    control
        .route("/", home)
        .route("/favicon.ico", icon)
        .fallback(notification)
        .with_state(shared)
}
