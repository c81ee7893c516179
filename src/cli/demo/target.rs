//! Something to scrape: an HTTPS server on loopback that wants a client certificate.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, Stream};

/// How long a client may take for one request.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// How long a request may be.
const REQUEST_BYTES_MAX: usize = 16 * 1024;

const METRICS: &str = "\
# HELP demo_answer The answer.
# TYPE demo_answer gauge
demo_answer 42
";

/// What an operator would have been given, PEM.
pub(super) struct Certificates {
    pub(super) ca: String,
    pub(super) client: String,
    pub(super) client_key: String,
}

/// An HTTPS server that answers every request with a metric; it ends with the program.
pub(super) struct Target {
    address: SocketAddr,
    certificates: Certificates,
}

impl Target {
    /// Makes certificates for this run alone, and serves.
    pub(super) fn start() -> anyhow::Result<Self> {
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, "demo authority");
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;

        let server_key = KeyPair::generate()?;
        let server = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&server_key, &ca)?;
        let client_key = KeyPair::generate()?;
        let mut client = CertificateParams::new(Vec::new())?;
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        client.distinguished_name.push(DnType::CommonName, "prometheus");
        let client = client.signed_by(&client_key, &ca)?;

        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![server.der().clone()], key)?;

        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on 127.0.0.1")?;
        let address = listener.local_addr()?;
        let config = Arc::new(config);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = config.clone();
                // A client that goes away in the middle is its own business.
                thread::spawn(move || serve(config, stream).ok());
            }
        });
        let certificates =
            Certificates { ca: ca.pem(), client: client.pem(), client_key: client_key.serialize_pem() };
        Ok(Self { address, certificates })
    }

    pub(super) fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}/metrics", self.address)
    }

    /// The scrape jobs that an operator would write for it.
    pub(super) fn jobs(&self) -> String {
        format!(
            "- job_name: demo\n  scheme: https\n  static_configs:\n    - targets: [\"{}\"]\n  tls_config:\n    \
             ca_file: placeholder\n    cert_file: placeholder\n    key_file: placeholder\n",
            self.address
        )
    }
}

/// Answers one request.
fn serve(config: Arc<ServerConfig>, mut socket: TcpStream) -> anyhow::Result<()> {
    socket.set_read_timeout(Some(REQUEST_LIMIT))?;
    socket.set_write_timeout(Some(REQUEST_LIMIT))?;
    let mut connection = ServerConnection::new(config)?;
    let mut stream = Stream::new(&mut connection, &mut socket);
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") && request.len() < REQUEST_BYTES_MAX {
        match stream.read(&mut part)? {
            0 => return Ok(()),
            count => request.extend_from_slice(&part[..count]),
        }
    }
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{METRICS}",
        METRICS.len()
    )?;
    stream.flush()?;
    connection.send_close_notify();
    connection.complete_io(&mut socket)?;
    Ok(())
}

/// A port on loopback that nobody listens on.
pub(super) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").context("cannot listen on 127.0.0.1")?.local_addr()?.port())
}
