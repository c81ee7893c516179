//! TLS towards etcd: whom to trust, and who one is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EtcdTlsError {
    /// A file does not hold what it should.
    #[error("cannot read `{path}`: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: pem::Error,
    },
    /// No certificate is in the file.
    #[error("`{path}` holds no certificate, expected PEM")]
    Empty {
        /// Which.
        path: String,
    },
    /// The certificates, or the key, are not fit for it.
    #[error("the certificates for etcd cannot be used: {0}")]
    Unfit(#[from] rustls::Error),
}

/// Files with certificates, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdTls {
    /// Who signs the certificates of members.
    pub authorities: PathBuf,
    /// The certificate that members ask for, and its key.
    pub own: Option<(PathBuf, PathBuf)>,
}

impl EtcdTls {
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, EtcdTlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.authorities)? {
            roots.add(certificate)?;
        }
        // Named, for two providers in one program make it panic without.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = builder.with_root_certificates(roots);
        Ok(Arc::new(match &self.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error))?;
                builder.with_client_auth_cert(certificates(certificate)?, secret)?
            }
        }))
    }
}

fn wrong(path: &Path, error: pem::Error) -> EtcdTlsError {
    EtcdTlsError::File { path: path.display().to_string(), error }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, EtcdTlsError> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = all.map_err(|error| wrong(path, error))?;
    if all.is_empty() { Err(EtcdTlsError::Empty { path: path.display().to_string() }) } else { Ok(all) }
}
