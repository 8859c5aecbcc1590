//! The agent's answers to requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use esales_notify::{Client, Config, Error, KINDS, MAX_BODY, Receipt, Status};
use esales_notify_serving::{BodyError, Objection, Unfinished, objection, read};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue,
    RETRY_AFTER, TRANSFER_ENCODING,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::pace::Pace;
use super::readiness::Readiness;
use crate::metrics::{DrainMetrics, page};
use crate::options;

/// The header with the id of a notification whose body has none.
const NOTIFICATION_ID: HeaderName = HeaderName::from_static("notification-id");
/// A header that is copied into the answer, so that a client can match the answer to its request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Time limit for the head of a request, and for its body.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Greatest total size of unfinished requests, in bytes.
const UNFINISHED_BYTES: usize = 64 * 1024 * 1024;
/// Greatest number of simultaneous calls to the spool.
pub(super) const MAX_CALLS: usize = 64;
/// The `Retry-After` of a refusal, in seconds.
const RETRY_AFTER_S: &str = "1";
/// A delivery that has not polled for this time hangs.
const DELIVERY_POLL: Duration = Duration::from_secs(5);
const RECEIPTS: &str = "/receipts/";
const JSON: &str = "application/json";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) type Answer = Response<Full<Bytes>>;

/// State that the requests of all connections share.
pub(super) struct Requests {
    client: Arc<Client>,
    config: Config,
    allow_hosts: Vec<String>,
    metrics: DrainMetrics,
    readiness: Readiness,
    unfinished: Arc<Unfinished>,
    calls: Semaphore,
    pace: Pace,
    enqueue_timeout: Duration,
    connections: AtomicUsize,
    is_stopping: AtomicBool,
}

impl Requests {
    pub(super) fn new(
        client: Arc<Client>,
        config: Config,
        allow_hosts: Vec<String>,
        metrics: DrainMetrics,
    ) -> Requests {
        Requests {
            readiness: Readiness::new(&config),
            enqueue_timeout: Duration::from_millis(options::number(&config, "enqueue_timeout_ms")),
            unfinished: Arc::new(Unfinished::new(UNFINISHED_BYTES, REQUEST_TIMEOUT)),
            calls: Semaphore::new(MAX_CALLS),
            pace: Pace::default(),
            connections: AtomicUsize::new(0),
            is_stopping: AtomicBool::new(false),
            client,
            config,
            allow_hosts,
            metrics,
        }
    }

    pub(super) fn unfinished(&self) -> &Arc<Unfinished> {
        &self.unfinished
    }

    /// The longest time that a request takes once it has begun.
    pub(super) fn longest_request(&self) -> Duration {
        2 * REQUEST_TIMEOUT + 2 * self.enqueue_timeout
    }

    /// Counts a connection until the returned value is dropped.
    pub(super) fn count_connection(&self) -> impl Drop + use<'_> {
        struct OpenConnection<'a>(&'a Requests);
        impl Drop for OpenConnection<'_> {
            fn drop(&mut self) {
                self.0.connections.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.connections.fetch_add(1, Ordering::Relaxed);
        OpenConnection(self)
    }

    /// From now on the agent is not ready.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// `is_local`: over a Unix socket, which no browser reaches.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        is_local: bool,
    ) -> Answer {
        let requests = Arc::clone(&self);
        let request_id = request.headers().get(REQUEST_ID).cloned();
        let mut answer = self.route(request, is_local).await;
        if let Some(request_id) = request_id {
            answer.headers_mut().insert(REQUEST_ID, request_id);
        }
        requests.metrics.count(answer.status().as_u16());
        if is_unread(answer.status()) {
            close_after(&mut answer);
        }
        answer
    }

    async fn route(self: Arc<Self>, request: Request<Incoming>, is_local: bool) -> Answer {
        let (head, body) = request.into_parts();
        if let Some(refusal) = self.refusal(&head, is_local) {
            return failure(StatusCode::FORBIDDEN, &refusal);
        }
        let path = head.uri.path();
        if KINDS.iter().any(|row| row.path == path) {
            return match head.method {
                Method::POST => self.enqueue(head, body).await,
                _ => not_allowed("POST"),
            };
        }
        let id = path.strip_prefix(RECEIPTS).map(str::to_owned);
        if id.is_none() && !matches!(path, "/metrics" | "/healthz" | "/readyz") {
            return failure(
                StatusCode::NOT_FOUND,
                "there is nothing at this path: notifications go to /api/v1/notifications/...",
            );
        }
        if !matches!(head.method, Method::GET | Method::HEAD) {
            return not_allowed("GET, HEAD");
        }
        match (id, path) {
            (Some(id), _) => self.receipt(id).await,
            (None, "/metrics") => self.metrics().await,
            (None, "/healthz") => self.health(),
            (None, _) => self.ready().await,
        }
    }

    /// The reason to refuse this request, if a browser may have sent it for a page of another site.
    fn refusal(&self, head: &Parts, is_local: bool) -> Option<String> {
        if is_local {
            return None;
        }
        Some(match objection(head, &self.allow_hosts, false)? {
            Objection::Host(name) => format!(
                "the Host `{name}` is neither an address nor localhost: if the agent has that name, start it with \
                 --allow-host {name}"
            ),
            Objection::Origin(page) | Objection::Site(page) => {
                format!("a web page of another origin ({page}) may not do this")
            }
        })
    }

    async fn enqueue(self: Arc<Self>, head: Parts, body: Incoming) -> Answer {
        if !is_json(&head.headers) {
            return failure(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the Content-Type must be application/json",
            );
        }
        let has_length = |name| head.headers.contains_key(name);
        if !has_length(CONTENT_LENGTH) && !has_length(TRANSFER_ENCODING) {
            return failure(StatusCode::LENGTH_REQUIRED, "the Content-Length is missing");
        }
        let body = match read(&self.unfinished, MAX_BODY, body).await {
            Ok(body) if body.is_too_long => {
                let message = format!("the body is longer than {MAX_BODY} bytes");
                return failure(StatusCode::PAYLOAD_TOO_LARGE, &message);
            }
            Ok(body) => body,
            Err(e) => return unread(e),
        };
        let share = body.share;
        let Ok(text) = String::from_utf8(body.bytes) else {
            return refused(Status::InvalidArgument, "body is not UTF-8");
        };
        let id = head.headers.get(NOTIFICATION_ID).map(HeaderValue::as_bytes);
        let Ok(id) = id.map(str::from_utf8).transpose() else {
            return refused(Status::InvalidArgument, "id is not UTF-8");
        };
        let id = id.map(str::to_owned);
        let address = head.uri.path_and_query().map(|address| address.to_string());
        let address = address.unwrap_or_default();
        let push = move |client: &Client| {
            let result = client.enqueue_request(&address, &text, id.as_deref());
            drop(share);
            result
        };
        let called = match self.pace.is_quick() {
            true => Ok(self.pace.time(|| push(&self.client))),
            false => {
                let requests = Arc::clone(&self);
                self.call(move |client| requests.pace.time(|| push(client)))
                    .await
            }
        };
        match called {
            Ok(Ok(receipt)) => reply(
                StatusCode::ACCEPTED,
                &json!({ "id": receipt.id, "status": receipt.status.name() }),
            ),
            Ok(Err(e)) => not_accepted(&e),
            Err(busy) => busy,
        }
    }

    async fn receipt(self: Arc<Self>, id: String) -> Answer {
        let Ok(id) = percent_decode_str(&id)
            .decode_utf8()
            .map(|id| id.into_owned())
        else {
            return refused(Status::InvalidArgument, "id is not UTF-8");
        };
        match self.call(move |client| client.receipt(&id)).await {
            Ok(Ok(Some(receipt))) => reply(StatusCode::OK, &as_json(&receipt)),
            Ok(Ok(None)) => refused(Status::UnknownId, "the id is unknown"),
            Ok(Err(e)) => refused(e.status(), e.detail()),
            Err(busy) => busy,
        }
    }

    /// Calls the spool on a thread that may wait. If too many calls are waiting, nothing is done and the error is the
    /// answer.
    async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Client) -> T + Send + 'static,
    ) -> Result<T, Answer> {
        let Ok(Ok(_call)) = timeout(self.enqueue_timeout, self.calls.acquire()).await else {
            return Err(refused(
                Status::SpoolFailed,
                "the spool is busy; not accepted",
            ));
        };
        let client = Arc::clone(&self.client);
        spawn_blocking(move || call(&client))
            .await
            .map_err(|_| refused(Status::Internal, "the call did not end"))
    }

    async fn metrics(self: Arc<Self>) -> Answer {
        let requests = Arc::clone(&self);
        let text = self
            .call(move |_| {
                let (report, spool) = requests.readiness.report(&requests.config)?;
                let connections = requests.connections.load(Ordering::Relaxed);
                requests.metrics.set_connections(connections);
                Ok::<_, Error>(page(&report, &spool, Some(&requests.metrics)))
            })
            .await;
        match text {
            Ok(Ok(text)) => with_type(StatusCode::OK, OPEN_METRICS, text),
            Ok(Err(e)) => refused(e.status(), e.detail()),
            Err(busy) => busy,
        }
    }

    fn health(&self) -> Answer {
        match self.client.has_polled(DELIVERY_POLL) {
            Ok(true) => reply(StatusCode::OK, &json!({ "is_healthy": true })),
            Ok(false) => failure(
                StatusCode::SERVICE_UNAVAILABLE,
                "the delivery has not polled the spool for some seconds",
            ),
            Err(e) => refused(e.status(), e.detail()),
        }
    }

    async fn ready(self: Arc<Self>) -> Answer {
        if self.is_stopping.load(Ordering::Relaxed) {
            return failure(StatusCode::SERVICE_UNAVAILABLE, "the agent is stopping");
        }
        let requests = Arc::clone(&self);
        match self
            .call(move |client| requests.readiness.check(client))
            .await
        {
            Ok(Ok(())) => reply(StatusCode::OK, &json!({ "is_ready": true })),
            Ok(Err(reason)) => failure(StatusCode::SERVICE_UNAVAILABLE, &reason),
            Err(busy) => busy,
        }
    }
}

/// A content type that a page of another site cannot send without permission (preflight).
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let essence = value.to_str().unwrap_or_default().split(';').next();
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(JSON))
}

fn as_json(receipt: &Receipt) -> Value {
    json!({
        "id": receipt.id,
        "status": receipt.status.name(),
        "http_status": receipt.http_status,
        "attempts": receipt.attempts,
        "elapsed_us": u64::try_from(receipt.elapsed.as_micros()).unwrap_or(u64::MAX),
        "detail": receipt.detail,
    })
}

fn with_type(status: StatusCode, content_type: &'static str, text: String) -> Answer {
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn reply(status: StatusCode, value: &Value) -> Answer {
    let mut answer = with_type(status, JSON, format!("{value}\n"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let wait = HeaderValue::from_static(RETRY_AFTER_S);
        answer.headers_mut().insert(RETRY_AFTER, wait);
    }
    answer
}

/// A refusal with a plain HTTP status.
fn failure(status: StatusCode, message: &str) -> Answer {
    reply(status, &json!({ "message": message }))
}

/// A refusal with a status code of the library.
fn refused(status: Status, message: &str) -> Answer {
    let http = match status {
        Status::InvalidArgument => StatusCode::BAD_REQUEST,
        Status::UnknownId => StatusCode::NOT_FOUND,
        Status::QueueFull | Status::SpoolFailed => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    reply(
        http,
        &json!({ "status": status.name(), "message": message }),
    )
}

fn not_accepted(error: &Error) -> Answer {
    refused(error.status(), error.detail())
}

fn unread(error: BodyError) -> Answer {
    let status = match error {
        BodyError::Timeout => StatusCode::REQUEST_TIMEOUT,
        BodyError::BrokenOff => StatusCode::BAD_REQUEST,
        BodyError::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut answer = failure(status, &error.to_string());
    close_after(&mut answer);
    answer
}

fn not_allowed(methods: &'static str) -> Answer {
    let mut answer = failure(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("only {methods} is allowed here"),
    );
    let allowed = HeaderValue::from_static(methods);
    answer.headers_mut().insert(ALLOW, allowed);
    answer
}

/// Whether an answer with this status may be sent before the request's body was read.
fn is_unread(status: StatusCode) -> bool {
    let is_read = [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND].contains(&status);
    status.is_client_error() && !is_read
}

fn close_after(answer: &mut Answer) {
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(CONNECTION, close);
}
