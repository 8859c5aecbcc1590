//! Messages for failed TLS handshakes, with advice for a shop's developer.

use std::io;

use rustls::{AlertDescription as Alert, CertificateError as Bad, OtherError};

/// The TLS error in an I/O error, if it is one.
pub(super) fn inside(e: &io::Error) -> Option<&rustls::Error> {
    let inner = e.get_ref()?;
    inner
        .downcast_ref::<rustls::Error>()
        .or_else(|| inner.source()?.downcast_ref())
}

/// Whether the server refused this client before it read a request. In TLS 1.3 such an alert
/// arrives after the client has finished its part of the handshake.
pub(super) fn is_refusal_of_the_client(e: &rustls::Error) -> bool {
    matches!(
        e,
        rustls::Error::AlertReceived(
            Alert::HandshakeFailure
                | Alert::NoCertificate
                | Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRequired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied
        )
    )
}

/// The cause of the error and advice.
pub(super) fn reason(e: &rustls::Error) -> String {
    match e {
        rustls::Error::InvalidCertificate(bad) => certificate(bad),
        rustls::Error::NoCertificatesPresented => {
            "the server showed no certificate: it is not set up for TLS".to_owned()
        }
        rustls::Error::AlertReceived(Alert::CertificateRequired) => {
            "the server wants a client certificate, which this library does not have: use an endpoint that does \
            not ask for one"
                .to_owned()
        }
        rustls::Error::AlertReceived(Alert::HandshakeFailure | Alert::ProtocolVersion) => {
            "the server refused the handshake: it speaks neither TLS 1.2 nor TLS 1.3 with a current cipher, or \
            wants a client certificate"
                .to_owned()
        }
        rustls::Error::AlertReceived(Alert::UnrecognisedName) => {
            "the server does not know the host name that it was asked for: check the host in cluster_id, base_url or spool"
                .to_owned()
        }
        rustls::Error::AlertReceived(alert) => format!(
            "the server refused the handshake with the alert {alert:?}: see the server's log"
        ),
        rustls::Error::PeerIncompatible(_) => format!(
            "the server offers neither TLS 1.2 nor TLS 1.3 with a current cipher: it must be updated ({e})"
        ),
        rustls::Error::InvalidMessage(_) => {
            format!("the server does not speak TLS at this port ({e})")
        }
        rustls::Error::PeerMisbehaved(_)
        | rustls::Error::InappropriateMessage { .. }
        | rustls::Error::InappropriateHandshakeMessage { .. }
        | rustls::Error::DecryptError
        | rustls::Error::PeerSentOversizedRecord => format!(
            "the server, or a device on the way to it, violates the TLS protocol ({e})"
        ),
        rustls::Error::General(message) => message.clone(),
        other => format!("TLS failed: {other}"),
    }
}

fn certificate(bad: &Bad) -> String {
    match bad {
        Bad::Expired | Bad::ExpiredContext { .. } => {
            format!(
                "the server's certificate, or one in its chain, has expired ({bad})"
            )
        }
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => format!(
            "the server's certificate is not valid yet: is this machine's clock right? ({bad})"
        ),
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
            format!("the server's certificate is for another host ({bad})")
        }
        Bad::UnknownIssuer => {
            "the server's certificate is signed by an authority that is not trusted, or by itself (UnknownIssuer); for a private authority set ca_file"
                .to_owned()
        }
        Bad::BadSignature => {
            "the signature of the server's certificate is wrong: the server shows a certificate that \
             its authority did not sign, or ca_file holds an older authority of the same name"
                .to_owned()
        }
        Bad::BadEncoding => {
            "the server's certificate cannot be read: it, or one in its chain, is damaged or is not an X.509 \
            version 3 certificate; it must be issued again"
                .to_owned()
        }
        Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => {
            "the server's certificate is not for servers: it must be issued with extendedKeyUsage=serverAuth"
                .to_owned()
        }
        Bad::UnhandledCriticalExtension => {
            "the server's certificate has a critical extension that this library does not know: it must be \
            issued without that extension"
                .to_owned()
        }
        Bad::Revoked => "the server's certificate was revoked by its authority".to_owned(),
        Bad::Other(OtherError(cause)) => match cause.downcast_ref::<webpki::Error>() {
            Some(cause) => rare(cause),
            None => format!("the server's certificate was refused: {cause}"),
        },
        other => format!("the server's certificate was refused: {other}"),
    }
}

/// Causes for which rustls has no error of its own.
fn rare(cause: &webpki::Error) -> String {
    use webpki::Error as E;
    let text = match cause {
        E::CaUsedAsEndEntity => {
            "the server shows the certificate of an authority (CA:TRUE) as its own, which is not allowed. Make one \
             for the server that the authority signs, or make the self-signed one again with CA:FALSE \
             (openssl req -x509 ... -addext basicConstraints=critical,CA:FALSE -addext \
             subjectAltName=DNS:host) and put that into ca_file"
        }
        E::EndEntityUsedAsCa => {
            "the server's certificate is signed with a certificate that is not an authority's (CA:FALSE): it must be \
             signed by an authority (basicConstraints=CA:TRUE)"
        }
        E::PathLenConstraintViolated => {
            "the server's certificate chain is longer than an authority in it allows (pathlen)"
        }
        E::NameConstraintViolation | E::MalformedNameConstraint => {
            "the authority that signed the server's certificate may not sign for this host (name constraints)"
        }
        E::UnsupportedCertVersion => {
            "the server's certificate has X.509 version 1, which has no host names: it must be issued again \
            as version 3, with subjectAltName"
        }
        E::UnsupportedCriticalExtension => {
            "the server's certificate has a critical extension that this library does not know: it must be \
            issued without that extension"
        }
        E::MaximumSignatureChecksExceeded
        | E::MaximumPathBuildCallsExceeded
        | E::MaximumPathDepthExceeded
        | E::MaximumNameConstraintComparisonsExceeded => {
            "the chain of the server's certificate is too long or too complex to be checked: the server must send \
             its own certificate and those between it and the authority, nothing else"
        }
        E::UnsupportedSignatureAlgorithmContext(_)
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "the server's certificate is signed in a way that is unsafe or unknown to this library (SHA-1, a \
            short RSA key): it must be issued again, with SHA-256"
        }
        _ => {
            return format!(
                "the server's certificate, or one in its chain, is malformed and must be issued again ({cause})"
            );
        }
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// No message contains the debug text of a Rust type.
    #[test]
    fn rare_tls_errors_have_a_message_without_rust_type_names() {
        use webpki::Error as E;
        for (cause, text) in [
            (E::CaUsedAsEndEntity, "CA:FALSE"),
            (E::EndEntityUsedAsCa, "CA:TRUE"),
            (E::UnsupportedCertVersion, "version 1"),
            (E::NameConstraintViolation, "name constraints"),
            (E::PathLenConstraintViolated, "pathlen"),
            (E::MaximumSignatureChecksExceeded, "too long"),
            (E::UnsupportedCriticalExtension, "critical extension"),
            (E::ExtensionValueInvalid, "malformed"),
            (E::InvalidSerialNumber, "malformed"),
        ] {
            let bad = Bad::Other(OtherError(Arc::new(cause.clone())));
            let message = reason(&rustls::Error::InvalidCertificate(bad));
            assert!(message.contains(text), "{cause}: {message}");
            assert!(!message.contains("OtherError"), "{message}");
        }
        for bad in [
            Bad::BadEncoding,
            Bad::BadSignature,
            Bad::InvalidPurpose,
            Bad::UnhandledCriticalExtension,
            Bad::Revoked,
        ] {
            let debug = format!("{bad:?}");
            let message = reason(&rustls::Error::InvalidCertificate(bad));
            assert!(!message.contains(&debug), "{message}");
        }
    }
}
