//! The environment of a charm: exactly what Juju sets, nothing inherited.

use std::path::Path;

use crate::model::Model;
use crate::run::{Purpose, Run};

/// Where a run finds the files of its agent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    pub(crate) charm: &'a Path,
    pub(crate) socket: &'a Path,
    pub(crate) tools: &'a Path,
    /// What follows the hook commands in `PATH`.
    pub(crate) path_tail: &'a str,
}

/// The variables of a run, in the order in which the agent builds them.
///
/// # Source
///
/// `U/runner/context/context.go`, `HookVars`, and `U/runner/context/env.go`.
pub(crate) fn environment(model: &Model, run: &Run, places: Places<'_>) -> Vec<(&'static str, String)> {
    let shown = |path: &Path| path.display().to_string();
    let hook = match &run.purpose {
        Purpose::Hook(hook) => hook.event.to_string(),
        Purpose::Action { .. } | Purpose::Exec => String::new(),
    };
    let machine = model.units.get(&run.unit).map(|unit| unit.machine.to_string());
    let mut variables = vec![
        ("CHARM_DIR", shown(places.charm)),
        ("JUJU_CHARM_DIR", shown(places.charm)),
        ("JUJU_CONTEXT_ID", run.context_id.clone()),
        ("JUJU_HOOK_NAME", hook),
        ("JUJU_AGENT_SOCKET_ADDRESS", shown(places.socket)),
        ("JUJU_AGENT_SOCKET_NETWORK", "unix".to_owned()),
        ("JUJU_UNIT_NAME", run.unit.to_string()),
        ("JUJU_MODEL_UUID", model.uuid.clone()),
        ("JUJU_MODEL_NAME", model.name.clone()),
        ("JUJU_API_ADDRESSES", "10.0.0.1:17070".to_owned()),
        ("JUJU_MACHINE_ID", machine.unwrap_or_default()),
        ("JUJU_PRINCIPAL_UNIT", String::new()),
        ("JUJU_AVAILABILITY_ZONE", String::new()),
        ("JUJU_VERSION", model.juju.to_string()),
        ("CLOUD_API_VERSION", String::new()),
        ("JUJU_CHARM_HTTP_PROXY", String::new()),
        ("JUJU_CHARM_HTTPS_PROXY", String::new()),
        ("JUJU_CHARM_FTP_PROXY", String::new()),
        ("JUJU_CHARM_NO_PROXY", String::new()),
    ];
    if model.juju.has_metrics() {
        variables.push(("JUJU_SLA", "unsupported".to_owned()));
        variables.push(("JUJU_METER_STATUS", "AMBER".to_owned()));
        variables.push(("JUJU_METER_INFO", "not set".to_owned()));
    }
    about(run, &mut variables);
    match &run.purpose {
        Purpose::Hook(hook) => variables.push(("JUJU_DISPATCH_PATH", format!("hooks/{}", hook.event))),
        Purpose::Action { name, .. } => variables.push(("JUJU_DISPATCH_PATH", format!("actions/{name}"))),
        Purpose::Exec => {}
    }
    let tools = shown(places.tools);
    let path = if places.path_tail.is_empty() { tools } else { format!("{tools}:{}", places.path_tail) };
    variables.extend([
        ("PATH", path),
        ("LANG", "C.UTF-8".to_owned()),
        ("TERM", "tmux-256color".to_owned()),
        ("DEBIAN_FRONTEND", "noninteractive".to_owned()),
        ("APT_LISTCHANGES_FRONTEND", "none".to_owned()),
    ]);
    variables
}

/// The variables of the kind of run.
fn about(run: &Run, variables: &mut Vec<(&'static str, String)>) {
    if let Some(current) = &run.current
        && let Some(view) = run.views.get(&current.number)
    {
        let remote_unit = current.remote_unit.as_ref().map(ToString::to_string);
        variables.extend([
            ("JUJU_RELATION", view.id.endpoint().to_string()),
            ("JUJU_RELATION_ID", view.id.to_string()),
            ("JUJU_REMOTE_UNIT", remote_unit.unwrap_or_default()),
            ("JUJU_REMOTE_APP", current.remote_application.to_string()),
        ]);
        variables.extend(current.departing.as_ref().map(|unit| ("JUJU_DEPARTING_UNIT", unit.to_string())));
    }
    match &run.purpose {
        Purpose::Action { id, name, .. } => variables.extend([
            ("JUJU_ACTION_NAME", name.clone()),
            ("JUJU_ACTION_UUID", id.to_string()),
            ("JUJU_ACTION_TAG", format!("action-{id}")),
        ]),
        Purpose::Hook(hook) => {
            if let Some(secret) = &hook.secret {
                variables.push(("JUJU_SECRET_ID", format!("secret:{}", secret.id)));
                variables.push(("JUJU_SECRET_LABEL", secret.label.clone()));
            }
        }
        Purpose::Exec => {}
    }
}
