//! The listener, the routes, and the handlers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Extension, Router};
use http_body_util::BodyExt as _;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::NOTIFICATION_PATH;
use crate::answer::{Action, Answer, Status};
use crate::connection::{self, CloseIfIdle, Connection};
use crate::events::events;
use crate::guard::guard;
use crate::page;
use crate::record::{Arrival, Journal, Received};
use crate::unfinished::{Share, Unfinished};
use crate::verdict::{Verdict, judge};

/// The longest request body that is read, in bytes.
const LONGEST_BODY: usize = 1024 * 1024;
/// How much of a longer one is read and thrown away, so that the peer can read its 413.
const LONGEST_DRAIN: usize = 64 * LONGEST_BODY;
/// The pause after a failed accept (no file descriptors left, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// What the handlers, the connections and the `Sandbox` handle have in common.
pub(crate) struct Shared {
    pub(crate) journal: Journal,
    pub(crate) private_key: Option<String>,
    pub(crate) ca_pem: Option<String>,
    /// Names beside localhost under which the page and the control interface may be used.
    pub(crate) allow_hosts: Vec<String>,
    unfinished: Arc<Unfinished>,
    open: Mutex<Vec<UnboundedSender<CloseIfIdle>>>,
}

impl Shared {
    pub(crate) fn new(
        journal: Journal,
        private_key: Option<String>,
        ca_pem: Option<String>,
        allow_hosts: Vec<String>,
        unfinished: Unfinished,
    ) -> Self {
        Shared {
            journal,
            private_key,
            ca_pem,
            allow_hosts,
            unfinished: Arc::new(unfinished),
            open: Mutex::default(),
        }
    }

    fn open(&self) -> MutexGuard<'_, Vec<UnboundedSender<CloseIfIdle>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the connections that are idle; returns how many, when they are closed.
    pub(crate) async fn close_idle(&self) -> usize {
        let (reply, mut replies) = unbounded_channel();
        for connection in self.open().iter() {
            let _ = connection.send(reply.clone()); // refused: it is closed already
        }
        drop(reply);
        let mut closed = 0;
        while let Some(was_idle) = replies.recv().await {
            closed += usize::from(was_idle);
        }
        closed
    }
}

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
        let mut open = shared.open();
        open.retain(|connection| !connection.is_closed());
        open.push(close);
        closing
    };
    match tls {
        None => connection::serve(stream, router, register(), &shared.unfinished).await,
        Some(tls) => {
            // A handshake that fails is the peer's affair: it knows why better than we do.
            let accepted = timeout(shared.unfinished.timeout, tls.accept(stream)).await;
            if let Ok(Ok(stream)) = accepted {
                connection::serve(stream, router, register(), &shared.unfinished).await;
            }
        }
    }
}

/// The page and the control interface by name, behind the guard; everything else is taken for a
/// notification, well addressed or not, so that a shop with the wrong path sees its requests too.
fn routes(shared: Arc<Shared>) -> Router {
    let guard = from_fn_with_state(Arc::clone(&shared), guard);
    let control = Router::new()
        .route("/sandbox/events", get(events))
        .route("/sandbox/received", get(received).delete(clear))
        .route("/sandbox/script", put(script))
        .route("/sandbox/status", get(status))
        .route("/sandbox/close-idle", post(close_idle))
        .route("/sandbox/ca.pem", get(ca_pem))
        .merge(page::files())
        .route_layer(guard.clone());
    // What is not GET at these two is a notification, with which the guard has no business.
    let home = get(page::page).layer(guard.clone()).fallback(notification);
    let icon = get(nothing_here).layer(guard).fallback(notification);
    control
        .route("/", home)
        .route("/favicon.ico", icon)
        .fallback(notification)
        .with_state(shared)
}

type App = State<Arc<Shared>>;

async fn received(State(shared): App) -> Response {
    let records = shared.journal.records();
    let records: Vec<&Received> = records.iter().map(AsRef::as_ref).collect();
    json(&records)
}

async fn clear(State(shared): App) -> StatusCode {
    shared.journal.clear();
    StatusCode::NO_CONTENT
}

async fn script(State(shared): App, request: Request) -> Response {
    let text = match read(&shared.unfinished, request.into_body()).await {
        Ok(body) => String::from_utf8_lossy(&body.bytes).into_owned(),
        Err(refusal) => return refusal,
    };
    match Answer::parse_list(&text) {
        Ok(script) => {
            shared.journal.set_script(script);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => plain(StatusCode::BAD_REQUEST, error.to_string()),
    }
}

async fn status(State(shared): App) -> Response {
    json(&shared.journal.stats())
}

async fn close_idle(State(shared): App) -> Response {
    let closed = shared.close_idle().await;
    json(&serde_json::json!({ "closed": closed }))
}

async fn ca_pem(State(shared): App) -> Response {
    match &shared.ca_pem {
        Some(pem) => {
            let headers = [(CONTENT_TYPE, "application/x-pem-file")];
            (headers, pem.clone()).into_response()
        }
        None => plain(
            StatusCode::NOT_FOUND,
            "Sandbox: this sandbox speaks plain HTTP.",
        ),
    }
}

async fn nothing_here() -> Response {
    plain(StatusCode::NOT_FOUND, "Sandbox: there is nothing here.")
}

async fn notification(
    State(shared): App,
    Extension(connection): Extension<Arc<Connection>>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let addressed = path.ends_with(NOTIFICATION_PATH);
    if !addressed && path.starts_with("/sandbox/") {
        return plain(StatusCode::NOT_FOUND, "Sandbox: unknown control path.");
    }
    let Body {
        bytes: body,
        is_too_long: too_long,
        share,
    } = match read(&shared.unfinished, body).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let posted = addressed && head.method == Method::POST;
    let mut verdict = if !addressed {
        let text = format!("Sandbox: unknown path; notifications go to {NOTIFICATION_PATH}");
        Verdict::refuse(404, text, &body)
    } else if !posted {
        Verdict::refuse(405, "Sandbox: only POST is allowed here.", &body)
    } else if too_long {
        let text = format!("Sandbox: the body is longer than {LONGEST_BODY} bytes.");
        Verdict::refuse(413, text, &body)
    } else {
        let content_type = head.headers.get(CONTENT_TYPE);
        let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()));
        judge(
            &body,
            content_type.as_deref(),
            shared.private_key.as_deref(),
        )
    };
    let scripted = shared.journal.record(Arrival {
        connection: &connection.number,
        method: head.method.to_string(),
        path: head
            .uri
            .path_and_query()
            .map_or_else(|| path.to_owned(), ToString::to_string),
        headers: readable(&head.headers),
        body: &body,
        verdict: &verdict,
        scriptable: posted && !too_long,
    });
    // The journal has its copy. An answer may take an hour, and is not to keep another.
    drop((head, body, share));
    verdict.notification = None;
    match scripted {
        Some(answer) => play(answer, verdict, &connection).await,
        None => honest(verdict),
    }
}

/// The body of a request.
struct Body {
    /// Cut at [`LONGEST_BODY`].
    bytes: Vec<u8>,
    is_too_long: bool,
    /// What it counts for while it is in memory.
    share: Share,
}

/// Reads a body, or says why it was not read to its end.
async fn read(unfinished: &Arc<Unfinished>, body: axum::body::Body) -> Result<Body, Response> {
    match timeout(unfinished.timeout, read_to_end(unfinished, body)).await {
        Ok(result) => result,
        Err(_) => Err(plain(
            StatusCode::REQUEST_TIMEOUT,
            format!(
                "Sandbox: the body did not arrive within {} ms.",
                unfinished.timeout.as_millis()
            ),
        )),
    }
}

async fn read_to_end(
    unfinished: &Arc<Unfinished>,
    mut body: axum::body::Body,
) -> Result<Body, Response> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    let mut share = Share::new(unfinished);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(plain(
                StatusCode::BAD_REQUEST,
                "Sandbox: the body broke off.",
            ));
        };
        if let Ok(data) = frame.into_data() {
            length += data.len();
            let room = LONGEST_BODY - bytes.len();
            let kept = data.get(..room).unwrap_or(&data);
            if !share.take(kept.len()) {
                return Err(plain(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Sandbox: too many requests have begun and not ended.",
                ));
            }
            bytes.extend_from_slice(kept);
        }
        if length > LONGEST_DRAIN {
            break;
        }
    }
    Ok(Body {
        bytes,
        is_too_long: length > LONGEST_BODY,
        share,
    })
}

fn readable(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect()
}

fn honest(verdict: Verdict) -> Response {
    let status = StatusCode::from_u16(verdict.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if verdict.text.is_empty() {
        return status.into_response();
    }
    let mut response = plain(status, verdict.text);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allow = HeaderValue::from_static("POST");
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

/// Ordinary answers go through hyper, the others take the connection over.
async fn play(answer: Answer, verdict: Verdict, connection: &Connection) -> Response {
    sleep(Duration::from_millis(answer.wait_ms)).await;
    match answer.action {
        Action::Honest => honest(verdict),
        Action::Status(status) if !status.then_close => scripted(&status),
        action => match connection.take_over(action).await {},
    }
}

fn scripted(status: &Status) -> Response {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match status.body.as_deref() {
        None | Some("") => code.into_response(),
        Some(body) => plain(code, body.to_owned()),
    };
    for (name, value) in [
        (RETRY_AFTER, &status.retry_after),
        (LOCATION, &status.location),
    ] {
        // The grammar let through what a header may hold, and nothing else.
        if let Some(Ok(value)) = value.as_deref().map(HeaderValue::from_str) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

pub(crate) fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
    (status, headers, text.into()).into_response()
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}
