//! Compares what the twins published.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::compare::{Check, Dispatch, entry};
use crate::difference::Difference;
use crate::memory::Memory;

/// What is published.
pub(crate) fn compare_bags(dispatch: &mut Dispatch<'_>, memory: &mut Memory) -> Check {
    let (python, rust) = (dispatch.python, dispatch.rust);
    if python.bags.keys().ne(rust.bags.keys()) {
        return Err("not the same relations".to_owned());
    }
    let is_last = dispatch.rust.log.iter().any(|entry| entry["handler"] == "observe")
        && dispatch.due.hook.ends_with("-relation-departed");
    for (relation, bags) in &python.bags {
        for which in [0, 1] {
            let (of_python, of_rust) = (&bags[which], &rust.bags[relation][which]);
            let keys: BTreeSet<&str> = of_python.keys().chain(of_rust.keys()).collect();
            for key in keys {
                let place = (*relation, which, key.to_owned());
                let (mine, theirs) = (of_python.text(key), of_rust.text(key));
                if mine == theirs {
                    memory.apart.remove(&place);
                    continue;
                }
                let is_dropped = is_last && dispatch.due.relation == Some(*relation);
                let difference = match (mine, theirs) {
                    (Some(mine), Some(theirs)) if key.starts_with("response_") => {
                        compare_answers(dispatch, key, mine, theirs)
                            .map_err(|reason| format!("{reason} for `{key}` of relation {relation}"))?
                    }
                    (Some(_), None)
                        if key.starts_with("response_") && request_for(dispatch, key).is_none() =>
                    {
                        Difference::AnswersRemoved
                    }
                    (Some(_), None) if is_unpublished(dispatch, key) => Difference::PublishDifference,
                    _ if memory.apart.contains_key(&place) => memory.apart[&place],
                    _ if is_dropped => Difference::LastUnit,
                    _ => {
                        return Err(format!(
                            "`{key}` of relation {relation} is {mine:?} in Python, {theirs:?} in Rust"
                        ));
                    }
                };
                if memory.apart.insert(place, difference).is_none() {
                    dispatch.count(difference);
                }
            }
        }
    }
    Ok(())
}

/// Whether a handler ran that took this key back.
fn is_unpublished(dispatch: &Dispatch<'_>, key: &str) -> bool {
    let ran = |name: &str| entry(&dispatch.rust.log, name).is_some();
    let of_program = dispatch.program.handlers.iter().filter(|handler| ran(&handler.name));
    let mut operations = of_program.flat_map(|handler| &handler.operations);
    operations.any(|operation| operation[0] == "unpublish" && operation[2] == *key)
}

/// The request that an answer is for, as we see it.
fn request_for(dispatch: &Dispatch<'_>, key: &str) -> Option<Value> {
    let observation = entry(&dispatch.rust.log, "observe")?;
    let id = key.strip_prefix("response_")?;
    observation["requests"].as_array()?.iter().find(|request| request["id"] == *id).cloned()
}

/// Two answers: what they say is the same, unless the request has changed since Python answered.
fn compare_answers(
    dispatch: &Dispatch<'_>,
    key: &str,
    python: &str,
    rust: &str,
) -> Result<Difference, String> {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| error.to_string());
    let (python, mut rust) = (parsed(python)?, parsed(rust)?);
    if rust.as_object_mut().and_then(|fields| fields.remove("answers")).is_none() {
        return Err("a response does not say what it answers".to_owned());
    }
    if python != rust && dispatch.is_committed() {
        // Without a request in sight, what is there has been there before, and was compared then.
        let wanted = request_for(dispatch, key).map(|request| json!([request["name"], request["data"]]));
        if wanted.is_some_and(|wanted| rust["value"] != wanted || python["value"] == wanted) {
            return Err(format!("the answers are {python} and {rust}"));
        }
    }
    Ok(Difference::AnswersCurrent)
}
