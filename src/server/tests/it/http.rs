//! `charmd` on TCP: descriptions, packed answers, quotas, TLS.

#![expect(clippy::disallowed_methods, reason = "starts the server, and writes its files")]

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use charms_reactive_server::runtimeconfig::{discovery, openapi};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A server on TCP, killed when dropped.
pub(crate) struct Charmd {
    child: Child,
    /// `http` or `https`.
    scheme: String,
    address: String,
}

impl Charmd {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_charmd"))
            .args(["serve", "--http", "127.0.0.1:0"])
            .args(args)
            .stderr(Stdio::piped())
            .spawn()
            .expect("charmd starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let line = lines.next().expect("a line").expect("a line");
        std::thread::spawn(move || lines.for_each(drop));
        let url = line.strip_prefix("info: listening on ").unwrap_or_else(|| panic!("{line}"));
        let (scheme, address) = url.split_once("://").expect("a URL");
        Self { child, scheme: scheme.to_owned(), address: address.to_owned() }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        stream
    }

    /// The head and the body of an answer.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (String, Vec<u8>) {
        exchange(self.connect(), &self.address, method, path, headers, body)
    }

    fn json(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let (head, body) = self.ask(method, path, "", body);
        (status(&head), serde_json::from_slice(&body).expect("JSON"))
    }
}

impl Drop for Charmd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn exchange(
    mut stream: impl Read + Write,
    host: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> (String, Vec<u8>) {
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
    .expect("sent");
    stream.flush().expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    (String::from_utf8_lossy(&answer[..end]).to_lowercase(), answer[end + 4..].to_vec())
}

pub(crate) fn status(head: &str) -> u16 {
    head.split(' ').nth(1).expect("a status").parse().expect("a number")
}

#[test]
fn the_descriptions_are_served_with_the_address_that_was_asked() {
    let charmd = Charmd::start(&[]);
    assert_eq!(charmd.json("GET", "/openapi.json", ""), (200, openapi()));
    let described = (200, discovery(&format!("http://{}/", charmd.address)));
    assert_eq!(charmd.json("GET", "/$discovery/rest?version=v1beta1", ""), described);
    assert_eq!(charmd.json("GET", "/discovery/v1/apis/runtimeconfig/v1beta1/rest", ""), described);
    assert_eq!(charmd.json("POST", "/openapi.json", "").0, 404);
}

#[test]
fn long_answers_are_packed_for_those_who_unpack() {
    let charmd = Charmd::start(&[]);
    let (head, plain) = charmd.ask("GET", "/openapi.json", "", "");
    assert!(!head.contains("content-encoding"), "{head}");
    let (head, packed) = charmd.ask("GET", "/openapi.json", "accept-encoding: gzip, deflate\r\n", "");
    assert!(head.contains("content-encoding: gzip") && head.contains("accept-encoding"), "{head}");
    let mut unpacked = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).expect("gzip");
    assert_eq!(unpacked, plain);
    assert!(packed.len() * 4 < plain.len(), "{} of {}", packed.len(), plain.len());
    let (head, short) = charmd.ask("GET", "/v1beta1/projects/p/configs", "accept-encoding: gzip\r\n", "");
    assert!(!head.contains("content-encoding") && short == b"{}\n", "{head}");
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let charmd = Charmd::start(&[]);
    let mut stream = BufReader::new(charmd.connect());
    for _ in 0..3 {
        let request = format!("GET /v1beta1/projects/p/configs HTTP/1.1\r\nhost: {}\r\n\r\n", charmd.address);
        stream.get_mut().write_all(request.as_bytes()).expect("sent");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).expect("a line"), 0, "{head}");
        }
        assert!(head.contains("content-length: 3\r\n"), "{head}");
        stream.read_exact(&mut [0; 3]).expect("a body");
    }
}

#[test]
fn quotas_are_off_unless_asked_for_and_then_answered_with_429() {
    let list = "/v1beta1/projects/p/configs";
    let charmd = Charmd::start(&["--quotas", "1,0,2"]);
    let create = |name: &str| {
        charmd.json("POST", list, &json!({ "name": format!("projects/p/configs/{name}") }).to_string())
    };
    assert_eq!(create("a").0, 200);
    let (status, refused) = create("b");
    assert_eq!((status, &refused["error"]["status"]), (429, &json!("RESOURCE_EXHAUSTED")));
    let message = "Quota exceeded for write requests per minute of project `p`: 1";
    assert_eq!(refused["error"]["message"], message);
    assert_eq!(refused["error"]["errors"][0]["reason"], "rateLimitExceeded");
    assert_eq!([0; 3].map(|_| charmd.json("GET", list, "").0), [200, 200, 429]);
    assert_eq!(charmd.json("GET", "/v1beta1/projects/q/configs", "").0, 200);
    let charmd = Charmd::start(&["--quotas"]);
    assert_eq!(charmd.json("GET", list, "").0, 200);
}

#[test]
fn json_is_read_as_people_write_it() {
    let charmd = Charmd::start(&[]);
    let (status, made) = charmd.json("POST", "/v1beta1/projects/p/configs", "{name: 'projects/p/configs/c'}");
    assert_eq!((status, &made["name"]), (200, &json!("projects/p/configs/c")));
    let (status, refused) = charmd.json("POST", "/v1beta1/projects/p/configs", "{name: projects}");
    assert_eq!(status, 400);
    let message = "Invalid JSON payload received. key must be a string at line 1 column 2.";
    assert_eq!(refused["error"]["message"], message);
}

/// A certificate for this machine and its key, in files.
fn certificate(folder: &Path) -> rcgen::CertifiedKey<rcgen::KeyPair> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]);
    let made = made.expect("a certificate");
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).expect("written");
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
    std::fs::write(folder.join("token"), "s3cret\n").expect("written");
    made
}

#[test]
fn tls_is_spoken_with_the_certificate_and_asks_for_the_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = certificate(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key, token) = (path("cert.pem"), path("key.pem"), path("token"));
    let charmd = Charmd::start(&["--tls-cert", &cert, "--tls-key", &key, "--token-file", &token]);
    assert_eq!(charmd.scheme, "https");
    // Who never shakes hands holds nobody up.
    let _silent: Vec<TcpStream> = (0..50).map(|_| charmd.connect()).collect();
    let client = |trusted: bool, versions: &[&'static rustls::SupportedProtocolVersion]| {
        let mut roots = RootCertStore::empty();
        if trusted {
            roots.add(made.cert.der().clone()).expect("a certificate");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
        let config = builder.expect("versions").with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
        StreamOwned::new(connection, charmd.connect())
    };
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let ask = |path: &str, headers: &str| {
            let (head, body) = exchange(client(true, &[version]), "localhost:1", "GET", path, headers, "");
            (status(&head), serde_json::from_slice::<Value>(&body).expect("JSON"))
        };
        let list = "/v1beta1/projects/p/configs";
        assert_eq!(ask(list, "").0, 401);
        assert_eq!(ask(list, "authorization: Bearer other\r\n").0, 403);
        assert_eq!(ask(list, "authorization: Bearer s3cret\r\n"), (200, json!({})));
        let (_, described) = ask("/$discovery/rest", "authorization: Bearer s3cret\r\n");
        assert_eq!(described["rootUrl"], "https://localhost:1/");
    }
    let mut wary = client(false, &[&rustls::version::TLS13]);
    let error = wary.write_all(b"GET / HTTP/1.1\r\n\r\n").expect_err("nobody vouches for it");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    // Without TLS nothing is said.
    let mut plain = charmd.connect();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn tls_is_refused_where_a_file_is_missing_or_another_one() {
    let folder = tempfile::tempdir().expect("a folder");
    certificate(folder.path());
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_charmd"))
            .args(["serve", "--http"])
            .args(args)
            .current_dir(folder.path())
            .output()
            .expect("charmd starts");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let swapped = run(&["127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "cert.pem"]);
    assert!(
        swapped.starts_with(
            "charmd: cannot speak TLS: cannot read a private key from `cert.pem`, expected PEM: "
        ),
        "{swapped}"
    );
    let none = run(&["127.0.0.1:0", "--tls-cert", "none", "--tls-key", "key.pem"]);
    assert!(
        none.starts_with("charmd: cannot speak TLS: cannot read a certificate from `none`, expected PEM: "),
        "{none}"
    );
    let alone = run(&["127.0.0.1:0", "--tls-cert", "cert.pem"]);
    assert!(alone.contains("--tls-key <FILE>"), "{alone}");
    let open = run(&["0.0.0.0:0", "--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
    assert!(
        open.contains(
            "`0.0.0.0:0` is reachable from other machines, expected a certificate with its key and a token"
        ),
        "{open}"
    );
}
