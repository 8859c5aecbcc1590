//! TLS: the certificates that a client accepts, and faulty answers over TLS.

// Clippy allows these only in `#[test]` functions, not in the functions that they share.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;

use common::{connect, notify, read_all, send, start};
use esales_notify_sandbox::{Options, Sandbox, TlsIdentity};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn sandbox(tls: TlsIdentity) -> Sandbox {
    start(Options {
        tls: Some(tls),
        ..Options::default()
    })
}

/// A connection that trusts only the CA of the sandbox. The handshake happens at the first use.
fn dial(sandbox: &Sandbox, name: &'static str) -> Stream {
    let ca = CertificateDer::from_pem_slice(sandbox.ca_pem().unwrap().as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(ca).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name).unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(session, connect(sandbox))
}

fn handshake_error(tls: TlsIdentity, name: &'static str) -> String {
    let sandbox = sandbox(tls);
    let mut stream = dial(&sandbox, name);
    let error = stream.conn.complete_io(&mut stream.sock).unwrap_err();
    assert_eq!(sandbox.stats().connections, 0);
    error.to_string()
}

#[test]
fn sandbox_certificate_is_valid_for_every_local_name() {
    let sandbox = sandbox(TlsIdentity::Valid);
    assert!(sandbox.base_url().starts_with("https://127.0.0.1:"));
    for name in ["localhost", "127.0.0.1", "::1"] {
        let mut stream = dial(&sandbox, name);
        assert_eq!(notify(&mut stream).status, 204, "{name}");
        assert_eq!(notify(&mut stream).status, 204, "{name}");
    }
    assert_eq!(sandbox.stats().connections, 3);
}

#[test]
fn sandbox_certificates_fail_for_their_named_reason() {
    let table = [
        (TlsIdentity::WrongHost, "certificate not valid for name"),
        (TlsIdentity::Expired, "certificate expired"),
        (TlsIdentity::SelfSigned, "UnknownIssuer"),
        (TlsIdentity::UnknownCa, "UnknownIssuer"),
    ];
    for (tls, message_part) in table {
        let error = handshake_error(tls, "localhost");
        assert!(error.contains(message_part), "{tls}: {error}");
    }
    let wrong_host = sandbox(TlsIdentity::WrongHost);
    assert_eq!(notify(&mut dial(&wrong_host, "wrong.example")).status, 204);
}

#[test]
fn script_raw_answers_work_over_tls() {
    let sandbox = sandbox(TlsIdentity::Valid);
    let script = |text: &str| sandbox.script(vec![text.parse().unwrap()]);
    let sent = || {
        let mut stream = dial(&sandbox, "localhost");
        send(&mut stream);
        stream
    };
    script("503:then=close:body=gone");
    let bytes = read_all(&mut sent()).unwrap();
    assert!(bytes.ends_with(b"\r\n\r\ngone"));
    script("drip:every=1");
    let bytes = read_all(&mut sent()).unwrap();
    assert!(bytes.starts_with(b"HTTP/1.1 204 No Content\r\n"));
    script("garbage");
    assert!(!read_all(&mut sent()).unwrap().is_empty());
    script("close");
    let error = read_all(&mut sent()).unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::UnexpectedEof,
        "no TLS goodbye either"
    );
    script("reset");
    let error = read_all(&mut sent()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn sandbox_close_idle_sends_a_tls_close_notify() {
    let sandbox = sandbox(TlsIdentity::Valid);
    let mut stream = dial(&sandbox, "localhost");
    assert_eq!(notify(&mut stream).status, 204);
    assert_eq!(sandbox.close_idle_connections(), 1);
    assert_eq!(read_all(&mut stream).unwrap(), b"");
}

#[test]
fn sandbox_drop_closes_a_connection_during_its_tls_handshake() {
    let sandbox = sandbox(TlsIdentity::Valid);
    let mut silent = connect(&sandbox);
    assert_eq!(notify(&mut dial(&sandbox, "localhost")).status, 204); // `silent` is accepted by now
    drop(sandbox);
    assert_eq!(read_all(&mut silent).unwrap(), b"");
}
