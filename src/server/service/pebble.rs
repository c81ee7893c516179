//! The daemon as a service of the Pebble that runs the agent in a charm container.

use std::path::Path;
use std::time::Duration;

use charms_reactive_client::Client;
use serde_json::{Value, json};

use super::{Place, ServiceError};

/// Where the Pebble of a charm container listens.
///
/// # Source
///
/// `caas/kubernetes/provider/application` of Juju mounts its folder at Pebble's default one, `/var/lib/pebble/default`.
pub(super) const SOCKET: &str = "/var/lib/pebble/default/.pebble.socket";

/// How long Pebble may take for a change.
const CHANGE_MAX: Duration = Duration::from_secs(30);

/// A Pebble.
#[derive(Debug)]
pub(super) struct Pebble(Client);

impl Pebble {
    pub(super) fn new(socket: &Path) -> Self {
        Self(Client::unix(socket).timeout(CHANGE_MAX + Duration::from_secs(5)))
    }

    /// Has the service in the plan, and running as the plan says.
    pub(super) fn install(&self, place: &Place, is_new: bool) -> Result<(), ServiceError> {
        self.add_layer(place, "enabled")?;
        self.change(&json!({"action": "replan", "services": []}))?;
        // Pebble sees a change of the plan, and not one of the program.
        if is_new { self.act("restart", place) } else { Ok(()) }
    }

    /// Ends it for good: a layer stays, and says that it is not to be started.
    pub(super) fn remove(&self, place: &Place) -> Result<(), ServiceError> {
        let (_, known) = self.ask("GET", &format!("/v1/services?names={}", place.name()), None)?;
        if known["result"].as_array().is_none_or(Vec::is_empty) {
            return Ok(());
        }
        self.act("stop", place)?;
        self.add_layer(place, "disabled")
    }

    /// Starts, stops or restarts it.
    pub(super) fn act(&self, action: &str, place: &Place) -> Result<(), ServiceError> {
        self.change(&json!({"action": action, "services": [place.name()]}))
    }

    fn add_layer(&self, place: &Place, startup: &str) -> Result<(), ServiceError> {
        // JSON is YAML.
        let layer = layer(place, startup).to_string();
        let body = json!({
            "action": "add", "combine": true, "label": place.name(), "format": "yaml", "layer": layer,
        });
        self.ask("POST", "/v1/layers", Some(&body)).map(drop)
    }

    /// Has services changed, and waits until they are.
    fn change(&self, body: &Value) -> Result<(), ServiceError> {
        let (_, answer) = self.ask("POST", "/v1/services", Some(body))?;
        let Some(id) = answer["change"].as_str() else { return Ok(()) };
        let path = format!("/v1/changes/{id}/wait?timeout={}s", CHANGE_MAX.as_secs());
        let (_, change) = self.ask("GET", &path, None)?;
        match change["result"]["err"].as_str() {
            Some(why) if !why.is_empty() => Err(ServiceError::Refused(why.to_owned())),
            _ => Ok(()),
        }
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value), ServiceError> {
        let answer = self.0.request(method, path, body)?;
        if answer.status >= 400 {
            let why = answer.body["result"]["message"].as_str().unwrap_or("no reason given");
            return Err(ServiceError::Refused(format!("{method} {path}: {} {why}", answer.status)));
        }
        Ok((answer.status, answer.body))
    }
}

/// A text as one word of a command.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn layer(place: &Place, startup: &str) -> Value {
    let program = place.program().to_string_lossy().into_owned();
    let command: Vec<String> =
        std::iter::once(program).chain(place.arguments()).map(|text| word(&text)).collect();
    let environment: serde_json::Map<String, Value> =
        place.environment().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let service = json!({
        "override": "replace",
        "summary": format!("charmd of Juju unit {}", place.unit),
        "command": command.join(" "),
        "startup": startup,
        "environment": environment,
        "working-dir": place.folder.to_string_lossy(),
        "on-success": "restart",
        "on-failure": "restart",
        "kill-delay": "15s",
    });
    json!({"summary": "charmd", "services": {place.name(): service}})
}
