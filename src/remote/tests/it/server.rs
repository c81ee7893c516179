//! Servers on TCP and on unix sockets, a connection after another.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A certificate and its key, in files.
pub(crate) struct Identity {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) der: CertificateDer<'static>,
}

/// One that vouches for itself, as those of LXD do.
pub(crate) fn identity(folder: &Path, name: &str) -> Identity {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let write = |end: &str, text: String| {
        let path = folder.join(format!("{name}.{end}"));
        std::fs::write(&path, text).expect("written");
        path
    };
    Identity {
        cert: write("crt", made.cert.pem()),
        key: write("key", made.signing_key.serialize_pem()),
        der: made.cert.der().clone(),
    }
}

/// What a server with TLS shakes hands with; with a client, only who has its certificate is let in.
pub(crate) fn server_config(own: &Identity, client: Option<&Identity>) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().expect("versions");
    let builder = match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let mut roots = RootCertStore::empty();
            roots.add(client.der.clone()).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
    };
    let key = PrivateKeyDer::from_pem_file(&own.key).expect("a key");
    Arc::new(builder.with_single_cert(vec![own.der.clone()], key).expect("an identity"))
}

/// A server on TCP that takes connections until the test is over.
pub(crate) struct Server {
    pub(crate) port: u16,
    requests: std::sync::mpsc::Receiver<String>,
}

impl Server {
    /// Answers every request so, with TLS or without.
    pub(crate) fn start(tls: Option<Arc<ServerConfig>>, answer: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let port = listener.local_addr().expect("an address").port();
        let (sender, requests) = std::sync::mpsc::channel();
        let answer = answer.into();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let request = match &tls {
                    None => serve(stream, &answer),
                    Some(config) => {
                        let connection = ServerConnection::new(Arc::clone(config)).expect("a connection");
                        serve(StreamOwned::new(connection, stream), &answer)
                    }
                };
                if request.is_some_and(|request| sender.send(request).is_err()) {
                    return;
                }
            }
        });
        Self { port, requests }
    }

    /// The next request.
    pub(crate) fn request(&self) -> String {
        self.requests.recv().expect("a request")
    }
}

/// Reads the head of a request and answers; None where nobody could ask.
fn serve(mut stream: impl Read + Write, answer: &str) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        request.push(byte[0]);
    }
    stream.write_all(answer.as_bytes()).ok()?;
    stream.flush().ok()?;
    String::from_utf8(request).ok()
}

/// A proxy for one connection; gives what it was asked.
pub(crate) fn proxy(to: u16) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("an address").port();
    let thread = thread::spawn(move || {
        let (mut near, _) = listener.accept().expect("a client");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            near.read_exact(&mut byte).expect("a request");
            head.push(byte[0]);
        }
        near.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").expect("answered");
        let mut far = TcpStream::connect(("127.0.0.1", to)).expect("connected");
        let (mut near_in, mut far_out) =
            (near.try_clone().expect("cloned"), far.try_clone().expect("cloned"));
        let there = thread::spawn(move || std::io::copy(&mut near_in, &mut far_out));
        // What the other side says last ends the connection.
        let _ = std::io::copy(&mut far, &mut near);
        let _ = near.shutdown(std::net::Shutdown::Both);
        let _ = there.join().expect("copied");
        String::from_utf8(head).expect("text")
    });
    (port, thread)
}
