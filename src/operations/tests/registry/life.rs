//! Random lives, beside what must hold in all of them.

use std::collections::{BTreeMap, BTreeSet};

use charms_reactive_core::operation::{End, Fault, OperationId, Status};
use charms_reactive_operations::{Draft, Effect, Notice, OnConflict, Operation, WaitId};
use proptest::prelude::*;
use serde_json::json;

use crate::desk::{Desk, durable, metadata, task, token};

/// A parent with three stages.
fn staged(draft: &Draft) -> Draft {
    let child = |stage, must_run| Draft { stage, must_run, ..draft.clone() };
    draft.clone().child(child(0, false)).child(child(1, false)).child(child(0, false)).child(child(2, true))
}

/// One call of a random life; the number chooses the operation.
#[derive(Clone, Debug)]
enum Call {
    Create(u8, u8, OnConflict),
    End(usize, u8),
    Cancel(usize),
    Acknowledge(usize),
    Wait(usize),
    Extend(usize),
    Fail,
    Restart,
    Pass(u64),
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = prop_oneof![
        4 => (0..8_u8, 0..4_u8, prop::sample::select(vec![OnConflict::Fail, OnConflict::Join, OnConflict::Replace]))
            .prop_map(|(class, reference, on_conflict)| Call::Create(class, reference, on_conflict)),
        4 => (0..20_usize, 0..3_u8).prop_map(|(which, end)| Call::End(which, end)),
        2 => (0..20_usize).prop_map(Call::Cancel),
        2 => (0..20_usize).prop_map(Call::Acknowledge),
        2 => (0..20_usize).prop_map(Call::Wait),
        1 => (0..20_usize).prop_map(Call::Extend),
        1 => Just(Call::Fail),
        1 => Just(Call::Restart),
        2 => (0..600_u64).prop_map(Call::Pass),
    ];
    prop::collection::vec(call, 0..60)
}

proptest! {
    /// Whatever is called: ends are told once and stay, parents end last, a reference is held once and one at
    /// most waits for it, who waits is woken, ends are announced until they are acknowledged, and after a restart everything that was acknowledged is there.
    #[test]
    fn what_must_hold_in_any_life(calls in calls()) {
        let mut desk = Desk::new();
        let mut last: BTreeMap<OperationId, Status> = BTreeMap::new();
        let mut waiting: BTreeMap<u64, OperationId> = BTreeMap::new();
        let mut waits = 0;
        let (mut runs, mut announced) = (BTreeSet::new(), BTreeSet::new());
        for call in calls {
            let all: Vec<OperationId> = desk.registry.operations().map(Operation::id).collect();
            let chosen = |which: usize| all.get(which % all.len().max(1)).copied();
            let now = desk.now();
            let mut is_kept = true;
            match call {
                Call::Create(class, reference, on_conflict) => {
                    let draft = match class {
                        0 | 1 => task(),
                        2 => durable(),
                        3 => token(),
                        4 => task().child(durable()).child(task()),
                        6 => staged(&task()),
                        7 => staged(&durable()),
                        _ => durable().child(durable()),
                    };
                    let name = format!("r{reference}");
                    let draft = Draft { in_outbox: reference % 2 == 1, ..draft };
                    let draft = if reference == 0 { draft } else { draft.reference(&name, on_conflict) };
                    let _ = desk.create(draft);
                }
                Call::End(which, end) => if let Some(id) = chosen(which) {
                    let end = match end {
                        0 => End::Success,
                        1 => End::Failure(Fault::new(500, "x")),
                        _ => End::Cancelled(None),
                    };
                    // Parents have no work that could end.
                    if !desk.registry.get(id).expect("known").record().is_parent {
                        let _ = desk.registry.end(id, end, now);
                    }
                },
                Call::Cancel(which) => if let Some(id) = chosen(which) {
                    let _ = desk.cancel(id);
                },
                Call::Acknowledge(which) => if let Some(id) = chosen(which) {
                    let is_finished = desk.registry.get(id).expect("known").is_finished();
                    prop_assert_eq!(desk.registry.acknowledge(id).is_ok(), is_finished);
                },
                Call::Wait(which) => if let Some(id) = chosen(which) {
                    waits += 1;
                    if desk.registry.wait(id, WaitId(waits)).expect("known") {
                        waiting.insert(waits, id);
                    }
                },
                Call::Extend(which) => if let Some(id) = chosen(which) {
                    let _ = desk.registry.extend_metadata(id, metadata(json!({"second": desk.second})), now);
                },
                Call::Fail => {
                    desk.registry.not_stored();
                    is_kept = false;
                }
                Call::Restart => {
                    desk = desk.restart();
                    waiting.clear();
                    runs.clear();
                    announced.clear();
                }
                Call::Pass(seconds) => {
                    desk.second += seconds;
                    desk.registry.prune(desk.now());
                }
            }
            let effects = if is_kept { desk.commit() } else { Vec::new() };
            for effect in effects {
                match effect {
                    Effect::Tell(Notice::Operation(told)) => {
                        let before = last.insert(told.id(), told.status());
                        prop_assert!(before.is_none_or(|before| !before.is_final()), "told after its end");
                    }
                    Effect::Wake(WaitId(wait), id) => prop_assert_eq!(waiting.remove(&wait), Some(id)),
                    Effect::Run(id) | Effect::Stop(id) => {
                        prop_assert!(!matches!(effect, Effect::Run(_)) || runs.insert(id), "run once");
                        prop_assert!(!desk.registry.get(id).expect("known").record().is_parent);
                    }
                    Effect::Announce(id) => prop_assert!(announced.insert(id), "announced once in a process"),
                    Effect::Acknowledged(id) => drop(announced.remove(&id)),
                    Effect::Tell(Notice::Cancelled { .. }) => {}
                }
            }
            let outbox = desk.registry.outbox().filter(|operation| operation.is_finished()).map(Operation::id);
            if is_kept {
                prop_assert_eq!(outbox.collect::<BTreeSet<_>>(), announced.clone());
            }
            let (mut held, mut awaited) = (Vec::new(), Vec::new());
            for operation in desk.registry.operations() {
                let record = operation.record();
                let status = operation.status();
                prop_assert_eq!(last.get(&record.id), Some(&status), "everything is told");
                let is_over = record.life.fault.as_ref().is_some_and(|fault| !fault.text.is_empty());
                prop_assert_eq!(is_over, matches!(status, Status::Failure | Status::Cancelled));
                if record.is_parent {
                    let mut children = operation.children().iter().map(|id| desk.registry.get(*id).expect("known"));
                    prop_assert_eq!(operation.is_finished(), children.all(Operation::is_finished));
                }
                if !operation.is_finished() && let Some(reference) = &record.reference {
                    let list = if status == Status::Pending { &mut awaited } else { &mut held };
                    prop_assert!(!list.contains(reference));
                    list.push(reference.clone());
                }
                let kept = desk.store.get(&record.id).expect("everything is kept");
                prop_assert_eq!(kept.life.status, status);
            }
            prop_assert!(awaited.iter().all(|reference| held.contains(reference)), "nobody waits for nothing");
            prop_assert_eq!(desk.store.len(), desk.registry.operations().count());
            for id in waiting.values() {
                prop_assert!(!desk.registry.get(*id).expect("known").is_finished(), "who waits is woken");
            }
        }
    }
}
