//! Certificates of servers and clients, by their fingerprints.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pem::{EncodeConfig, LineEnding, Pem};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::ParsedCertificate;

/// A certificate; who signed it does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate(CertificateDer<'static>);

impl Certificate {
    /// The certificate in these bytes (DER); None where they are none.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let certificate = CertificateDer::from(bytes).into_owned();
        ParsedCertificate::try_from(&certificate).is_ok().then_some(Self(certificate))
    }

    /// Parses PEM, or what stands between its first line and its last, as clients of LXD send it.
    pub fn parse(text: &str) -> Option<Self> {
        if text.contains("-----BEGIN") {
            return Self::new(&CertificateDer::from_pem_slice(text.as_bytes()).ok()?);
        }
        let letters: String = text.split_whitespace().collect();
        Self::new(&STANDARD.decode(letters).ok()?)
    }

    /// Its name: SHA-256 of the whole, in 64 lower-case hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.0);
        hex(digest.as_ref())
    }

    /// As text.
    pub fn to_pem(&self) -> String {
        let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
        pem::encode_config(&Pem::new("CERTIFICATE", self.0.as_ref()), lines)
    }

    pub(crate) fn as_der(&self) -> &CertificateDer<'static> {
        &self.0
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text can be written to");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_read_as_clients_write_it() {
        let made = rcgen::generate_simple_self_signed(["x".to_owned()]).expect("a certificate");
        let text = made.cert.pem();
        let certificate = Certificate::parse(&text).expect("PEM");
        assert_eq!(Certificate::parse(&certificate.to_pem()), Some(certificate.clone()));
        let lines: Vec<&str> = text.lines().collect();
        // pylxd sends the lines between the first and the last, `lxc` the same in one line.
        for inner in [lines[1..lines.len() - 1].join("\n"), lines[1..lines.len() - 1].concat()] {
            assert_eq!(Certificate::parse(&inner), Some(certificate.clone()));
        }
        assert_eq!(certificate.fingerprint().len(), 64);
        for other in ["", "AAAA", "x y", "-----BEGIN CERTIFICATE-----", &text[..200]] {
            assert_eq!(Certificate::parse(other), None, "{other}");
        }
    }
}
