//! `storage-list`, `storage-get`, `storage-add`, `resource-get`: for charms that have neither.

use serde_json::json;

use super::flags::Flag;
use super::{Asked, Command, Done, Outcome, failed, usage};

pub(super) const COMMANDS: &[Command] = &[
    Command::getter("storage-list", "[<storage-name>]", &[], storage_list),
    Command::getter("storage-get", "[<key>]", &[Flag::value(&["s"])], storage_get),
    Command::setter("storage-add", "<charm storage name>[=count] ...", &[], storage_add),
    Command::setter("resource-get", "<resource name>", &[], resource_get),
];

fn storage_list(asked: &mut Asked<'_>) -> Outcome {
    asked.refuse_from(1)?;
    Ok(Done::Value(json!([])))
}

/// # Source
///
/// `J/storage-get.go`.
fn storage_get(asked: &mut Asked<'_>) -> Outcome {
    match asked.line.found("s") {
        None => usage("no storage instance specified"),
        Some(found) => {
            usage(format!("invalid value {:?} for option {}: storage not found", found.value, found.spelling))
        }
    }
}

/// Staged: that the charm has no such storage is found at the end of the hook.
///
/// # Source
///
/// `J/storage-add.go`.
fn storage_add(asked: &mut Asked<'_>) -> Outcome {
    if asked.line.positional.is_empty() {
        return usage("storage add requires a storage directive");
    }
    let mut names = Vec::new();
    for directive in &asked.line.positional {
        let (name, count) = directive.split_once('=').unwrap_or((directive, "1"));
        if count.parse::<u64>().is_err() {
            return usage(format!("only count can be specified for {name:?}"));
        }
        names.push(name.to_owned());
    }
    asked.run.staged.storage.extend(names);
    Ok(Done::Nothing)
}

/// # Source
///
/// `J/resource-get.go`.
fn resource_get(asked: &mut Asked<'_>) -> Outcome {
    let Some(name) = asked.line.positional.first() else { return usage("missing required resource name") };
    failed(format!("could not download resource: resource {name:?} not found"))
}
