//! The handlers of the control interface.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::body::read;
use super::reply::{json, plain};
use super::shared::Shared;
use crate::journal::Received;
use crate::script::Answer;

type App = State<Arc<Shared>>;

pub(super) async fn received(State(shared): App) -> Response {
    let records = shared.journal.records();
    let records: Vec<&Received> = records.iter().map(AsRef::as_ref).collect();
    json(&records)
}

pub(super) async fn received_one(State(shared): App, Path(seq): Path<u64>) -> Response {
    match shared.journal.get(seq) {
        Some(record) => json(record.as_ref()),
        None => plain(
            StatusCode::NOT_FOUND,
            format!("Sandbox: request {seq} was discarded or never received."),
        ),
    }
}

pub(super) async fn clear(State(shared): App) -> StatusCode {
    shared.journal.clear();
    StatusCode::NO_CONTENT
}

pub(super) async fn script(State(shared): App, request: Request) -> Response {
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

pub(super) async fn status(State(shared): App) -> Response {
    json(&shared.journal.stats())
}

pub(super) async fn close_idle(State(shared): App) -> Response {
    let closed = shared.close_idle().await;
    json(&serde_json::json!({ "closed": closed }))
}

pub(super) async fn ca_pem(State(shared): App) -> Response {
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

pub(super) async fn nothing_here() -> Response {
    plain(StatusCode::NOT_FOUND, "Sandbox: this path does not exist.")
}
