//! The client against a real LXD 5.0 and a real Incus: as a crate, and as `charms-reactive operation`.
//!
//! Needs LXD (`tests/setup/debian.sh`, and root) and Incus (`tests/setup/incus.sh`).

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]
#![expect(clippy::disallowed_methods, reason = "starts the server and the program")]

#[expect(dead_code, reason = "shared with other tests")]
#[path = "../../../../tests/support/lxd.rs"]
mod lxd;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use charms_reactive_client::{Answer, Client, ClientError, List, RefusalKind};
use charms_reactive_core::operation::{Class, Status};
use charms_reactive_remote::{Events, Happening, Options, Server, Topic, follow};
use serde_json::{Value, json};

use lxd::Lxd;

/// `charms-reactive operation` on a socket.
fn run(socket: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_charms-reactive"));
    command.arg("operation").args(args).arg("--socket").arg(socket).stdin(Stdio::null());
    for (variable, _) in charms_reactive_remote::VARIABLES {
        command.env_remove(variable);
    }
    command.output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// An operation that stands until it is cancelled: the secret of an image.
fn token(client: &Client) -> String {
    let path = format!("/1.0/images/{}/secret", image(client));
    let answer = client.call("POST", &path).body(&json!({})).send().expect("a secret");
    let operation = answer.operation().expect("an operation");
    assert_eq!((operation.class, operation.status), (Some(Class::Token), Status::Running), "not waited for");
    operation.id
}

/// The fingerprint of an image, made of nothing but its metadata and an empty folder.
fn image(client: &Client) -> String {
    let images = client.get("/1.0/images").expect("a list");
    if let Some(path) = images.metadata()[0].as_str() {
        return path.rsplit('/').next().unwrap_or_default().to_owned();
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("rootfs")).unwrap();
    let metadata = "architecture: x86_64\ncreation_date: 1\nproperties: {description: empty}\n";
    std::fs::write(folder.path().join("metadata.yaml"), metadata).unwrap();
    let archive = folder.path().join("image.tar");
    let tar = Command::new("tar")
        .arg("-cf")
        .arg(&archive)
        .args(["-C"])
        .arg(folder.path())
        .args(["metadata.yaml", "rootfs"])
        .status();
    assert!(tar.unwrap().success());
    // The one request that is no JSON: its operation is waited for by our client.
    let bytes = std::fs::read(&archive).unwrap();
    let id = upload(client, &bytes);
    let done = client.wait_for_operation(&id, Some(Duration::from_mins(1))).expect("an image");
    done.metadata["fingerprint"].as_str().expect("a fingerprint").to_owned()
}

/// Begins to import an image; gives the id of the operation.
fn upload(client: &Client, bytes: &[u8]) -> String {
    use std::io::{Read as _, Write as _};

    let mut stream = client.place().connect(Duration::from_secs(10)).expect("connected");
    let length = bytes.len();
    let head = format!(
        "POST /1.0/images HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(bytes).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let body = answer.split("\r\n\r\n").nth(1).expect("a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    body["metadata"]["id"].as_str().unwrap_or_else(|| panic!("no operation: {body}")).to_owned()
}

#[test]
fn a_real_lxd_is_a_server_like_ours() {
    works_with(&Lxd::start().socket());
}

#[test]
fn a_real_incus_is_a_server_like_ours() {
    works_with(&Lxd::start_incus().socket());
}

fn works_with(socket: &Path) {
    let client = Client::unix(socket).keep_last_response();

    // Listed in both forms, shown, watched for.
    let id = token(&client);
    assert!(client.operations().expect("a list").contains(&id));
    let listed = client.list(&List { children: true, ..List::default() }).expect("a list");
    let found = listed.iter().find(|operation| operation.id == id).expect("in the list");
    assert_eq!((found.class, found.description.as_str()), (Some(Class::Token), "Image download token"));
    assert!(
        found.created.is_some()
            && found.resources["images"].len() == 1
            && found.metadata.contains_key("secret")
    );
    assert_eq!(
        client.history(List::default(), 1).filter(|one| one.as_ref().is_ok_and(|one| one.id == id)).count(),
        1
    );
    assert_eq!(client.last_response().map(|last| last.status), Some(200));
    let output = run(socket, &["list"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains(&id) && table.contains("Image download token"), "{table}");
    let shown = run(socket, &["show", &id, "--json"]);
    assert_eq!(serde_json::from_slice::<Value>(&shown.stdout).unwrap()["status_code"], 103);

    // Not over in time: by the wait of the server, and by events.
    let limit = Some(Duration::from_millis(300));
    let late = client.wait_for_operation(&id, limit);
    assert!(matches!(late, Err(ClientError::TimedOut { .. })), "{late:?}");
    let late = follow(&client, &id, limit, |_| {});
    assert!(matches!(late, Err(ClientError::TimedOut { .. })), "{late:?}");
    assert_eq!(run(socket, &["wait", &id, "--timeout", "0.2s"]).status.code(), Some(5));

    // Cancelled while others wait and listen.
    let mut events = Events::listen(&client, &[Topic::Operation, Topic::Lifecycle], true).expect("listening");
    let waiting = std::thread::spawn({
        let (socket, id) = (socket.to_owned(), id.clone());
        move || run(&socket, &["wait", &id])
    });
    let polling = std::thread::spawn({
        let (client, id) = (client.clone(), id.clone());
        move || client.wait_for_operation(&id, None)
    });
    std::thread::sleep(Duration::from_millis(700));
    let cancelled = run(socket, &["cancel", &id]);
    assert!(cancelled.status.success(), "{}", stderr(&cancelled));
    let waited = waiting.join().unwrap();
    assert_eq!(waited.status.code(), Some(4), "{}", stderr(&waited));
    assert!(stderr(&waited).contains("was cancelled: "), "{}", stderr(&waited));
    let polled = polling.join().unwrap();
    assert!(matches!(polled, Err(ClientError::Cancelled(_))), "{polled:?}");
    let (mut statuses, mut actions) = (Vec::new(), Vec::new());
    // In any order: LXD promises none.
    while actions.is_empty() || !statuses.contains(&Status::Cancelled) {
        let event = events.next(Some(Duration::from_secs(10))).expect("an event").expect("an event");
        match event.happening {
            Happening::Operation(operation) if operation.id == id => statuses.push(operation.status),
            Happening::Lifecycle { action, source } if source.ends_with(&id) => actions.push(action),
            _ => {}
        }
    }
    assert_eq!(actions, ["operation-cancelled"]);
    let again = client.cancel_operation(&id, None).expect_err("over");
    assert!(again.refusal().is_some(), "{again}");
}

#[test]
fn what_a_real_lxd_says_no_to_is_told() {
    says_no(&Lxd::start().socket());
}

#[test]
fn what_a_real_incus_says_no_to_is_told() {
    says_no(&Lxd::start_incus().socket());
}

fn says_no(socket: &Path) {
    let client = Client::unix(socket);
    let unknown = client.operation("01a1ff76-7ae3-7e36-ab99-db34ad3473d9").expect_err("unknown");
    assert_eq!(unknown.refusal().map(charms_reactive_client::Refusal::kind), Some(RefusalKind::NotFound));
    let start = run(socket, &["start", "demo"]);
    assert_eq!(start.status.code(), Some(1));
    assert!(stderr(&start).contains("only `charmd` starts work by its kind"), "{}", stderr(&start));

    // An import of nonsense: an operation that fails, waited for by a call, by events, by the program.
    let nonsense = |client: &Client| upload(client, b"no archive at all");
    let failed = client.wait_for_operation(&nonsense(&client), Some(Duration::from_mins(1)));
    let Err(ClientError::Failed(failed)) = failed else { panic!("{failed:?}") };
    assert!(!failed.err.is_empty() && failed.status == Status::Failure);
    let id = nonsense(&client);
    let waited = run(socket, &["wait", &id]);
    assert_eq!(waited.status.code(), Some(3), "{}", stderr(&waited));
    assert!(stderr(&waited).contains(&format!("operation `{id}` failed: ")), "{}", stderr(&waited));

    // A call that goes on in an operation, waited for and not.
    let gone = client.call("DELETE", &format!("/1.0/images/{}", image(&client))).send().expect("removed");
    let Answer::Operation(gone) = gone else { panic!("{gone:?}") };
    assert_eq!(gone.status, Status::Success);
    let client = client.auto_sync(false);
    let path = format!("/1.0/images/{}", image(&client));
    let running = client.call("DELETE", &path).send().expect("begun").operation().expect("an operation");
    assert!(running.status < Status::Success, "as it was received");
    assert!(follow(&client, &running.id, None, |_| {}).is_ok());
    let again = client.call("DELETE", &path).sync(true).send().expect_err("gone");
    assert_eq!(again.refusal().map(charms_reactive_client::Refusal::kind), Some(RefusalKind::NotFound));
}

#[test]
fn a_real_lxd_is_reached_over_tls() {
    is_reached_over_tls(&Lxd::start().socket());
}

#[test]
fn a_real_incus_is_reached_over_tls() {
    is_reached_over_tls(&Lxd::start_incus().socket());
}

fn is_reached_over_tls(socket: &Path) {
    let local = Client::unix(socket);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = json!({"config": {"core.https_address": free.to_string()}});
    local.call("PATCH", "/1.0").body(&config).send().expect("configured");
    let server = local.get("/1.0").expect("an answer");
    let fingerprint = server.metadata()["environment"]["certificate_fingerprint"].as_str().expect("a digest");
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let options = Options {
        server: Server::Url(format!("https://{free}")),
        fingerprint: Some(fingerprint.to_owned()),
        client_cert: Some(write("crt", made.cert.pem())),
        client_key: Some(write("key", made.signing_key.serialize_pem())),
        ..Options::default()
    };
    let client = options.client().expect("a client");
    // Not known yet: hardly anything can be seen.
    assert_eq!(client.get("/1.0").expect("an answer").metadata()["auth"], "untrusted");
    let refused = client.operations().expect_err("not allowed");
    assert_eq!(refused.refusal().map(charms_reactive_client::Refusal::kind), Some(RefusalKind::Forbidden));
    let trusted = json!({"type": "client", "name": "test", "certificate": STANDARD.encode(made.cert.der())});
    local.call("POST", "/1.0/certificates").body(&trusted).send().expect("trusted");
    assert_eq!(client.get("/1.0").expect("an answer").metadata()["auth"], "trusted");
    let id = token(&client);
    let mut events = Events::listen(&client, &[Topic::Operation], true).expect("listening");
    let following = std::thread::spawn({
        let (client, id) = (client.clone(), id.clone());
        move || {
            let mut seen = 0;
            (follow(&client, &id, None, |_| seen += 1), seen)
        }
    });
    std::thread::sleep(Duration::from_millis(300));
    client.cancel_operation(&id, None).expect("cancelled");
    let (followed, seen) = following.join().unwrap();
    assert!(matches!(followed, Err(ClientError::Cancelled(_))) && seen > 0, "{followed:?}");
    loop {
        let event = events.next(Some(Duration::from_secs(10))).expect("an event").expect("an event");
        let is_it =
            |operation: &charms_reactive_client::Operation| operation.id == id && operation.is_final();
        if matches!(&event.happening, Happening::Operation(operation) if is_it(operation)) {
            break;
        }
    }
    // Another server than the one that is meant.
    let other = Options { fingerprint: Some("0".repeat(64)), ..options };
    let refused = other.client().expect("a client").get("/1.0").expect_err("another one");
    assert!(matches!(refused, ClientError::Unreachable { .. }), "{refused:?}");
}
