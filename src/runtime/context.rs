//! What Juju tells a dispatch about itself: the only reader of the environment.

use std::ffi::OsString;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use charms_reactive_core::waiter::Moment;
use charms_reactive_core::{ApplicationName, EndpointName, HookEvent, NameError, RelationId, UnitName};

use crate::trace::path_of;

/// What Juju tells a dispatch about itself, read once at the start.
///
/// Everything that could make two runs of one dispatch differ is in here: a test that gives the same
/// context and the same answers to hook commands gets the same effects.
///
/// # Source
///
/// Juju sets the variables in `HookVars` of its uniter (`U/runner/context/context.go`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// `JUJU_UNIT_NAME`, for example `web/0`.
    pub unit: UnitName,
    /// `JUJU_DISPATCH_PATH`, for example `hooks/metrics-relation-changed`; without it
    /// `JUJU_HOOK_NAME`.
    pub event: HookEvent,
    /// `JUJU_CONTEXT_ID`: names this run.
    pub id: String,
    /// `JUJU_CHARM_DIR`, else `CHARM_DIR`, else the working directory.
    pub charm_dir: PathBuf,
    /// `JUJU_MODEL_NAME`.
    pub model_name: Option<String>,
    /// `JUJU_MODEL_UUID`.
    pub model_uuid: Option<String>,
    /// `JUJU_VERSION`, for example `3.6.1`; missing in restricted hooks.
    pub juju_version: Option<String>,
    /// `JUJU_RELATION_ID`, in relation hooks.
    pub relation: Option<RelationId>,
    /// `JUJU_REMOTE_APP`, in relation hooks.
    pub remote_application: Option<ApplicationName>,
    /// `JUJU_REMOTE_UNIT`.  None when it is missing or empty: Juju leaves it empty when it was the
    /// application's data that changed, and in `-created` and `-broken`.
    pub remote_unit: Option<UnitName>,
    /// `JUJU_DEPARTING_UNIT`, in `-departed`: the remote unit, or this one when it leaves itself.
    pub departing_unit: Option<UnitName>,
    /// `JUJU_STORAGE_ID`, in storage hooks: for example `data/0`.
    pub storage_id: Option<String>,
    /// `JUJU_SECRET_ID`, in secret hooks: `secret:ID`.
    pub secret_id: Option<String>,
    /// `JUJU_SECRET_LABEL`, in secret hooks: what this unit calls the secret, if anything.
    pub secret_label: Option<String>,
    /// `JUJU_SECRET_REVISION`, in `secret-remove` and `secret-expired`.
    pub secret_revision: Option<u32>,
    /// Whether the model is on Kubernetes: it has a `CLOUD_API_VERSION`, and the unit no machine.
    pub is_kubernetes: bool,
    /// `JUJU_ACTION_UUID`, in actions.
    pub action_id: Option<String>,
    /// `CHARMS_REACTIVE_TRACE`, an absolute path: where to write what happened in this dispatch.
    pub trace: Option<PathBuf>,
    /// Where chance comes from: the ids of new requests are made of it.
    pub seed: u128,
    /// When the dispatch began: by the system's clock, or by the clock of a simulated model.
    pub now: Moment,
}

/// Why the environment is not that of a hook.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// A variable that Juju always sets is not there.
    #[error("`{name}` is not set, expected to be run by Juju (or in a simulated model) as a hook")]
    Missing {
        /// The name of the variable.
        name: &'static str,
    },
    /// A variable has a text that Juju would not write.
    #[error("cannot read `{name}`")]
    Name {
        /// The name of the variable.
        name: &'static str,
        /// What is wrong with it.
        source: NameError,
    },
}

/// A variable of this process.
#[expect(clippy::disallowed_methods, reason = "the only reader of the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A variable that this crate gives to the programs it starts.
#[expect(clippy::disallowed_methods, reason = "the only reader of the environment")]
pub(crate) fn own_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

impl Context {
    /// Reads the variables of this process, and draws a seed.
    #[expect(clippy::disallowed_methods, reason = "the only reader of the clock")]
    pub fn from_environment() -> Result<Self, ContextError> {
        // The standard library draws the keys of its hashers from the system.
        let draw = || u128::from(RandomState::new().build_hasher().finish());
        let context = Self::read(variable, (draw() << 64) | draw())?;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(context.at(Moment::from_unix(since)))
    }

    /// The arguments of this process: none when Juju runs a hook.
    pub(crate) fn arguments() -> Vec<String> {
        std::env::args_os().skip(1).map(|text| text.to_string_lossy().into_owned()).collect()
    }

    /// The same dispatch at another moment.
    #[must_use]
    pub fn at(self, now: Moment) -> Self {
        Self { now, ..self }
    }

    /// Reads the variables through `var`, so that a test can pass a map; begun at the beginning of 1970.
    pub fn read(var: impl Fn(&str) -> Option<String>, seed: u128) -> Result<Self, ContextError> {
        // Juju sets some variables to the empty text rather than leaving them out.
        let given = |name: &str| var(name).filter(|text| !text.is_empty());
        let unit = given("JUJU_UNIT_NAME").ok_or(ContextError::Missing { name: "JUJU_UNIT_NAME" })?;
        let event = match given("JUJU_DISPATCH_PATH") {
            Some(path) => HookEvent::from_dispatch_path(&path),
            None => given("JUJU_HOOK_NAME").map_or(HookEvent::Exec, |name| HookEvent::from_hook_name(&name)),
        };
        Ok(Self {
            unit: parsed("JUJU_UNIT_NAME", Some(unit), UnitName::parse)?.expect("given above"),
            id: given("JUJU_CONTEXT_ID").unwrap_or_default(),
            charm_dir: given("JUJU_CHARM_DIR")
                .or_else(|| given("CHARM_DIR"))
                .unwrap_or(".".to_owned())
                .into(),
            model_name: given("JUJU_MODEL_NAME"),
            model_uuid: given("JUJU_MODEL_UUID"),
            juju_version: given("JUJU_VERSION"),
            relation: relation_of(&event, given("JUJU_RELATION_ID"))?,
            remote_application: parsed("JUJU_REMOTE_APP", given("JUJU_REMOTE_APP"), ApplicationName::parse)?,
            remote_unit: parsed("JUJU_REMOTE_UNIT", given("JUJU_REMOTE_UNIT"), UnitName::parse)?,
            departing_unit: parsed("JUJU_DEPARTING_UNIT", given("JUJU_DEPARTING_UNIT"), UnitName::parse)?,
            storage_id: given("JUJU_STORAGE_ID"),
            secret_id: given("JUJU_SECRET_ID"),
            secret_label: given("JUJU_SECRET_LABEL"),
            secret_revision: given("JUJU_SECRET_REVISION").and_then(|text| text.parse().ok()),
            is_kubernetes: given("CLOUD_API_VERSION").is_some() && given("JUJU_MACHINE_ID").is_none(),
            action_id: given("JUJU_ACTION_UUID"),
            trace: given("CHARMS_REACTIVE_TRACE").and_then(path_of),
            event,
            seed,
            now: Moment::from_unix(Duration::ZERO),
        })
    }

    /// The endpoint and the event, when this is a relation hook.
    pub fn relation_event(&self) -> Option<(&EndpointName, charms_reactive_core::RelationEvent)> {
        match &self.event {
            HookEvent::Relation { endpoint, event } => Some((endpoint, *event)),
            _ => None,
        }
    }
}

/// The relation of a relation hook; old agents wrote its number alone.
fn relation_of(event: &HookEvent, text: Option<String>) -> Result<Option<RelationId>, ContextError> {
    let text = match (event, text) {
        (HookEvent::Relation { endpoint, .. }, Some(text)) if !text.contains(':') => {
            Some(format!("{endpoint}:{text}"))
        }
        (_, text) => text,
    };
    parsed("JUJU_RELATION_ID", text, RelationId::parse)
}

fn parsed<T>(
    name: &'static str,
    text: Option<String>,
    parse: impl Fn(&str) -> Result<T, NameError>,
) -> Result<Option<T>, ContextError> {
    text.map(|text| parse(&text)).transpose().map_err(|source| ContextError::Name { name, source })
}

#[cfg(test)]
mod tests {
    use charms_reactive_core::RelationEvent;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Context, ContextError> {
        let find =
            |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
        Context::read(find, 7)
    }

    #[test]
    fn an_empty_remote_unit_is_none() {
        let context = read(&[
            ("JUJU_UNIT_NAME", "web/0"),
            ("JUJU_DISPATCH_PATH", "hooks/db-relation-changed"),
            ("JUJU_RELATION_ID", "db:3"),
            ("JUJU_REMOTE_APP", "mysql"),
            ("JUJU_REMOTE_UNIT", ""),
        ])
        .expect("a hook's environment");
        assert_eq!(context.remote_unit, None);
        assert_eq!(context.relation_event().expect("a relation hook").1, RelationEvent::Changed);
        assert_eq!(context.relation.expect("given").number(), 3);
    }

    #[test]
    fn a_missing_unit_name_is_told_by_name() {
        let error = read(&[]).expect_err("no variables");
        assert_eq!(
            error.to_string(),
            "`JUJU_UNIT_NAME` is not set, expected to be run by Juju (or in a simulated model) as a hook"
        );
    }

    #[test]
    fn nonsense_in_a_variable_is_an_error() {
        let error = read(&[("JUJU_UNIT_NAME", "web")]).expect_err("no number");
        assert_eq!(error.to_string(), "cannot read `JUJU_UNIT_NAME`");
        assert!(read(&[("JUJU_UNIT_NAME", "web/0"), ("JUJU_REMOTE_UNIT", "web")]).is_err());
    }

    #[test]
    fn the_charm_folder_has_a_name_of_old() {
        let unit = ("JUJU_UNIT_NAME", "web/0");
        let (new, old) = (("JUJU_CHARM_DIR", "/new"), ("CHARM_DIR", "/old"));
        let folder = |pairs: &[(&str, &str)]| read(pairs).expect("a hook's environment").charm_dir;
        assert_eq!(folder(&[unit, new, old]), PathBuf::from("/new"));
        assert_eq!(folder(&[unit, old]), PathBuf::from("/old"));
        assert_eq!(folder(&[unit]), PathBuf::from("."));
    }

    #[test]
    fn a_relation_of_an_old_agent_gets_its_endpoint() {
        let context = read(&[
            ("JUJU_UNIT_NAME", "web/0"),
            ("JUJU_DISPATCH_PATH", "hooks/db-relation-joined"),
            ("JUJU_RELATION_ID", "7"),
        ]);
        let relation = context.expect("a hook's environment").relation.expect("given");
        assert_eq!(relation.to_string(), "db:7");
    }

    #[test]
    fn a_trace_goes_to_an_absolute_path_alone() {
        let traced = |text: &str| {
            let context = read(&[("JUJU_UNIT_NAME", "web/0"), ("CHARMS_REACTIVE_TRACE", text)]);
            context.expect("a script's environment").trace
        };
        assert_eq!(traced("/tmp/trace.json"), Some("/tmp/trace.json".into()));
        assert_eq!(traced("true"), None, "what the shell helpers of charms.reactive say");
    }

    #[test]
    fn a_run_without_a_dispatch_path_goes_by_its_hook_name() {
        let named = read(&[("JUJU_UNIT_NAME", "web/0"), ("JUJU_HOOK_NAME", "install")]);
        assert_eq!(named.expect("a hook's environment").event, HookEvent::Install);
        let script = read(&[("JUJU_UNIT_NAME", "web/0")]).expect("a script's environment");
        assert_eq!(script.event, HookEvent::Exec);
    }
}
