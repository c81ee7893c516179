//! `storage-list`, `storage-get`, `storage-add`.

use serde_json::{Value, json};

use super::flags::Flag;
use super::{Asked, Command, Done, Failure, Outcome, failed, usage};
use crate::model::{Storage, StorageId};
use crate::run::Purpose;

pub(super) const COMMANDS: &[Command] = &[
    Command::getter("storage-list", "[<storage-name>]", &[], storage_list),
    Command::getter("storage-get", "[<key>]", &[Flag::value(&["s"])], storage_get),
    Command::setter("storage-add", "<charm storage name>[=count] ...", &[], storage_add),
];

/// The storage that a unit can use: what the cloud has made.
fn usable<'a>(asked: &'a Asked<'_>) -> impl Iterator<Item = (&'a StorageId, &'a Storage)> {
    asked.model.storage_of(&asked.run.unit).filter(|(_, storage)| storage.is_there)
}

/// # Source
///
/// `J/storage-list.go`: ids as texts, sorted.
fn storage_list(asked: &mut Asked<'_>) -> Outcome {
    asked.refuse_from(1)?;
    let name = asked.line.positional.first().filter(|name| !name.is_empty());
    let listed = usable(asked).filter(|(id, _)| name.is_none_or(|name| id.name == *name));
    let mut ids: Vec<String> = listed.map(|(id, _)| id.to_string()).collect();
    ids.sort();
    Ok(Done::Value(Value::from(ids)))
}

/// The storage of `-s`, or of the running hook.
///
/// # Source
///
/// `J/context.go`, `newStorageIdValue`.
fn storage(asked: &Asked<'_>) -> Result<StorageId, Failure> {
    let Some(found) = asked.line.found("s") else {
        return match &asked.run.purpose {
            Purpose::Hook(hook) if hook.storage.is_some() => Ok(hook.storage.clone().expect("seen just now")),
            _ => usage("no storage instance specified"),
        };
    };
    let wrong =
        |why: &str| usage(format!("invalid value {:?} for option {}: {why}", found.value, found.spelling));
    match StorageId::parse(&found.value) {
        None => wrong(&format!("invalid storage ID {:?}", found.value)),
        Some(id) if usable(asked).any(|(known, _)| *known == id) => Ok(id),
        Some(_) => wrong("storage not found"),
    }
}

/// # Source
///
/// `J/storage-get.go`.
fn storage_get(asked: &mut Asked<'_>) -> Outcome {
    let id = storage(asked)?;
    asked.refuse_from(1)?;
    let Some(storage) = asked.model.storage.get(&id) else { return failed("storage not found") };
    let (kind, location) = (storage.kind.as_str(), storage.location.display().to_string());
    Ok(Done::Value(match asked.key(0) {
        None => json!({"kind": kind, "location": location}),
        Some("kind") => Value::from(kind),
        Some("location") => Value::from(location),
        Some(other) => return failed(format!("invalid storage attribute {other:?}")),
    }))
}

/// Staged: whether the charm takes so much storage is asked at the end of the hook.
///
/// # Source
///
/// `J/storage-add.go`.
fn storage_add(asked: &mut Asked<'_>) -> Outcome {
    if asked.line.positional.is_empty() {
        return usage("storage add requires a storage directive");
    }
    let mut wanted = Vec::new();
    for directive in &asked.line.positional {
        let (name, count) = directive.split_once('=').unwrap_or((directive, "1"));
        match count.parse::<u32>() {
            Ok(count) if count > 0 => wanted.push((name.to_owned(), count)),
            _ => return usage(format!("only count can be specified for {name:?}")),
        }
    }
    for (name, count) in wanted {
        let staged = asked.run.staged.storage.entry(name).or_default();
        *staged = staged.saturating_add(count);
    }
    Ok(Done::Nothing)
}
