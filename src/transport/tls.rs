//! Whom TLS trusts: the file of `ca_file`, else the system's authorities, else the bundled ones; and why a
//! handshake failed, in words.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::CertificateError;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use crate::status::Error;

/// The content of a `ca_file`.
pub(crate) fn read_ca_file(path: &str) -> Result<Vec<u8>, Error> {
    std::fs::read(Path::new(path))
        .map_err(|e| Error::config(format!("ca_file {path} cannot be read: {e}")))
}

/// The authorities in a PEM file.
pub(crate) fn roots_in(pem: &[u8], path: &str) -> Result<RootCerts, Error> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(e) => return Err(Error::config(format!("ca_file {path} is not PEM: {e}"))),
        }
    }
    if certificates.is_empty() {
        return Err(Error::config(format!(
            "ca_file {path} holds no certificate"
        )));
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}

/// The system's authorities, or the bundled ones on a system that has none (a bare container).
/// Reads files: tens of milliseconds, so once per process.
pub(crate) fn roots_of_system() -> RootCerts {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return RootCerts::WebPki;
    }
    let owned = found
        .iter()
        .map(|der| Certificate::from_der(der).to_owned());
    RootCerts::Specific(Arc::new(owned.collect()))
}

/// The TLS error inside an I/O error, if that is what it is.
pub(super) fn inside(e: &io::Error) -> Option<&rustls::Error> {
    let inner = e.get_ref()?;
    inner
        .downcast_ref::<rustls::Error>()
        .or_else(|| inner.source()?.downcast_ref())
}

/// The reason as a shop developer needs it.
pub(super) fn reason(e: &rustls::Error) -> String {
    use CertificateError as Bad;
    match e {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => {
                format!("the server's certificate has expired ({bad})")
            }
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                format!(
                    "the server's certificate is not valid yet: is this machine's clock right? ({bad})"
                )
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                format!("the server's certificate is for another host ({bad})")
            }
            Bad::UnknownIssuer => {
                "the server's certificate is signed by an authority that is not trusted, or by \
                 itself (UnknownIssuer); for a private authority set ca_file"
                    .to_owned()
            }
            other => format!("the server's certificate was refused: {other}"),
        },
        rustls::Error::AlertReceived(alert) => {
            format!("the server refused the handshake: {alert:?}")
        }
        rustls::Error::InvalidMessage(_) => {
            format!("the server does not speak TLS at this port ({e})")
        }
        other => other.to_string(),
    }
}
