//! `runtime-config apply`: what a file describes is made, in its order; what is there already stays.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use charms_reactive_core::waiter::{VariablePath, parse_span};
use serde_json::Value;

use super::Desk;
use super::configs;
use super::deployment::{self, Resource, Wanted};
use super::error::RuntimeConfigError;
use super::name::Name;
use super::variables::{self, Present};
use super::wait::wait;
use super::waiters::{self, WAIT_MAX};

pub(super) const LONG_ABOUT: &str = "\
Make what a file describes with Deployment Manager's types, and wait for its waiters.

    resources:
    - name: boot
      type: runtimeconfig.v1beta1.config
      properties: {config: boot}
    - name: ready
      type: runtimeconfig.v1beta1.waiter
      properties:
        parent: $(ref.boot.name)
        waiter: ready
        timeout: 360s
        success: {cardinality: {path: /ready, number: 3}}
        failure: {cardinality: {path: /failed, number: 2}}
    - name: go
      type: runtimeconfig.v1beta1.variable
      metadata: {dependsOn: [ready]}
      properties: {parent: $(ref.boot.name), variable: go, text: now}

Resources are made in the order of their references and of `dependsOn`; one that depends on a
waiter is made when that has succeeded. What is there as described stays; descriptions and
variables are replaced; a waiter that differs is an error, as waiters never change.";

/// What is to be applied.
#[derive(Debug, clap::Args)]
pub(super) struct ApplyArgs {
    /// The file
    file: PathBuf,
    /// Do not wait for waiters that nothing depends on
    #[arg(long = "async")]
    is_async: bool,
}

pub(super) fn run(desk: &Desk, args: &ApplyArgs) -> Result<(), RuntimeConfigError> {
    let resources = deployment::read(&args.file, &desk.project)?;
    let waiter = |name: &str| {
        resources.iter().find_map(|resource| match &resource.wanted {
            Wanted::Waiter { name: waiter, .. } if resource.name == name => Some(waiter),
            _ => None,
        })
    };
    let mut awaited: BTreeSet<&str> = BTreeSet::new();
    for Resource { after, wanted, .. } in &resources {
        for need in after {
            if let Some(name) = waiter(need)
                && awaited.insert(need)
            {
                wait(&desk.client, name, WAIT_MAX)?;
            }
        }
        make(desk, wanted)?;
    }
    if !args.is_async {
        for resource in resources.iter().filter(|resource| !awaited.contains(resource.name.as_str())) {
            if let Some(name) = waiter(&resource.name) {
                wait(&desk.client, name, WAIT_MAX)?;
            }
        }
    }
    Ok(())
}

fn make(desk: &Desk, wanted: &Wanted) -> Result<(), RuntimeConfigError> {
    match wanted {
        Wanted::Config { config, description } => {
            let description = description.as_deref().unwrap_or_default();
            match found(desk, &config.path())? {
                None => configs::create(desk, config, Some(description)),
                Some(found) if found["description"].as_str().unwrap_or_default() == description => {
                    desk.tell("Unchanged", &config.path());
                    Ok(())
                }
                Some(_) => configs::update(desk, config, Some(description)),
            }
        }
        Wanted::Variable { name, content } => {
            let found = found(desk, &name.path())?.unwrap_or_default();
            if content
                .as_object()
                .is_some_and(|fields| fields.iter().all(|(key, value)| found[key] == *value))
            {
                desk.tell("Unchanged", &name.shown_path());
                return Ok(());
            }
            variables::set(desk, name, content, Present::Maybe).map(drop)
        }
        Wanted::Waiter { name, fields } => make_waiter(desk, name, fields),
    }
}

fn make_waiter(desk: &Desk, name: &Name, fields: &Value) -> Result<(), RuntimeConfigError> {
    match waiters::make(desk, name, fields) {
        Err(RuntimeConfigError::Refused(refusal)) if refusal.status == "ALREADY_EXISTS" => {}
        other => return other,
    }
    let found = desk.client.call("GET", &name.path(), None)?;
    if declared(&found) != declared(fields) {
        return Err(RuntimeConfigError::WaiterDiffers { name: name.id.clone() });
    }
    desk.tell("Unchanged", &name.shown_path());
    Ok(())
}

/// What is there; None where there is nothing.
fn found(desk: &Desk, path: &str) -> Result<Option<Value>, RuntimeConfigError> {
    match desk.client.call("GET", path, None) {
        Ok(found) => Ok(Some(found)),
        Err(RuntimeConfigError::Refused(refusal)) if refusal.status == "NOT_FOUND" => Ok(None),
        Err(error) => Err(error),
    }
}

/// A condition: where, and how many.
type Counted = (Option<VariablePath>, u64);

/// What a waiter was declared to be, however it was written.
fn declared(waiter: &Value) -> (Option<Duration>, [Option<Counted>; 2]) {
    let condition = |kind: &str| {
        let cardinality = &waiter.get(kind)?["cardinality"];
        let number = match &cardinality["number"] {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        let path = cardinality["path"].as_str().and_then(|path| VariablePath::parse(path).ok());
        Some((path, number.unwrap_or(1).max(1)))
    };
    let timeout = waiter["timeout"].as_str().and_then(|text| parse_span(text).ok());
    (timeout, [condition("success"), condition("failure")])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_waiter_is_the_same_however_it_was_written() {
        let written = |path: &str, number: Value, timeout: &str| json!({"timeout": timeout, "success": {"cardinality": {"path": path, "number": number}}});
        let known = declared(&written("/a/b", json!(1), "120s"));
        assert_eq!(known, declared(&written("a//b/", json!("1"), "120.000s")));
        assert_eq!(known, declared(&written("a/b", Value::Null, "120s")));
        assert_ne!(known, declared(&written("a/b", json!(2), "120s")));
        assert_ne!(known, declared(&written("a/c", json!(1), "120s")));
        assert_ne!(known, declared(&written("a/b", json!(1), "121s")));
    }
}
