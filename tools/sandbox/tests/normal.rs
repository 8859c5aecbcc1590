//! The normal answers, the records and the control interface, over a real socket.

// Clippy allows these only in `#[test]` functions, not in the functions that they share.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::io::Write;

use common::{ANONYMOUS, WAIT_TIMEOUT, connect, exchange, notify, read_reply, scripted, start};
use esales_notify_sandbox::{NOTIFICATION_PATH, Options, Sandbox, StartError, Visitor};

const KEY: &str = "a045eb33f8797f35ea7d5fad7c5e0d021e2142e9c1bb6e9dc9f45b4f503b03e8";
/// Python: `hmac.new(b"sandbox-private-key", KEY.encode(), hashlib.sha256).hexdigest()`.
const TOKEN: &str = "502162c104b80ab4d94392cbeac5b27ffdd34ec0a8dcb253f2417a107d252bcc";

fn signed_in() -> String {
    let body = ANONYMOUS.replace("d9528030-509c-4e0f-b585-7168f1e9feca", KEY);
    body.replace(r#""ticket""#, &format!(r#""token":"{TOKEN}","ticket""#))
}

#[test]
fn sandbox_answers_204_and_records_the_notification() {
    let sandbox = scripted("");
    let mut stream = connect(&sandbox);
    let path = format!("/shop{NOTIFICATION_PATH}?a=b");
    let reply = exchange(&mut stream, "POST", &path, ANONYMOUS);
    assert_eq!((reply.status, reply.body.as_str()), (204, ""));
    assert_eq!(reply.header("content-length"), None);
    assert!(sandbox.wait_received(1, WAIT_TIMEOUT));

    let record = sandbox.received().remove(0);
    assert_eq!((record.seq, record.connection), (1, 1));
    assert_eq!(
        (record.method.as_str(), record.path.as_str()),
        ("POST", path.as_str())
    );
    assert_eq!(record.body, ANONYMOUS);
    let content_type = ("content-type".to_owned(), "application/json".to_owned());
    assert!(
        record.headers.contains(&content_type),
        "{:?}",
        record.headers
    );
    assert_eq!(record.visitor, Some(Visitor::Anonymous));
    assert_eq!(record.warnings, [""; 0]);
    assert_eq!((record.answer.as_str(), record.status), ("204", Some(204)));
    let notification = record.notification.unwrap();
    assert_eq!(notification.id.as_deref(), Some("0.nd2bj6h4pi9"));
    assert_eq!(notification.token, None);
}

#[test]
fn sandbox_validates_tokens_with_the_private_key() {
    let mut options = Options::default();
    for (private_key, status, token_valid) in [
        (Some("sandbox-private-key"), 204, Some(true)),
        (Some("another-private-key"), 403, Some(false)),
        (None, 403, None),
    ] {
        options.private_key = private_key.map(str::to_owned);
        let sandbox = start(options.clone());
        let mut stream = connect(&sandbox);
        let reply = exchange(&mut stream, "POST", NOTIFICATION_PATH, &signed_in());
        assert_eq!(reply.status, status);
        assert_eq!(sandbox.received()[0].token_valid, token_valid);
        assert_eq!(sandbox.received()[0].visitor, Some(Visitor::SignedIn));
        if status == 403 {
            let message_part =
                "A SHA256 customer key was used, but it could not be validated. Sandbox: ";
            assert!(reply.body.starts_with(message_part), "{}", reply.body);
            let content_type = reply.header("content-type");
            assert_eq!(content_type, Some("text/plain; charset=utf-8"));
        }
    }
}

#[test]
fn sandbox_refuses_wrong_paths_and_bodies() {
    let sandbox = scripted("503");
    let mut stream = connect(&sandbox);
    let reply = exchange(&mut stream, "POST", "/api/v2/notifications", ANONYMOUS);
    assert_eq!(reply.status, 404);
    let reply = exchange(&mut stream, "PUT", NOTIFICATION_PATH, ANONYMOUS);
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    let long = "x".repeat(1024 * 1024 + 1);
    let reply = exchange(&mut stream, "POST", NOTIFICATION_PATH, &long);
    assert_eq!(reply.status, 413);
    assert_eq!(
        sandbox.stats().script_left,
        1,
        "none of these uses the script up"
    );
    assert_eq!(notify(&mut stream).status, 503);
    let reply = exchange(&mut stream, "POST", NOTIFICATION_PATH, "{}");
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (400, "Ticket is missing.")
    );

    let statuses: Vec<_> = sandbox
        .received()
        .iter()
        .map(|r| r.status.unwrap())
        .collect();
    assert_eq!(statuses, [404, 405, 413, 503, 400]);
    assert_eq!(sandbox.received()[2].body.len(), 1024 * 1024);
    assert_eq!(sandbox.stats().connections, 1);
}

#[test]
fn sandbox_records_the_body_when_the_path_is_wrong() {
    let sandbox = scripted("");
    let mut stream = connect(&sandbox);
    exchange(&mut stream, "POST", "/api/v2/notifications", &signed_in());
    exchange(&mut stream, "PUT", NOTIFICATION_PATH, &signed_in());
    exchange(&mut stream, "POST", NOTIFICATION_PATH, &signed_in());
    exchange(&mut stream, "POST", "/api/v2/notifications", "[]");
    let received = sandbox.received();
    for record in received.iter().take(2) {
        let notification = record.notification.as_ref().unwrap();
        assert_eq!(notification.token.as_deref(), Some(TOKEN));
        // Such a request is not a notification.
        assert_eq!((record.visitor, record.token_valid), (None, None));
        assert_eq!(record.warnings, [""; 0]);
    }
    assert!(
        !received[2].duplicate,
        "the id came here for the first time"
    );
    assert_eq!(received[3].notification, None);
}

#[test]
fn sandbox_records_a_request_before_it_answers() {
    let sandbox = scripted("hang");
    let mut stream = connect(&sandbox);
    let bytes = common::request("POST", NOTIFICATION_PATH, ANONYMOUS);
    let (first, last) = bytes.split_at(bytes.len() - 1);
    stream.write_all(first).unwrap();
    // After an exchange on a second connection, the sandbox has handled the first one too.
    assert_eq!(
        exchange(&mut connect(&sandbox), "GET", "/sandbox/status", "").status,
        200
    );
    assert_eq!(sandbox.stats().received, 0);
    stream.write_all(last).unwrap();
    assert!(sandbox.wait_received(1, WAIT_TIMEOUT));
    assert_eq!(sandbox.received()[0].answer, "hang");
}

#[test]
fn sandbox_marks_retries_and_numbers_connections() {
    let sandbox = scripted("503");
    let (mut one, mut two) = (connect(&sandbox), connect(&sandbox));
    // The control interface counts nothing and gives its connection no number.
    assert_eq!(exchange(&mut one, "GET", "/sandbox/status", "").status, 200);
    notify(&mut two);
    notify(&mut one);
    notify(&mut two);
    let seen: Vec<_> = sandbox.received();
    let seen = seen.iter().map(|r| (r.connection, r.retry, r.duplicate));
    let seen: Vec<_> = seen.collect();
    assert_eq!(
        seen,
        [(1, false, false), (2, true, false), (1, false, true)]
    );
    assert_eq!(sandbox.stats().connections, 2);
}

#[test]
fn sandbox_control_interface_scripts_lists_and_clears() {
    let sandbox = scripted("");
    let mut stream = connect(&sandbox);
    let mut control = |method: &str, path: &str, body: &str| {
        let reply = exchange(&mut stream, method, path, body);
        (reply.status, reply.body)
    };
    let (status, text) = control("PUT", "/sandbox/script", "503:retry-after=1, nonsense");
    assert_eq!(status, 400);
    assert!(
        text.contains("answer 2") && text.contains("`nonsense`"),
        "{text}"
    );
    let put = control("PUT", "/sandbox/script", "503:retry-after=1:times=2\n");
    assert_eq!(put.0, 204);
    let reply = notify(&mut connect(&sandbox));
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (503, Some("1"))
    );

    let (_, text) = control("GET", "/sandbox/status", "");
    assert_eq!(text, r#"{"connections":1,"received":1,"script_left":1}"#);
    let (_, text) = control("GET", "/sandbox/received", "");
    let records: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(records[0]["answer"], "503:retry-after=1");
    assert_eq!(records[0]["visitor"], "anonymous");
    assert_eq!(records[0]["token_valid"], serde_json::Value::Null);
    assert_eq!(records[0]["scripted"], true);
    assert_eq!(
        records[0]["notification"]["sessionKey"],
        "b106299c-eac0-4f6f-96d2-93e57c255784"
    );
    assert!(records[0].get("body_hex").is_none());

    assert_eq!(control("DELETE", "/sandbox/received", "").0, 204);
    assert_eq!(
        control("GET", "/sandbox/received", ""),
        (200, "[]".to_owned())
    );
    assert_eq!(control("GET", "/sandbox/ca.pem", "").0, 404);
    assert_eq!(control("POST", "/sandbox/status", "").0, 405);
    assert_eq!(control("GET", "/sandbox/nonsense", "").0, 404);
    assert_eq!(control("GET", "/favicon.ico", "").0, 404);
    assert_eq!(sandbox.stats().received, 0);
}

#[test]
fn sandbox_close_idle_keeps_busy_connections_open() {
    let sandbox = scripted("204, 204, 204:wait=5000, hang");
    let mut idle = [connect(&sandbox), connect(&sandbox)];
    for stream in &mut idle {
        notify(stream);
    }
    let (mut waiting, mut hanging) = (connect(&sandbox), connect(&sandbox));
    common::send(&mut waiting);
    assert!(sandbox.wait_received(3, WAIT_TIMEOUT));
    common::send(&mut hanging);
    assert!(sandbox.wait_received(4, WAIT_TIMEOUT));
    assert_eq!(sandbox.close_idle_connections(), 2);
    for stream in &mut idle {
        assert_eq!(common::read_all(stream).unwrap(), b"");
    }
    assert_eq!(read_reply(&mut waiting).status, 204);
    let closed = exchange(&mut connect(&sandbox), "POST", "/sandbox/close-idle", "");
    // `waiting` is the only idle connection now.
    assert_eq!(closed.body, r#"{"closed":1}"#);
    assert_eq!(common::read_all(&mut waiting).unwrap(), b"");
}

#[test]
fn sandbox_start_fails_with_the_reason() {
    let sandbox = scripted("");
    let taken = Options {
        listen: sandbox.addr(),
        ..Options::default()
    };
    let error = Sandbox::start(taken).unwrap_err();
    assert!(matches!(error, StartError::Listen { addr, .. } if addr == sandbox.addr()));
    let empty = Options {
        private_key: Some(String::new()),
        ..Options::default()
    };
    assert!(matches!(
        Sandbox::start(empty),
        Err(StartError::EmptyPrivateKey)
    ));
}
