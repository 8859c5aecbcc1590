//! Certificates, made at start: good ones, and wrong ones for tests.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The names in a good certificate.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The certificate that the sandbox presents. Each start makes new keys.
///
/// As text (`FromStr`, `Display`): `valid`, `expiring`, `wrong-host`, `expired`, `self-signed`,
/// `unknown-ca`, `authority`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsIdentity {
    /// For `localhost`, `127.0.0.1` and `::1`, signed by the CA that `ca_pem` returns.
    Valid,
    /// Like `Valid`, but expires in three days.
    Expiring,
    /// For `wrong.example` only, signed by that CA.
    WrongHost,
    /// The names of `Valid`, signed by that CA, expired in 2021.
    Expired,
    /// The names of `Valid`, signed by itself.
    SelfSigned,
    /// The names of `Valid`, signed by another CA, which `ca_pem` does not return.
    UnknownCa,
    /// The names of `Valid`, signed by itself and marked as a CA, which `ca_pem` returns.
    Authority,
}

impl TlsIdentity {
    const ALL: [(TlsIdentity, &'static str); 7] = [
        (TlsIdentity::Valid, "valid"),
        (TlsIdentity::Expiring, "expiring"),
        (TlsIdentity::WrongHost, "wrong-host"),
        (TlsIdentity::Expired, "expired"),
        (TlsIdentity::SelfSigned, "self-signed"),
        (TlsIdentity::UnknownCa, "unknown-ca"),
        (TlsIdentity::Authority, "authority"),
    ];
}

impl fmt::Display for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TlsIdentity::Valid => "valid",
            TlsIdentity::Expiring => "expiring",
            TlsIdentity::WrongHost => "wrong-host",
            TlsIdentity::Expired => "expired",
            TlsIdentity::SelfSigned => "self-signed",
            TlsIdentity::UnknownCa => "unknown-ca",
            TlsIdentity::Authority => "authority",
        })
    }
}

/// The text is not the name of a [`TlsIdentity`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not valid, expiring, wrong-host, expired, self-signed, unknown-ca or authority")]
pub struct UnknownTlsIdentity(String);

impl FromStr for TlsIdentity {
    type Err = UnknownTlsIdentity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        TlsIdentity::ALL
            .into_iter()
            .find(|(_, name)| *name == text)
            .map(|(identity, _)| identity)
            .ok_or_else(|| UnknownTlsIdentity(text.to_owned()))
    }
}

/// The certificate and key of the listener, and the CA for the clients.
pub(crate) struct Material {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) ca_pem: String,
}

pub(crate) fn make(identity: TlsIdentity) -> Result<Material, String> {
    let ca = certificate_authority("esales-notify sandbox CA").map_err(|e| e.to_string())?;
    let key = KeyPair::generate().map_err(|e| e.to_string())?;
    let leaf = leaf(identity, &ca, &key).map_err(|e| e.to_string())?;
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(vec![leaf.der().clone()], private)
        })
        .map_err(|e| e.to_string())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Material {
        config: Arc::new(config),
        ca_pem: match identity {
            TlsIdentity::Authority => leaf.pem(),
            _ => ca.pem(),
        },
    })
}

type Ca = CertifiedIssuer<'static, KeyPair>;

fn certificate_authority(name: &str) -> Result<Ca, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // Older than the expired leaf, so that the leaf's date is the only thing wrong with it.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = (SystemTime::now() + 365 * DAY).into();
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn leaf(identity: TlsIdentity, ca: &Ca, key: &KeyPair) -> Result<rcgen::Certificate, rcgen::Error> {
    let names = match identity {
        TlsIdentity::WrongHost => vec!["wrong.example".to_owned()],
        _ => NAMES.map(str::to_owned).to_vec(),
    };
    let mut params = CertificateParams::new(names)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "esales-notify sandbox");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    if identity == TlsIdentity::Expired {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    } else {
        params.not_before = (SystemTime::now() - DAY).into();
        let days = if identity == TlsIdentity::Expiring {
            3
        } else {
            365
        };
        params.not_after = (SystemTime::now() + days * DAY).into();
    }
    match identity {
        TlsIdentity::SelfSigned => params.self_signed(key),
        TlsIdentity::Authority => {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.self_signed(key)
        }
        TlsIdentity::UnknownCa => {
            let other = certificate_authority("esales-notify sandbox, another CA")?;
            params.signed_by(key, &*other)
        }
        _ => params.signed_by(key, ca),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_identity_is_parsed_from_its_name() {
        for (identity, name) in TlsIdentity::ALL {
            assert_eq!(identity.to_string(), name);
            assert_eq!(name.parse(), Ok(identity));
        }
        let error = "Valid".parse::<TlsIdentity>().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("`Valid` is not valid, expiring, wrong-host")
        );
    }
}
