use super::*;
use crate::kind::Kind;
use crate::verdict::{Address, judge};

const CART: &str = "/api/v1/notifications/adding-to-cart";

fn arrive(journal: &Journal, connection: &ConnectionNumber, body: &[u8]) -> Option<Answer> {
    journal.record(Arrival {
        connection,
        method: "POST".to_owned(),
        path: CART.to_owned(),
        headers: Vec::new(),
        body,
        verdict: &judge(
            Kind::AddToCart,
            &Address::new(CART, None),
            Some("application/json"),
            body,
            None,
        ),
        scriptable: true,
    })
}

#[test]
fn journal_discards_the_oldest_records_and_still_counts_them() {
    let journal = Journal::new(2, usize::MAX);
    let (one, two) = (ConnectionNumber::default(), ConnectionNumber::default());
    for connection in [&one, &two, &one] {
        arrive(&journal, connection, br#"{"id":"a"}"#);
    }
    let seen: Vec<_> = journal.records();
    let seen: Vec<_> = seen
        .iter()
        .map(|r| (r.seq, r.connection, r.retry))
        .collect();
    assert_eq!(seen, [(2, 2, true), (3, 1, true)]);
    assert_eq!(journal.stats().received, 3);
    assert_eq!(journal.stats().connections, 2);
    assert!(journal.wait(3, Duration::ZERO));
    assert!(!journal.wait(4, Duration::from_millis(5)));
}

#[test]
fn journal_counts_from_one_after_clear() {
    let journal = Journal::new(10, usize::MAX);
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
fn journal_keeps_a_body_in_hex_when_it_is_not_utf_8() {
    let journal = Journal::new(1, usize::MAX);
    arrive(&journal, &ConnectionNumber::default(), b"\xffa");
    let record = journal.records().remove(0);
    assert_eq!(record.body, "\u{fffd}a");
    assert_eq!(record.body_hex.as_deref(), Some("ff61"));
}

#[test]
fn journal_discards_the_oldest_records_when_they_are_too_large() {
    let one = ConnectionNumber::default();
    // A body that is not UTF-8 and has an id: its size includes all stored values, not only the body.
    let odd = [&br#"{"id":""#[..], &[b'x'; 10_000], b"\"}"].concat();
    for (body, least) in [(odd, 20_000), ([b'\xff'; 10_000].to_vec(), 50_000)] {
        let measured = Journal::new(10, usize::MAX);
        arrive(&measured, &one, &body);
        let each = measured.lock().bytes;
        assert!((least..least + 2_000).contains(&each), "{each}");
        for (bytes, kept) in [(3 * each, 3), (3 * each - 1, 2), (each, 1), (0, 1)] {
            let journal = Journal::new(10, bytes);
            for _ in 0..5 {
                arrive(&journal, &one, &body);
            }
            let seen: Vec<_> = journal.records().iter().map(|r| r.seq).collect();
            assert_eq!(seen, (6 - kept..=5).collect::<Vec<_>>(), "{bytes}");
            assert_eq!(journal.stats().received, 5, "forgotten ones stay counted");
        }
    }
}

#[test]
fn journal_records_the_verdict_when_the_script_answers_normally() {
    let journal = Journal::new(10, usize::MAX);
    journal.set_script(Answer::parse_list("normal:wait=7").unwrap());
    let answer = arrive(&journal, &ConnectionNumber::default(), b"{}").unwrap();
    assert!(answer.is_normal());
    let record = journal.records().remove(0);
    assert_eq!(record.answer, "normal:wait=7");
    assert_eq!(record.status, Some(400));
    assert_eq!(record.answer_text, "Ticket is missing.");
    assert!(record.scripted);
}

#[test]
fn share_of_the_requests_gets_the_scripted_answer_when_it_has_a_percentage() {
    let outcomes = |percent: u64| {
        let journal = Journal::new(1000, usize::MAX);
        let script = format!("503:percent={percent}:times=500, 429");
        journal.set_script(Answer::parse_list(&script).unwrap());
        for _ in 0..501 {
            arrive(&journal, &ConnectionNumber::default(), b"{}");
        }
        let records = journal.records();
        assert_eq!(records[500].status, Some(429), "each of the 500 is counted");
        let scripted = |record: &Arc<Received>| record.status == Some(503);
        for record in &records[..500] {
            assert_eq!(record.scripted, scripted(record));
        }
        records[..500].iter().map(scripted).collect::<Vec<bool>>()
    };
    for percent in [1, 30, 50, 99] {
        let given = outcomes(percent);
        let count = given.iter().filter(|is_given| **is_given).count();
        let expected = usize::try_from(percent * 5).unwrap();
        assert!(count.abs_diff(expected) < 50, "{percent} %: {count} of 500");
        assert!(count > 0 && count < 500, "{percent} %: {count} of 500");
        assert_eq!(given, outcomes(percent), "the same in each run");
    }
    // A client that repeats a request at once does not always get the normal answer.
    let given = outcomes(50);
    let in_a_row = given.windows(2).filter(|two| two == &[true, true]).count();
    assert!((60..190).contains(&in_a_row), "{in_a_row}");
}
