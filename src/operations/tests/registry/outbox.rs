//! Ends that are announced until somebody acknowledges them.

use charms_reactive_core::operation::{End, OperationId};
use charms_reactive_operations::{Created, Draft, Effect, OUTBOX_MAX, Operation, Refused};

use crate::desk::{Desk, durable, moment, task};

fn announced(draft: Draft) -> Draft {
    Draft { in_outbox: true, ..draft }
}

fn outbox(desk: &Desk) -> Vec<OperationId> {
    desk.registry.outbox().map(Operation::id).collect()
}

#[test]
fn an_end_is_announced_until_it_is_acknowledged() {
    let mut desk = Desk::new();
    let (id, other) = (desk.start(announced(durable())), desk.start(task()));
    assert_eq!(outbox(&desk), [id], "it will be");
    assert_eq!(desk.registry.acknowledge(id), Err(Refused::NotOver));
    desk.end(id, End::Success);
    desk.end(other, End::Success);
    let effects = desk.commit();
    assert!(effects.contains(&Effect::Announce(id)) && !effects.contains(&Effect::Announce(other)));
    let mut desk = desk.restart();
    assert!(desk.commit().contains(&Effect::Announce(id)), "by the next process, too");
    // Neither time nor number has it forgotten.
    desk.second += 5000;
    for _ in 0..10 {
        let id = desk.start(task());
        desk.end(id, End::Success);
    }
    desk.registry.prune(desk.now());
    assert!(desk.registry.get(id).is_ok() && desk.registry.get(other).is_err());
    assert_eq!(desk.registry.acknowledge(id), Ok(()));
    assert!(desk.commit().contains(&Effect::Acknowledged(id)));
    assert_eq!((desk.registry.acknowledge(id), desk.commit()), (Ok(()), vec![]), "said again");
    assert_eq!(outbox(&desk), []);
    desk.registry.prune(desk.now());
    assert_eq!(desk.registry.acknowledge(id), Err(Refused::NotFound), "like any other from then on");
}

#[test]
fn who_asks_again_hears_of_the_end_again() {
    let mut desk = Desk::new();
    let id = OperationId::new(moment(1), [9; 8]);
    let draft = || Draft { id: Some(id), ..announced(task()) };
    assert_eq!(desk.create(draft()), Ok(Created::Started(id)));
    desk.end(id, End::Success);
    desk.commit();
    desk.registry.acknowledge(id).expect("it ended");
    desk.commit();
    assert_eq!(desk.create(draft()), Ok(Created::Known(id)));
    assert!(desk.commit().contains(&Effect::Announce(id)));
    assert!(desk.store[&id].in_outbox);
}

#[test]
fn an_outbox_that_nobody_reads_is_full_one_day() {
    let mut desk = Desk::new();
    for _ in 0..OUTBOX_MAX {
        let id = desk.start(announced(task()));
        desk.end(id, End::Success);
    }
    let error = desk.create(announced(task())).expect_err("full");
    assert_eq!((error.clone(), error.code()), (Refused::OutboxFull, 429));
    desk.start(task());
    let first = outbox(&desk)[0];
    desk.registry.acknowledge(first).expect("it ended");
    desk.start(announced(task()));
}
