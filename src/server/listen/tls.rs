//! TLS: a certificate with its key, and connections that have shaken hands.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};
use tokio_rustls::server::TlsStream;

/// How long a client may take to shake hands, and how many may be about to.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
const HANDSHAKES_MAX: usize = 256;
/// How long to wait where the system cannot take a connection, as when too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {what} from `{path}`, expected PEM")]
pub struct TlsError {
    what: &'static str,
    path: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// A certificate, those that vouch for it, and its key.
#[derive(Clone)]
pub struct Identity(Arc<ServerConfig>);

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
        type Cause = Box<dyn std::error::Error + Send + Sync>;
        let wrong =
            |what, path: &Path, source: Cause| TlsError { what, path: path.display().to_string(), source };
        let chain =
            CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(|error| wrong("a certificate", certificate, error.into()))?;
        let private =
            PrivateKeyDer::from_pem_file(key).map_err(|error| wrong("a private key", key, error.into()))?;
        let provider = Arc::new(crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config =
            builder.and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private));
        let mut config =
            config.map_err(|error| wrong("a certificate with its key", certificate, error.into()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// Connections to `listener` that speak TLS; who is slow to shake hands holds nobody up.
    pub(super) fn accept(self, listener: TcpListener) -> io::Result<TlsListener> {
        let address = listener.local_addr()?;
        let (sender, connections) = mpsc::channel(1);
        tokio::spawn(accept(listener, TlsAcceptor::from(self.0), sender));
        Ok(TlsListener { address, connections })
    }
}

type Connection = (TlsStream<TcpStream>, SocketAddr);

/// Where connections come from that have shaken hands.
pub(super) struct TlsListener {
    address: SocketAddr,
    connections: mpsc::Receiver<Connection>,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Connection {
        match self.connections.recv().await {
            Some(connection) => connection,
            // The runtime ends, and this with it.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, sender: mpsc::Sender<Connection>) {
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, address)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        tokio::spawn(async move {
            // Who cannot shake hands is told so by TLS itself.
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
                drop(sender.send((stream, address)).await);
            }
            drop(place);
        });
    }
}
