//! Operations that replace others.

use charms_reactive_core::operation::{End, Status};
use charms_reactive_operations::{Created, Draft, Effect, OnConflict, Refused};

use crate::desk::{Desk, durable, root, task, token};

fn replacing(draft: Draft) -> Draft {
    draft.reference("reindex", OnConflict::Replace)
}

#[test]
fn one_that_replaces_waits_until_the_other_has_stopped() {
    let mut desk = Desk::new();
    let first = desk.start(replacing(task()).requestor(root()));
    assert!(desk.commit().contains(&Effect::Run(first)), "nothing was in its way");
    let second = desk.start(replacing(task()).requestor(root()));
    let effects = desk.commit();
    assert!(effects.contains(&Effect::Stop(first)) && !effects.contains(&Effect::Run(second)));
    assert_eq!((desk.status(first), desk.status(second)), (Status::Cancelling, Status::Pending));
    // Whoever comes now meets the one that is to stay.
    let fail = || task().reference("reindex", OnConflict::Fail);
    assert_eq!(desk.create(fail()), Err(Refused::Conflict { holder: second }));
    let join = task().reference("reindex", OnConflict::Join);
    assert_eq!(desk.create(join), Ok(Created::Joined(second)));
    desk.end(first, End::Cancelled(None));
    assert_eq!(desk.commit().pop(), Some(Effect::Run(second)));
    let why = format!("cancelled by root: replaced by operation {second}");
    assert_eq!(desk.shown(first)["err"], why);
    desk.end(second, End::Success);
    desk.start(fail());
}

#[test]
fn of_several_that_replace_the_last_one_runs() {
    let mut desk = Desk::new();
    let first = desk.start(replacing(task()));
    let second = desk.start(replacing(task().child(task())));
    let third = desk.start(replacing(task().child(durable()).child(Draft { stage: 1, ..task() })));
    let statuses = [first, second, third].map(|id| desk.status(id));
    assert_eq!(statuses, [Status::Cancelling, Status::Cancelled, Status::Pending]);
    // It was done before it heard of it.
    desk.end(first, End::Success);
    assert_eq!(desk.status(third), Status::Running);
    let children = desk.registry.get(third).expect("known").children().to_vec();
    assert_eq!([children[0], children[1]].map(|id| desk.status(id)), [Status::Running, Status::Pending]);
    // What runs nothing is over at once.
    let mut desk = Desk::new();
    let first = desk.start(replacing(token()));
    let second = desk.start(replacing(task()));
    assert_eq!((desk.status(first), desk.status(second)), (Status::Cancelled, Status::Running));
}

#[test]
fn one_that_waits_for_another_can_be_cancelled() {
    let mut desk = Desk::new();
    let first = desk.start(replacing(task()));
    let second =
        desk.start(replacing(task().child(task()).child(Draft { must_run: true, stage: 1, ..task() })));
    desk.commit();
    desk.cancel(second).expect("cancelled");
    assert_eq!(desk.status(second), Status::Cancelled);
    for child in desk.registry.get(second).expect("known").children() {
        assert_eq!(desk.status(*child), Status::Cancelled, "nothing of it has begun");
    }
    desk.end(first, End::Cancelled(None));
    assert!(!desk.commit().iter().any(|effect| matches!(effect, Effect::Run(_))));
}

#[test]
fn what_may_not_be_cancelled_is_not_replaced() {
    let mut desk = Desk::new();
    let first = desk.start(Draft { may_cancel: false, ..replacing(task()) });
    assert_eq!(desk.create(replacing(task())), Err(Refused::NotCancellable));
    assert_eq!((desk.status(first), desk.registry.operations().count()), (Status::Running, 1));
    // A child has its turn, and waits for nobody else.
    let error = desk.create(task().child(replacing(task())));
    assert_eq!(error, Err(Refused::Conflict { holder: first }));
}

#[test]
fn after_a_restart_durable_work_that_waited_begins() {
    let mut desk = Desk::new();
    let first = desk.start(replacing(task()));
    let second = desk.start(replacing(durable()));
    desk.commit();
    let mut desk = desk.restart();
    assert_eq!(desk.commit().iter().filter(|effect| **effect == Effect::Run(second)).count(), 1);
    assert_eq!((desk.status(first), desk.status(second)), (Status::Cancelled, Status::Running));
    // One that is durable as well was told to stop, and does not run again.
    let third = desk.start(replacing(task().child(durable())));
    desk.commit();
    let desk = desk.restart();
    assert_eq!((desk.status(second), desk.status(third)), (Status::Cancelled, Status::Failure));
    let child = desk.registry.get(third).expect("known").children()[0];
    assert_eq!(desk.status(child), Status::Cancelled);
}
