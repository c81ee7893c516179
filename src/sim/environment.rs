//! The environment of a charm: exactly what Juju sets, nothing inherited; where a run is recorded also where
//! its trace goes.

use std::path::Path;

use charms_reactive_core::{HookEvent, SecretEvent};

use crate::model::{Hook, Model, SeriesStep, Substrate, Unit};
use crate::run::{Purpose, Run};
use crate::trace::TRACE_VARIABLE;

/// The version of the simulated cluster's API.
const CLOUD_API: &str = "1.29.0";
/// What the agent hands on of its own environment in a pod.
///
/// # Source
///
/// `U/runner/context/context.go`, `kubernetesEnvVars`; the values are those of a usual cluster.
const CLUSTER: &[(&str, &str)] = &[
    ("KUBERNETES_SERVICE_HOST", "10.152.183.1"),
    ("KUBERNETES_SERVICE_PORT", "443"),
    ("KUBERNETES_SERVICE_PORT_HTTPS", "443"),
    ("KUBERNETES_PORT", "tcp://10.152.183.1:443"),
    ("KUBERNETES_PORT_443_TCP", "tcp://10.152.183.1:443"),
    ("KUBERNETES_PORT_443_TCP_PROTO", "tcp"),
    ("KUBERNETES_PORT_443_TCP_PORT", "443"),
    ("KUBERNETES_PORT_443_TCP_ADDR", "10.152.183.1"),
];

/// The old names of each proxy, set with the setting without `juju-`; the setting with it, and its variable.
///
/// # Source
///
/// `U/runner/context/context.go`, `HookVars`: the old ones only where they are set.
const PROXIES: &[([&str; 2], &str, &str)] = &[
    (["http_proxy", "HTTP_PROXY"], "juju-http-proxy", "JUJU_CHARM_HTTP_PROXY"),
    (["https_proxy", "HTTPS_PROXY"], "juju-https-proxy", "JUJU_CHARM_HTTPS_PROXY"),
    (["ftp_proxy", "FTP_PROXY"], "juju-ftp-proxy", "JUJU_CHARM_FTP_PROXY"),
    (["no_proxy", "NO_PROXY"], "juju-no-proxy", "JUJU_CHARM_NO_PROXY"),
];

/// Where a run finds the files of its agent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    pub(crate) charm: &'a Path,
    pub(crate) socket: &'a Path,
    pub(crate) tools: &'a Path,
    /// What follows the hook commands in `PATH`.
    pub(crate) path_tail: &'a str,
    /// Where the charm may write down what its handlers did.
    pub(crate) trace: Option<&'a Path>,
}

/// The variables of a run, in the order in which the agent builds them.
///
/// # Source
///
/// `U/runner/context/context.go`, `HookVars`, and `U/runner/context/env.go`.
pub(crate) fn environment(model: &Model, run: &Run, places: Places<'_>) -> Vec<(&'static str, String)> {
    let shown = |path: &Path| path.display().to_string();
    let unit = model.units.get(&run.unit);
    let mut variables = Vec::new();
    if !run.is_restricted() {
        for (names, setting, _) in PROXIES {
            let proxy = setting.strip_prefix("juju-").and_then(|setting| model.proxies.get(setting));
            variables.extend(proxy.into_iter().flat_map(|proxy| names.map(|name| (name, proxy.clone()))));
        }
    }
    if model.substrate == Substrate::Kubernetes && !run.is_restricted() {
        let texts = CLUSTER.iter().map(|(name, text)| (*name, (*text).to_owned()));
        variables.extend(texts);
    }
    variables.extend([
        ("CHARM_DIR", shown(places.charm)),
        ("JUJU_CHARM_DIR", shown(places.charm)),
        ("JUJU_CONTEXT_ID", run.context_id.clone()),
        ("JUJU_AGENT_SOCKET_ADDRESS", shown(places.socket)),
        ("JUJU_AGENT_SOCKET_NETWORK", "unix".to_owned()),
        ("JUJU_UNIT_NAME", run.unit.to_string()),
    ]);
    if !run.is_restricted() {
        whole(model, run, unit, &mut variables);
    }
    if model.juju.has_metrics() {
        variables.push(("JUJU_METER_STATUS", model.meter.0.clone()));
        variables.push(("JUJU_METER_INFO", model.meter.1.clone()));
    }
    about(model, run, &mut variables);
    match &run.purpose {
        Purpose::Hook(hook) => variables.push(("JUJU_DISPATCH_PATH", format!("hooks/{}", hook.event))),
        Purpose::Action { name, .. } => variables.push(("JUJU_DISPATCH_PATH", format!("actions/{name}"))),
        Purpose::Exec => {
            let path = run.own_hook.as_ref().map(|name| format!("hooks/{name}"));
            variables.extend(path.map(|path| ("JUJU_DISPATCH_PATH", path)));
        }
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
    variables.extend(places.trace.map(|trace| (TRACE_VARIABLE, shown(trace))));
    variables
}

/// What a hook has that sees the model.
fn whole(model: &Model, run: &Run, unit: Option<&Unit>, variables: &mut Vec<(&'static str, String)>) {
    let hook = match &run.purpose {
        Purpose::Hook(hook) => hook.event.to_string(),
        Purpose::Action { .. } | Purpose::Exec => String::new(),
    };
    let (machine, cloud) = match model.substrate {
        Substrate::Machine => (unit.map(|unit| unit.machine.to_string()), String::new()),
        Substrate::Kubernetes => (None, CLOUD_API.to_owned()),
    };
    let principal = unit.and_then(|unit| unit.principal.as_ref()).map(ToString::to_string);
    let (name, uuid) = model.home_of(run.unit.application());
    variables.extend([
        ("JUJU_HOOK_NAME", hook),
        ("JUJU_MODEL_UUID", uuid.to_owned()),
        ("JUJU_MODEL_NAME", name.to_owned()),
        ("JUJU_API_ADDRESSES", "10.0.0.1:17070".to_owned()),
        ("JUJU_MACHINE_ID", machine.unwrap_or_default()),
        ("JUJU_PRINCIPAL_UNIT", principal.unwrap_or_default()),
        ("JUJU_AVAILABILITY_ZONE", unit.map(|unit| unit.zone.clone()).unwrap_or_default()),
        ("JUJU_VERSION", model.juju.to_string()),
        ("CLOUD_API_VERSION", cloud),
    ]);
    let proxy = |setting| model.proxies.get(setting).cloned().unwrap_or_default();
    variables.extend(PROXIES.iter().map(|(_, setting, name)| (*name, proxy(*setting))));
    if model.juju.has_metrics() {
        variables.push(("JUJU_SLA", "unsupported".to_owned()));
    }
}

/// The variables of the kind of run.
fn about(model: &Model, run: &Run, variables: &mut Vec<(&'static str, String)>) {
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
        Purpose::Hook(hook) => about_hook(model, run, hook, variables),
        Purpose::Exec => {}
    }
}

fn about_hook(model: &Model, run: &Run, hook: &Hook, variables: &mut Vec<(&'static str, String)>) {
    if let Some(secret) = &hook.secret {
        variables.push(("JUJU_SECRET_ID", format!("secret:{}", secret.id)));
        variables.push(("JUJU_SECRET_LABEL", secret.label.clone()));
        if matches!(hook.event, HookEvent::Secret(SecretEvent::Expired | SecretEvent::Remove)) {
            variables.push(("JUJU_SECRET_REVISION", secret.revision.to_string()));
        }
    }
    if let Some(id) = &hook.storage
        && let Some(storage) = model.storage.get(id)
    {
        variables.push(("JUJU_STORAGE_ID", id.to_string()));
        variables.push(("JUJU_STORAGE_LOCATION", storage.location.display().to_string()));
        variables.push(("JUJU_STORAGE_KIND", storage.kind.as_str().to_owned()));
    }
    if let Some(workload) = &hook.workload {
        variables.push(("JUJU_WORKLOAD_NAME", workload.container.clone()));
        if let Some((id, key)) = &workload.notice {
            variables.push(("JUJU_NOTICE_ID", id.to_string()));
            variables.push(("JUJU_NOTICE_TYPE", "custom".to_owned()));
            variables.push(("JUJU_NOTICE_KEY", key.clone()));
        }
        variables.extend(workload.check.iter().map(|check| ("JUJU_PEBBLE_CHECK_NAME", check.clone())));
    }
    if hook.event == HookEvent::PreSeriesUpgrade
        && let Some(SeriesStep::Prepare(target)) = model.units.get(&run.unit).map(|unit| &unit.series)
    {
        variables.push(("JUJU_TARGET_SERIES", target.clone()));
        if model.juju.has_bases() {
            variables.push(("JUJU_TARGET_BASE", crate::series::base(target)));
        }
    }
}
