//! `k8s-spec-get`, `k8s-spec-set`, their raw twins, and the names of old (to Juju 3).
//!
//! Only what the commands say to the charm: the model makes no pods of it.

use super::flags::Flag;
use super::{Asked, Command, Done, Failure, Outcome, failed, usage};
use crate::model::{PodSpecKind, Substrate};

const FILES: &[Flag] = &[Flag::value(&["file"]), Flag::value(&["k8s-resources"])];
const USAGE: &str = "--file <spec file> [--k8s-resources <spec file>]";

pub(super) const COMMANDS: &[Command] = &[
    Command::setter("k8s-spec-set", USAGE, FILES, |asked| set(asked, PodSpecKind::Juju)),
    Command::setter("pod-spec-set", USAGE, FILES, |asked| set(asked, PodSpecKind::Juju)),
    Command::setter("k8s-raw-set", "--file <spec file>", &[Flag::value(&["file"])], |asked| {
        set(asked, PodSpecKind::Raw)
    }),
    Command::setter("k8s-spec-get", "", &[], |asked| get(asked, PodSpecKind::Juju)),
    Command::setter("pod-spec-get", "", &[], |asked| get(asked, PodSpecKind::Juju)),
    Command::setter("k8s-raw-get", "", &[], |asked| get(asked, PodSpecKind::Raw)),
];

/// # Source
///
/// `juju/juju:state/model.go`, `CAASModel`.
fn refuse_machines(asked: &Asked<'_>) -> Result<(), Failure> {
    match asked.model.substrate {
        Substrate::Kubernetes => Ok(()),
        Substrate::Machine => failed("called CAASModel() on a non-CAAS Model not supported"),
    }
}

/// Staged: who leads is asked at the end of the hook.
///
/// # Source
///
/// `J/k8s-spec-set.go`: a file, or standard input without one; a second file is appended.
fn set(asked: &mut Asked<'_>, kind: PodSpecKind) -> Outcome {
    asked.refuse_from(0)?;
    refuse_machines(asked)?;
    let mut yaml = asked.bytes_of(asked.line.value("file").unwrap_or("-"))?;
    if let Some(resources) = asked.line.value("k8s-resources") {
        yaml.push(b'\n');
        yaml.extend(asked.bytes_of(resources)?);
    }
    let text = String::from_utf8_lossy(&yaml).into_owned();
    if text.trim().is_empty() {
        return failed("no k8s spec specified: pipe k8s spec to command, or specify a file with --file");
    }
    if let Err(error) = serde_yaml::from_str::<serde_yaml::Value>(&text) {
        return usage(format!("yaml: {error}"));
    }
    asked.run.staged.pod_specs.insert(kind, text);
    Ok(Done::Nothing)
}

fn get(asked: &mut Asked<'_>, kind: PodSpecKind) -> Outcome {
    asked.refuse_from(0)?;
    refuse_machines(asked)?;
    let own = asked.run.unit.application();
    let application = asked.model.applications.get(own);
    let kept = application.and_then(|application| application.pod_specs.get(&kind));
    match asked.run.staged.pod_specs.get(&kind).or(kept) {
        Some(yaml) => Ok(Done::Text(yaml.clone())),
        None => failed(format!("k8s spec for {own} not found")),
    }
}
