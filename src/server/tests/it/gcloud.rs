//! The requests of gcloud 578.0.0, as a recorder took them down, and what gcloud needs to find in the answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::http::{Charmd, status};

/// gcloud's commands, one after another.
struct Gcloud {
    charmd: Charmd,
}

const CONFIG: &str = "projects/my-proj/configs/cfg";

impl Gcloud {
    /// What one request comes to.
    #[track_caller]
    fn sends(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let headers = "user-agent: google-cloud-sdk gcloud/578.0.0 command/gcloud.beta.runtime-config\r\n\
                       accept: application/json\r\ncontent-type: application/json\r\n";
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (head, answer) = self.charmd.ask(method, &format!("/v1beta1/{path}"), headers, &body);
        (status(&head), serde_json::from_slice(&answer).expect("JSON"))
    }

    /// What a request of `cfg` comes to, which goes well.
    #[track_caller]
    fn gets(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.sends(method, &format!("{CONFIG}{path}"), body);
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

#[test]
fn the_requests_of_gcloud_are_answered_as_it_needs() {
    let gcloud = Gcloud { charmd: Charmd::start(&[]) };
    let none = Value::Null;

    // configs create cfg --description d; list
    let body = json!({"description": "d", "name": CONFIG});
    assert_eq!(gcloud.sends("POST", "projects/my-proj/configs?alt=json", &body), (200, body.clone()));
    let (status, refused) = gcloud.sends("POST", "projects/my-proj/configs?alt=json", &body);
    assert_eq!((status, &refused["error"]["status"]), (409, &json!("ALREADY_EXISTS")));
    let listed = gcloud.sends("GET", "projects/my-proj/configs?alt=json&pageSize=100", &none);
    assert_eq!(listed, (200, json!({ "configs": [body] })));

    // variables set status/n1 hello, twice: the second one replaces it.
    let variable = |path: &str, field: &str, text: &str| json!({"name": format!("{CONFIG}/variables/{path}"), field: text});
    let hello = variable("status/n1", "value", &STANDARD.encode("hello"));
    assert_eq!(gcloud.gets("POST", "/variables?alt=json", &hello)["value"], "aGVsbG8=");
    assert_eq!(gcloud.sends("POST", &format!("{CONFIG}/variables?alt=json"), &hello).0, 409);
    assert_eq!(gcloud.gets("PUT", "/variables/status/n1?alt=json", &hello)["state"], "UPDATED");
    // variables set /status//n2/ '' --is-text: an empty text is said, or `describe` fails.
    let empty = gcloud.gets("POST", "/variables?alt=json", &variable("/status//n2/", "text", ""));
    assert_eq!(
        (&empty["name"], &empty["text"]),
        (&json!(format!("{CONFIG}/variables/status/n2")), &json!(""))
    );
    // variables set v --fail-if-absent
    let absent = gcloud.sends("PUT", &format!("{CONFIG}/variables/v?alt=json"), &variable("v", "text", "x"));
    assert_eq!(absent.0, 404);

    // variables get-value /status/n1; list, with values, in pages of one
    assert_eq!(gcloud.gets("GET", "/variables//status/n1?alt=json", &none)["value"], "aGVsbG8=");
    let all = gcloud.gets("GET", "/variables?alt=json&pageSize=100&returnValues=False", &none);
    let names: Vec<&Value> =
        all["variables"].as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert_eq!(names, [&hello["name"], &empty["name"]]);
    assert!(all.get("nextPageToken").is_none() && all["variables"][0].get("value").is_none(), "{all}");
    let values = gcloud.gets("GET", "/variables?alt=json&pageSize=100&returnValues=True", &none);
    assert_eq!(
        (&values["variables"][0]["value"], &values["variables"][1]["text"]),
        (&json!("aGVsbG8="), &json!(""))
    );
    let first = gcloud.gets("GET", "/variables?alt=json&pageSize=1&returnValues=False", &none);
    let token = first["nextPageToken"].as_str().expect("a token");
    let second = format!("/variables?alt=json&pageSize=1&pageToken={token}&returnValues=False");
    assert_eq!(gcloud.gets("GET", &second, &none)["variables"][0]["name"], empty["name"]);

    // variables watch status/n1 --newer-than 2016-04-05T12:00:00Z
    let newer = json!({"newerThan": "2016-04-05T12:00:00.000Z"});
    assert_eq!(gcloud.gets("POST", "/variables/status/n1:watch?alt=json", &newer)["state"], "UPDATED");

    // variables unset status, then with --recursive, then again: 404 is fine for gcloud.
    let unset = |recursive: &str| {
        gcloud.sends("DELETE", &format!("{CONFIG}/variables/status?alt=json&recursive={recursive}"), &none)
    };
    assert_eq!(unset("False").1["error"]["status"], "FAILED_PRECONDITION");
    assert_eq!(unset("True"), (200, json!({})));
    assert_eq!(unset("True").0, 404);
}

#[test]
fn gcloud_polls_a_waiter_until_it_has_ended() {
    let gcloud = Gcloud { charmd: Charmd::start(&[]) };
    let none = Value::Null;
    let body = json!({ "name": CONFIG });
    assert_eq!(gcloud.sends("POST", "projects/my-proj/configs?alt=json", &body).0, 200);
    // waiters create w1 --timeout 15m --success-cardinality-path /s
    let waiter = json!({"name": format!("{CONFIG}/waiters/w1"), "timeout": "900s",
                        "success": {"cardinality": {"number": 1, "path": "/s"}}});
    let operation = gcloud.gets("POST", "/waiters?alt=json", &waiter);
    assert_eq!(operation, json!({ "name": format!("{CONFIG}/operations/waiters/w1") }));
    let poll = || gcloud.gets("GET", "/waiters/w1?alt=json", &none);
    let running = poll();
    assert!(
        running.get("done").is_none() && running["success"]["cardinality"]["number"].is_u64(),
        "{running}"
    );
    let variable = json!({"name": format!("{CONFIG}/variables/s/1"), "text": "x"});
    gcloud.gets("POST", "/variables?alt=json", &variable);
    let ended = poll();
    assert!(ended["done"] == true && ended.get("error").is_none(), "{ended}");
    // waiters list, describe, delete
    let listed = gcloud.gets("GET", "/waiters?alt=json&pageSize=100", &none);
    assert_eq!(listed, json!({ "waiters": [ended] }));
    assert_eq!(gcloud.gets("DELETE", "/waiters/w1?alt=json", &none), json!({}));
    assert_eq!(gcloud.sends("GET", &format!("{CONFIG}/waiters/w1?alt=json"), &none).0, 404);
}
