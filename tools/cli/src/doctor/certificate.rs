//! Whose certificate it is and how long it holds, for the eye; whether it is trusted is the library's to say.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What is told of a chain of certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) subject: String,
    pub(super) issuer: String,
    /// The hosts that it is for.
    pub(super) names: Vec<String>,
    /// The first end in the chain; the certificate's own as a date.
    pub(super) ends: SystemTime,
    pub(super) until: String,
}

impl Shown {
    /// Of the chain as the service shows it, its own first; `None` if that is no certificate.
    pub(super) fn of(chain: &[Vec<u8>]) -> Option<Shown> {
        let (_, own) = X509Certificate::from_der(chain.first()?).ok()?;
        let ends = chain
            .iter()
            .filter_map(|der| X509Certificate::from_der(der).ok())
            .map(|(_, certificate)| certificate.validity().not_after)
            .min()?;
        let names = own.subject_alternative_name().ok()?;
        let names = names.map_or_else(Vec::new, |extension| {
            extension
                .value
                .general_names
                .iter()
                .filter_map(host)
                .collect()
        });
        Some(Shown {
            subject: own.subject().to_string(),
            issuer: own.issuer().to_string(),
            names,
            ends: UNIX_EPOCH + Duration::from_secs(ends.timestamp().try_into().unwrap_or(0)),
            until: ends.to_datetime().date().to_string(),
        })
    }

    /// Whole days from `now` to the end; `None` if that was before.
    pub(super) fn days_left(&self, now: SystemTime) -> Option<u64> {
        let left = self.ends.duration_since(now).ok()?;
        Some(left.as_secs() / 86_400)
    }

    pub(super) fn in_words(&self) -> String {
        let names = match self.names.as_slice() {
            [] => "no host".to_owned(),
            names => names.join(", "),
        };
        format!(
            "the certificate of {} is for {names}, issued by {}, valid until {}",
            self.subject, self.issuer, self.until
        )
    }
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|b| std::net::IpAddr::from(b).to_string());
            let v6 = <[u8; 16]>::try_from(*bytes).map(|b| std::net::IpAddr::from(b).to_string());
            v4.or(v6).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_not_shown() {
        assert_eq!(Shown::of(&[]), None);
        assert_eq!(Shown::of(&[b"nonsense".to_vec()]), None);
    }

    #[test]
    fn days_are_whole_and_end() {
        let shown = Shown {
            subject: "CN=a".to_owned(),
            issuer: "CN=b".to_owned(),
            names: Vec::new(),
            ends: UNIX_EPOCH + Duration::from_secs(10 * 86_400),
            until: "1970-01-11".to_owned(),
        };
        let at = |s| UNIX_EPOCH + Duration::from_secs(s);
        assert_eq!(shown.days_left(at(0)), Some(10));
        assert_eq!(shown.days_left(at(1)), Some(9));
        assert_eq!(shown.days_left(at(10 * 86_400)), Some(0));
        assert_eq!(shown.days_left(at(10 * 86_400 + 1)), None);
        assert!(shown.in_words().contains("for no host, issued by CN=b"));
    }
}
