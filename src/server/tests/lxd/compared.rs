//! The same requests to LXD and to `charmd`: the answers are the same, but for differences that have a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use charms_reactive_core::waiter::Moment;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::Charmd;
use crate::client::{ask, id_of};
use crate::lxd::Lxd;

/// A row of "Where we differ from LXD" in `docs/operations.md`, and where it shows.
struct Difference {
    row: &'static str,
    shows: Shows,
}

enum Shows {
    /// Lines that LXD alone has, and lines that we alone have; below whatever they are.
    Lines(&'static [&'static str], &'static [&'static str]),
    /// Requests that are answered otherwise: method and path, status and error of LXD's answer, and of ours.
    Answers(&'static [(&'static str, u16, &'static str, u16, &'static str)]),
}

const PAGE: &str = include_str!("../../../../docs/operations.md");

const NOT_FOUND: &str = "Operation not found";
const NO_UPGRADE: &str = "Connection header did not include 'upgrade'";
const NO_WEBSOCKET: &str = "Only websocket operations can be connected";

#[rustfmt::skip]
const DIFFERENCES: &[Difference] = &[
    Difference { row: "Answers that are no errors", shows: Shows::Lines(
        &["operation: \"\"", "error: \"\"", "error_code: 0"], &[],
    ) },
    Difference { row: "`X-Content-Type-Options: nosniff`", shows: Shows::Lines(
        &[], &["header x-content-type-options: nosniff"],
    ) },
    Difference { row: "What newer versions tell of an operation", shows: Shows::Lines(
        &["resources: null", "metadata.metadata: null", "failure[].metadata: null"],
        &["resources: {}", "metadata.metadata: {}", "failure[].metadata: {}", "child_count: 0", "err_code: 0", "requestor.username: \"root\"",
          "requestor.protocol: \"unix\"", "requestor.address: \"@\""],
    ) },
    Difference { row: "Texts of plain errors", shows: Shows::Lines(
        &["error: \"not found\"", "error: \"not implemented\""],
        &["error: \"Not Found\"", "error: \"Not Implemented\""],
    ) },
    Difference { row: "`err` of what was cancelled", shows: Shows::Lines(
        &["err: \"\""], &["err: \"cancelled by root\"", "err_code: 499"],
    ) },
    Difference { row: "`may_cancel`", shows: Shows::Lines(&["may_cancel: true"], &["may_cancel: false"]) },
    Difference { row: "`err_code` of what failed", shows: Shows::Lines(&[], &["err_code: 500"]) },
    Difference { row: "Events of a token", shows: Shows::Lines(&["operation Pending", "operation Cancelling"], &[]) },
    Difference { row: "Numbers of events", shows: Shows::Lines(&[], &["sequence: NUMBER"]) },
    Difference { row: "A wrong `timeout`", shows: Shows::Answers(&[
        ("GET /1.0/operations/ID/wait?timeout=x", 500, "strconv.Atoi: parsing \"x\": invalid syntax",
         400, "timeout `x` is not valid, expected a number of seconds"),
        ("GET /1.0/operations/ID/wait?timeout=1.5", 500, "strconv.Atoi: parsing \"1.5\": invalid syntax",
         400, "timeout `1.5` is not valid, expected a number of seconds"),
        ("GET /1.0/operations/ID/wait?timeout=99999999999999999999", 500,
         "strconv.Atoi: parsing \"99999999999999999999\": value out of range",
         400, "timeout `99999999999999999999` is not valid, expected a number of seconds"),
    ]) },
    Difference { row: "All projects, and one", shows: Shows::Answers(&[
        ("GET /1.0/operations?all-projects=true&project=nothing", 200, "",
         400, "Cannot specify a project when requesting all projects"),
    ]) },
    Difference { row: "Odd `recursion`", shows: Shows::Answers(&[
        ("GET /1.0/operations?recursion=-1", 200, "", 200, ""),
        ("GET /1.0/operations?recursion=1;fields=a,b", 200, "", 200, ""),
    ]) },
    Difference { row: "`filter`, `limit`, `before`", shows: Shows::Answers(&[
        ("GET /1.0/operations?filter=status+eq+success", 200, "", 200, ""),
        ("GET /1.0/operations?limit=0", 200, "", 200, ""),
    ]) },
    Difference { row: "A slash at the end", shows: Shows::Answers(&[
        ("GET /1.0/operations/", 404, "not found", 200, ""),
        ("GET /1.0/operations/ID/", 404, "not found", 200, ""),
        ("GET /1.0/", 404, "not found", 200, ""),
    ]) },
    Difference { row: "A websocket that cannot be", shows: Shows::Answers(&[
        ("GET /1.0/operations/ID/websocket", 500, NO_WEBSOCKET, 400, NO_UPGRADE),
        ("GET /1.0/operations/ID/websocket?secret=x", 500, NO_WEBSOCKET, 400, NO_UPGRADE),
        ("GET /1.0/operations/01a1ff76-7ae3-7e36-ab99-db34ad3473d9/websocket", 400, "missing secret", 404, NOT_FOUND),
        ("GET /1.0/operations/nothing/websocket", 400, "missing secret", 404, NOT_FOUND),
        ("GET /1.0/operations/..%2f../websocket", 400, "missing secret", 404, NOT_FOUND),
        ("GET /1.0/operations/%00/websocket", 400, "missing secret", 404, NOT_FOUND),
        ("GET /1.0/operations/'%20OR%201=1--/websocket", 400, "missing secret", 404, NOT_FOUND),
        ("GET /1.0/events", 400, "Bad Request", 400, NO_UPGRADE),
        ("GET /1.0/events?type=secrets", 500, "\"secrets\" isn't a supported event type",
         400, "\"secrets\" is not a supported event type"),
    ]) },
    Difference { row: "Methods that are no methods here", shows: Shows::Answers(&[
        ("OPTIONS /1.0/operations", 200, "", 501, "Not Implemented"),
        ("BREW /1.0/operations", 404, "Method \"BREW\" not found", 501, "Not Implemented"),
    ]) },
    Difference { row: "Paths that are not LXD's", shows: Shows::Answers(&[
        ("GET /2.0", 404, "not found", 404, "Requested entity was not found."),
        ("GET //1.0/operations", 404, "not found", 404, "Requested entity was not found."),
    ]) },
];

/// An answer, line by line: status, headers, and what is in the body, in a form that does not depend on when
/// and by whom it was given.
type Lines = BTreeSet<String>;

fn lines(head: &str, body: &str) -> Lines {
    let mut lines = Lines::new();
    let mut heads = head.trim_end().split("\r\n");
    let status = heads.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
    lines.insert(format!("status {status}"));
    for (name, value) in heads.filter_map(|line| line.split_once(": ")) {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "date" => drop(lines.insert("header date".to_owned())),
            // In one piece or in many.
            "content-length" | "transfer-encoding" => {}
            _ => drop(lines.insert(format!("header {name}: {}", general(value)))),
        }
    }
    match serde_json::from_str(body) {
        Ok(value) => flatten("", &value, &mut lines),
        Err(_) => drop(lines.insert(format!("text {body:?}"))),
    }
    lines
}

/// What `demo` tells of itself.
const OF_DEMO: [&str; 3] = ["step", "progress", "demo_progress"];

/// A line for each thing that is in a value.
fn flatten(path: &str, value: &Value, lines: &mut Lines) {
    let text = match value {
        Value::Object(map) => {
            let of_lxd = map.iter().filter(|(key, _)| !OF_DEMO.contains(&key.as_str()));
            let mut is_empty = true;
            for (key, value) in of_lxd {
                flatten(&format!("{path}.{key}"), value, lines);
                is_empty = false;
            }
            if !is_empty {
                return;
            }
            "{}".to_owned()
        }
        Value::Array(list) if !list.is_empty() => {
            return list.iter().for_each(|value| flatten(&format!("{path}[]"), value, lines));
        }
        Value::String(text) => format!("{:?}", general(text)),
        Value::Number(_) if path.ends_with(".sequence") => "NUMBER".to_owned(),
        other => other.to_string(),
    };
    lines.insert(format!("{path}: {text}"));
}

/// A text without what differs from one operation to the next.
fn general(text: &str) -> String {
    if Moment::parse(text).is_ok() {
        return "TIME".to_owned();
    }
    let is_id = |text: &str| {
        let lengths: Vec<usize> = text.split('-').map(str::len).collect();
        lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
    };
    let parts = text.split('/').map(|part| if is_id(part) { "ID" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// Both servers, and what of the differences was found.
struct Pair {
    lxd: Lxd,
    charmd: Charmd,
    used: BTreeSet<usize>,
    unexplained: Vec<String>,
}

impl Pair {
    fn start() -> Self {
        let pair = Self {
            lxd: Lxd::start(),
            charmd: Charmd::start(),
            used: BTreeSet::new(),
            unexplained: Vec::new(),
        };
        // It does things of its own when it starts.
        while pair.lxd("GET", "/1.0/operations", "").1["metadata"] != json!({}) {
            std::thread::sleep(Duration::from_millis(100));
        }
        pair
    }

    fn lxd(&self, method: &str, path: &str, body: impl AsRef<[u8]>) -> (String, Value) {
        let (head, text) = ask(&self.lxd.socket(), method, path, body);
        (head, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    /// Sends the same to both, each with an operation of its own in place of `ID`.
    fn check(&mut self, method: &str, path: &str, ids: &Ids, body: &str) {
        let answer = |socket: PathBuf, id: &str| ask(&socket, method, &path.replace("ID", id), body);
        let (lxd_head, lxd) = answer(self.lxd.socket(), &ids.lxd);
        let (here_head, here) = answer(self.charmd.socket(), &ids.here);
        let request = if ids.lxd == ids.here {
            format!("{method} {}", path.replace("ID", &ids.lxd))
        } else {
            format!("{method} {path}")
        };
        for (place, difference) in DIFFERENCES.iter().enumerate() {
            let Shows::Answers(answers) = difference.shows else { continue };
            if let Some((_, lxd_status, lxd_error, status, error)) =
                answers.iter().find(|(which, ..)| *which == request)
            {
                let found = [outcome(&lxd_head, &lxd), outcome(&here_head, &here)];
                let expected = [(*lxd_status, (*lxd_error).to_owned()), (*status, (*error).to_owned())];
                assert_eq!(found, expected, "{request}");
                assert_ne!(
                    lines(&lxd_head, &lxd),
                    lines(&here_head, &here),
                    "{request} is answered the same"
                );
                self.used.insert(place);
                return;
            }
        }
        self.compare(&request, &lines(&lxd_head, &lxd), &lines(&here_head, &here));
    }

    fn compare(&mut self, request: &str, lxd: &Lines, here: &Lines) {
        let sides = [("LXD alone", lxd.difference(here)), ("we alone", here.difference(lxd))];
        for (is_here, (side, lines)) in sides.into_iter().enumerate() {
            for line in lines {
                let is_met = |known: &&str| line == *known || line.ends_with(&format!(".{known}"));
                let known = DIFFERENCES.iter().position(|difference| match difference.shows {
                    Shows::Lines(lxd, here) => [lxd, here][is_here].iter().any(is_met),
                    Shows::Answers(_) => false,
                });
                match known {
                    Some(place) => drop(self.used.insert(place)),
                    None => self.unexplained.push(format!("{request}: {side}: {line}")),
                }
            }
        }
    }

    /// Nothing is left without a reason, and no reason without use.
    #[track_caller]
    fn finish(self) {
        let unexplained = self.unexplained.join("\n  ");
        assert!(unexplained.is_empty(), "not the same, and nobody says why:\n  {unexplained}");
        for (place, Difference { row, .. }) in DIFFERENCES.iter().enumerate() {
            assert!(self.used.contains(&place), "`{row}`: there is no such difference any more");
            assert!(PAGE.contains(&format!("\n| {row} |")), "docs/operations.md has no row `{row}`");
        }
    }

    /// A token on each, with the same in it.
    fn tokens(&mut self, name: &str) -> Ids {
        let body = json!({"type": "client", "name": name, "token": true}).to_string();
        let (head, lxd) = self.lxd("POST", "/1.0/certificates", body);
        let like = &lxd["metadata"];
        let body = json!({
            "kind": "demo", "class": "token", "description": like["description"], "metadata": like["metadata"],
        });
        let (here_head, here) = self.charmd.client.ask("POST", "/1.0/operations", &body.to_string());
        self.compare("to create", &lines(&head, &lxd.to_string()), &lines(&here_head, &here.to_string()));
        Ids { lxd: id_of(&lxd), here: id_of(&here) }
    }
}

/// The same operation on both.
struct Ids {
    lxd: String,
    here: String,
}

impl Ids {
    fn both(id: &str) -> Self {
        Self { lxd: id.to_owned(), here: id.to_owned() }
    }
}

#[test]
fn lxd_and_charmd_give_the_same_answers() {
    let mut pair = Pair::start();
    requests(&mut pair);
    tasks(&mut pair);
    events(&mut pair);
    pair.finish();
}

#[rustfmt::skip]
fn requests(pair: &mut Pair) {
    let none = Ids::both("01a1ff76-7ae3-7e36-ab99-db34ad3473d9");
    for path in ["/", "/1.0/operations", "/1.0/operations?recursion=1", "/1.0/operations?recursion=2"] {
        pair.check("GET", path, &none, "");
    }
    let token = pair.tokens("one");
    for query in [
        "", "?", "?recursion=0", "?recursion=1", "?recursion=2", "?recursion=x", "?recursion=-1",
        "?recursion=1;fields=a,b", "?recursion=0&recursion=1", "?project=default&recursion=1", "?project=nothing",
        "?all-projects=true", "?all-projects=true&project=nothing", "?unknown=1", "?filter=status+eq+running",
        "?filter=status+eq+success", "?limit=1", "?limit=0",
    ] {
        pair.check("GET", &format!("/1.0/operations{query}"), &none, "");
    }
    for rest in [
        "", "?recursion=1", "?project=nothing", "/", "/nothing", "/wait?timeout=0", "/wait?timeout=1",
        "/wait?timeout=x", "/wait?timeout=1.5", "/wait?timeout=99999999999999999999", "/websocket",
        "/websocket?secret=x",
    ] {
        pair.check("GET", &format!("/1.0/operations/ID{rest}"), &token, "");
    }
    for id in [&none.here, "nothing", "..%2f..", "%00", "'%20OR%201=1--"] {
        for (method, rest) in [("GET", ""), ("GET", "/wait?timeout=0"), ("GET", "/websocket"), ("DELETE", "")] {
            pair.check(method, &format!("/1.0/operations/ID{rest}"), &Ids::both(id), "");
        }
    }
    for (method, path) in [
        ("PUT", "/1.0/operations"), ("HEAD", "/1.0/operations"), ("DELETE", "/1.0/operations"),
        ("OPTIONS", "/1.0/operations"), ("BREW", "/1.0/operations"), ("PATCH", "/1.0/operations/ID"),
        ("PUT", "/1.0/operations/ID"), ("POST", "/1.0/operations/ID"), ("POST", "/1.0/operations/ID/wait"),
        ("DELETE", "/1.0/operations/ID/wait"), ("POST", "/1.0/events"), ("GET", "/1.0/events"),
        ("GET", "/1.0/events?type=secrets"), ("GET", "/1.0/nothing"), ("GET", "/2.0"), ("GET", "/1.0/"),
        ("GET", "/1.0/operations/"), ("GET", "//1.0/operations"),
    ] {
        pair.check(method, path, &token, "");
    }
    // What `lxc query` sends with everything, and what nobody should.
    for body in ["\"\"", "{", "{}"] {
        pair.check("GET", "/1.0/operations/ID", &token, body);
    }
    pair.check("DELETE", "/1.0/operations/ID", &token, "\"\"");
    for rest in ["", "/wait", "/wait?timeout=-1", "/wait?timeout=0", "/websocket"] {
        pair.check("GET", &format!("/1.0/operations/ID{rest}"), &token, "");
    }
    pair.check("DELETE", "/1.0/operations/ID", &token, "");
    let token = pair.tokens("two");
    pair.check("DELETE", "/1.0/operations/ID", &token, "{");
}

/// Work that ends by itself, well and not.
fn tasks(pair: &mut Pair) {
    let image = image(pair);
    let (_, good) = pair.lxd("POST", "/1.0/images", image);
    let source = json!({"source": {"type": "url", "url": "http://127.0.0.1:1/image"}});
    let (_, bad) = pair.lxd("POST", "/1.0/images", source.to_string());
    for started in [good, bad] {
        let id = id_of(&started);
        let (_, over) = pair.lxd("GET", &format!("/1.0/operations/{id}/wait"), "");
        // The same here: the work of `demo` is to end as it is told.
        let like = &over["metadata"];
        let outcome = if like["err"] == "" { "success" } else { "failure" };
        let mut body = json!({
            "kind": "demo", "description": like["description"], "may_cancel": false, "metadata": like["metadata"],
            "input": {"duration": 0, "outcome": outcome, "error": like["err"]},
        });
        if like["metadata"].is_null() {
            body["metadata"] = json!({});
        }
        let here = id_of(&pair.charmd.client.post(&body).1);
        let ids = Ids { lxd: id, here };
        pair.charmd.client.get(&format!("/1.0/operations/{}/wait", ids.here));
        for (method, rest) in [("GET", ""), ("GET", "/wait?timeout=5"), ("DELETE", "")] {
            pair.check(method, &format!("/1.0/operations/ID{rest}"), &ids, "");
        }
    }
    for recursion in ["0", "1"] {
        pair.check("GET", &format!("/1.0/operations?recursion={recursion}"), &Ids::both(""), "");
    }
}

/// The smallest image.
#[expect(clippy::disallowed_methods, reason = "starts `tar`")]
fn image(pair: &Pair) -> Vec<u8> {
    let folder = pair.charmd.folder.path().join("image");
    std::fs::create_dir_all(folder.join("rootfs")).expect("a folder");
    std::fs::write(folder.join("metadata.yaml"), "architecture: x86_64\ncreation_date: 1\n")
        .expect("written");
    let tar = Command::new("tar").args(["-c", "metadata.yaml", "rootfs"]).current_dir(folder).output();
    tar.expect("tar runs").stdout
}

/// The events of a token that is made and cancelled, each with all that is in it.
fn events(pair: &mut Pair) {
    let listen = |socket: &Path| {
        let stream = UnixStream::connect(socket).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        tungstenite::client("ws://localhost/1.0/events?type=operation%2Clifecycle", stream)
            .expect("upgraded")
            .0
    };
    let (mut lxd, mut here) = (listen(&pair.lxd.socket()), listen(&pair.charmd.socket()));
    let token = pair.tokens("three");
    pair.check("DELETE", "/1.0/operations/ID", &token, "");
    let (lxd, here) = (heard(&mut lxd), heard(&mut here));
    let names = |events: &Events| events.keys().cloned().collect();
    pair.compare("events", &names(&lxd), &names(&here));
    for (name, lines) in &lxd {
        if let Some(same) = here.get(name) {
            pair.compare(name, lines, same);
        }
    }
}

type Events = BTreeMap<String, Lines>;

/// All events until a token is cancelled, and somebody has said so; LXD tells them in any order.
fn heard(listener: &mut WebSocket<UnixStream>) -> Events {
    let mut events = Events::new();
    while !["operation Cancelled", "lifecycle operation-cancelled"]
        .iter()
        .all(|name| events.contains_key(*name))
    {
        let Message::Text(text) = listener.read().expect("an event") else { continue };
        let event: Value = serde_json::from_str(&text).expect("JSON");
        let what = &event["metadata"];
        let what = what["status"].as_str().or(what["action"].as_str()).expect("a status, or what was done");
        let name = format!("{} {what}", event["type"].as_str().expect("a type"));
        flatten("", &event, events.entry(name).or_default());
    }
    events
}

/// The status of an answer, and its error.
fn outcome(head: &str, body: &str) -> (u16, String) {
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let error = match serde_json::from_str::<Value>(body) {
        Ok(body) => {
            body["error"].as_str().or(body["error"]["message"].as_str()).unwrap_or_default().to_owned()
        }
        Err(_) => body.trim().to_owned(),
    };
    (status, error)
}
