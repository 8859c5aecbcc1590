//! Reads certificates from PEM files as they occur in practice: with text between the certificates,
//! with a byte-order mark, with line ends of any system, in UTF-16. Either every certificate in the
//! file is used, or the file is refused.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The labels of a block. The second one is an old name of the first.
const LABELS: [&str; 2] = ["CERTIFICATE", "X509 CERTIFICATE"];

/// The authorities in the file, or the reason why it is refused.
pub(super) fn roots(bytes: &[u8]) -> Result<RootCertStore, String> {
    let text = text(bytes);
    let mut roots = RootCertStore::empty();
    let blocks = announced(&text);
    for (index, block) in blocks.iter().enumerate() {
        // The lines are counted only for a message: a bundle has 200 kB.
        let problem = |why: &str| {
            let line = text.get(..block.start).map_or(0, |s| line_ends(s) + 1);
            let count = blocks.len();
            format!(
                "cannot be used: certificate {} of {count} (line {line}) {why}",
                index + 1
            )
        };
        let der = decode(&text, block).map_err(|why| problem(&why))?;
        roots
            .add(CertificateDer::from(der))
            .map_err(|e| problem(&format!("is not a certificate of an authority ({e})")))?;
    }
    if roots.is_empty() {
        return Err(match bytes {
            [0x30, 0x80..=0x84, ..] => {
                "is DER, not PEM: convert it with `openssl x509 -inform der`"
            }
            _ => "holds no certificate (no line -----BEGIN CERTIFICATE-----)",
        }
        .to_owned());
    }
    Ok(roots)
}

/// The file as text: UTF-8, or UTF-16 with or without a byte-order mark. Byte-order marks are
/// removed, also between joined files.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    let utf16 = |unit: fn([u8; 2]) -> u16| {
        let pairs = bytes.as_chunks().0.iter();
        let units: Vec<u16> = pairs.map(|pair: &[u8; 2]| unit(*pair)).collect();
        Cow::Owned(String::from_utf16_lossy(&units))
    };
    let text = match bytes {
        [0xff, 0xfe, ..] | [(1..), 0, ..] => utf16(u16::from_le_bytes),
        [0xfe, 0xff, ..] | [0, (1..), ..] => utf16(u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes),
    };
    if text.contains('\u{feff}') {
        return Cow::Owned(text.replace('\u{feff}', ""));
    }
    text
}

/// The number of line ends: LF, CR LF or CR.
fn line_ends(text: &str) -> usize {
    let cr = text.bytes().filter(|b| *b == b'\r').count();
    let lf = text.bytes().filter(|b| *b == b'\n').count();
    cr + lf - text.matches("\r\n").count()
}

/// A `BEGIN` line: its start, and the start of its contents.
struct Announced {
    start: usize,
    end: usize,
}

/// Every line that looks like the beginning of a certificate.
fn announced(text: &str) -> Vec<Announced> {
    let upper = text.to_ascii_uppercase();
    let mut found = Vec::new();
    for (begin, word) in upper.match_indices("BEGIN") {
        let before = upper.get(..begin).unwrap_or_default();
        let dashes = before.trim_end_matches(' ');
        let after = upper.get(begin + word.len()..).unwrap_or_default();
        let label = after.split(['-', '\r', '\n']).next().unwrap_or_default();
        let is_certificate = label
            .split_ascii_whitespace()
            .next_back()
            .is_some_and(|last| last == "CERTIFICATE");
        if dashes.ends_with('-') && is_certificate {
            // More than five dashes belong to the END line before, if the line end between them is
            // missing.
            let count = dashes.len() - dashes.trim_end_matches('-').len();
            let start = dashes.len() - count.min(5);
            let end = begin + word.len() + label.len();
            found.push(Announced { start, end });
        }
    }
    found
}

/// The bytes of a block.
fn decode(text: &str, block: &Announced) -> Result<Vec<u8>, String> {
    let begin = text.get(block.start..block.end).unwrap_or_default();
    let Some(label) = LABELS
        .into_iter()
        .find(|label| begin.strip_prefix("-----BEGIN ") == Some(*label))
    else {
        let hint = match begin.contains("TRUSTED") {
            true => ": convert it with `openssl x509`",
            false => ", but must begin with -----BEGIN CERTIFICATE-----",
        };
        return Err(format!("begins with {begin}{hint}"));
    };
    let rest = text.get(block.end..).unwrap_or_default();
    let Some(rest) = rest.strip_prefix("-----") else {
        return Err("has a BEGIN line that is cut off".to_owned());
    };
    let end = format!("-----END {label}-----");
    let body = rest
        .split_once(&end)
        .map(|(body, _)| body)
        .filter(|body| !body.contains("-----"))
        .ok_or("is cut off: its END line is missing")?;
    let body: String = body.split_ascii_whitespace().collect();
    ENGINE
        .decode(body)
        .map_err(|e| format!("is not PEM: its base64 is damaged ({e})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use esales_notify_sandbox::{Options, Sandbox, TlsIdentity};

    fn pem() -> String {
        let sandbox = Sandbox::start(Options {
            tls: Some(TlsIdentity::Valid),
            ..Options::default()
        });
        sandbox.unwrap().ca_pem().unwrap().to_owned()
    }

    #[test]
    fn pem_certificates_are_found_in_every_layout_of_the_file() {
        let (one, other) = (pem(), pem());
        let two = format!("{one}{other}");
        let indented = two.replace('\n', "\n    ");
        for (case, file) in [
            ("as it is", two.clone()),
            ("byte-order mark", format!("\u{feff}{two}")),
            ("two of them", format!("\u{feff}{one}\u{feff}{other}")),
            ("CR LF", two.replace('\n', "\r\n")),
            ("CR", two.replace('\n', "\r")),
            ("no last line end", two.trim_end().to_owned()),
            ("no line ends", two.replace('\n', "")),
            ("glued", format!("{}{other}", one.trim_end())),
            (
                "text",
                format!("# CA 1\n{one}\nIssuer: -- x --\n{other}\nend"),
            ),
            ("indented", format!("    {indented}")),
            ("blanks at line ends", two.replace('\n', " \t\n")),
            ("old label", two.replace("CERTIFICATE", "X509 CERTIFICATE")),
            (
                "with a key",
                format!("-----BEGIN EC PRIVATE KEY-----\n!\n-----END EC PRIVATE KEY-----\n{two}"),
            ),
        ] {
            let roots = roots(file.as_bytes()).unwrap_or_else(|e| panic!("{case}: {e}"));
            assert_eq!(roots.len(), 2, "{case}");
            for mark in ["", "\u{feff}"] {
                let units: Vec<u16> = format!("{mark}{file}").encode_utf16().collect();
                let le: Vec<u8> = units.iter().flat_map(|u| u.to_le_bytes()).collect();
                let be: Vec<u8> = units.iter().flat_map(|u| u.to_be_bytes()).collect();
                assert_eq!(super::roots(&le).unwrap().len(), 2, "{case}, UTF-16 LE");
                assert_eq!(super::roots(&be).unwrap().len(), 2, "{case}, UTF-16 BE");
            }
        }
    }

    #[test]
    fn pem_file_is_refused_with_the_line_when_a_certificate_is_unusable() {
        let good = pem();
        let lines = good.lines().count();
        let second = lines + 1;
        for (bad, message) in [
            (
                good.replace("-----END CERTIFICATE-----\n", ""),
                "END line is missing",
            ),
            (
                good.replace("-----END CERTIFICATE-----", "-----END CERT"),
                "END line is missing",
            ),
            (
                good.lines().take(3).collect::<Vec<_>>().join("\n"),
                "END line is missing",
            ),
            (good.replace("-----BEGIN", "----BEGIN"), "must begin with"),
            (
                good.replace("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE"),
                "cut off",
            ),
            (good.replace("BEGIN CERT", "begin cert"), "must begin with"),
            (
                good.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
                "openssl x509",
            ),
            (good.replace("MII", "!II"), "base64"),
            (good.replace('\n', "\n#"), "base64"),
            (good.replace('\n', "\\n"), "base64"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".to_owned(),
                "not a certificate",
            ),
        ] {
            let error = roots(format!("{good}{bad}\n").as_bytes()).unwrap_err();
            assert!(error.contains(message), "{bad}: {error}");
            assert!(
                error.contains(&format!("certificate 2 of 2 (line {second})")),
                "{error}"
            );
        }
        for (file, message) in [
            (&b""[..], "holds no certificate"),
            (b"text", "holds no certificate"),
            (b"\x30\x82\x01\x02", "is DER"),
            (
                b"-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----",
                "holds no certificate",
            ),
        ] {
            let error = roots(file).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
