//! TLS: what is refused, with which words, and what makes it work.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::fs;
use std::path::PathBuf;

use common::{client, config, refused, sandbox, send};
use esales_notify::{Client, Status};
use esales_notify_sandbox::{Options, Sandbox, TlsIdentity};

fn tls_sandbox(identity: TlsIdentity) -> Sandbox {
    Sandbox::start(Options {
        tls: Some(identity),
        ..Options::default()
    })
    .unwrap()
}

/// A file that goes with the test.
struct CaFile(PathBuf);

impl CaFile {
    fn new(name: &str, pem: &str) -> CaFile {
        let path = std::env::temp_dir().join(format!("esales-{}-{name}.pem", std::process::id()));
        fs::write(&path, pem).unwrap();
        CaFile(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn ca_file_makes_a_private_authority_work_and_the_connection_is_kept() {
    let sandbox = tls_sandbox(TlsIdentity::Valid);
    let ca = CaFile::new("valid", sandbox.ca_pem().unwrap());
    for host in ["127.0.0.1", "localhost"] {
        let base_url = sandbox.base_url().replace("127.0.0.1", host);
        let client = client(
            &base_url,
            &[("ca_file", ca.path()), ("timeout_ms", "20000")],
        );
        for _ in 0..10 {
            assert_eq!(send(&client).unwrap().status, Status::Delivered);
        }
    }
    assert_eq!(sandbox.stats().connections, 2);
}

#[test]
fn bad_certificates_are_refused_with_the_reason_and_without_a_retry() {
    for (identity, words) in [
        (TlsIdentity::WrongHost, "another host"),
        (TlsIdentity::Expired, "expired"),
        (TlsIdentity::SelfSigned, "by itself"),
        (TlsIdentity::UnknownCa, "not trusted"),
    ] {
        let sandbox = tls_sandbox(identity);
        let ca = CaFile::new(words, sandbox.ca_pem().unwrap());
        let receipt = refused(&client(&sandbox.base_url(), &[("ca_file", ca.path())]));
        assert_eq!(
            (receipt.status, receipt.attempts),
            (Status::TlsFailed, 1),
            "{receipt:?}"
        );
        assert!(receipt.detail.contains(words), "{receipt:?}");
        assert_eq!(sandbox.stats().received, 0);
    }
}

#[test]
fn the_systems_roots_do_not_trust_a_private_authority() {
    let sandbox = tls_sandbox(TlsIdentity::Valid);
    let receipt = refused(&client(&sandbox.base_url(), &[("timeout_ms", "20000")]));
    assert_eq!(receipt.status, Status::TlsFailed, "{receipt:?}");
    assert!(receipt.detail.contains("ca_file"), "{receipt:?}");
}

#[test]
fn tls_to_a_plain_port_is_said_so() {
    let sandbox = sandbox();
    let base_url = sandbox.base_url().replace("http:", "https:");
    let receipt = refused(&client(&base_url, &[]));
    assert_eq!(receipt.status, Status::TlsFailed, "{receipt:?}");
    assert!(receipt.detail.contains("does not speak TLS"), "{receipt:?}");
}

#[test]
fn plain_http_to_a_tls_port_is_not_delivered() {
    let sandbox = tls_sandbox(TlsIdentity::Valid);
    let base_url = sandbox.base_url().replace("https:", "http:");
    assert!(!refused(&client(&base_url, &[])).status.is_success());
    assert_eq!(sandbox.stats().received, 0);
}

#[test]
fn a_ca_file_that_is_none_is_refused_at_once() {
    let empty = CaFile::new("empty", "no certificate here");
    let broken = CaFile::new(
        "broken",
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    );
    for (path, words) in [
        ("/nonexistent/ca.pem", "cannot be read"),
        (empty.path(), "holds no certificate"),
        (broken.path(), "not PEM"),
    ] {
        let options = config(&[("base_url", "https://127.0.0.1:1"), ("ca_file", path)]);
        let error = Client::new(&options).unwrap_err();
        assert_eq!(error.status(), Status::InvalidConfig);
        assert!(
            error.detail().contains("ca_file") && error.detail().contains(words),
            "{error}"
        );
    }
}
