//! What Juju shows of this unit: statuses and the workload's version.
//!
//! Juju shows these at once and does not take them back when a hook fails, so what was shown last is
//! kept where nothing is taken back either: in a file of the charm directory.  Where it is lost, the
//! next status is shown again, which does no harm.

use std::fs;
use std::path::PathBuf;

use charms_reactive_core::HookEvent;
use charms_reactive_core::digest::digest;
use charms_reactive_hookcmd::{CommandError, Commands as _, HookCommands};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::file::FileEffect;
use crate::plan::Status;

/// The file in the charm directory.
const FILE_NAME: &str = ".charms-reactive-shown.json";

/// What was shown last: digests of statuses, and a version.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Shown {
    #[serde(skip)]
    path: PathBuf,
    #[serde(skip)]
    is_by_juju: bool,
    unit: Option<String>,
    application: Option<String>,
    version: Option<String>,
}

impl Shown {
    /// What was shown last, as far as it is known.
    pub(crate) fn read(context: &Context) -> Self {
        let path = context.charm_dir.join(FILE_NAME);
        let text = fs::read(&path).unwrap_or_default();
        let mut shown: Self = serde_json::from_slice(&text).unwrap_or_default();
        shown.path = path;
        // Juju itself shows a status before these three hooks (`U/op_callbacks.go`).
        if matches!(context.event, HookEvent::Install | HookEvent::Stop | HookEvent::Remove) {
            shown.is_by_juju = true;
            if shown.unit.take().is_some() {
                shown.save();
            }
        }
        shown
    }

    /// Whether Juju showed a status of its own just before this hook.
    pub(crate) fn is_by_juju(&self) -> bool {
        self.is_by_juju
    }

    /// Shows the status of the unit, unless it is shown already; tells whether it was not.
    pub(crate) fn show_unit(
        &mut self,
        commands: &mut dyn HookCommands,
        status: &Status,
    ) -> Result<bool, CommandError> {
        let digest = Some(status_digest(status));
        if self.unit == digest {
            return Ok(false);
        }
        // A kill from here on leaves open what is shown.
        self.unit = None;
        self.save();
        commands.status_set(status.status, &status.message)?;
        self.unit = digest;
        self.save();
        Ok(true)
    }

    /// Shows the status of the application, unless it is shown already.
    pub(crate) fn show_application(
        &mut self,
        commands: &mut dyn HookCommands,
        status: &Status,
    ) -> Result<bool, CommandError> {
        let digest = Some(status_digest(status));
        if self.application == digest {
            return Ok(false);
        }
        self.application = None;
        self.save();
        commands.application_status_set(status.status, &status.message)?;
        self.application = digest;
        self.save();
        Ok(true)
    }

    /// Tells the version of the workload, unless it is known already.
    pub(crate) fn tell_version(
        &mut self,
        commands: &mut dyn HookCommands,
        version: &str,
    ) -> Result<bool, CommandError> {
        if self.version.as_deref() == Some(version) {
            return Ok(false);
        }
        commands.application_version_set(version)?;
        self.version = Some(version.to_owned());
        self.save();
        Ok(true)
    }

    /// Keeps what is shown.  When that fails, the next status is shown again.
    fn save(&self) {
        let content = serde_json::to_vec(self).expect("texts are JSON");
        if let Err(error) = (FileEffect::Write { content, mode: 0o600 }).apply(&self.path) {
            log::warn!("cannot keep what was shown: {error}");
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn status_digest(status: &Status) -> String {
    digest(&format!("{} {}", status.status, status.message))
}
