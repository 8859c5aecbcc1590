//! TLS: refused certificates and their messages, and options that allow them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use common::{Folder, client, config, refused, sandbox, send, visitor};
use esales_notify::{Client, Status};
use esales_notify_sandbox::{Options, Sandbox, TlsIdentity};

fn tls_sandbox(identity: TlsIdentity) -> Sandbox {
    Sandbox::start(Options {
        tls: Some(identity),
        ..Options::default()
    })
    .unwrap()
}

/// A file that is removed with the test.
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
fn certificate_of_a_private_authority_is_trusted_when_ca_file_names_it() {
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
fn invalid_certificate_is_refused_with_the_reason_and_without_a_retry() {
    for (identity, message_part) in [
        (TlsIdentity::WrongHost, "another host"),
        (TlsIdentity::Expired, "expired"),
        (TlsIdentity::SelfSigned, "by itself"),
        (TlsIdentity::UnknownCa, "not trusted"),
    ] {
        let sandbox = tls_sandbox(identity);
        let ca = CaFile::new(message_part, sandbox.ca_pem().unwrap());
        let receipt = refused(&client(&sandbox.base_url(), &[("ca_file", ca.path())]));
        assert_eq!(
            (receipt.status, receipt.attempts),
            (Status::TlsFailed, 1),
            "{receipt:?}"
        );
        assert!(receipt.detail.contains(message_part), "{receipt:?}");
        assert_eq!(sandbox.stats().received, 0);
    }
}

#[test]
fn certificate_of_a_private_authority_is_refused_without_ca_file() {
    let sandbox = tls_sandbox(TlsIdentity::Valid);
    let receipt = refused(&client(&sandbox.base_url(), &[("timeout_ms", "20000")]));
    assert_eq!(receipt.status, Status::TlsFailed, "{receipt:?}");
    assert!(receipt.detail.contains("ca_file"), "{receipt:?}");
}

#[test]
fn error_names_the_cause_when_the_port_does_not_speak_tls() {
    let sandbox = sandbox();
    let base_url = sandbox.base_url().replace("http:", "https:");
    let receipt = refused(&client(&base_url, &[]));
    assert_eq!(receipt.status, Status::TlsFailed, "{receipt:?}");
    assert!(receipt.detail.contains("does not speak TLS"), "{receipt:?}");
}

#[test]
fn http_request_to_a_tls_port_is_not_delivered() {
    let sandbox = tls_sandbox(TlsIdentity::Valid);
    let base_url = sandbox.base_url().replace("https:", "http:");
    assert!(!refused(&client(&base_url, &[])).status.is_success());
    assert_eq!(sandbox.stats().received, 0);
}

/// Many developers use the certificate of an authority first for a test server.
#[test]
fn error_names_the_cause_when_the_server_uses_an_authoritys_certificate() {
    let sandbox = tls_sandbox(TlsIdentity::Authority);
    let ca = CaFile::new("authority", sandbox.ca_pem().unwrap());
    let receipt = refused(&client(&sandbox.base_url(), &[("ca_file", ca.path())]));
    assert_eq!(receipt.status, Status::TlsFailed, "{receipt:?}");
    assert!(receipt.detail.contains("CA:FALSE"), "{receipt:?}");
    assert!(!receipt.detail.contains("OtherError"), "{receipt:?}");
}

/// The path is relative, the process changes its directory as a daemon does, and the file is removed.
#[test]
fn ca_file_is_read_once_when_the_client_is_made() {
    let sandbox = tls_sandbox(TlsIdentity::Valid);
    let folder = Folder::new();
    let path = folder.path("ca.pem");
    fs::write(&path, sandbox.ca_pem().unwrap()).unwrap();
    // No other test here has a relative path.
    std::env::set_current_dir(folder.path("")).unwrap();
    // No connection is kept, so that each connection needs the authorities.
    let options = [
        ("ca_file", "ca.pem"),
        ("keep_alive_s", "0"),
        ("timeout_ms", "20000"),
    ];
    let client = client(&sandbox.base_url(), &options);
    std::env::set_current_dir("/").unwrap();
    fs::remove_file(&path).unwrap();
    for _ in 0..2 {
        send(&client).unwrap();
    }
    client
        .enqueue_add_to_cart(&visitor(), "ticket", None)
        .unwrap();
    assert!(client.flush(Duration::from_secs(60)).unwrap());
    assert_eq!(client.stats().unwrap().process.delivered, 1);
}

#[test]
fn ca_file_is_read_again_by_the_next_client_when_it_was_replaced() {
    let (first, second) = (
        tls_sandbox(TlsIdentity::Valid),
        tls_sandbox(TlsIdentity::Valid),
    );
    let ca = CaFile::new("replaced", first.ca_pem().unwrap());
    let options = [
        ("ca_file", ca.path()),
        ("max_attempts", "1"),
        ("timeout_ms", "20000"),
    ];
    let before = client(&second.base_url(), &options);
    fs::write(&ca.0, second.ca_pem().unwrap()).unwrap();
    assert_eq!(refused(&before).status, Status::TlsFailed);
    send(&client(&second.base_url(), &options)).unwrap();
}

#[test]
fn all_certificates_of_a_ca_file_are_trusted() {
    let (first, second) = (
        tls_sandbox(TlsIdentity::Valid),
        tls_sandbox(TlsIdentity::Valid),
    );
    let both = format!("{}{}", first.ca_pem().unwrap(), second.ca_pem().unwrap());
    for (case, file) in [
        ("byte-order mark", format!("\u{feff}{both}")),
        ("line ends", both.replace('\n', "\r\n")),
        ("glued", both.replace("-----\n-----", "----------")),
    ] {
        let ca = CaFile::new(case, &file);
        for sandbox in [&first, &second] {
            let options = [("ca_file", ca.path()), ("timeout_ms", "20000")];
            send(&client(&sandbox.base_url(), &options)).unwrap_or_else(|e| panic!("{case}: {e}"));
        }
    }
}

#[test]
fn client_is_refused_when_ca_file_is_not_a_pem_file() {
    let empty = CaFile::new("empty", "no certificate here");
    let sandbox = tls_sandbox(TlsIdentity::Valid);
    let good = sandbox.ca_pem().unwrap();
    let cut = CaFile::new("cut", &format!("{good}{}", &good[..good.len() / 2]));
    let folder = Folder::new();
    let folder = folder.path("");
    let broken = CaFile::new(
        "broken",
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    );
    for (path, message_part) in [
        ("/nonexistent/ca.pem", "cannot be read"),
        (empty.path(), "holds no certificate"),
        (broken.path(), "not PEM"),
        (cut.path(), "certificate 2 of 2"),
        (folder.as_str(), "not a regular file"),
    ] {
        let options = config(&[("base_url", "https://127.0.0.1:1"), ("ca_file", path)]);
        let error = Client::new(&options).unwrap_err();
        assert_eq!(error.status(), Status::InvalidConfig);
        assert!(
            error.detail().contains("ca_file") && error.detail().contains(message_part),
            "{error}"
        );
    }
}
