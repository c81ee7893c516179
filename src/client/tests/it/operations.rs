//! What operations are asked, of servers of every age.

use std::time::{Duration, Instant};

use charms_reactive_client::{Answer, ClientError, List};
use charms_reactive_core::operation::Status;
use serde_json::{Value, json};

use crate::server::{Server, Turn, json as answer, lines, sync, with_headers};

fn operation(id: &str, code: u16, err: &str) -> Value {
    json!({"id": id, "class": "task", "status_code": code, "err": err, "metadata": null})
}

fn started(operation: &Value) -> Turn {
    let url = format!("/1.0/operations/{}", operation["id"].as_str().unwrap_or_default());
    answer(202, &json!({"type": "async", "status_code": 100, "operation": url, "metadata": operation}))
}

fn error(status: u16, code: u16, text: &str) -> Turn {
    answer(status, &json!({"type": "error", "error": text, "error_code": code, "metadata": null}))
}

#[test]
fn the_ids_of_all_lists_are_one_list() {
    let server = Server::start(vec![
        sync(
            &json!({"running": ["/1.0/operations/a", "/1.0/operations/b?project=x"], "success": ["/1.0/operations/c"], "failure": null}),
        ),
        sync(&json!({})),
        sync(&json!(null)),
        sync(&json!(["/1.0/operations/a"])),
    ]);
    let client = server.client();
    assert_eq!(client.operations().expect("a list"), ["a", "b", "c"]);
    assert_eq!(client.operations().expect("a list"), [""; 0]);
    assert_eq!(client.operations().expect("a list"), [""; 0]);
    assert!(matches!(client.operations(), Err(ClientError::Strange { .. })));
    assert_eq!(lines(&server.requests())[0], "GET /1.0/operations?recursion=0");
}

#[test]
fn an_operation_that_failed_is_told_and_is_no_error() {
    let server = Server::start(vec![
        sync(&operation("a", 400, "boom")),
        error(404, 404, "Operation not found"),
        sync(&json!({"id": 5})),
    ]);
    let client = server.client();
    let found = client.operation("a/../b").expect("an operation");
    assert_eq!((found.status, found.reason()), (Status::Failure, "boom"));
    let refused = client.operation("x").expect_err("unknown");
    assert_eq!(refused.to_string(), "GET /1.0/operations/x: 404, Operation not found");
    assert!(matches!(client.operation("x"), Err(ClientError::Strange { .. })));
    assert_eq!(lines(&server.requests())[0], "GET /1.0/operations/a%2F..%2Fb");
}

#[test]
fn to_cancel_tells_why_it_cannot_be() {
    let server = Server::start(vec![
        sync(&json!({})),
        sync(&json!({})),
        error(400, 400, "Only running operations can be cancelled"),
    ]);
    let client = server.client();
    client.cancel_operation("a", None).expect("cancelled");
    client.cancel_operation("a", Some("no use")).expect("cancelled");
    let refused = client.cancel_operation("a", None).expect_err("over").to_string();
    assert_eq!(refused, "DELETE /1.0/operations/a: 400, Only running operations can be cancelled");
    let requests = server.requests();
    assert!(requests[0].ends_with("\r\n\r\n{}") && requests[1].ends_with("{\"reason\":\"no use\"}"));
}

#[test]
fn to_cancel_does_not_wait_for_the_end_where_the_server_does() {
    let cancel = |code| {
        let server = Server::start(vec![Turn::Hold, sync(&operation("a", code, ""))]);
        let result = server.client().timeout(Duration::from_millis(100)).cancel_operation("a", None);
        assert_eq!(lines(&server.requests()), ["DELETE /1.0/operations/a", "GET /1.0/operations/a"]);
        result
    };
    cancel(104).expect("it was told");
    cancel(401).expect("it was told");
    assert!(matches!(cancel(103), Err(ClientError::Silent { .. })));
}

#[test]
fn a_wait_ends_as_the_operation_did() {
    let wait = |code, err: &str| {
        let server = Server::start(vec![sync(&operation("a", 103, "")), sync(&operation("a", code, err))]);
        let result = server.client().wait_for_operation("a", None);
        let requests = server.requests();
        // At first it is looked at, then it is waited for.
        assert_eq!(
            lines(&requests),
            ["GET /1.0/operations/a/wait?timeout=0", "GET /1.0/operations/a/wait?timeout=30"]
        );
        result
    };
    assert_eq!(wait(200, "").expect("success").status, Status::Success);
    assert!(matches!(wait(400, "boom"), Err(ClientError::Failed(operation)) if operation.err == "boom"));
    // LXD 5.0 does not say who cancelled.
    assert!(matches!(wait(401, ""), Err(ClientError::Cancelled(operation)) if operation.err.is_empty()));
}

#[test]
fn a_wait_that_is_over_first_is_no_failure() {
    let server = Server::start(vec![sync(&operation("a", 103, ""))]);
    let zero = server.client().wait_for_operation("a", Some(Duration::ZERO));
    let Err(ClientError::TimedOut { operation: running, limit }) = &zero else { panic!("{zero:?}") };
    assert_eq!((running.id.as_str(), *limit), ("a", Duration::ZERO));
    assert_eq!(lines(&server.requests()), ["GET /1.0/operations/a/wait?timeout=0"]);
    // A server that comes back too early is asked again, but not all the time.
    let server = Server::start((0..200).map(|_| sync(&operation("a", 103, ""))).collect());
    let (client, begin, mut seen) = (server.client(), Instant::now(), 0);
    let limit = Duration::from_millis(300);
    let result = client.wait("a", Some(limit), limit, |_| seen += 1);
    assert!(matches!(result, Err(ClientError::TimedOut { .. })), "{result:?}");
    assert!(begin.elapsed() >= limit && (2..20).contains(&seen), "{seen} in {:?}", begin.elapsed());
}

#[test]
fn servers_that_tell_the_end_with_an_error_are_understood() {
    // LXD 5.21 to 6.9: status 200, and an error, after which the operation may be forgotten.
    let server = Server::start(vec![
        error(200, 500, "context deadline exceeded"),
        sync(&operation("a", 103, "")),
        error(200, 507, "boom"),
        error(404, 404, "Operation not found"),
    ]);
    let result = server.client().wait_for_operation("a", None);
    let Err(ClientError::Failed(failed)) = result else { panic!("{result:?}") };
    assert_eq!((failed.err.as_str(), failed.err_code), ("boom", 507));
    let expected = [
        "GET /1.0/operations/a/wait?timeout=0",
        "GET /1.0/operations/a",
        "GET /1.0/operations/a/wait?timeout=30",
        "GET /1.0/operations/a",
    ];
    assert_eq!(lines(&server.requests()), expected);
    let server = Server::start(vec![
        error(200, 500, "context canceled"),
        sync(&operation("a", 401, "context canceled")),
        error(200, 500, "context canceled"),
        sync(&operation("a", 104, "")),
    ]);
    for _ in 0..2 {
        let result = server.client().wait_for_operation("a", None);
        assert!(matches!(result, Err(ClientError::Cancelled(_))), "{result:?}");
    }
    server.requests();
}

#[test]
fn a_wait_outlives_its_connection() {
    let server = Server::start(vec![
        sync(&operation("a", 103, "")),
        Turn::Leave,
        Turn::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec()),
        error(503, 503, "LXD daemon setup in progress"),
        sync(&operation("a", 200, "")),
    ]);
    let done = server.client().wait_for_operation("a", None).expect("success");
    assert_eq!((done.status, server.requests().len()), (Status::Success, 5));
    // What never was there is not waited for.
    let begin = Instant::now();
    let nobody = charms_reactive_client::Client::unix("/nowhere").wait_for_operation("a", None);
    assert!(matches!(nobody, Err(ClientError::Unreachable { .. })), "{nobody:?}");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_call_waits_for_what_it_started_unless_told_otherwise() {
    let calls = |turns| {
        let server = Server::start(turns);
        let client = server.client();
        (server, client)
    };
    let (server, client) = calls(vec![started(&operation("a", 103, "")), sync(&operation("a", 200, ""))]);
    let body = json!({"action": "start"});
    let done = client.call("PUT", "/1.0/instances/c1/state").body(&body).send().expect("done");
    assert_eq!(done.operation().map(|operation| operation.status), Some(Status::Success));
    assert_eq!(
        lines(&server.requests()),
        ["PUT /1.0/instances/c1/state", "GET /1.0/operations/a/wait?timeout=0"]
    );
    let (server, client) = calls(vec![started(&operation("a", 103, ""))]);
    let running = client.call("DELETE", "/1.0/instances/c1").sync(false).send().expect("started");
    assert_eq!(running.operation().map(|operation| operation.status), Some(Status::Running));
    server.requests();
    let (server, client) = calls(vec![
        started(&operation("a", 103, "")),
        started(&operation("b", 103, "")),
        sync(&operation("b", 400, "boom")),
    ]);
    let client = client.auto_sync(false);
    let running = client.call("POST", "/1.0/instances").send().expect("started");
    assert_eq!(running.operation().map(|operation| operation.status), Some(Status::Running));
    let failed = client.call("POST", "/1.0/instances").sync(true).send();
    assert!(matches!(failed, Err(ClientError::Failed(operation)) if operation.id == "b"));
    server.requests();
}

#[test]
fn a_call_takes_what_servers_answer_instead() {
    let mut token = operation("t", 103, "");
    token["class"] = "token".into();
    let located = with_headers(202, "Location: /1.0/operations/l\r\n", &json!({"type": "async"}));
    let server = Server::start(vec![
        sync(&json!({"a": 1})),
        started(&token),
        started(&operation("o", 400, "at once")),
        sync(&operation("s", 401, "told with 200")),
        located,
        sync(&operation("l", 103, "")),
        error(404, 404, "not found"),
    ]);
    let client = server.client();
    let send = |sync: Option<bool>| {
        let call = client.call("POST", "/x");
        sync.map_or(call.clone(), |sync| call.sync(sync)).send()
    };
    assert_eq!(send(None).expect("done at once"), Answer::Done(json!({"a": 1})));
    let token = send(None).expect("a token is not waited for").operation();
    assert_eq!(token.map(|token| token.status), Some(Status::Running));
    assert!(matches!(send(None), Err(ClientError::Failed(operation)) if operation.err == "at once"));
    assert!(matches!(send(None), Err(ClientError::Cancelled(operation)) if operation.id == "s"));
    let located = send(Some(false)).expect("started").operation();
    assert_eq!(located.map(|operation| operation.id), Some("l".to_owned()));
    assert!(matches!(send(None), Err(ClientError::Refused(_))));
    server.requests();
}

#[test]
fn lists_are_sorted_by_age_and_asked_for_as_they_are_wanted() {
    let at = |id: &str, second: u32| {
        let mut operation = operation(id, 200, "");
        operation["created_at"] = format!("2026-11-21T07:19:{second:02}Z").into();
        operation
    };
    let server = Server::start(vec![
        sync(&json!({"success": [at("b", 2), at("a", 1)], "running": [at("c", 0)]})),
        sync(&json!({})),
    ]);
    let client = server.client().project("p q");
    let ids = |list: &List| {
        let operations = client.list(list).expect("a list");
        operations.into_iter().map(|operation| operation.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&List::default()), ["c", "a", "b"]);
    let list = List {
        all_projects: true,
        children: true,
        filter: "class eq task".to_owned(),
        limit: Some(5),
        before: Some("b".to_owned()),
    };
    assert_eq!(ids(&list), [""; 0]);
    let expected = [
        "GET /1.0/operations?recursion=1&project=p%20q",
        "GET /1.0/operations?recursion=2&all-projects=true&limit=5&before=b&filter=class%20eq%20task",
    ];
    assert_eq!(lines(&server.requests()), expected);
}

#[test]
fn history_is_paged_and_ends_where_a_server_has_no_pages() {
    let page = |ids: &[&str]| {
        sync(&json!({"success": ids.iter().map(|id| operation(id, 200, "")).collect::<Vec<_>>()}))
    };
    let server = Server::start(vec![page(&["4", "5"]), page(&["2", "3"]), page(&[])]);
    let client = server.client();
    let ids: Vec<String> =
        client.history(List::default(), 2).map(|operation| operation.expect("an operation").id).collect();
    assert_eq!(ids, ["5", "4", "3", "2"]);
    let expected = [
        "GET /1.0/operations?recursion=1&limit=2",
        "GET /1.0/operations?recursion=1&limit=2&before=4",
        "GET /1.0/operations?recursion=1&limit=2&before=2",
    ];
    assert_eq!(lines(&server.requests()), expected);
    // LXD: the parameters mean nothing to it.
    let server = Server::start(vec![page(&["1", "2"]), page(&["1", "2"])]);
    assert_eq!(server.client().history(List::default(), 1).count(), 2);
    server.requests();
    let server = Server::start(vec![error(404, 404, "not found")]);
    let client = server.client();
    let mut history = client.history(List::default(), 1);
    assert!(history.next().is_some_and(|first| first.is_err()) && history.next().is_none());
    server.requests();
}
