//! `charmd` as a process: its sockets.

#![expect(clippy::disallowed_methods, reason = "starts the server")]

use std::io::{self, Read as _, Write as _};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::charmd::Charmd;

#[test]
fn a_socket_that_a_dead_server_left_is_taken_over_and_a_live_one_is_not() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    drop(Charmd::start(folder.path(), &[]));
    assert!(folder.path().join("charmd.socket").exists(), "a killed server leaves it");
    let server = Charmd::start(folder.path(), &[]);
    let mode = std::fs::metadata(&server.socket).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o660);
    let second = Command::new(env!("CARGO_BIN_EXE_charmd"))
        .args(["serve", "--socket"])
        .arg(&server.socket)
        .output()
        .expect("charmd starts");
    let stderr = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && stderr.contains("another program listens on"), "{stderr}");
}

#[test]
fn a_token_is_asked_for_on_tcp() {
    use std::io::BufRead as _;

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    let serve = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_charmd"));
        command.args(["serve", "--http", "127.0.0.1:0", "--token-file"]).arg(&file).stderr(Stdio::piped());
        command
    };
    let refused = serve().output().expect("charmd starts");
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && stderr.contains("cannot read a token from"), "{stderr}");

    std::fs::File::create(&file).expect("a file").write_all(b"s3cret\n").expect("written");
    let mut child = serve().spawn().expect("charmd starts");
    let mut line = String::new();
    io::BufReader::new(child.stderr.take().expect("piped")).read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("info: listening on http://").expect("it says where").to_owned();
    let ask = |header: &str| {
        let mut stream = std::net::TcpStream::connect(&address).expect("connected");
        write!(
            stream,
            "GET /v1beta1/projects/p/configs HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n"
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let body: Value = serde_json::from_str(body).expect("JSON");
        (head.split(' ').nth(1).expect("a status").to_owned(), body["error"]["status"].clone())
    };
    let answers = [
        "",
        "authorization: Basic s3cret\r\n",
        "authorization: Bearer s3cres\r\n",
        "authorization: Bearer s3cret5\r\n",
        "authorization: Bearer s3cret\r\n",
    ]
    .map(ask);
    child.kill().expect("killed");
    child.wait().expect("ended");
    let denied = || ("403".to_owned(), json!("PERMISSION_DENIED"));
    let unknown = || ("401".to_owned(), json!("UNAUTHENTICATED"));
    assert_eq!(answers, [unknown(), unknown(), denied(), denied(), ("200".to_owned(), Value::Null)]);
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_charmd"))
        .args(["serve", "--http", "0.0.0.0:0"])
        .output()
        .expect("charmd starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let expected = "charmd: cannot serve: `0.0.0.0:0` is reachable from other machines, expected a \
                    certificate with its key and a token, or an address like `127.0.0.1:8080`\n";
    assert_eq!(stderr, expected);
    assert_eq!(output.status.code(), Some(1));
}
