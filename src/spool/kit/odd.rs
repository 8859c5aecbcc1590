//! Unusual texts are stored and returned unchanged, and nothing panics.

use super::*;
use crate::spool::Gate;

/// Texts that break formats made of lines, columns, quotes or file names.
fn odd_texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "a\tb",
        "a\nb",
        "\n",
        "\r\n",
        "\t\t",
        "a\0b",
        "\u{7f}\u{1}\u{1b}[31m",
        "\"quoted\" \\ 'too' \\n \\u0041",
        "%00%0a$(id)`id`;--",
        "../../etc/passwd",
        " leading and trailing ",
        "åäö \u{1f6d2} \u{202e} \u{feff} \u{fffd} \u{10ffff}",
        "{\"id\":1}",
        "-",
        "0",
        "null",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.extend(["x".repeat(128), "\n".repeat(128), "å".repeat(64)]);
    texts
}

/// Pushes these items, brings each to one of the three lists, and asserts that all three show them unchanged.
fn assert_round_trip<E: Engine>(news: &[NewItem]) {
    let engine = E::new(&settings());
    let spool = engine.open();
    for new in news {
        spool.push(new, soon()).unwrap();
    }
    let is_same = |item: &Item, new: &NewItem| {
        assert_eq!(item.id, new.id);
        assert_eq!(item.origin, new.origin);
        assert_eq!(item.body, new.body);
        assert_eq!(item.accepted, new.accepted);
        assert_eq!(item.attempts, new.attempts);
    };
    let pending = all_pending(&*spool);
    assert_eq!(pending.len(), news.len());
    for (stored, new) in pending.iter().zip(news) {
        is_same(&stored.item, new);
        assert_eq!(stored.detail, new.detail);
    }
    let mut lease = lead(&*spool);
    for new in news {
        let all = fetch(&mut *lease, &new.origin, at(0));
        let item = all.first().expect("each is fetched in turn");
        is_same(item, new);
        let dead = Settlement {
            detail: new.detail.clone(),
            item: item.clone(),
            ..settlement(item, Fate::Dead, at(50))
        };
        let gate = Gate {
            failures: 1,
            ..Gate::default()
        };
        lease
            .settle(&[dead], &[(new.origin.clone(), gate)])
            .unwrap();
        assert_eq!(spool.gate(&new.origin, soon()).unwrap(), gate);
    }
    lease.release();
    let dead = all_dead(&*engine.open());
    assert_eq!(dead.len(), news.len());
    for (stored, new) in dead.iter().zip(news) {
        is_same(&stored.item, new);
        assert_eq!(stored.detail, new.detail);
        let receipt = spool.receipt(&new.id, at(60), soon()).unwrap().unwrap();
        assert_eq!(
            (receipt.status, receipt.id),
            (Status::Rejected, new.id.clone())
        );
    }
}

pub(crate) fn odd_ids_round_trip<E: Engine>() {
    let news: Vec<NewItem> = odd_texts()
        .into_iter()
        .map(|id| NewItem { id, ..item(1) })
        .collect();
    assert_round_trip::<E>(&news);
}

pub(crate) fn odd_origins_round_trip<E: Engine>() {
    let mut origins = odd_texts();
    origins.push(String::new());
    origins.push(format!("https://{}", "x".repeat(4000)));
    let news: Vec<NewItem> = origins
        .iter()
        .zip(1..)
        .map(|(origin, n)| NewItem {
            origin: Arc::from(origin.as_str()),
            ..item(n)
        })
        .collect();
    assert_round_trip::<E>(&news);
}

pub(crate) fn odd_bodies_round_trip<E: Engine>() {
    let mut bodies = odd_texts();
    bodies.push(String::new());
    bodies.push("\n".repeat(70_000));
    bodies.push("å".repeat(600_000));
    let news: Vec<NewItem> = bodies
        .into_iter()
        .zip(1..)
        .map(|(body, n)| NewItem { body, ..item(n) })
        .collect();
    assert_round_trip::<E>(&news);
}

pub(crate) fn odd_details_round_trip<E: Engine>() {
    let mut details = odd_texts();
    details.push("d".repeat(2000));
    let news: Vec<NewItem> = details
        .into_iter()
        .zip(1..)
        .map(|(detail, n)| NewItem { detail, ..item(n) })
        .collect();
    assert_round_trip::<E>(&news);
}

pub(crate) fn extreme_numbers_round_trip<E: Engine>() {
    let most = Timestamp {
        unix_ms: u64::MAX,
        uptime_ms: u64::MAX,
        boot: u32::MAX,
    };
    let engine = E::new(&settings());
    let spool = engine.open();
    for (n, accepted) in [(1, most), (2, Timestamp::default()), (3, at(0))] {
        let new = NewItem {
            accepted,
            attempts: u32::MAX,
            ..item(n)
        };
        spool.push(&new, soon()).unwrap();
    }
    let mut lease = lead(&*spool);
    for now in [Timestamp::default(), at(0), most] {
        let fetched = fetch(&mut *lease, SHOP, now);
        assert_eq!(ids(&fetched), ["n-1", "n-2", "n-3"]);
        assert_eq!(fetched[0].accepted, most);
        assert!(fetched.iter().all(|i| i.attempts == u32::MAX));
        lease
            .overdue(SHOP, now, Duration::MAX, &HashSet::new())
            .unwrap();
        spool.receipt("n-1", now, soon()).unwrap();
        lease.maintain(now).unwrap();
    }
    let fetched = fetch(&mut *lease, SHOP, at(0));
    let retry = Settlement {
        item: fetched[0].clone(),
        fate: Fate::Retry {
            pause: Duration::MAX,
        },
        status: Status::Internal,
        http_status: Some(u16::MAX),
        detail: String::new(),
        latency: Duration::MAX,
        at: most,
    };
    let delivered = Settlement {
        item: fetched[1].clone(),
        fate: Fate::Delivered,
        ..retry.clone()
    };
    let gate = Gate {
        failures: u32::MAX,
        closed_at: u64::MAX,
        pause: u64::MAX,
    };
    lease
        .settle(&[retry, delivered], &[(Arc::from(SHOP), gate)])
        .unwrap();
    for now in [at(0), most] {
        fetch(&mut *lease, SHOP, now);
        lease.maintain(now).unwrap();
        spool.receipt("n-2", now, soon()).unwrap();
    }
    assert_eq!(spool.gate(SHOP, soon()).unwrap(), gate);
    assert_eq!(counts(&*spool), [3, 1, 0, 0, 0, 2]);
    lease.release();
    lead(&*spool).release();
}
