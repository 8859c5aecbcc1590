//! The probe tests the path to the service step by step, with the same results as a notification.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{client, config, refused, sandbox};
use esales_notify::{Config, Probe, Status, Trust};
use esales_notify_sandbox::{Options, Sandbox, TlsIdentity};

fn tls_sandbox(identity: TlsIdentity) -> Sandbox {
    Sandbox::start(Options {
        tls: Some(identity),
        ..Options::default()
    })
    .unwrap()
}

#[test]
fn probe_takes_every_step_to_a_service_without_tls() {
    let sandbox = sandbox();
    let probe = Probe::new(&config(&[("base_url", &sandbox.base_url())])).unwrap();
    assert_eq!(probe.addresses().unwrap(), [sandbox.addr()]);
    probe.connect(&sandbox.addr()).unwrap();
    probe.reach().unwrap();
    assert_eq!((probe.is_https(), probe.trust()), (false, None));
    assert_eq!(probe.proxy(), None);
    let answer = probe.ask().unwrap();
    assert_eq!(answer.http_status, 405);
    assert!(answer.date.is_some());
    // The probe sends no notification.
    let received = sandbox.received();
    assert_eq!(received.len(), 1);
    assert_eq!(
        (received[0].method.as_str(), received[0].body.as_str()),
        ("HEAD", "")
    );
}

#[test]
fn probe_returns_certificates_when_they_are_refused() {
    for identity in [
        TlsIdentity::Valid,
        TlsIdentity::Expired,
        TlsIdentity::WrongHost,
        TlsIdentity::SelfSigned,
        TlsIdentity::UnknownCa,
    ] {
        let sandbox = tls_sandbox(identity);
        let options = [
            ("base_url", sandbox.base_url()),
            ("max_attempts", "1".to_owned()),
        ];
        let options: Vec<(&str, &str)> = options.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let probe = Probe::new(&config(&options)).unwrap();
        assert!(!probe.certificates().unwrap()[0].is_empty(), "{identity}");
        assert!(matches!(
            probe.trust(),
            Some(Trust::System(_) | Trust::Bundled)
        ));
        // Without ca_file, the probe does not trust the certificate, like a client.
        let error = probe.ask().unwrap_err();
        let receipt = refused(&client(&sandbox.base_url(), &options));
        assert_eq!(error.status(), receipt.status);
        assert_eq!(error.status(), Status::TlsFailed);
        assert_eq!(
            error.detail().split('(').next(),
            receipt.detail.split('(').next()
        );
    }
}

#[test]
fn probe_fails_with_tls_failed_when_the_port_has_no_tls() {
    let sandbox = sandbox();
    let base_url = sandbox.base_url().replace("http:", "https:");
    let probe = Probe::new(&config(&[("base_url", &base_url)])).unwrap();
    assert_eq!(
        probe.certificates().unwrap_err().status(),
        Status::TlsFailed
    );
}

#[test]
fn probe_applies_no_proxy_as_a_client_does() {
    for (no_proxy, proxy) in [
        ("other.example", Some(("proxy.test", 3128))),
        (".test, shop.test", None),
        ("*", None),
    ] {
        let probe = Probe::new(&config(&[
            ("base_url", "https://shop.test"),
            ("proxy", "http://u:p@proxy.test:3128"),
            ("no_proxy", no_proxy),
        ]))
        .unwrap();
        assert_eq!(probe.proxy(), proxy, "{no_proxy}");
        assert!(probe.has_proxy());
        assert_eq!(probe.service(), ("shop.test", 443));
    }
}

#[test]
fn nearest_returns_the_option_when_its_name_is_misspelt() {
    assert_eq!(Config::nearest("TIMEOUT"), Some("timeout_ms"));
    assert_eq!(Config::nearest("colour"), None);
    assert_eq!(Config::nearest(&"x".repeat(1_000_000)), None);
}
