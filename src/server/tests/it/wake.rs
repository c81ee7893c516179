//! Wake-ups of `charmd` as a process, with a stand-in for `juju-exec`.

#![expect(clippy::disallowed_methods, reason = "waits for a process, and looks at the time")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use charms_reactive_core::waiter::Moment;
use serde_json::{Value, json};

use crate::charmd::{CONFIG, Charmd, ask, waiter};
use crate::operations::client::Client;

/// Writes down how it was called, and ends as the file `code` says.
const STAND_IN: &str = "#!/bin/sh
cd \"${0%/*}\"
echo \"$1|$2|${JUJU_CONTEXT_ID-none}\" >> calls
read -r code < code
exit $code
";

struct Unit {
    folder: tempfile::TempDir,
}

impl Unit {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("juju-exec");
        std::fs::write(&program, STAND_IN).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
        let unit = Self { folder };
        unit.dispatches_end_with(0);
        unit
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn dispatches_end_with(&self, code: u8) {
        std::fs::write(self.path().join("code"), code.to_string()).expect("written");
    }

    fn start(&self) -> Client {
        let data = self.path().join("data").display().to_string();
        let args = ["--data", &data, "--unit", "web/0"].map(str::to_owned);
        Client { server: Charmd::start_with(self.path(), &args, &self.path().display().to_string()) }
    }

    fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path().join("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn wait_for_calls(&self, count: usize) {
        let begin = Instant::now();
        while self.calls().len() < count {
            assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", self.calls());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn soon(span: Duration) -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    Moment::from_unix(since + span).to_string()
}

fn put(client: &Client, name: &str, body: &Value) -> u16 {
    let (head, answer) = client.ask("PUT", &format!("/1.0/wake-ups/{name}"), &body.to_string());
    assert!(answer["type"] == "sync" || answer["error"].is_string(), "{answer}");
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

fn names(client: &Client) -> Vec<(String, bool)> {
    let (_, answer) = client.get("/1.0/wake-ups");
    let listed = answer["metadata"].as_array().expect("a list").iter();
    listed.map(|one| (one["name"].as_str().expect("text").to_owned(), one["due"] == true)).collect()
}

#[test]
fn a_unit_is_woken_once_for_all_that_is_due_and_not_by_who_is_in_a_hook() {
    let unit = Unit::new();
    let client = unit.start();
    let at = soon(Duration::from_millis(300));
    for name in ["a", "b", "c"] {
        assert_eq!(put(&client, name, &json!({"at": at})), 200);
        // Said again, it is the same.
        assert_eq!(put(&client, name, &json!({"at": at})), 200);
    }
    assert_eq!(put(&client, "later", &json!({"at": soon(Duration::from_hours(1))})), 200);
    unit.wait_for_calls(1);
    let due = |name: &str, is_due| (name.to_owned(), is_due);
    assert_eq!(names(&client), [due("a", true), due("b", true), due("c", true), due("later", false)]);
    assert_eq!(client.delete("/1.0/wake-ups/b", "").0, 200);
    assert_eq!(client.delete("/1.0/wake-ups/b", "").0, 404);
    // Without a moment: at once, and again each time.
    assert_eq!(put(&client, "now", &json!({})), 200);
    unit.wait_for_calls(2);
    assert_eq!(put(&client, "now", &json!({"at": "2020-01-01T00:00:00Z"})), 200);
    unit.wait_for_calls(3);
    std::thread::sleep(Duration::from_millis(300));
    let expected = "web/0|JUJU_DISPATCH_PATH=hooks/wake-up JUJU_HOOK_NAME=wake-up ./dispatch|none";
    assert_eq!(unit.calls(), vec![expected; 3]);
}

#[test]
fn a_wake_up_is_there_after_a_kill_and_asked_for_until_it_works() {
    let unit = Unit::new();
    unit.dispatches_end_with(1);
    let client = unit.start();
    assert_eq!(put(&client, "a", &json!({"at": soon(Duration::from_millis(1500))})), 200);
    assert_eq!(put(&client, "gone", &json!({"at": soon(Duration::from_millis(1500))})), 200);
    assert_eq!(client.delete("/1.0/wake-ups/gone", "").0, 200);
    drop(client);
    let client = unit.start();
    assert_eq!(names(&client), [("a".to_owned(), false)]);
    unit.wait_for_calls(2);
    unit.dispatches_end_with(0);
    unit.wait_for_calls(3);
    let count = unit.calls().len();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(unit.calls().len(), count, "it was asked for again though it went well");
}

#[test]
fn the_end_of_a_waiter_of_the_service_wakes_the_unit() {
    let unit = Unit::new();
    let client = unit.start();
    let socket = client.socket();
    let ask = |method: &str, path: &str, body: Value| {
        let (status, answer) = ask(&socket, method, path, &body).expect("an answer");
        assert_eq!(status, 200, "{answer}");
    };
    ask("POST", "projects/p/configs", json!({"name": CONFIG}));
    ask("POST", &format!("{CONFIG}/waiters"), waiter("ready", 1, "60s"));
    ask("POST", &format!("{CONFIG}/waiters"), waiter("late", 2, "1s"));
    for name in ["ready", "late"] {
        let body = json!({"waiter": format!("{CONFIG}/waiters/{name}")});
        assert_eq!(put(&client, name, &body), 200);
    }
    assert_eq!(names(&client), [("late".to_owned(), false), ("ready".to_owned(), false)]);
    ask(
        "POST",
        &format!("{CONFIG}/variables"),
        json!({"name": format!("{CONFIG}/variables/a/1"), "text": "x"}),
    );
    unit.wait_for_calls(1);
    // Its time is over, and nobody asks.
    unit.wait_for_calls(2);
    // One that is not there has nothing to wait for.
    assert_eq!(put(&client, "none", &json!({"waiter": format!("{CONFIG}/waiters/none")})), 200);
    unit.wait_for_calls(3);
}

#[test]
fn what_is_no_wake_up_is_refused() {
    let unit = Unit::new();
    let client = unit.start();
    for body in [
        json!({"at": "tomorrow"}),
        json!({"when": "2020-01-01T00:00:00Z"}),
        json!({"waiter": "ready"}),
        json!({"waiter": "projects/p/configs/c"}),
        json!({"waiter": format!("{CONFIG}/waiters/w"), "at": "2020-01-01T00:00:00Z"}),
        json!([]),
    ] {
        assert_eq!(put(&client, "a", &body), 400, "{body}");
    }
    for name in ["a%20b", "%2e%2e%2f", &"a".repeat(129)] {
        assert_eq!(put(&client, name, &json!({})), 400, "{name}");
    }
    for (method, path) in
        [("POST", "/1.0/wake-ups"), ("GET", "/1.0/wake-ups/a"), ("PATCH", "/1.0/wake-ups/a")]
    {
        let (_, answer) = client.ask(method, path, "{}");
        assert_eq!(answer["error_code"], 501, "{method} {path}");
    }
    assert_eq!(names(&client), []);
    assert_eq!(unit.calls(), Vec::<String>::new());
}
