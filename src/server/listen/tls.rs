//! TLS: a certificate with its key, and what is asked of those who connect.

use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName as Subject, RootCertStore,
    ServerConfig, SignatureScheme,
};

use crate::certificate::Certificate;
use crate::file::{make_private, write_private};

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file is not there, or is something else.
    #[error("cannot read {what} from `{path}`, expected PEM")]
    Read {
        /// What was to be read.
        what: &'static str,
        /// From where.
        path: String,
        /// Why it cannot be.
        source: Cause,
    },
    /// There is no certificate, and none can be made.
    #[error("cannot make a certificate with its key in `{path}`")]
    Make {
        /// Where.
        path: String,
        /// Why it cannot be.
        source: Cause,
    },
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A certificate, those that vouch for it, and its key.
#[derive(Clone)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
    certificate: Certificate,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

impl Identity {
    /// Reads both from files.
    ///
    /// # Errors
    ///
    /// [`TlsError`] when they are not there, are no PEM, or do not belong together.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let wrong = |what, path: &Path, source: Cause| TlsError::Read {
            what,
            path: path.display().to_string(),
            source,
        };
        let chain =
            CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(|error| wrong("a certificate", certificate, error.into()))?;
        let private =
            PrivateKeyDer::from_pem_file(key).map_err(|error| wrong("a private key", key, error.into()))?;
        let first = chain.first().and_then(|first| Certificate::new(first));
        let first = first.ok_or_else(|| wrong("a certificate", certificate, "there is none in it".into()))?;
        let identity = Self { chain, key: Arc::new(private), certificate: first };
        match identity.server(None) {
            Ok(_) => Ok(identity),
            Err(error) => Err(wrong("a certificate with its key", certificate, error.into())),
        }
    }

    /// Reads `server.crt` and `server.key` of a directory, and makes them where they are missing.
    pub fn open(directory: &Path) -> Result<Self, TlsError> {
        let (certificate, key) = (directory.join("server.crt"), directory.join("server.key"));
        if !(certificate.exists() && key.exists()) {
            let wrong = |source| TlsError::Make { path: directory.display().to_string(), source };
            make(directory, &certificate, &key).map_err(wrong)?;
        }
        Self::read(&certificate, &key)
    }

    /// What it shows.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// As a server for anybody.
    pub(super) fn for_anybody(&self) -> Result<ServerConfig, rustls::Error> {
        self.server(None)
    }

    /// As a server that asks for the client's certificate, and takes any that is not out of date, and none.
    pub(super) fn for_known(&self) -> Result<ServerConfig, rustls::Error> {
        self.server(Some(Arc::new(AnyClient(algorithms()))))
    }

    fn server(&self, clients: Option<Arc<AnyClient>>) -> Result<ServerConfig, rustls::Error> {
        let builder =
            ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(clients),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// As a client of a server that is the same.
    pub(crate) fn for_same(&self) -> Result<ClientConfig, rustls::Error> {
        let same = SameServer { certificate: self.certificate.clone(), algorithms: algorithms() };
        let builder =
            ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(same));
        builder.with_client_auth_cert(self.chain.clone(), self.key.clone_key())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn algorithms() -> WebPkiSupportedAlgorithms {
    ring::default_provider().signature_verification_algorithms
}

/// A certificate that vouches for itself, as LXD has one: clients know it by its fingerprint.
fn make(directory: &Path, certificate: &Path, key: &Path) -> Result<(), Cause> {
    make_private(directory)?;
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "localhost" } else { host.trim() };
    let names = [host, "localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "charmd");
    params.distinguished_name.push(DnType::CommonName, host);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let pair = KeyPair::generate()?;
    let made = params.self_signed(&pair)?;
    // The key first: a certificate is there only with its key.
    write_private(key, pair.serialize_pem().as_bytes())?;
    Ok(write_private(certificate, made.pem().as_bytes())?)
}

/// Takes any certificate whose key the client has; whether it is trusted is asked at every request.
#[derive(Debug)]
struct AnyClient(WebPkiSupportedAlgorithms);

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[Subject] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        // Nobody signed it whom we know: of what is wrong with it, the time alone counts, and comes first.
        let found = rustls::client::verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &RootCertStore::empty(),
            &[],
            now,
            self.0.all,
        );
        match found {
            Err(rustls::Error::InvalidCertificate(
                error @ (CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }),
            )) => Err(error.into()),
            _ => Ok(ClientCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// Takes one certificate, whatever name it has.
#[derive(Debug)]
struct SameServer {
    certificate: Certificate,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for SameServer {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if certificate == self.certificate.as_der() {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
