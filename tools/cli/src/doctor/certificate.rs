//! The names and dates of a certificate, for display. The library decides whether it is trusted.

use std::time::SystemTime;

use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// With the irregular serial numbers that some authorities have given.
type Certificate = CertificateInner<Raw>;

/// The displayed properties of a certificate chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShownCertificate {
    pub(super) subject: String,
    pub(super) issuer: String,
    /// The hosts in the certificate.
    pub(super) names: Vec<String>,
    /// The end of the certificate itself.
    pub(super) end: Expiry,
    /// The certificate in the chain that expires first, if it expires before the server's own.
    pub(super) intermediate: Option<(String, Expiry)>,
}

/// The end of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expiry {
    time: SystemTime,
    date: String,
}

impl Expiry {
    fn from_certificate(certificate: &Certificate) -> Expiry {
        let end = certificate.tbs_certificate().validity().not_after;
        let date = end.to_date_time();
        Expiry {
            time: end.to_system_time(),
            date: format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()),
        }
    }

    /// Whole days from `now` to the end; `None` if the end has passed.
    pub(super) fn days_left(&self, now: SystemTime) -> Option<u64> {
        let left = self.time.duration_since(now).ok()?;
        Some(left.as_secs() / 86_400)
    }
}

impl ShownCertificate {
    /// Reads a chain as the service presents it, its own certificate first; `None` if that is not a certificate.
    pub(super) fn from_chain(chain: &[Vec<u8>]) -> Option<ShownCertificate> {
        let own = Certificate::from_der(chain.first()?).ok()?;
        let end = Expiry::from_certificate(&own);
        // An authority that the service sends is ignored, because the trusted copy on this machine decides.
        let intermediate = chain
            .iter()
            .skip(1)
            .filter_map(|der| Certificate::from_der(der).ok())
            .filter(|other| other.tbs_certificate().subject() != other.tbs_certificate().issuer())
            .map(|other| {
                let subject = other.tbs_certificate().subject().to_string();
                (subject, Expiry::from_certificate(&other))
            })
            .filter(|(_, other)| other.time < end.time)
            .min_by_key(|(_, other)| other.time);
        let own = own.tbs_certificate();
        let names = own.get_extension::<SubjectAltName>().ok()?;
        let names = names.map_or_else(Vec::new, |(_, names)| {
            names.0.iter().filter_map(host).collect()
        });
        Some(ShownCertificate {
            subject: own.subject().to_string(),
            issuer: own.issuer().to_string(),
            names,
            end,
            intermediate,
        })
    }

    pub(super) fn summary(&self) -> String {
        let names = match self.names.as_slice() {
            [] => "no host".to_owned(),
            names => names.join(", "),
        };
        let intermediate = self.intermediate.as_ref().map(|(subject, end)| {
            format!(
                " (in its chain, the certificate of {subject} only until {})",
                end.date
            )
        });
        format!(
            "the certificate of {} is for {names}, issued by {}, valid until {}{}",
            self.subject,
            self.issuer,
            self.end.date,
            intermediate.unwrap_or_default()
        )
    }
}

fn host(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            let v4 = <[u8; 4]>::try_from(bytes).map(|b| std::net::IpAddr::from(b).to_string());
            let v6 = <[u8; 16]>::try_from(bytes).map(|b| std::net::IpAddr::from(b).to_string());
            v4.or(v6).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn certificate_is_not_shown_when_it_cannot_be_parsed() {
        assert_eq!(ShownCertificate::from_chain(&[]), None);
        assert_eq!(ShownCertificate::from_chain(&[b"nonsense".to_vec()]), None);
    }

    #[test]
    fn certificate_days_left_are_whole_days_until_expiry() {
        let shown = ShownCertificate {
            subject: "CN=a".to_owned(),
            issuer: "CN=b".to_owned(),
            names: Vec::new(),
            end: Expiry {
                time: UNIX_EPOCH + Duration::from_secs(10 * 86_400),
                date: "1970-01-11".to_owned(),
            },
            intermediate: None,
        };
        let at = |s| UNIX_EPOCH + Duration::from_secs(s);
        assert_eq!(shown.end.days_left(at(0)), Some(10));
        assert_eq!(shown.end.days_left(at(1)), Some(9));
        assert_eq!(shown.end.days_left(at(10 * 86_400)), Some(0));
        assert_eq!(shown.end.days_left(at(10 * 86_400 + 1)), None);
        assert!(shown.summary().contains("for no host, issued by CN=b"));
    }
}
