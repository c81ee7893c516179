//! Compares the statuses that the twins show.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::compare::{Check, Dispatch};
use crate::difference::Difference;
use crate::twin::Program;

/// The statuses that are shown: foreseen for each side from what its handlers said.
pub(crate) fn compare_statuses(dispatch: &mut Dispatch<'_>) -> Check {
    let python = said(dispatch.program, &dispatch.python.log);
    let rust = said(dispatch.program, &dispatch.rust.log);
    if let Some(last) = python.last().filter(|_| dispatch.is_committed())
        && dispatch.python.status != *last
    {
        return Err(format!("Python shows {:?}, expected {last:?}", dispatch.python.status));
    }
    let severity = |status: &str| {
        ["active", "maintenance", "waiting", "blocked"].iter().position(|known| *known == status)
    };
    // Of equals the last.
    let worst = rust.iter().max_by_key(|(status, _)| severity(status));
    if let Some(worst) = worst.filter(|_| dispatch.is_committed())
        && dispatch.rust.status != *worst
    {
        return Err(format!("Rust shows {:?}, expected {worst:?}", dispatch.rust.status));
    }
    if dispatch.python.status != dispatch.rust.status {
        dispatch.count(Difference::StatusPlan);
    }
    Ok(())
}

/// The statuses that handlers of the program set, in order.
fn said(program: &Program, log: &[Value]) -> Vec<(String, String)> {
    let mut runs: BTreeMap<&str, usize> = BTreeMap::new();
    let mut said = Vec::new();
    for entry in log {
        let Some(handler) = program.handlers.iter().find(|handler| entry["handler"] == *handler.name) else {
            continue;
        };
        let runs = runs.entry(&handler.name).or_default();
        *runs += 1;
        if *runs > handler.runs_max {
            continue;
        }
        for operation in handler.operations.iter().filter(|operation| operation[0] == "status") {
            let text = |at: usize| operation[at].as_str().unwrap_or_default().to_owned();
            said.push((text(1), text(2)));
        }
    }
    said
}
