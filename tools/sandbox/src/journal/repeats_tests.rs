use super::Repetition::{Duplicate, First, Retry};
use super::*;

const OK: Option<u16> = Some(204);
const BUSY: Option<u16> = Some(503);
const NONE: Option<u16> = None;

/// Records notifications and numbers them from 1.
#[derive(Default)]
struct Log {
    repeats: Repeats,
    seq: u64,
}

impl Log {
    /// Returns whether it is a repetition, and its one warning or `""`.
    fn take(
        &mut self,
        kind: Kind,
        what: &str,
        session: &str,
        status: Option<u16>,
    ) -> (Repetition, String) {
        self.seq += 1;
        let sighting = Sighting::new(kind, Some(what), Some(session), what.as_bytes());
        let mut warnings = Vec::new();
        let repetition = self.repeats.take(sighting, self.seq, status, &mut warnings);
        assert!(warnings.len() < 2, "{warnings:?}");
        (repetition, warnings.pop().unwrap_or_default())
    }
}

#[test]
fn recent_keys_are_bounded() {
    let mut recent = Recent::<u8>::new(4);
    let key = |n: u8| [n; 16];
    for n in 0..10 {
        let (value, is_new) = recent.get(key(n));
        *value = n;
        assert!(is_new, "{n}");
        for known in n.saturating_sub(3)..=n {
            let (value, is_new) = recent.get(key(known));
            assert_eq!((*value, is_new), (known, false));
        }
        assert!(recent.older.len() + recent.newer.len() <= 8);
    }
    assert!(recent.get(key(0)).1, "forgotten");
}

#[test]
fn repeated_id_is_recognised_across_kinds_and_answers() {
    let mut log = Log::default();
    assert_eq!(log.take(Kind::Click, "a", "s", OK).0, First);
    assert_eq!(log.take(Kind::AddToCart, "a", "s", OK).0, Duplicate);
    assert_eq!(log.take(Kind::Click, "b", "s", OK).0, First);
    // An order with the same bytes is not a duplicate.
    assert_eq!(log.take(Kind::Payment, "a", "s", OK).0, First);
    let sighting = Sighting::new(Kind::Click, None, None, b"");
    for seq in 9..11 {
        let repetition = log.repeats.take(sighting, seq, OK, &mut Vec::new());
        assert_eq!(repetition, First, "there is no id to compare");
    }
}

#[test]
fn repetition_is_a_retry_until_an_answer_was_2xx() {
    for kind in [Kind::Click, Kind::Payment, Kind::End] {
        for failed in [BUSY, NONE, Some(400), Some(302)] {
            let mut log = Log::default();
            for (status, repetition) in [
                (failed, First),
                (failed, Retry),
                (OK, Retry),
                (failed, Duplicate),
                (OK, Duplicate),
            ] {
                let found = log.take(kind, "a", "s", status).0;
                assert_eq!(found, repetition, "{kind:?} {failed:?}, then {status:?}");
            }
        }
    }
}

#[test]
fn payment_is_flagged_as_counted_twice_when_both_may_have_been_processed() {
    for (first, second, warning) in [
        (OK, OK, "counted twice: number 1 "),
        (OK, NONE, "may be counted twice: number 1 "),
        (NONE, OK, "may be counted twice: number 1 "),
        (Some(500), Some(500), "may be counted twice: number 1 "),
        (Some(408), OK, "may be counted twice: number 1 "),
        (BUSY, OK, ""),
        (Some(429), OK, ""),
        (Some(400), OK, ""),
        (Some(403), OK, ""),
        (OK, BUSY, ""),
        (OK, Some(400), ""),
    ] {
        let mut log = Log::default();
        assert_eq!(
            log.take(Kind::Payment, "order", "s", first),
            (First, String::new())
        );
        let (repetition, found) = log.take(Kind::Payment, "order", "s", second);
        let expected = if first == OK { Duplicate } else { Retry };
        assert_eq!(repetition, expected, "{first:?} {second:?}");
        assert!(found.starts_with(warning), "{first:?} {second:?}: {found}");
        assert_eq!(
            found.is_empty(),
            warning.is_empty(),
            "{first:?} {second:?}: {found}"
        );
    }
    let mut log = Log::default();
    log.take(Kind::Payment, "order", "s", NONE);
    log.take(Kind::Payment, "order", "s", OK);
    let third = log.take(Kind::SecurePayment, "order", "s", OK).1;
    assert!(
        third.starts_with("counted twice: number 2 "),
        "the token is not of the bytes: {third}"
    );
    assert_eq!(
        log.take(Kind::Payment, "another", "s", OK),
        (First, String::new())
    );
}

#[test]
fn notification_is_flagged_when_its_session_has_ended() {
    let mut log = Log::default();
    log.take(Kind::Click, "a", "s", OK);
    assert_eq!(
        log.take(Kind::End, "end", "s", BUSY),
        (First, String::new())
    );
    assert_eq!(
        log.take(Kind::Click, "b", "s", OK).1,
        "",
        "an end that was refused ends nothing"
    );
    for repetition in [Retry, Duplicate] {
        let end = log.take(Kind::End, "end", "s", OK);
        assert_eq!(end, (repetition, String::new()));
    }
    let after = log.take(Kind::Click, "c", "s", OK).1;
    assert!(
        after.starts_with("this session was ended by number 4"),
        "{after}"
    );
    let paid = log.take(Kind::Payment, "order", "s", OK).1;
    assert!(
        paid.starts_with("this session was ended by number 4"),
        "{paid}"
    );
    assert_eq!(log.take(Kind::Click, "d", "another", OK).1, "");
    assert_eq!(log.take(Kind::Click, "e", "", OK).1, "");
}

#[test]
fn end_is_flagged_when_it_arrives_before_an_older_notification() {
    for (kind, status, overtakes) in [
        (Kind::Click, BUSY, true),
        (Kind::Click, NONE, true),
        (Kind::Click, Some(500), true),
        (Kind::Click, Some(400), false),
        (Kind::Payment, BUSY, true),
        // A payment is not sent again after these.
        (Kind::Payment, NONE, false),
        (Kind::Payment, Some(500), false),
    ] {
        let mut log = Log::default();
        log.take(kind, "a", "s", status);
        log.take(Kind::Click, "b", "s", OK);
        let end = log.take(Kind::End, "end", "s", OK).1;
        assert_eq!(
            end.starts_with("`end` may overtake number 1 "),
            overtakes,
            "{kind:?} {status:?}: {end}"
        );
        assert_eq!(end.is_empty(), !overtakes);
    }
    let mut log = Log::default();
    log.take(Kind::Click, "a", "s", BUSY);
    log.take(Kind::End, "end", "s", OK);
    let (repetition, late) = log.take(Kind::Click, "a", "s", OK);
    assert_eq!(repetition, Retry);
    assert!(
        late.starts_with(
            "`end` (number 2) overtook this notification, which first came as number 1"
        ),
        "{late}"
    );
    let mut log = Log::default();
    log.take(Kind::Click, "a", "s", BUSY);
    log.take(Kind::Click, "a", "s", OK);
    assert_eq!(
        log.take(Kind::End, "end", "s", OK).1,
        "",
        "it was accepted in the end"
    );
}
