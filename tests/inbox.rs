//! The inbox beside a spool file: a short way in that must lose nothing, and keep the limits.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, Instant};

use common::{Folder, KEY, client, config, sandbox, visitor};
use esales_notify::{Client, SpoolFile, Status};

const DOWN: &str = "http://127.0.0.1:9";
const LONG: Duration = Duration::from_secs(20);

/// A spool that nobody delivers.
fn lone(spool: &str, options: &[(&str, &str)]) -> Client {
    let mut all = vec![("spool", spool), ("delivery", "none")];
    all.extend(options);
    client(DOWN, &all)
}

fn enqueue(client: &Client, n: usize) -> Result<(), Status> {
    let done = client.enqueue_add_to_cart(&visitor(), "ticket-4711", Some(&n.to_string()));
    done.map(drop).map_err(|e| e.status())
}

fn generation(spool: &str) -> u64 {
    let inbox = fs::read(format!("{spool}-inbox")).unwrap();
    let header = String::from_utf8_lossy(&inbox[..42]).into_owned();
    header.rsplit(' ').next().unwrap().parse().unwrap()
}

fn inbox_length(spool: &str) -> u64 {
    fs::metadata(format!("{spool}-inbox")).unwrap().len()
}

#[test]
fn an_enqueue_goes_into_the_inbox_and_is_found_by_whoever_asks() {
    let folder = Folder::new();
    let spool = folder.path("spool");
    let (ours, theirs) = (lone(&spool, &[]), lone(&spool, &[("max_dead", "9")]));
    enqueue(&ours, 0).unwrap();
    let before = inbox_length(&spool);
    enqueue(&ours, 1).unwrap();
    assert!(inbox_length(&spool) > before);
    assert_eq!(theirs.receipt("1").unwrap().unwrap().status, Status::Queued);
    assert_eq!(theirs.stats().unwrap().spool.accepted, 2);
    let report = SpoolFile::open(&config(&[("spool", spool.as_str())]))
        .unwrap()
        .report();
    assert!(report.unwrap().is_balanced());
}

#[test]
fn the_limits_are_kept_to_the_last_one() {
    // More than what is left to the exact way near a limit, so that both ways are taken; by two clients in turn.
    for limit in [("max_items", "1500"), ("max_bytes", "1300000")] {
        let folder = Folder::new();
        let spool = folder.path("spool");
        let clients = [
            lone(&spool, &[limit]),
            lone(&spool, &[limit, ("max_dead", "9")]),
        ];
        let accepted = (0..20_000)
            .take_while(|n| enqueue(&clients[n % 2], *n).is_ok())
            .count();
        assert_eq!(enqueue(&clients[0], accepted), Err(Status::QueueFull));
        let stats = clients[1].stats().unwrap();
        assert_eq!(
            (stats.spool.accepted, stats.spool.pending),
            (accepted as u64, accepted as u64)
        );
        assert!(stats.spool.is_balanced());
        match limit.0 {
            "max_items" => assert_eq!(accepted, 1500),
            _ => {
                let each = stats.pending_bytes / accepted as u64;
                assert!(
                    stats.pending_bytes <= 1_300_000 && stats.pending_bytes + each + 2 > 1_300_000
                );
            }
        }
    }
}

#[test]
fn one_that_nobody_takes_over_is_replaced_by_those_who_append() {
    let folder = Folder::new();
    let spool = folder.path("spool");
    let client = lone(&spool, &[]);
    let mut accepted = 0;
    while accepted < 1 || generation(&spool) < 3 {
        enqueue(&client, accepted).unwrap();
        accepted += 1;
        assert!(inbox_length(&spool) < 2 << 20, "it grows");
    }
    let stats = client.stats().unwrap();
    assert_eq!(
        (stats.spool.accepted, stats.process.accepted),
        (accepted as u64, accepted as u64)
    );
}

#[test]
fn an_inbox_that_is_deleted_in_use_costs_nothing() {
    let folder = Folder::new();
    let spool = folder.path("spool");
    let client = lone(&spool, &[]);
    for n in 0..10 {
        enqueue(&client, n).unwrap();
        if n % 3 == 2 {
            fs::remove_file(format!("{spool}-inbox")).unwrap();
        }
    }
    assert_eq!(client.stats().unwrap().spool.pending, 10);
    for n in 0..10 {
        assert!(client.receipt(&n.to_string()).unwrap().is_some(), "{n}");
    }
}

#[test]
fn one_that_comes_into_its_place_is_closed_to_others() {
    let folder = Folder::new();
    let spool = folder.path("spool");
    let client = lone(&spool, &[]);
    enqueue(&client, 0).unwrap();
    let path = format!("{spool}-inbox");
    let copy = fs::read(&path).unwrap();
    put_back(&spool, &copy);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    enqueue(&client, 1).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(client.stats().unwrap().spool.pending, 2);
}

#[test]
fn what_a_killed_process_left_unfinished_costs_nobody_else() {
    let sandbox = sandbox();
    let folder = Folder::new();
    let spool = folder.path("spool");
    let sender = client(
        &sandbox.base_url(),
        &[("spool", spool.as_str()), ("delivery", "none")],
    );
    for n in 0..20 {
        enqueue(&sender, n).unwrap();
        let mut inbox = OpenOptions::new()
            .append(true)
            .open(format!("{spool}-inbox"))
            .unwrap();
        inbox
            .write_all(b"\n0badc0de\t1\t17955\thalf a rec")
            .unwrap();
    }
    let drainer = client(&sandbox.base_url(), &[("spool", spool.as_str())]);
    assert!(drainer.flush(LONG).unwrap());
    let received = sandbox.received().into_iter();
    let mut ids: Vec<usize> = received
        .map(|r| r.notification.unwrap().id.unwrap().parse().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..20).collect::<Vec<_>>());
}

#[test]
fn what_a_power_loss_took_is_not_taken_for_what_comes_next() {
    let folder = Folder::new();
    let spool = folder.path("spool");
    let first = lone(&spool, &[]);
    for n in 0..10 {
        enqueue(&first, n).unwrap();
    }
    assert_eq!(first.stats().unwrap().spool.pending, 10);
    // As after a crash of the kernel: the tables have it, the inbox has lost its end.
    let inbox = OpenOptions::new()
        .write(true)
        .open(format!("{spool}-inbox"))
        .unwrap();
    inbox.set_len(inbox_length(&spool) / 2).unwrap();
    let second = lone(&spool, &[("max_dead", "9")]);
    for n in 10..30 {
        enqueue(&second, n).unwrap();
    }
    assert_eq!(second.stats().unwrap().spool.pending, 30);
}

/// Appends until the next inbox was begun.
fn outgrow(spool: &str, client: &Client, first: usize) -> usize {
    let (begun, mut n) = (generation(spool), first);
    while generation(spool) == begun {
        enqueue(client, n).unwrap();
        n += 1;
    }
    n
}

fn put_back(spool: &str, inbox: &[u8]) {
    let path = format!("{spool}-inbox");
    fs::remove_file(&path).unwrap();
    fs::write(&path, inbox).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_power_loss_that_took_the_name_of_the_last_inbox_costs_nothing_that_comes_next() {
    let folder = Folder::new();
    let spool = folder.path("spool");
    let first = lone(&spool, &[("max_items", "1000000")]);
    enqueue(&first, 0).unwrap();
    enqueue(&first, 1).unwrap();
    first.stats().unwrap();
    let old = fs::read(format!("{spool}-inbox")).unwrap();
    let n = outgrow(&spool, &first, 2);
    for n in n..n + 50 {
        enqueue(&first, n).unwrap();
    }
    let accepted = first.stats().unwrap().spool.pending;
    // The tables know of the next inbox; the folder does not.
    put_back(&spool, &old);
    let second = lone(&spool, &[("max_dead", "9"), ("max_items", "1000000")]);
    for n in 0..20 {
        enqueue(&second, 100_000 + n).unwrap();
    }
    assert_eq!(second.stats().unwrap().spool.pending, accepted + 20);
}

#[test]
fn nor_where_no_new_inbox_can_be_made() {
    let folder = Folder::new();
    let spool = folder.path("spool");
    let first = lone(&spool, &[]);
    for n in 0..10 {
        enqueue(&first, n).unwrap();
    }
    assert_eq!(first.stats().unwrap().spool.pending, 10);
    let inbox = fs::read(format!("{spool}-inbox")).unwrap();
    put_back(&spool, &inbox[..inbox.len() / 2]);
    // As where the disk has no room, or the process no descriptor left.
    fs::create_dir(folder.path("spool-inbox.new")).unwrap();
    let second = lone(&spool, &[("max_dead", "9")]);
    let accepted = (10..30).filter(|n| enqueue(&second, *n).is_ok()).count();
    assert_eq!(accepted, 20);
    assert_eq!(second.stats().unwrap().spool.pending, 30);
}

#[test]
fn an_inbox_that_is_deleted_while_others_begin_the_next_costs_nothing() {
    for looks in [false, true] {
        let folder = Folder::new();
        let spool = folder.path("spool");
        let ours = lone(&spool, &[]);
        for n in 0..3 {
            enqueue(&ours, n).unwrap();
        }
        let too = lone(&spool, &[("max_dead", "8")]);
        if looks {
            ours.stats().unwrap();
            too.stats().unwrap();
            enqueue(&ours, 3).unwrap();
        }
        fs::remove_file(format!("{spool}-inbox")).unwrap();
        let theirs = lone(&spool, &[("max_dead", "9")]);
        for n in 10..15 {
            enqueue(&theirs, n).unwrap();
        }
        if looks {
            theirs.stats().unwrap();
        }
        let before = if looks { 9 } else { 8 };
        ours.stats().unwrap();
        // It had the deleted one open, too.
        too.stats().unwrap();
        assert_eq!(theirs.stats().unwrap().spool.pending, before);
        enqueue(&theirs, 15).unwrap();
        enqueue(&ours, 4).unwrap();
        assert_eq!(theirs.stats().unwrap().spool.pending, before + 2);
    }
}

#[test]
fn a_copy_by_hard_links_takes_in_nothing() {
    let folder = Folder::new();
    let spool = folder.path("spool");
    let ours = lone(&spool, &[]);
    enqueue(&ours, 0).unwrap();
    enqueue(&ours, 1).unwrap();
    let copy = folder.path("copy");
    fs::hard_link(format!("{spool}-inbox"), &copy).unwrap();
    let operator = SpoolFile::open(&config(&[("spool", spool.as_str())])).unwrap();
    assert_eq!(operator.purge("nobody").unwrap(), 0);
    let theirs = lone(&spool, &[("max_dead", "9")]);
    for n in 2..5 {
        enqueue(&theirs, n).unwrap();
    }
    let before = fs::metadata(&copy).unwrap().len();
    enqueue(&ours, 5).unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().len(), before);
    // As if ours had been killed: theirs finds all of it.
    assert_eq!(theirs.stats().unwrap().spool.pending, 6);
}

#[test]
fn a_person_is_erased_from_what_a_killed_process_left_unfinished_too() {
    for is_all in [false, true] {
        let folder = Folder::new();
        let spool = folder.path("spool");
        let client = lone(&spool, &[]);
        // The first goes into the tables.
        for n in 0..if is_all { 1 } else { 3 } {
            enqueue(&client, n).unwrap();
        }
        let path = format!("{spool}-inbox");
        let mut inbox = OpenOptions::new().append(true).open(&path).unwrap();
        write!(inbox, "\n0badc0de\t1\t17955\t{KEY}").unwrap();
        let held = fs::File::open(&path).unwrap();
        let operator = SpoolFile::open(&config(&[("spool", spool.as_str())])).unwrap();
        operator.purge(KEY).unwrap();
        for bytes in [
            fs::read(&path).unwrap(),
            std::io::read_to_string(held).unwrap().into_bytes(),
        ] {
            assert!(!String::from_utf8_lossy(&bytes).contains(KEY));
        }
        enqueue(&client, 10).unwrap();
        assert_eq!(client.stats().unwrap().spool.pending, 1);
    }
}

#[test]
fn a_length_out_of_all_bounds_takes_neither_memory_nor_time() {
    let folder = Folder::new();
    let spool = folder.path("spool");
    let first = lone(&spool, &[]);
    enqueue(&first, 0).unwrap();
    let path = format!("{spool}-inbox");
    let inbox = OpenOptions::new().write(true).open(&path).unwrap();
    inbox.set_len(1 << 40).unwrap();
    let before = Instant::now();
    let patience = ("enqueue_timeout_ms", "200");
    let second = lone(&spool, &[("max_dead", "9"), patience]);
    assert_eq!(enqueue(&second, 1), Err(Status::SpoolFailed));
    assert!(before.elapsed() < LONG);
    // Somebody mends it.
    fs::remove_file(&path).unwrap();
    inbox.set_len(0).unwrap();
    enqueue(&second, 2).unwrap();
    assert_eq!(second.stats().unwrap().spool.pending, 2);
}

#[test]
fn a_person_is_erased_from_the_inbox_too() {
    let folder = Folder::new();
    let spool = folder.path("spool");
    let client = lone(&spool, &[]);
    for n in 0..10 {
        enqueue(&client, n).unwrap();
    }
    let held = fs::File::open(format!("{spool}-inbox")).unwrap();
    let operator = SpoolFile::open(&config(&[("spool", spool.as_str())])).unwrap();
    assert_eq!(operator.purge(KEY).unwrap(), 10);
    for bytes in [
        fs::read(format!("{spool}-inbox")).unwrap(),
        std::io::read_to_string(held).unwrap().into_bytes(),
    ] {
        assert!(!String::from_utf8_lossy(&bytes).contains(KEY));
    }
    enqueue(&client, 10).unwrap();
    assert_eq!(client.stats().unwrap().spool.pending, 1);
}
