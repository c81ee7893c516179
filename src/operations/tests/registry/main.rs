//! The registry: what follows from what, with a made-up clock.

mod desk;
mod life;
mod outbox;
mod replace;

use charms_reactive_core::operation::{Class, End, Fault, OperationId, Progress, Requestor, Status};
use charms_reactive_operations::{
    Change, Children, Created, Draft, Effect, Filter, Metadata, Notice, OnConflict, Operation, Query,
    Refused, WaitId,
};
use serde_json::json;

use desk::{Desk, durable, metadata, moment, root, task, token};

#[test]
fn an_operation_as_clients_see_it() {
    let mut desk = Desk::new();
    let mut draft = task().project("default").requestor(root());
    draft.entity_url = Some("/1.0/things/a".into());
    draft.resources.insert("things".into(), vec!["/1.0/things/a".into()]);
    let id = desk.start(draft);
    desk.second = 101;
    desk.end(id, End::Failure(Fault::new(507, "disk full")));
    let expected = json!({
        "id": id.to_string(), "class": "task", "description": "Demo",
        "created_at": "1970-01-01T00:01:40Z", "updated_at": "1970-01-01T00:01:41Z",
        "status": "Failure", "status_code": 400,
        "resources": {"things": ["/1.0/things/a"]}, "metadata": {"entity_url": "/1.0/things/a"},
        "may_cancel": false, "err": "disk full", "err_code": 507, "child_count": 0, "location": "here",
        "requestor": {"username": "root", "protocol": "unix", "address": "@"},
    });
    assert_eq!(desk.shown(id), expected);
}

#[test]
fn nothing_is_started_or_told_that_is_not_kept() {
    let mut desk = Desk::new();
    let id = desk.start(task());
    assert!(matches!(desk.registry.changes().as_slice(), [Change::Put(record)] if record.id == id));
    desk.registry.not_stored();
    assert_eq!(desk.registry.get(id), Err(Refused::NotFound));
    assert_eq!((desk.registry.changes(), desk.registry.take_effects()), (vec![], vec![]));

    let id = desk.start(task());
    desk.commit();
    desk.end(id, End::Success);
    desk.registry.not_stored();
    assert_eq!(desk.registry.changes().len(), 1, "it is kept as soon as that is possible");
    assert_eq!(desk.told(), [(id, Status::Success)]);
}

#[test]
fn work_is_run_and_told_to_stop() {
    let mut desk = Desk::new();
    let id = desk.start(task());
    assert_eq!(desk.commit().pop(), Some(Effect::Run(id)));
    desk.cancel(id).expect("told");
    assert!(desk.commit().contains(&Effect::Stop(id)));
    assert!(!desk.registry.get(id).expect("known").is_running(), "it was told to stop");
    desk.cancel(id).expect("to cancel twice is fine");
    assert_eq!(desk.commit(), []);
    desk.end(id, End::Cancelled(None));
    assert_eq!(desk.shown(id)["err"], "cancelled by root: enough");
    assert_eq!(desk.shown(id)["err_code"], 499);
    let error = desk.cancel(id).expect_err("over");
    assert_eq!((error.code(), error.to_string().as_str()), (400, "Only running operations can be cancelled"));
}

#[test]
fn a_token_is_cancelled_at_once_and_runs_nothing() {
    let mut desk = Desk::new();
    let id = desk.start(token());
    assert!(!desk.commit().contains(&Effect::Run(id)));
    desk.cancel(id).expect("cancelled");
    assert_eq!(desk.status(id), Status::Cancelled);
    let effects = desk.commit();
    let [Effect::Tell(Notice::Operation(told)), Effect::Tell(Notice::Cancelled { by, .. })] =
        effects.as_slice()
    else {
        panic!("{effects:?}");
    };
    assert_eq!((told.status(), by.as_ref()), (Status::Cancelled, Some(&root())));
}

#[test]
fn what_may_not_be_cancelled_is_not() {
    let mut desk = Desk::new();
    let id = desk.start(Draft { may_cancel: false, ..task() });
    let error = desk.cancel(id).expect_err("refused");
    assert_eq!((error.code(), error.to_string().as_str()), (400, "This operation cannot be cancelled"));
    assert_eq!(desk.status(id), Status::Running);
}

#[test]
fn a_parent_ends_with_its_last_child_and_as_they_did() {
    let mut desk = Desk::new();
    let parent = desk.start(task().requestor(root()).child(task()).child(task()));
    let effects = desk.commit();
    assert!(!effects.contains(&Effect::Run(parent)), "it has no work of its own");
    let children = desk.registry.get(parent).expect("known").children().to_vec();
    assert!(children.iter().all(|child| effects.contains(&Effect::Run(*child))));
    let child = desk.registry.get(children[0]).expect("known");
    assert_eq!((child.is_child(), child.record().parent), (true, Some(parent)));
    assert_eq!(desk.registry.get(children[0]).expect("known").check_requestor(&root()), Ok(()));
    desk.end(children[0], End::Failure(Fault::new(500, "x")));
    assert_eq!(desk.status(parent), Status::Running);
    desk.end(children[1], End::Success);
    let shown = desk.shown(parent);
    assert_eq!(
        (&shown["err"], &shown["child_count"]),
        (&json!("One or more child operations failed"), &json!(2))
    );
    assert_eq!(shown["children"][1]["status"], "Success");
    assert_eq!(
        desk.told(),
        [(children[0], Status::Failure), (children[1], Status::Success), (parent, Status::Failure)]
    );
}

#[test]
fn to_cancel_a_parent_cancels_its_children_first() {
    let mut desk = Desk::new();
    let parent = desk.start(task().child(task()).child(task()));
    let children = desk.registry.get(parent).expect("known").children().to_vec();
    desk.end(children[0], End::Success);
    desk.cancel(parent).expect("told");
    assert_eq!((desk.status(parent), desk.status(children[1])), (Status::Cancelling, Status::Cancelling));
    desk.end(children[1], End::Cancelled(None));
    assert_eq!((desk.status(parent), desk.status(children[0])), (Status::Cancelled, Status::Success));
    assert_eq!(desk.shown(parent)["err"], "cancelled by root: enough");
}

fn staged(stage: u32) -> Draft {
    Draft { stage, ..task() }
}

#[test]
fn a_stage_starts_when_those_before_have_succeeded() {
    use Status::{Cancelled, Failure, Pending, Running, Success};

    let mut desk = Desk::new();
    let parent = desk.start(task().child(staged(1)).child(staged(0)).child(staged(0)).child(staged(2)));
    let children = desk.registry.get(parent).expect("known").children().to_vec();
    let statuses = |desk: &Desk| children.iter().map(|id| desk.status(*id)).collect::<Vec<_>>();
    assert_eq!(statuses(&desk), [Pending, Running, Running, Pending]);
    desk.end(children[1], End::Success);
    assert_eq!(statuses(&desk), [Pending, Success, Running, Pending]);
    desk.commit();
    desk.end(children[2], End::Success);
    assert!(desk.commit().contains(&Effect::Run(children[0])));
    assert_eq!(statuses(&desk), [Running, Success, Success, Pending]);
    desk.end(children[0], End::Failure(Fault::new(500, "x")));
    assert_eq!(statuses(&desk), [Failure, Success, Success, Cancelled]);
    assert_eq!(desk.shown(children[3])["err"], "cancelled: an earlier child operation did not succeed");
    assert_eq!(desk.status(parent), Failure);
}

#[test]
fn what_must_run_runs_whatever_became_of_the_rest() {
    let mut desk = Desk::new();
    let last = Draft { must_run: true, ..staged(2) };
    let parent = desk.start(task().child(staged(0)).child(staged(1)).child(last));
    let children = desk.registry.get(parent).expect("known").children().to_vec();
    assert_eq!(desk.cancel(children[2]).expect_err("it must run"), Refused::NotCancellable);
    assert_eq!(desk.shown(children[2])["may_cancel"], false);
    desk.cancel(parent).expect("told");
    desk.commit();
    desk.end(children[0], End::Cancelled(None));
    let statuses: Vec<Status> = children.iter().map(|id| desk.status(*id)).collect();
    assert_eq!(statuses, [Status::Cancelled, Status::Cancelled, Status::Running]);
    assert!(desk.commit().contains(&Effect::Run(children[2])));
    assert_eq!(desk.status(parent), Status::Cancelling);
    desk.end(children[2], End::Success);
    assert_eq!(desk.status(parent), Status::Cancelled);
}

#[test]
fn a_durable_stage_goes_on_after_a_restart() {
    let mut desk = Desk::new();
    let parent = desk.start(durable().child(durable()).child(Draft { stage: 1, ..durable() }));
    let children = desk.registry.get(parent).expect("known").children().to_vec();
    desk.commit();
    let mut desk = desk.restart();
    let run: Vec<Effect> =
        desk.commit().into_iter().filter(|effect| matches!(effect, Effect::Run(_))).collect();
    assert_eq!(run, [Effect::Run(children[0])]);
    assert_eq!(desk.status(children[1]), Status::Pending);
    desk.end(children[0], End::Success);
    assert!(desk.commit().contains(&Effect::Run(children[1])));
    desk.end(children[1], End::Success);
    assert_eq!(desk.status(parent), Status::Success);
}

#[test]
fn drafts_that_do_not_go_together_are_refused() {
    let check = |draft: Draft, expected: &str| {
        let mut desk = Desk::new();
        let error = desk.create(draft).expect_err(expected);
        assert_eq!((error.code(), error.to_string().as_str()), (400, expected));
        assert_eq!(desk.registry.operations().count(), 0);
    };
    let arguments = |text: &str| format!("Failed validating operation arguments: {text}");
    check(token().child(task()), &arguments("Operations of class \"token\" cannot have children"));
    check(task().child(token()), &arguments("Operations of class \"token\" cannot have a parent operation"));
    check(
        task().child(task().child(task())),
        &arguments("Bulk operations cannot have nested bulk operations"),
    );
    check(
        task().child(task().project("other")),
        &arguments("Child operations cannot have a different project to the parent operation"),
    );
    check(Draft { entity_url: Some("x".into()), ..task() }, &arguments("Invalid operation entity URL: x"));
    check(
        Draft { metadata: metadata(json!({"entity_url": 3})), ..task() },
        "Operation metadata field \"entity_url\" must be a string (got a number)",
    );
    let connect = "Websocket operations must have a Connect hook";
    check(Draft::new("demo", Class::Websocket, "Demo"), &arguments(connect));
    let sockets = [("0".to_owned(), "s".to_owned())].into();
    check(Draft { sockets, ..task() }, &arguments("Only websocket operations can have a Connect hook"));
    let gap = "Child operation stages must be consecutive, starting at 0";
    check(task().child(staged(0)).child(staged(2)), &arguments(gap));
    check(task().child(staged(1)), &arguments(gap));
    let mixed = task().child(task()).child(Draft { kind: "other".into(), ..task() });
    check(mixed, &arguments("All children in a stage must have the same operation type"));
    check(staged(1), &arguments("Only child operations have stages"));
    let lone = task().requestor_of(None).expect_err("nobody").to_string();
    assert_eq!(lone, arguments("Cannot create user operation: No requestor present in parent operation"));
    let copied = task().requestor_of(Some(&root())).expect("copied");
    assert_eq!(copied.requestor, Some(root()));
}

#[test]
fn one_of_a_reference_runs_in_each_project() {
    let mut desk = Desk::new();
    let draft = |on_conflict| task().reference("reindex", on_conflict);
    let first = desk.start(draft(OnConflict::Fail));
    let error = desk.create(draft(OnConflict::Fail)).expect_err("one runs");
    assert_eq!((error.clone(), error.code()), (Refused::Conflict { holder: first }, 409));
    assert_eq!(error.to_string(), "An operation with this conflict reference is already running");
    assert_eq!(desk.create(draft(OnConflict::Join)), Ok(Created::Joined(first)));
    desk.start(draft(OnConflict::Fail).project("other"));
    desk.cancel(first).expect("told");
    assert!(desk.create(draft(OnConflict::Fail)).is_err(), "it has not stopped");
    desk.end(first, End::Cancelled(None));
    desk.start(draft(OnConflict::Fail));
}

#[test]
fn an_id_is_started_once() {
    let mut desk = Desk::new();
    let id = OperationId::new(moment(1), [9; 8]);
    let draft = |inputs| Draft { id: Some(id), inputs, ..task() };
    assert_eq!(desk.create(draft(json!(1))), Ok(Created::Started(id)));
    desk.commit();
    assert_eq!(desk.create(draft(json!(1))), Ok(Created::Known(id)));
    assert_eq!(desk.commit(), []);
    assert!(desk.create(draft(json!(2))).is_err());
}

#[test]
fn metadata_is_replaced_or_added_to_until_the_end() {
    let mut desk = Desk::new();
    let id = desk.start(Draft { entity_url: Some("/1.0/a".into()), ..task() });
    let now = desk.now();
    desk.registry.update_metadata(id, metadata(json!({"a": 1, "b": 2})), now).expect("replaced");
    desk.registry.extend_metadata(id, metadata(json!({"b": 3})), now).expect("added");
    assert_eq!(desk.shown(id)["metadata"], json!({"a": 1, "b": 3, "entity_url": "/1.0/a"}));
    assert_eq!(desk.registry.get(id).expect("known").entity_url(), Some("/1.0/a"));
    assert_eq!(desk.commit().len(), 4, "running, run, and one notice each");
    desk.registry.extend_metadata(id, Metadata::new(), now).expect("nothing");
    assert_eq!(desk.commit(), []);
    let wrong = metadata(json!({"entity_url": "x y"}));
    let error = desk.registry.update_metadata(id, wrong, now).expect_err("no URL").to_string();
    assert_eq!(error, "Operation metadata field \"entity_url\" must be a valid request URL: x y");
    let long = metadata(json!({"x": "y".repeat(70_000)}));
    assert_eq!(desk.registry.extend_metadata(id, long, now).expect_err("too long").code(), 400);
    desk.end(id, End::Success);
    let completed = "Operations cannot be updated after they have completed";
    let more = || metadata(json!({"c": 1}));
    assert_eq!(desk.registry.update_metadata(id, more(), now).expect_err("over").to_string(), completed);
    assert_eq!(desk.registry.extend_metadata(id, more(), now).expect_err("over").to_string(), completed);
    let read_only = desk.registry.commit_metadata(id, now).expect_err("over").to_string();
    assert_eq!(read_only, "Read-only operations cannot be updated");
}

#[test]
fn progress_is_shown_and_can_be_left_out() {
    let mut desk = Desk::new();
    let id = desk.start(task());
    let progress = Progress { stage: "unpack".into(), done: 1, total: Some(4), ..Progress::default() };
    desk.registry.progress(id, &progress, desk.now()).expect("said");
    assert_eq!(desk.shown(id)["metadata"]["unpack_progress"], "25%");
    let operation = desk.registry.get(id).expect("known");
    assert!(desk.registry.render(operation, Children::Counted).without_progress().metadata().is_empty());
    let parent = desk.start(task().child(task()).child(task()));
    let children = desk.registry.get(parent).expect("known").children().to_vec();
    desk.registry.progress(children[1], &progress, desk.now()).expect("said");
    let operation = desk.registry.get(parent).expect("known");
    let whole = desk.registry.render(operation, Children::Whole).without_progress();
    let whole = serde_json::to_value(whole).expect("JSON");
    let shown = |place: usize| (&whole["children"][place]["id"], &whole["children"][place]["metadata"]);
    let ids: Vec<_> = children.iter().map(|id| json!(id)).collect();
    assert!(ids.is_sorted_by_key(ToString::to_string));
    assert_eq!([shown(0), shown(1)], [(&ids[0], &json!({})), (&ids[1], &json!({}))]);
}

#[test]
fn a_secret_opens_its_socket_once_while_the_operation_runs() {
    let mut desk = Desk::new();
    let sockets = || [("0".to_owned(), "s0".to_owned()), ("control".to_owned(), "s1".to_owned())].into();
    let websocket = || Draft { sockets: sockets(), ..Draft::new("demo", Class::Websocket, "Demo") };
    let (id, other) = (desk.start(websocket()), desk.start(task()));
    assert_eq!(desk.shown(id)["metadata"]["fds"], json!({"0": "s0", "control": "s1"}));
    let mut check = |id, secret: &str, expected: Result<&str, (u16, &str)>| {
        let found = desk.registry.connect(id, secret).map_err(|error| (error.code(), error.to_string()));
        assert_eq!(found, expected.map(str::to_owned).map_err(|(code, text)| (code, text.to_owned())));
    };
    let wrong = Err((403, "The secret is wrong, or has been used"));
    check(id, "", wrong);
    check(id, "s", wrong);
    check(id, "s1", Ok("control"));
    check(id, "s1", wrong);
    check(id, "s0", Ok("0"));
    check(other, "s0", Err((400, "Only websocket operations can be connected")));
    let (failed, stopping) = (desk.start(websocket()), desk.start(websocket()));
    desk.end(failed, End::Failure(Fault::new(504, "too late")));
    desk.cancel(stopping).expect("told");
    let mut check = |id, code, text: &str| {
        let error = desk.registry.connect(id, "s0").expect_err(text);
        assert_eq!((error.code(), error.to_string().as_str()), (code, text));
    };
    check(failed, 504, "Failed connecting to operation: too late");
    check(stopping, 400, "Only running operations can be connected");
}

#[test]
fn inputs_are_asked_for_by_key() {
    let mut desk = Desk::new();
    let id = desk.start(Draft { inputs: json!({"path": "/srv"}), ..task() });
    let operation = desk.registry.get(id).expect("known");
    assert_eq!(operation.input("path"), Ok(&json!("/srv")));
    let error = operation.input("size").expect_err("absent");
    assert_eq!((error.code(), error.to_string().as_str()), (404, "No value for input key \"size\""));
}

#[test]
fn whoever_asked_is_compared_by_name_and_protocol() {
    let mut desk = Desk::new();
    let (id, lone) = (desk.start(task().requestor(root())), desk.start(task()));
    let elsewhere = Requestor { address: "127.0.0.1:9".into(), ..root() };
    let other = Requestor { username: "eve".into(), ..root() };
    let check = |id, caller| desk.registry.get(id).expect("known").check_requestor(caller);
    assert_eq!(check(id, &elsewhere), Ok(()));
    assert_eq!(check(id, &other).expect_err("another").code(), 403);
    assert_eq!(check(lone, &other), Err(Refused::NoRequestor));
}

#[test]
fn who_waits_is_woken_once_by_the_end() {
    let mut desk = Desk::new();
    let (id, other) = (desk.start(task()), desk.start(task()));
    desk.commit();
    for wait in [1, 2, 3] {
        assert_eq!(desk.registry.wait(id, WaitId(wait)), Ok(true));
    }
    assert_eq!(desk.registry.wait(other, WaitId(4)), Ok(true));
    desk.registry.end_wait(WaitId(2));
    desk.end(id, End::Success);
    let woken: Vec<Effect> =
        desk.commit().into_iter().filter(|effect| matches!(effect, Effect::Wake(..))).collect();
    assert_eq!(woken, [Effect::Wake(WaitId(1), id), Effect::Wake(WaitId(3), id)]);
    assert_eq!(desk.registry.wait(id, WaitId(5)), Ok(false), "it is over");
    let unknown = OperationId::new(moment(1), [0; 8]);
    assert_eq!(desk.registry.wait(unknown, WaitId(6)), Err(Refused::NotFound));
}

#[test]
fn after_a_restart_tasks_have_failed_and_durable_work_runs_again() {
    let mut desk = Desk::new();
    let (task_id, again, stopped) = (desk.start(task()), desk.start(durable()), desk.start(durable()));
    let secret = desk.start(token());
    let parent = desk.start(task().child(task()).child(task()));
    let now = desk.now();
    desk.registry.extend_metadata(again, metadata(json!({"step": 2})), now).expect("added");
    desk.registry.commit_metadata(again, now).expect("kept");
    desk.registry.extend_metadata(task_id, metadata(json!({"step": 1})), now).expect("added");
    desk.cancel(stopped).expect("told");
    desk.commit();
    desk.registry.extend_metadata(again, metadata(json!({"step": 3})), now).expect("added, and not kept");
    desk.second = 200;
    let mut desk = desk.restart();
    let shown = desk.shown(task_id);
    assert_eq!(
        (&shown["status"], &shown["err"], &shown["err_code"]),
        (&json!("Failure"), &json!("charmd ended"), &json!(503))
    );
    assert_eq!(shown["updated_at"], "1970-01-01T00:03:20Z");
    assert_eq!((desk.status(again), desk.status(stopped)), (Status::Running, Status::Cancelled));
    assert_eq!(desk.shown(again)["metadata"], json!({"step": 2}), "from its last stage");
    assert_eq!((desk.status(secret), desk.status(parent)), (Status::Running, Status::Failure));
    let run: Vec<Effect> =
        desk.commit().into_iter().filter(|effect| matches!(effect, Effect::Run(_))).collect();
    assert_eq!(run, [Effect::Run(again)]);
    let before = desk.store.clone();
    let mut desk = desk.restart();
    desk.commit();
    assert_eq!(desk.store.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
}

#[test]
fn operations_that_ended_are_kept_for_a_time_and_up_to_a_number() {
    let mut desk = Desk::new();
    let parent = desk.start(task().child(task()));
    let child = desk.registry.get(parent).expect("known").children()[0];
    desk.commit();
    desk.end(child, End::Success);
    let running = desk.start(task());
    desk.commit();
    desk.second += 1000;
    desk.registry.prune(desk.now());
    assert!(desk.registry.get(parent).is_ok(), "still in time");
    assert_eq!(desk.registry.next_prune(), Some(desk.now().next()));
    desk.second += 1;
    desk.registry.prune(desk.now());
    assert_eq!(
        (desk.registry.get(parent), desk.registry.get(child)),
        (Err(Refused::NotFound), Err(Refused::NotFound))
    );
    let many: Vec<OperationId> = (0..7).map(|_| desk.start(task())).collect();
    for id in &many {
        desk.end(*id, End::Success);
    }
    desk.registry.prune(desk.now());
    let kept: Vec<OperationId> = desk.registry.operations().map(Operation::id).collect();
    assert_eq!(kept, [&[running][..], &many[2..]].concat());
    desk.commit();
    assert_eq!(desk.store.len(), 6, "the store forgets, too");
}

#[test]
fn lists_are_by_project_and_filter() {
    let mut desk = Desk::new();
    let server = desk.start(task());
    let default = desk.start(durable().project("default"));
    let other = desk.start(task().project("other").child(task().project("other")));
    let check = |project: Option<&str>, filter: &str, expected: &[OperationId]| {
        let query = Query {
            project: project.map(str::to_owned),
            filter: Filter::parse(filter).expect(filter),
            ..Query::default()
        };
        let found: Vec<OperationId> = desk.registry.list(&query).into_iter().map(Operation::id).collect();
        assert_eq!(found, expected, "{project:?} {filter}");
    };
    check(None, "", &[server, default, other]);
    check(Some("default"), "", &[server, default]);
    check(Some("other"), "status eq running", &[other]);
    check(Some("nothing"), "", &[]);
    check(None, "class eq durable and status ne success", &[default]);
    check(None, "description eq \"demo\" and project eq other", &[other]);
    check(None, &format!("id ne {server} and kind eq demo"), &[default, other]);
}

#[test]
fn a_list_is_paged_from_the_youngest_on() {
    let mut desk = Desk::new();
    let all: Vec<OperationId> = (0..7).map(|_| desk.start(task())).collect();
    let page = |before, limit| {
        let query = Query { before, limit: Some(limit), ..Query::default() };
        desk.registry.list(&query).into_iter().map(Operation::id).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 3), all[4..]);
    assert_eq!(page(Some(all[4]), 3), all[1..4]);
    assert_eq!(page(Some(all[1]), 3), all[..1]);
    assert_eq!(page(Some(all[0]), 3), []);
}

#[test]
fn a_shutdown_ends_all_stages() {
    let mut desk = Desk::new();
    let last = Draft { must_run: true, ..staged(2) };
    let parent = desk.start(task().child(staged(0)).child(staged(1)).child(last));
    let children = desk.registry.get(parent).expect("known").children().to_vec();
    desk.registry.shut_down(desk.now());
    assert_eq!(desk.registry.unfinished_work(), children[..1]);
    desk.end(children[0], End::Cancelled(None));
    assert_eq!(desk.status(parent), Status::Cancelled);
}

#[test]
fn a_shutdown_starts_nothing_and_leaves_durable_work_alone() {
    let mut desk = Desk::new();
    let (fixed, again, secret) =
        (desk.start(Draft { may_cancel: false, ..task() }), desk.start(durable()), desk.start(token()));
    desk.commit();
    desk.registry.shut_down(desk.now());
    assert_eq!(desk.registry.unfinished_work(), [fixed]);
    assert_eq!(desk.status(fixed), Status::Cancelling);
    assert_eq!((desk.status(again), desk.status(secret)), (Status::Running, Status::Running));
    assert_eq!(desk.create(task()).expect_err("too late").code(), 503);
    desk.end(fixed, End::Cancelled(None));
    assert_eq!(desk.registry.unfinished_work(), []);
}
