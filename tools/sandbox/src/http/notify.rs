//! The handler of notifications, and of every other request to an unknown path.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use esales_notify_serving::Body;
use tokio::time::sleep;

use super::body::{LONGEST_BODY, read};
use super::connection::Connection;
use super::reply::plain;
use super::shared::Shared;
use crate::journal::Arrival;
use crate::script::{Action, Answer, Status};
use crate::verdict::{Address, Verdict, judge, known_paths};

pub(super) async fn notification(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Arc<Connection>>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let address = Address::new(path, head.uri.query());
    if address.kind.is_none() && path.starts_with("/sandbox/") {
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
    let posted = head.method == Method::POST;
    let mut verdict = match address.kind {
        None => {
            let text = format!(
                "Sandbox: unknown path; notifications go to {}.",
                known_paths()
            );
            Verdict::refuse(404, text, None, &body)
        }
        kind if !posted => Verdict::refuse(405, "Sandbox: only POST is allowed here.", kind, &body),
        kind if too_long => {
            let text = format!("Sandbox: the body is longer than {LONGEST_BODY} bytes.");
            Verdict::refuse(413, text, kind, &body)
        }
        Some(kind) => {
            let content_type = head.headers.get(CONTENT_TYPE);
            let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()));
            let private_key = shared.private_key.as_deref();
            judge(kind, &address, content_type.as_deref(), &body, private_key)
        }
    };
    let scriptable = address.kind.is_some() && posted && !too_long;
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
        scriptable,
    });
    // The journal has its own copy. A scripted answer may take an hour and must not hold another copy.
    drop((head, body, share));
    verdict.notification = None;
    match scripted {
        Some(answer) => play(answer, verdict, &connection).await,
        None => normal(verdict),
    }
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

fn normal(verdict: Verdict) -> Response {
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

/// Sends normal answers through hyper, and passes the connection to `wire` for the others.
async fn play(answer: Answer, verdict: Verdict, connection: &Connection) -> Response {
    sleep(Duration::from_millis(answer.wait_ms)).await;
    match answer.action {
        Action::Normal => normal(verdict),
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
        // The grammar allows only valid header values.
        if let Some(Ok(value)) = value.as_deref().map(HeaderValue::from_str) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
