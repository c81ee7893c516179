//! Operations over TLS: who is trusted, and how one comes to be.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, CertifiedKey, KeyPair};
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tungstenite::Message;

use super::client::{Client, id_of, unchunked};
use crate::charmd::Charmd;

/// A server that is also reached over TLS.
pub(crate) struct Tls {
    pub(crate) client: Client,
    pub(crate) address: String,
    certificate: PathBuf,
}

impl Tls {
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut all = vec!["--https".to_owned(), "127.0.0.1:0".to_owned()];
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        Self::start_at(folder, all, folder.join("data/server.crt"))
    }

    /// With all of its arguments, and the certificate that it shows.
    pub(crate) fn start_at(folder: &Path, arguments: Vec<String>, certificate: PathBuf) -> Self {
        let log = folder.join("charmd.log");
        let before = std::fs::read_to_string(&log).unwrap_or_default().len();
        let mut all = vec!["--data".to_owned(), folder.join("data").display().to_string()];
        all.extend(arguments);
        let client = Client { server: Charmd::start(folder, &all) };
        let begin = Instant::now();
        let address = loop {
            let text = std::fs::read_to_string(&log).expect("a log");
            if let Some((_, rest)) = text[before..].split_once("operations are at https://")
                && let Some((address, _)) = rest.split_once('\n')
            {
                break address.to_owned();
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "{text}");
        };
        Self { client, address, certificate }
    }

    /// A connection of somebody who shows a certificate, or none.
    pub(crate) fn connect(&self, shown: Option<&Shown>) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(&self.certificate).expect("a certificate"))
            .expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("versions").with_root_certificates(roots);
        let config = match shown {
            None => builder.with_no_client_auth(),
            Some(made) => {
                let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes());
                builder
                    .with_client_auth_cert(vec![made.cert.der().clone()], key.expect("a key"))
                    .expect("they belong together")
            }
        };
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
        let stream = TcpStream::connect(&self.address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        StreamOwned::new(connection, stream)
    }

    /// Status and body of an answer.
    pub(crate) fn ask(&self, shown: Option<&Shown>, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut stream = self.connect(shown);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .expect("sent");
        let mut answer = Vec::new();
        // A server need not say goodbye.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        let is_chunked = head.contains("transfer-encoding: chunked");
        let text = if is_chunked { unchunked(body) } else { body.to_owned() };
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {body}")))
    }

    /// A token's operation.
    fn token(&self) -> Value {
        let body = json!({"type": "client", "name": "laptop", "token": true});
        let (head, answer) = self.client.ask("POST", "/1.0/certificates", &body.to_string());
        assert!(head.starts_with("HTTP/1.1 202 "), "{head}");
        answer["metadata"].clone()
    }
}

pub(crate) type Shown = CertifiedKey<KeyPair>;

/// A certificate of a client, or of a member, with its key.
pub(crate) fn certificate() -> Shown {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate")
}

fn base64(made: &Shown) -> String {
    let text = made.cert.pem();
    let lines: Vec<&str> = text.lines().collect();
    lines[1..lines.len() - 1].concat()
}

fn error(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"].as_str().unwrap_or_else(|| panic!("no error: {answer:?}")))
}

#[test]
fn strangers_see_that_there_is_a_server_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let tls = Tls::start(folder.path(), &[]);
    let id = tls.client.start_demo(&json!({"duration": 30}));
    let known = certificate();
    for shown in [None, Some(&known)] {
        assert_eq!(tls.ask(shown, "GET", "/", &Value::Null).1["metadata"], json!(["/1.0"]));
        let (status, server) = tls.ask(shown, "GET", "/1.0", &Value::Null);
        let server = &server["metadata"];
        assert_eq!((status, &server["auth"]), (200, &json!("untrusted")));
        assert_eq!((server.get("environment"), server.get("auth_user_name")), (None, None));
        for (method, path) in [
            ("GET", "/1.0/operations".to_owned()),
            ("POST", "/1.0/operations".to_owned()),
            ("GET", format!("/1.0/operations/{id}")),
            ("DELETE", format!("/1.0/operations/{id}")),
            ("GET", format!("/1.0/operations/{id}/wait?timeout=0")),
            ("GET", "/1.0/events".to_owned()),
            ("GET", "/1.0/certificates".to_owned()),
            ("GET", "/1.0/nothing".to_owned()),
        ] {
            let answer = tls.ask(shown, method, &path, &Value::Null);
            assert_eq!(error(&answer), (403, "Forbidden"), "{method} {path}");
        }
        let answer = tls.ask(shown, "POST", "/1.0/certificates", &json!({"token": true}));
        assert_eq!(error(&answer), (403, "Forbidden"), "tokens are made by those who are trusted");
        let answer = tls.ask(shown, "POST", "/1.0/certificates", &json!({"type": "client"}));
        assert_eq!(error(&answer), (403, "Forbidden"), "and nobody comes in without one");
        let long = json!({"type": "client", "password": "x".repeat(70_000)});
        assert_eq!(tls.ask(shown, "POST", "/1.0/certificates", &long).0, 413);
    }
    assert_eq!(tls.client.get(&format!("/1.0/operations/{id}")).1["metadata"]["status"], "Running");
}

#[test]
fn a_token_lets_one_client_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let tls = Tls::start(folder.path(), &[]);
    let (first, second) = (certificate(), certificate());
    let token = tls.token();
    let details = &token["metadata"];
    assert_eq!((&token["class"], &details["addresses"]), (&json!("token"), &json!([tls.address])));
    let add = |shown: Option<&Shown>, secret: &str| {
        tls.ask(shown, "POST", "/1.0/certificates", &json!({"type": "client", "trust_token": secret}))
    };
    assert_eq!(error(&add(Some(&first), "0123")), (403, "The trust token is not known"));
    let secret = details["secret"].as_str().expect("a secret");
    let expected = (400, "No client certificate provided, neither in the request nor over TLS");
    assert_eq!(error(&add(None, secret)), expected);
    let (status, answer) = add(Some(&first), secret);
    assert_eq!((status, &answer["type"]), (201, &json!("sync")), "{answer}");
    let used = (403, "The trust token is no longer good: it was used");
    assert_eq!(error(&add(Some(&second), secret)), used);
    let (_, list) = tls.client.get("/1.0/certificates?recursion=1");
    let trusted = &list["metadata"][0];
    assert_eq!((&trusted["name"], &trusted["type"]), (&json!("laptop"), &json!("client")));
    assert_eq!(trusted["certificate"], first.cert.pem().replace("\r\n", "\n"));
    let fingerprint = trusted["fingerprint"].as_str().expect("text");
    let id = id_of(&json!({ "metadata": token }));
    assert_eq!(tls.client.get(&format!("/1.0/operations/{id}")).1["metadata"]["status"], "Cancelled");
    // From now on it may do everything, and is known by its certificate.
    let server = tls.ask(Some(&first), "GET", "/1.0", &Value::Null).1;
    assert_eq!(server["metadata"]["auth_user_name"], fingerprint);
    let (status, started) = tls.ask(Some(&first), "POST", "/1.0/operations", &json!({"kind": "demo"}));
    let requestor = &started["metadata"]["requestor"];
    assert_eq!((status, &requestor["protocol"]), (202, &json!("tls")));
    assert_eq!(requestor["username"], fingerprint);
    // Until it is trusted no longer: at once.
    let begin = &fingerprint[..12];
    assert_eq!(tls.client.delete(&format!("/1.0/certificates/{begin}"), "").0, 200);
    assert_eq!(error(&tls.ask(Some(&first), "GET", "/1.0/operations", &Value::Null)), (403, "Forbidden"));
    assert_eq!(tls.client.delete(&format!("/1.0/certificates/{begin}"), "").0, 404);
}

#[test]
fn a_token_is_good_for_a_while() {
    let folder = tempfile::tempdir().expect("a folder");
    let tls = Tls::start(folder.path(), &["--token-age", "1"]);
    let token = tls.token();
    let id = id_of(&json!({ "metadata": token }));
    let (_, over) = tls.client.get(&format!("/1.0/operations/{id}/wait?timeout=20"));
    assert_eq!(
        (&over["metadata"]["status"], &over["metadata"]["err"]),
        (&json!("Cancelled"), &json!("cancelled: it has expired"))
    );
    let secret = &token["metadata"]["secret"];
    let answer = tls.ask(Some(&certificate()), "POST", "/1.0/certificates", &json!({ "password": secret }));
    assert_eq!(error(&answer), (403, "The trust token is no longer good: it has expired"));
}

#[test]
fn who_is_trusted_is_kept_and_nobody_else_can_read_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let known = certificate();
    let add = json!({"type": "client", "name": "by hand", "certificate": base64(&known)});
    let tls = Tls::start(folder.path(), &[]);
    let (head, _) = tls.client.ask("POST", "/1.0/certificates", &add.to_string());
    assert!(head.starts_with("HTTP/1.1 201 ") && head.contains("\r\nlocation: /1.0/certificates/"), "{head}");
    let (_, answer) = tls.client.ask("POST", "/1.0/certificates", &add.to_string());
    assert_eq!(answer["error"], "Certificate already in trust store");
    let data = folder.path().join("data");
    let server = std::fs::read(data.join("server.crt")).expect("a certificate");
    drop(tls);
    let tls = Tls::start(folder.path(), &[]);
    assert_eq!(std::fs::read(data.join("server.crt")).expect("a certificate"), server);
    assert_eq!(tls.ask(Some(&known), "GET", "/1.0/operations", &Value::Null).0, 200);
    let kept: Vec<PathBuf> = std::fs::read_dir(data.join("trust"))
        .expect("a folder")
        .map(|entry| entry.expect("a file").path())
        .collect();
    assert_eq!(kept.len(), 1);
    for file in kept.into_iter().chain([data.join("server.key"), data.join("server.crt")]) {
        let mode = file.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

#[test]
fn what_is_no_certificate_to_trust_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let tls = Tls::start(folder.path(), &[]);
    let check = |body: Value, expected: &str| {
        let (head, answer) = tls.client.ask("POST", "/1.0/certificates", &body.to_string());
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
        let error = answer["error"].as_str().expect("a text");
        assert!(error.contains(expected), "{error}");
    };
    check(json!([]), "body is not valid, expected JSON like {\"token\": true}");
    check(json!({}), "No client certificate provided");
    check(json!({"certificate": "AAAA"}), "certificate is not valid, expected PEM, or base64");
    check(json!({"type": "metrics", "token": true}), "certificates of type `metrics` are not supported");
    check(json!({"restricted": true, "token": true}), "restricted certificates are not supported");
    check(json!({"projects": ["p"], "token": true}), "restricted certificates are not supported");
    check(json!({"name": "\n", "token": true}), "name is not valid");
    assert_eq!(tls.client.get("/1.0/certificates").1["metadata"], json!([]));
    assert_eq!(tls.client.get("/1.0/certificates/ff").1["error"], "Certificate not found");
    let (_folder, plain) = Client::start();
    let (_, answer) = plain.ask("POST", "/1.0/certificates", r#"{"token": true}"#);
    let text = "there is nowhere to come with a token: charmd serves no TLS, see `--https`";
    assert_eq!((&answer["error_code"], &answer["error"]), (&json!(400), &json!(text)));
}

#[test]
fn a_certificate_out_of_date_is_refused_when_hands_are_shaken() {
    let folder = tempfile::tempdir().expect("a folder");
    let tls = Tls::start(folder.path(), &[]);
    let mut params = CertificateParams::new(["client".to_owned()]).expect("parameters");
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let signing_key = KeyPair::generate().expect("a key");
    let cert = params.self_signed(&signing_key).expect("a certificate");
    let old = CertifiedKey { cert, signing_key };
    let mut stream = tls.connect(Some(&old));
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    let error = stream.read(&mut [0; 100]).expect_err("refused");
    assert!(error.to_string().contains("CertificateExpired"), "{error}");
}

#[test]
fn a_secret_is_enough_to_wait_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let tls = Tls::start(folder.path(), &[]);
    let body = json!({"kind": "demo", "class": "token", "metadata": {"secret": "abc"}});
    let id = id_of(&tls.client.post(&body).1);
    let wait = |secret: &str| {
        tls.ask(None, "GET", &format!("/1.0/operations/{id}/wait?timeout=0&secret={secret}"), &Value::Null)
    };
    let (status, waited) = wait("abc");
    assert_eq!((status, &waited["metadata"]["status"]), (200, &json!("Running")));
    for wrong in ["", "ab", "abd", "abcd"] {
        assert_eq!(error(&wait(wrong)), (403, "Forbidden"), "{wrong}");
    }
    let answer = tls.ask(None, "DELETE", &format!("/1.0/operations/{id}?secret=abc"), &Value::Null);
    assert_eq!(error(&answer), (403, "Forbidden"));
    let plain = id_of(&tls.client.post(&json!({"kind": "demo", "input": {"duration": 30}})).1);
    let path = format!("/1.0/operations/{plain}/wait?timeout=0&secret=");
    assert_eq!(error(&tls.ask(None, "GET", &path, &Value::Null)), (403, "Forbidden"), "no secret opens it");
}

#[test]
fn the_secret_of_a_socket_opens_it_over_tls_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let tls = Tls::start(folder.path(), &[]);
    let (_, answer) = tls.client.post(&json!({"kind": "demo", "class": "websocket"}));
    let (id, secret) = (id_of(&answer), answer["metadata"]["metadata"]["fds"]["0"].clone());
    let url =
        format!("ws://localhost/1.0/operations/{id}/websocket?secret={}", secret.as_str().expect("a secret"));
    let (mut socket, _) = tungstenite::client(&url, tls.connect(None)).expect("connected");
    socket.send(Message::text("hello")).expect("sent");
    assert_eq!(socket.read().expect("an echo"), Message::text("hello"));
    assert!(tungstenite::client(&url, tls.connect(None)).is_err(), "it has been used");
}
