//! The client of the program, in the words of Runtime Configurator.

use std::time::Duration;

use serde_json::Value;

use super::error::{Refusal, RuntimeConfigError};

/// How long an answer may take: a watch takes nearly a minute.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(75);

/// A client of the service.
#[derive(Clone, Debug)]
pub(super) struct Client(pub(super) charms_reactive_client::Client);

impl Client {
    /// The address of a resource as it is shown; with `curl --unix-socket` it works for sockets, too.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/v1beta1/{path}", self.0.place().root())
    }

    /// Has the service answer; `path` begins with `projects`.
    pub(super) fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, RuntimeConfigError> {
        self.call_within(ANSWER_LIMIT, method, path, body)
    }

    /// The same, but no longer than `limit`.
    pub(super) fn call_within(
        &self,
        limit: Duration,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, RuntimeConfigError> {
        let response = self.0.request_within(limit, method, &format!("/v1beta1/{path}"), body)?;
        if response.status == 200 {
            return Ok(response.body);
        }
        let error = &response.body["error"];
        let (Some(status), Some(message)) = (error["status"].as_str(), error["message"].as_str()) else {
            let source = format!("status {} without an error", response.status).into();
            return Err(RuntimeConfigError::Strange { place: self.0.place().shown(), source });
        };
        let details = error["details"].as_array().into_iter().flatten();
        let violations = details.filter_map(|detail| detail["fieldViolations"].as_array()).flatten();
        let text = |violation: &Value, key: &str| violation[key].as_str().unwrap_or_default().to_owned();
        let violations =
            violations.map(|one| format!("{}: {}", text(one, "field"), text(one, "description")));
        Err(RuntimeConfigError::Refused(Refusal {
            method: method.to_owned(),
            path: path.to_owned(),
            status: status.to_owned(),
            message: message.to_owned(),
            violations: violations.collect(),
        }))
    }
}
