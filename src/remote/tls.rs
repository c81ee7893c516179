//! TLS: whose certificates are trusted, and who one is.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use crate::options::OptionsError;

/// Where systems keep the certificates that they trust: Debian, Red Hat, SUSE.
const SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// How a server is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Its certificate is vouched for by one in this file, and has its name in it.
    Authorities(PathBuf),
    /// The same by one of those that the system trusts.
    System,
    /// It has this certificate.
    Certificate(PathBuf),
    /// The digest of its certificate is this one: SHA-256 in hexadecimal digits.
    Fingerprint(String),
    /// Not at all.
    Anybody,
}

/// What TLS is spoken with.
///
/// # Errors
///
/// [`OptionsError`] when a file is not there, is no PEM, or the certificate and the key do not belong together.
pub(crate) fn config(
    trust: &Trust,
    identity: Option<(&Path, &Path)>,
) -> Result<Arc<ClientConfig>, OptionsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let expected = match trust {
        Trust::Authorities(path) => {
            verifier(path, &provider).map(|verifier| verifier as Arc<dyn ServerCertVerifier>)
        }
        Trust::System => {
            let found = SYSTEM.iter().map(Path::new).find(|path| path.is_file());
            verifier(found.unwrap_or(Path::new(SYSTEM[0])), &provider)
                .map(|verifier| verifier as Arc<dyn ServerCertVerifier>)
        }
        Trust::Certificate(path) => {
            let certificates = certificates(path)?;
            Ok(pinned(certificates.first().map(|certificate| fingerprint(certificate)), &provider))
        }
        Trust::Fingerprint(text) => Ok(pinned(Some(plain(text)?), &provider)),
        Trust::Anybody => Ok(pinned(None, &provider)),
    }?;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| OptionsError::Tls(error.to_string()))?;
    let builder = builder.dangerous().with_custom_certificate_verifier(expected);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let private = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| OptionsError::File { path: key.to_owned(), reason: error.to_string() })?;
            builder.with_client_auth_cert(chain, private).map_err(|error| OptionsError::File {
                path: key.to_owned(),
                reason: format!("not the key of `{}`: {error}", certificate.display()),
            })?
        }
    };
    Ok(Arc::new(config))
}

/// The certificates of a file, of which there is at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, OptionsError> {
    let wrong = |reason: String| OptionsError::File { path: path.to_owned(), reason };
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() {
        return Err(wrong("no certificate in it, expected PEM".to_owned()));
    }
    Ok(found)
}

fn verifier(path: &Path, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, OptionsError> {
    let wrong = |reason: String| OptionsError::File { path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    // Systems trust some that are too old to be read.
    let (_, ignored) = roots.add_parsable_certificates(certificates(path)?);
    if roots.is_empty() {
        return Err(wrong(format!("none of its {ignored} certificates can be read")));
    }
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    builder.build().map_err(|error| wrong(error.to_string()))
}

fn pinned(expected: Option<String>, provider: &Arc<CryptoProvider>) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Pinned { expected, provider: Arc::clone(provider) })
}

/// A digest without colons, in lower case.
fn plain(text: &str) -> Result<String, OptionsError> {
    let digits: String = text.chars().filter(|letter| *letter != ':').collect();
    if digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(digits.to_ascii_lowercase());
    }
    Err(OptionsError::Tls(format!(
        "fingerprint `{}` is not valid, expected the 64 hexadecimal digits of a SHA-256",
        text.escape_default()
    )))
}

/// What a certificate is known by: SHA-256 in hexadecimal digits, as `lxc` shows it.
fn fingerprint(certificate: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
    digest.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Takes the certificate of one digest, whatever else it says: those of LXD vouch for themselves.
#[derive(Debug)]
struct Pinned {
    /// None: any.
    expected: Option<String>,
    provider: Arc<CryptoProvider>,
}

/// The server has another certificate.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the server has a certificate with the fingerprint {found}, expected {expected}")]
struct Other {
    found: String,
    expected: String,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = fingerprint(end_entity);
        match &self.expected {
            Some(expected) if *expected != found => {
                let other = Other { found, expected: expected.clone() };
                // As an error of the certificate it would be shown as code.
                Err(rustls::Error::Other(OtherError(Arc::new(other))))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_that_of_openssl_with_or_without_colons() {
        assert_eq!(fingerprint(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let colons =
            "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";
        assert_eq!(plain(colons).expect("a fingerprint"), fingerprint(b""));
        for text in ["", "e3", &"g".repeat(64)] {
            assert!(plain(text).is_err(), "{text}");
        }
    }
}
