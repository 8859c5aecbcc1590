use super::*;
use crate::verdict::judge;

fn arrive(journal: &Journal, connection: &ConnectionNumber, body: &[u8]) -> Option<Answer> {
    journal.record(Arrival {
        connection,
        method: "POST".to_owned(),
        path: "/".to_owned(),
        headers: Vec::new(),
        body,
        verdict: &judge(body, Some("application/json"), None),
        scriptable: true,
    })
}

#[test]
fn the_oldest_are_forgotten_but_counted() {
    let journal = Journal::new(2);
    let (one, two) = (ConnectionNumber::default(), ConnectionNumber::default());
    for connection in [&one, &two, &one] {
        arrive(&journal, connection, br#"{"id":"a"}"#);
    }
    let seen: Vec<_> = journal.records();
    let seen: Vec<_> = seen
        .iter()
        .map(|r| (r.seq, r.connection, r.duplicate))
        .collect();
    assert_eq!(seen, [(2, 2, true), (3, 1, true)]);
    assert_eq!(journal.stats().received, 3);
    assert_eq!(journal.stats().connections, 2);
    assert!(journal.wait(3, Duration::ZERO));
    assert!(!journal.wait(4, Duration::from_millis(5)));
}

#[test]
fn after_clear_everything_counts_from_one_again() {
    let journal = Journal::new(10);
    let (one, two) = (ConnectionNumber::default(), ConnectionNumber::default());
    journal.set_script(Answer::parse_list("503:times=5").unwrap());
    arrive(&journal, &one, br#"{"id":"a"}"#);
    arrive(&journal, &two, br#"{"id":"b"}"#);
    journal.clear();
    let empty = Stats {
        script_left: 3,
        ..Stats::default()
    };
    assert_eq!(journal.stats(), empty);
    arrive(&journal, &two, br#"{"id":"a"}"#);
    let record = journal.records().remove(0);
    assert_eq!(
        (record.seq, record.connection, record.duplicate),
        (1, 1, false)
    );
    assert_eq!((record.answer.as_str(), record.status), ("503", Some(503)));
}

#[test]
fn bodies_that_are_not_utf8_are_kept_in_hex() {
    let journal = Journal::new(1);
    arrive(&journal, &ConnectionNumber::default(), b"\xffa");
    let record = journal.records().remove(0);
    assert_eq!(record.body, "\u{fffd}a");
    assert_eq!(record.body_hex.as_deref(), Some("ff61"));
}
