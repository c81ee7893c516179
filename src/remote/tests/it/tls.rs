//! Whom the client trusts, who it is, and which way it takes.

use charms_reactive_client::ClientError;
use charms_reactive_remote::{Options, Server as Where};
use serde_json::json;

use crate::server::{Identity, Server, identity, proxy, server_config};

const ANSWER: &str =
    "HTTP/1.1 200 OK\r\ncontent-length: 37\r\n\r\n{\"type\":\"sync\",\"metadata\":[\"/1.0\"]}  ";

fn options(port: u16) -> Options {
    Options { server: Where::Url(format!("https://localhost:{port}")), ..Options::default() }
}

fn fingerprint(identity: &Identity) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, &identity.der);
    digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// What became of a request.
fn ask(options: &Options) -> Result<(), String> {
    let response = options.client().map_err(|error| error.to_string())?.repeats(0).root();
    match response {
        Ok(response) => {
            assert_eq!(response.metadata(), &json!(["/1.0"]));
            Ok(())
        }
        Err(ClientError::Unreachable { source, .. }) => Err(source.to_string()),
        Err(ClientError::Strange { source, .. }) => Err(format!("strange: {source}")),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_server_is_trusted_by_its_authority_its_certificate_or_its_fingerprint() {
    let folder = tempfile::tempdir().expect("a folder");
    let (own, other) = (identity(folder.path(), "own"), identity(folder.path(), "other"));
    let server = Server::start(Some(server_config(&own, None)), ANSWER);
    let base = options(server.port);
    let pinned = |identity: &Identity| Options { fingerprint: Some(fingerprint(identity)), ..base.clone() };
    ask(&Options { ca_cert: Some(own.cert.clone()), ..base.clone() }).expect("vouched for");
    ask(&Options { server_cert: Some(own.cert.clone()), ..base.clone() }).expect("the same");
    ask(&pinned(&own)).expect("the same");
    ask(&Options { verify: false, ..base.clone() }).expect("whoever it is");
    // The name is not in the certificate: who has the certificate is known all the same.
    let by_number = Where::Url(format!("https://127.0.0.1:{}", server.port));
    ask(&Options { server: by_number.clone(), ..pinned(&own) }).expect("the same");
    let authority = Options { server: by_number, ca_cert: Some(own.cert.clone()), ..base.clone() };
    assert!(ask(&authority).expect_err("another name").contains("certificate"), "not valid for the name");
    // Those of the system do not know it; nobody is trusted who was not asked for.
    assert!(ask(&base).expect_err("unknown").contains("invalid peer certificate"));
    let wrong = Options { ca_cert: Some(other.cert.clone()), ..base.clone() };
    assert!(ask(&wrong).expect_err("another one").contains("invalid peer certificate"));
    let wrong = Options { server_cert: Some(other.cert.clone()), ..base.clone() };
    assert!(ask(&wrong).expect_err("another one").contains("fingerprint"));
    let told = ask(&pinned(&other)).expect_err("another one");
    let digits = fingerprint(&own).replace(':', "").to_ascii_lowercase();
    assert!(
        told.contains(&format!("the server has a certificate with the fingerprint {digits}, expected")),
        "{told}"
    );
}

#[test]
fn a_client_says_who_it_is_where_it_is_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let (own, client) = (identity(folder.path(), "own"), identity(folder.path(), "client"));
    let server = Server::start(Some(server_config(&own, Some(&client))), ANSWER);
    let base = Options { server_cert: Some(own.cert.clone()), ..options(server.port) };
    let known = |by: &Identity| Options {
        client_cert: Some(by.cert.clone()),
        client_key: Some(by.key.clone()),
        ..base.clone()
    };
    ask(&known(&client)).expect("let in");
    assert!(ask(&base).is_err() && ask(&known(&own)).is_err(), "not let in");
    let mixed = Options { client_cert: Some(client.cert.clone()), client_key: Some(own.key.clone()), ..base };
    assert!(ask(&mixed).expect_err("no pair").contains("not the key of"));
}

#[test]
fn a_proxy_leads_through_and_learns_nothing_but_where_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = identity(folder.path(), "own");
    let server = Server::start(Some(server_config(&own, None)), ANSWER);
    let (port, asked) = proxy(server.port);
    let options = Options {
        proxy: Some(format!("http://user:pass@127.0.0.1:{port}")),
        server_cert: Some(own.cert.clone()),
        user_agent: Some("test/1".to_owned()),
        media_type: Some("text/x".to_owned()),
        ..options(server.port)
    };
    ask(&options).expect("led through");
    let expected = format!(
        "CONNECT localhost:{0} HTTP/1.1\r\nHost: localhost:{0}\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n",
        server.port
    );
    assert_eq!(asked.join().expect("it led"), expected);
    let request = server.request();
    assert!(request.contains("User-Agent: test/1\r\nAccept: text/x\r\n"), "{request}");
    let refusing = Server::start(None, "HTTP/1.1 407 Who are you\r\n\r\n");
    let refused = Options { proxy: Some(format!("127.0.0.1:{}", refusing.port)), ..options };
    assert!(ask(&refused).expect_err("refused").ends_with("refuses: 407 Who are you"));
}

#[test]
fn a_redirect_to_another_server_takes_no_token_there_and_never_leaves_tls() {
    let there = Server::start(None, ANSWER);
    let moved = |to: &str| format!("HTTP/1.1 307 X\r\nlocation: {to}/1.0?a=b\r\ncontent-length: 0\r\n\r\n");
    let here = Server::start(None, moved(&format!("http://127.0.0.1:{}", there.port)));
    let url = |port| Where::Url(format!("http://127.0.0.1:{port}"));
    let client = Options { server: url(here.port), ..Options::default() }.client().expect("a client");
    client.token("s3cret").get("/1.0").expect("there");
    assert!(here.request().contains("Authorization: Bearer s3cret\r\n"));
    let request = there.request();
    assert!(request.starts_with("GET /1.0?a=b HTTP/1.1\r\n") && !request.contains("s3cret"), "{request}");
    let folder = tempfile::tempdir().expect("a folder");
    let own = identity(folder.path(), "own");
    let tls = Some(server_config(&own, None));
    let sealed = Server::start(tls, moved(&format!("http://127.0.0.1:{}", there.port)));
    let base = Options { server_cert: Some(own.cert), ..options(sealed.port) };
    let error = base.client().expect("a client").get("/1.0").expect_err("not encrypted").to_string();
    assert!(error.ends_with(": it is not encrypted"), "{error}");
}
