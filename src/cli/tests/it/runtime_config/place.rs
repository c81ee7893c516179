//! Where the service is, and what it says there.

use std::io::Write as _;

use expect_test::expect;

use crate::charm::check;
use crate::service::{Service, shown, timeless};

#[test]
fn the_service_is_found_by_flag_by_variable_and_told_where_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let service = Service::within(folder, &["--http", "127.0.0.1:0", "--token-file", "{}/token"]);
    let url = service.url();
    let address = url.replace("http://", "");
    service.write("wrong-token", "s3cres");
    service.write("empty", "\n");
    let bare = |args: &str, variables: &[(&str, &str)]| {
        let args: Vec<&str> = args.split_whitespace().collect();
        let output = service.bare(&args).envs(variables.iter().copied()).output().unwrap();
        shown(&output)
            .replace(&address, "ADDRESS")
            .replace(&service.path("").display().to_string(), "FOLDER/")
    };
    let socket = service.socket().display().to_string();
    let mut found = String::new();
    for (args, variables) in [
        (format!("configs create c --address {url} --token-file token"), vec![]),
        (format!("configs list --address {url}"), vec![]),
        (format!("configs list --address {url} --token-file wrong-token"), vec![]),
        (format!("configs list --address {url} --token-file empty"), vec![]),
        ("configs list".to_owned(), vec![("CHARMD_ADDRESS", url.as_str()), ("CHARMD_TOKEN_FILE", "token")]),
        ("configs list".to_owned(), vec![("CHARMD_SOCKET", socket.as_str()), ("CHARMD_PROJECT", "none")]),
        (format!("configs list --socket {socket}"), vec![("CHARMD_ADDRESS", "http://127.0.0.1:1")]),
        ("configs list --socket nowhere".to_owned(), vec![]),
        (format!("configs list --socket {socket} --address {url}"), vec![]),
        ("configs list --address 127.0.0.1".to_owned(), vec![]),
        (format!("configs list --address {}", url.replace("http", "https")), vec![]),
    ] {
        found.extend(["$ ", &args.replace(&address, "ADDRESS").replace(&socket, "SOCKET"), "\n"]);
        found.push_str(&bare(&args, &variables));
    }
    check(
        &found,
        &expect![[r#"
            $ configs create c --address http://ADDRESS --token-file token
            Created [http://ADDRESS/v1beta1/projects/default/configs/c].
            $ configs list --address http://ADDRESS
            error: UNAUTHENTICATED: Request is missing required authentication credential.
            hint: `--token-file FILE`, or CHARMD_TOKEN_FILE, has the token that `charmd` was started with
            [exit code 1]
            $ configs list --address http://ADDRESS --token-file wrong-token
            error: PERMISSION_DENIED: The caller does not have permission
            hint: `--token-file FILE`, or CHARMD_TOKEN_FILE, has the token that `charmd` was started with
            [exit code 1]
            $ configs list --address http://ADDRESS --token-file empty
            error: empty: expected a token on one line
            [exit code 1]
            $ configs list
            NAME  DESCRIPTION
            c
            $ configs list
            Listed 0 items.
            $ configs list --socket SOCKET
            NAME  DESCRIPTION
            c
            $ configs list --socket nowhere
            error: cannot reach `charmd` at `nowhere`
              because: No such file or directory (os error 2)
            hint: `charmd serve --socket PATH` starts it; `--socket` or `--address` tells this program where it is, or CHARMD_SOCKET or CHARMD_ADDRESS
            [exit code 1]
            $ configs list --socket SOCKET --address http://ADDRESS
            error: the argument '--socket <PATH>' cannot be used with '--address <URL>'

            Usage: charms-reactive runtime-config configs list --socket <PATH>

            For more information, try '--help'.
            [exit code 2]
            $ configs list --address 127.0.0.1
            error: address `127.0.0.1` has no `http://`, expected one like `http://127.0.0.1:8080`
            [exit code 2]
            $ configs list --address https://ADDRESS
            error: cannot reach `charmd` at `https://ADDRESS`
              because: received corrupt message of type InvalidContentType
            hint: `charmd serve --socket PATH` starts it; `--socket` or `--address` tells this program where it is, or CHARMD_SOCKET or CHARMD_ADDRESS
            [exit code 1]
        "#]],
    );
}

#[test]
fn tls_is_spoken_with_a_server_that_the_certificate_vouches_for() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    write("cert.pem", &made.cert.pem());
    write("key.pem", &made.signing_key.serialize_pem());
    write("other.pem", &other.cert.pem());
    write("token", "s3cret");
    let tls = ["--tls-cert", "{}/cert.pem", "--tls-key", "{}/key.pem", "--token-file", "{}/token"];
    let service = Service::within(folder, &[&["--http", "127.0.0.1:0"][..], &tls].concat());
    let url = service.url();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let run = |more: &str| {
        let args = format!("configs create c --address {url} --token-file token {more}");
        let args: Vec<&str> = args.split_whitespace().collect();
        shown(&service.bare(&args).output().unwrap()).replace(&url, "URL")
    };
    assert_eq!(run("--ca-cert cert.pem"), "Created [URL/v1beta1/projects/default/configs/c].\n");
    let wary = run("--ca-cert other.pem");
    assert!(wary.contains("because: invalid peer certificate"), "{wary}");
    assert!(run("--ca-cert key.pem").contains("error: key.pem: no certificate in it, expected PEM"));
    assert!(run("").contains("because: invalid peer certificate"), "the system does not know it");
}

#[test]
fn what_is_no_charmd_is_told_so() {
    use std::io::Read as _;

    let service = Service::start();
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n<html></h", "expected value at line 1 column 1"),
        ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 2\r\n\r\n{}", "status 502 without an error"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}", "the answer breaks off"),
        ("", "the answer breaks off"),
        ("220 mail.example ESMTP\r\n\r\n", "it is no HTTP: invalid HTTP version"),
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let other = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let found = shown(&service.bare(&["configs", "list", "--address", &url]).output().unwrap());
        other.join().unwrap();
        let head = format!("error: `{url}` does not answer as `charmd` does\n  because: {expected}");
        assert!(found.starts_with(&head) && found.ends_with("[exit code 1]\n"), "{found}");
    }
}

#[test]
fn times_are_blanked_out() {
    assert_eq!(timeless("ä 2026-11-21T18:13:16.781134021Z 2026"), "ä 2016-04-12T18:02:13Z 2026");
}
