//! The crate without its features: `cargo test --no-default-features --test features`.
#![cfg(not(feature = "log-spool"))]
#![allow(clippy::unwrap_used)]

use esales_notify::{Client, Config, Notification, Status, Visitor};

#[test]
fn spool_is_refused_when_the_feature_log_spool_is_off() {
    let config = Config::builder().cluster_id("w1").spool("/spool");
    let error = Client::new(&config.build().unwrap()).unwrap_err();
    assert_eq!(error.status(), Status::InvalidConfig);
    for word in ["spool is /spool", "feature log-spool"] {
        assert!(error.detail().contains(word), "{error}");
    }
}

#[test]
fn queue_in_memory_accepts_when_all_features_are_off() {
    let config = Config::builder()
        .base_url("http://127.0.0.1:9")
        .market("UK");
    let client = Client::new(&config.build().unwrap()).unwrap();
    let visitor = Visitor::anonymous("a", "b");
    let receipt = client
        .enqueue(&visitor, &Notification::click("ticket"))
        .unwrap();
    assert_eq!(receipt.status, Status::Queued);
}

#[test]
fn engine_is_refused_when_the_feature_redis_spool_is_off() {
    let config = Config::builder()
        .cluster_id("w1")
        .spool("redis://queue.example?name=shop");
    let error = Client::new(&config.build().unwrap()).unwrap_err();
    assert_eq!(error.status(), Status::InvalidConfig);
    for word in [
        "spool is redis://queue.example:6379/0?name=shop",
        "feature redis-spool",
    ] {
        assert!(error.detail().contains(word), "{error}");
    }
}
