//! Tests of the reader of heads.

use super::*;

/// Reads the answer in pieces of every length, with the same result.
fn read(answer: &[u8]) -> Result<(Option<String>, usize), NotHttp> {
    let mut results = Vec::new();
    for size in [1, 2, 7, answer.len().max(1)] {
        let mut reader = HeadReader::default();
        let mut used = 0;
        for piece in answer.chunks(size) {
            match reader.feed(piece) {
                Ok(n) => used += n,
                Err(e) => return Err(e),
            }
        }
        results.push((reader.for_ureq(), used));
    }
    results.dedup();
    assert_eq!(results.len(), 1, "{results:?}");
    Ok(results.remove(0))
}

fn head(answer: &str) -> String {
    read(answer.as_bytes()).unwrap().0.unwrap()
}

#[test]
fn http_head_ends_where_the_body_begins() {
    for answer in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 204\r\n\r\n",
        "HTTP/1.1 204 \n\n",
        "\r\nHTTP/1.1 204 No Content\r\n\r\n",
    ] {
        let (head, used) = read(format!("{answer}body").as_bytes()).unwrap();
        assert_eq!(used, answer.len(), "{answer:?}");
        assert_eq!(head.unwrap(), "HTTP/1.1 204 -\r\n\r\n", "{answer:?}");
    }
}

#[test]
fn http_head_is_accepted_when_a_field_is_malformed() {
    let many: String = (0..150).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = format!("X: {}\r\n", "y".repeat(100_000));
    for fields in [
        many.as_str(),
        &long,
        "no colon\r\n",
        ": no name\r\n",
        "bad name\u{1}: x\r\n",
        " folded\r\n",
        "X: \u{0}\u{7f}\r\n",
    ] {
        let answer = format!("HTTP/1.1 403 Forbidden\r\n{fields}Content-Length: 5\r\n\r\n");
        assert_eq!(
            head(&answer),
            "HTTP/1.1 403 -\r\ncontent-length: 5\r\n\r\n",
            "{:.40}",
            fields
        );
    }
}

#[test]
fn http_head_without_an_end_is_an_answer_without_a_body() {
    for answer in [
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/1.1 204 No Content\r\nX: y",
        "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\nX",
    ] {
        assert_eq!(
            head(answer),
            "HTTP/1.1 204 -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    }
    // The status line is not complete: the code could be longer.
    assert_eq!(read(b"HTTP/1.1 204").unwrap().0, None);
}

#[test]
fn interim_1xx_answers_are_skipped() {
    let interim = "HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n";
    assert_eq!(read(interim.as_bytes()).unwrap().0, None);
    let answer = format!("{interim}HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(head(&answer), "HTTP/1.1 204 -\r\n\r\n");
    assert!(head("HTTP/1.1 101 Switching\r\n\r\n").starts_with("HTTP/1.1 101"));
}

#[test]
fn http_body_framing_is_passed_on_only_when_it_is_unambiguous() {
    for (fields, kept) in [
        ("content-length: 3\r\n", "content-length: 3\r\n"),
        (
            "Content-Length: 3\r\ncontent-length: 3\r\n",
            "content-length: 3\r\n",
        ),
        ("Content-Length: 3, 3\r\n", "content-length: 3\r\n"),
        (
            "Transfer-Encoding: CHUNKED\r\n",
            "transfer-encoding: chunked\r\n",
        ),
        (
            "Content-Length: 3\r\nContent-Length: 4\r\n",
            "connection: close\r\n",
        ),
        ("Content-Length: -3\r\n", "connection: close\r\n"),
        (
            "Content-Length: 99999999999999999999\r\n",
            "connection: close\r\n",
        ),
        ("Content-Length:\r\n", "connection: close\r\n"),
        (
            "Transfer-Encoding: gzip, chunked\r\n",
            "connection: close\r\n",
        ),
        (
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "connection: close\r\n",
        ),
        ("Connection: Keep-Alive, Close\r\n", "connection: close\r\n"),
        ("Retry-After: 7\r\nRetry-After: 8\r\n", "retry-after: 7\r\n"),
        ("Retry-After: \u{e9}\r\n", ""),
    ] {
        let answer = format!("HTTP/1.1 503 Busy\r\n{fields}\r\n");
        assert_eq!(
            head(&answer),
            format!("HTTP/1.1 503 -\r\n{kept}\r\n"),
            "{fields}"
        );
    }
    assert!(head("HTTP/1.0 204 -\r\n\r\n").contains("close"));
    assert!(!head("HTTP/1.0 204 -\r\nConnection: keep-alive\r\n\r\n").contains("close"));
}

#[test]
fn http_answer_is_refused_at_once_when_it_has_no_status_line() {
    for bad in [
        "<html>",
        "HTTX",
        "\u{15}\u{3}\u{1}",
        "HTTP/2 204 x\r\n",
        "HTTP/1.1\r\n",
        "HTTP/1.1 20\r\n",
        "HTTP/1.1 2040 x\r\n",
        "HTTP/1.1 099 x\r\n",
        "HTTP/1.1 -20 x\r\n",
        "HTTP/1.x 204 x\r\n",
        "HTTP/1.1204 x\r\n",
    ] {
        assert!(read(bad.as_bytes()).is_err(), "{bad:?}");
    }
    assert_eq!(read(b"").unwrap().0, None);
}

#[test]
fn http_head_is_read_up_to_its_size_limit() {
    let mut reader = HeadReader::default();
    reader.feed(b"HTTP/1.1 204 No Content\r\n").unwrap();
    let mut fed = 0;
    while !reader.is_too_long() {
        fed += reader.feed(&[b'x'; 4096]).unwrap();
    }
    assert!(fed <= MAX_FIELDS + 4096 && reader.line.len() <= MAX_LINE);
    assert_eq!(reader.code(), Some(204));
}

#[test]
fn http_answer_is_refused_when_interim_answers_never_end() {
    for flood in ["HTTP/1.1 103 Early Hints\r\n\r\n", "\r\n", "HTTP/1.1  "] {
        let mut reader = HeadReader::default();
        let more = flood.repeat(600_000);
        let fed = more.as_bytes().chunks(4096).map(|piece| reader.feed(piece));
        assert!(fed.into_iter().any(|result| result.is_err()), "{flood:?}");
    }
}
