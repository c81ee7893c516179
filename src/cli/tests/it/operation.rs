//! `charms-reactive operation` against a running `charmd`, and against servers that are something else.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect;
use serde_json::Value;

use crate::charm::{check, comes_true, text};
use crate::service::{Service, at_terminal, client, shown};

/// A command for this service, of the words of a line.
fn command(service: &Service, line: &str) -> Command {
    let mut command = client("operation");
    // Input is JSON without blanks.
    command.args(line.split_whitespace()).env("CHARMD_SOCKET", service.socket());
    command
}

fn output(service: &Service, line: &str) -> Output {
    command(service, line).output().unwrap()
}

/// What lines came to, without what happened on the way; ids are numbered, and who asked is nobody in
/// particular.
fn lines(service: &Service, lines: &[&str]) -> String {
    let found = lines.iter().flat_map(|line| [format!("$ {line}\n"), shown(&output(service, line))]);
    anonymous(&without_progress(&found.collect::<String>()))
}

fn without_progress(found: &str) -> String {
    let is_progress = |line: &&str| line.starts_with("   Running  ") || line.starts_with("Cancelling  ");
    found.split_inclusive('\n').filter(|line| !is_progress(line)).collect()
}

/// A text in which ids are `ID-1`, `ID-2`, ... in the order of their appearance.
fn anonymous(found: &str) -> String {
    let mut found = found.to_owned();
    let is_id = |word: &&str| word.len() == 36 && word.matches('-').count() == 4;
    let words: Vec<String> = found
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-')
        .filter(is_id)
        .map(str::to_owned)
        .collect();
    let mut number = 0;
    for word in words {
        if found.contains(&word) {
            number += 1;
            found = found.replace(&word, &format!("ID-{number}"));
        }
    }
    let user = text(&Command::new("id").arg("-un").output().unwrap().stdout);
    found.replace(&format!("cancelled by {}", user.trim()), "cancelled by USER")
}

/// Starts `demo`; gives its id.
fn started(service: &Service, input: &str) -> String {
    let output = output(service, &format!("start demo --async --input {input}"));
    assert!(output.status.success(), "{}", shown(&output));
    text(&output.stdout).trim().to_owned()
}

#[test]
fn operations_are_started_waited_for_and_listed() {
    let service = Service::start();
    let found = lines(
        &service,
        &[
            "list",
            r#"start demo --input {"duration":0.1} --description Index"#,
            r#"start demo --input {"duration":0.1,"outcome":"failure","error":"disk_full"}"#,
            r#"start demo --input {"duration":0.1,"outcome":"cancelled"} --format value(status,err_code)"#,
            r#"start demo --input {"duration":20} --reference one --timeout 0.2s"#,
            "start demo --reference one",
            "start demo --reference one --on-conflict join --timeout 0",
            "list",
            "list --status failure,cancelled --format value(status)",
            "list --limit 1 --format value(status)",
            "list --filter kind --format value(status)",
            "start nothing",
            "start demo --input {",
        ],
    );
    check(
        &found,
        &expect![[r#"
            $ list
            Listed 0 items.
            $ start demo --input {"duration":0.1} --description Index
                    Done Index ID-1
            $ start demo --input {"duration":0.1,"outcome":"failure","error":"disk_full"}
            error: operation `ID-2` failed: disk_full
            [exit code 3]
            $ start demo --input {"duration":0.1,"outcome":"cancelled"} --format value(status,err_code)
            error: operation `ID-3` was cancelled: cancelled itself as it was told
            Cancelled	499
            [exit code 4]
            $ start demo --input {"duration":20} --reference one --timeout 0.2s
            error: operation `ID-4` is not over after 0.2s
            hint: it goes on; `operation wait` waits again, `operation cancel` ends it
            [exit code 5]
            $ start demo --reference one
            error: POST /1.0/operations: 409, An operation with this conflict reference is already running
            hint: `/1.0/operations/ID-4` is in the way: wait for it, or `--on-conflict join`
            [exit code 1]
            $ start demo --reference one --on-conflict join --timeout 0
            error: operation `ID-4` is not over after 0s
            hint: it goes on; `operation wait` waits again, `operation cancel` ends it
            [exit code 5]
            $ list
            ID                                    CLASS  DESCRIPTION    STATUS     PROGRESS  CREATED              ERROR
            ID-1  task   Index          Success              2016-04-12T18:02:13
            ID-2  task   Demonstration  Failure              2016-04-12T18:02:13  disk_full
            ID-3  task   Demonstration  Cancelled            2016-04-12T18:02:13  cancelled itself as it was told
            ID-4  task   Demonstration  Running              2016-04-12T18:02:13
            $ list --status failure,cancelled --format value(status)
            Failure
            Cancelled
            $ list --limit 1 --format value(status)
            Running
            $ list --filter kind --format value(status)
            error: GET /1.0/operations?recursion=1&limit=500&filter=kind: 400, filter `kind` is not valid: expected `FIELD eq VALUE`
            [exit code 1]
            $ start nothing
            error: POST /1.0/operations: 400, no kind of work `nothing`, expected one of: demo
            [exit code 1]
            $ start demo --input {
            error: input `{`: EOF while parsing an object at line 1 column 1
            [exit code 2]
        "#]],
    );
}

#[test]
fn an_operation_that_is_cancelled_says_who_and_why() {
    let service = Service::start();
    let id = started(&service, r#"{"duration":60}"#);
    let waiting = command(&service, &format!("wait {id}")).stderr(Stdio::piped()).spawn().unwrap();
    let fine = output(&service, &format!("cancel {id} --reason obsolete --wait"));
    let found = format!(
        "{}{}{}",
        shown(&fine),
        shown(&waiting.wait_with_output().unwrap()),
        lines(
            &service,
            &[&format!("cancel {id}"), &format!("show {id} --format value(status,err)"), "show x"]
        )
    );
    check(
        &anonymous(&without_progress(&found)),
        &expect![[r#"
              Cancelling ID-1
               Cancelled ID-1
            error: operation `ID-1` was cancelled: cancelled by USER: obsolete
            [exit code 4]
            $ cancel ID-1
            error: DELETE /1.0/operations/ID-1: 400, Only running operations can be cancelled
            [exit code 1]
            $ show ID-1 --format value(status,err)
            Cancelled	cancelled by USER: obsolete
            $ show x
            error: GET /1.0/operations/x?recursion=1: 404, Operation not found
            hint: `operation list` shows which there are; LXD and Incus forget what is over after seconds
            [exit code 1]
        "#]],
    );
}

#[test]
fn json_is_what_the_server_says() {
    let service = Service::start();
    let id = started(&service, r#"{"duration":0.2,"steps":2,"children":[{"duration":0.1}]}"#);
    let json = |line: &str| {
        let output = output(&service, line);
        assert!(output.status.success(), "{}", shown(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let waited = json(&format!("wait {id} --json"));
    assert_eq!((&waited["id"], &waited["status_code"]), (&Value::from(id.as_str()), &Value::from(200)));
    assert_eq!(json(&format!("show {id} --json"))["children"][0]["status"], "Success");
    assert_eq!(json("list --json").as_array().map(Vec::len), Some(1));
}

#[test]
fn what_is_watched_is_told_as_it_changes() {
    let service = Service::start();
    let id = started(&service, r#"{"duration":1.5,"steps":3}"#);
    let other = started(&service, r#"{"duration":60}"#);
    let watched = text(&output(&service, &format!("watch {id} --json")).stdout);
    let events: Vec<Value> = watched.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.len() >= 3 && events.iter().all(|event| event["id"] == id.as_str()), "{watched}");
    assert_eq!(events.last().unwrap()["status"], "Success");
    // All of them, until nobody wants to know.
    let mut all = command(&service, "watch").stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(all.stderr.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), format!("   Running  Demonstration {other}"));
    assert!(output(&service, &format!("cancel {other}")).status.success());
    let last =
        lines.map_while(Result::ok).find(|line| line.starts_with(" Cancelled  Demonstration")).unwrap();
    assert!(last.contains(&format!("{other}: cancelled by ")), "{last}");
    all.kill().unwrap();
    all.wait().unwrap();
}

#[test]
fn at_a_terminal_a_bar_shows_how_far_it_is() {
    let service = Service::start();
    let started = command(&service, r#"start demo --input {"duration":0.8,"steps":4}"#);
    let (status, shown) = at_terminal(started, || {});
    assert!(status.success(), "{shown}");
    let half = shown.find("[=========>          ] Demonstration").unwrap_or_else(|| panic!("{shown:?}"));
    let whole = shown.find("[====================] Demonstration").unwrap_or_else(|| panic!("{shown:?}"));
    assert!(half < whole && shown[half..whole].contains("\r\x1b[1A\x1b[0J"), "{shown:?}");
    assert!(shown.trim_end().rsplit("\x1b[0J").next().unwrap().contains("Done"), "{shown:?}");
}

#[test]
fn a_wait_outlives_the_server() {
    let args = ["--data", "{}/data"];
    let service = Service::with(&args);
    assert!(comes_true(|| output(&service, "list").status.success()), "{}", service.log());
    let id = {
        let line = r#"start demo --async --class durable --input {"duration":3,"steps":3}"#;
        text(&output(&service, line).stdout).trim().to_owned()
    };
    let mut waiting = command(&service, &format!("wait {id}")).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(waiting.stderr.take().unwrap()));
    let first = lines.next().unwrap().unwrap();
    assert_eq!(first, format!("   Running  Demonstration {id}"));
    let rest = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
    // Killed; the next one has its socket and its data.
    let service = service.killed_and_started(&args);
    let status = waiting.wait().unwrap();
    assert!(status.success(), "{:?}\n{}", rest.join().unwrap(), service.log());
}

#[test]
fn over_tls_it_is_the_same_for_those_who_are_trusted() {
    let service = Service::with(&["--data", "{}/data", "--https", "127.0.0.1:0"]);
    let address = || {
        let log = service.log();
        let url = log.split_once("operations are at ")?.1.lines().next()?;
        Some(url.to_owned())
    };
    assert!(comes_true(|| address().is_some()), "{}", service.log());
    let made = rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap();
    service.write("client.crt", &made.cert.pem());
    service.write("client.key", &made.signing_key.serialize_pem());
    let options = format!(
        "--url {} --server-cert {} --client-cert {} --client-key {}",
        address().unwrap(),
        service.path("data/server.crt").display(),
        service.path("client.crt").display(),
        service.path("client.key").display()
    );
    let over_tls = |line: &str| {
        let mut command = client("operation");
        command.args(line.split_whitespace()).args(options.split_whitespace());
        anonymous(&without_progress(&shown(&command.output().unwrap())))
    };
    let stranger = over_tls("list");
    assert!(
        stranger.starts_with("error: GET /1.0/operations?recursion=1&limit=500: 403, Forbidden\n"),
        "{stranger}"
    );
    let local = charms_reactive_client::Client::unix(service.socket());
    let certificate = STANDARD.encode(made.cert.der());
    let body = serde_json::json!({"type": "client", "name": "test", "certificate": certificate});
    local.post("/1.0/certificates", &body).unwrap();
    let started = over_tls(r#"start demo --input {"duration":0.3}"#);
    assert_eq!(started, "        Done Demonstration ID-1\n");
    assert!(over_tls("list --format value(status,requestor.protocol)").contains("Success\ttls"));
    assert!(
        over_tls("start demo --input {\"outcome\":\"failure\",\"duration\":0}").contains("[exit code 3]")
    );
}

#[test]
fn a_server_without_events_is_asked_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let mut asked = Vec::new();
        let mut left = [103, 103, 200].into_iter();
        while let Ok((mut stream, _)) = listener.accept() {
            let mut request = vec![0; 4096];
            let count = stream.read(&mut request).unwrap();
            let line = text(&request[..count]).lines().next().unwrap_or_default().to_owned();
            let (status, body) = if line.contains("/events") {
                (404, r#"{"type":"error","error":"not found","error_code":404}"#.to_owned())
            } else {
                let code = left.next().unwrap();
                let operation = format!(r#"{{"id":"a","description":"Old","status_code":{code}}}"#);
                (200, format!(r#"{{"type":"sync","metadata":{operation}}}"#))
            };
            write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            asked.push(line);
            if left.len() == 0 {
                break;
            }
        }
        asked
    });
    let done = client("operation").args(["wait", "a", "--socket"]).arg(&path).output().unwrap();
    assert_eq!(shown(&done), "   Running  Old a\n        Done Old a\n");
    assert_eq!(server.join().unwrap().len(), 5);
}

#[test]
fn a_server_that_is_not_there_or_is_none_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| {
        let mut command = client("operation");
        command.args(line.split_whitespace()).current_dir(folder.path());
        shown(&command.output().unwrap())
    };
    std::fs::write(folder.path().join("file"), "x").unwrap();
    let found: String = [
        "list --socket nowhere",
        "list --socket file",
        "list --url 127.0.0.1:1",
        "list --url https://127.0.0.1:1 --ca-cert file",
        "list --url https://127.0.0.1:1 --client-cert file",
        "list --url https://127.0.0.1:1 --fingerprint ab",
        "list --status done",
        "wait",
    ]
    .iter()
    .flat_map(|line| [format!("$ {line}\n"), run(line)])
    .collect();
    check(
        &found,
        &expect![[r#"
            $ list --socket nowhere
            error: cannot reach `nowhere`
              because: No such file or directory (os error 2)
            hint: `--socket` or `--address` tells where the server is, or CHARMD_SOCKET or CHARMD_ADDRESS; `charmd serve --socket PATH` starts one
            [exit code 1]
            $ list --socket file
            error: cannot reach `file`
              because: Connection refused (os error 111)
            hint: `--socket` or `--address` tells where the server is, or CHARMD_SOCKET or CHARMD_ADDRESS; `charmd serve --socket PATH` starts one
            [exit code 1]
            $ list --url 127.0.0.1:1
            error: address `127.0.0.1:1` has no `http://`, expected one like `http://127.0.0.1:8080`
            [exit code 2]
            $ list --url https://127.0.0.1:1 --ca-cert file
            error: file: no certificate in it, expected PEM
            [exit code 2]
            $ list --url https://127.0.0.1:1 --client-cert file
            error: a client certificate and its key go together: both, or neither
            [exit code 2]
            $ list --url https://127.0.0.1:1 --fingerprint ab
            error: fingerprint `ab` is not valid, expected the 64 hexadecimal digits of a SHA-256
            [exit code 2]
            $ list --status done
            error: invalid value 'done' for '--status <STATUS>': expected one of: pending, running, cancelling, success, failure, cancelled

            For more information, try '--help'.
            [exit code 2]
            $ wait
            error: the following required arguments were not provided:
              <ID>

            Usage: charms-reactive operation wait <ID>

            For more information, try '--help'.
            [exit code 2]
        "#]],
    );
}

#[test]
fn the_help_teaches() {
    let help = text(&client("operation").arg("--help").output().unwrap().stdout);
    for part in ["/var/lib/incus/unix.socket", "Exit codes:", "3  the operation failed", "operation watch"] {
        assert!(help.contains(part), "{part}: {help}");
    }
}
