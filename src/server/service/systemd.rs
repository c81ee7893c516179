//! The daemon as a service of systemd.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Place, ServiceError, put, remove_file};

/// systemd, where it looks for unit files.
#[derive(Debug)]
pub(super) struct Systemd {
    units: PathBuf,
}

impl Systemd {
    pub(super) fn new(units: &Path) -> Self {
        Self { units: units.to_owned() }
    }

    fn file(&self, place: &Place) -> PathBuf {
        self.units.join(service(place))
    }

    /// Writes the unit file, and has it run now and after each boot.
    pub(super) fn install(&self, place: &Place, is_new: bool) -> Result<(), ServiceError> {
        let (file, text) = (self.file(place), unit_file(place));
        let before = std::fs::read_to_string(&file).ok();
        let is_other = before.as_ref() != Some(&text);
        if is_other {
            put(&file, text.as_bytes(), 0o644)?;
            systemctl(&["daemon-reload"])?;
        }
        systemctl(&["enable", "--now", &service(place)])?;
        if before.is_some() && (is_new || is_other) {
            systemctl(&["restart", &service(place)])?;
        }
        Ok(())
    }

    pub(super) fn start(place: &Place) -> Result<(), ServiceError> {
        // One that failed too often is started all the same.
        systemctl(&["reset-failed", &service(place)])?;
        systemctl(&["start", &service(place)])
    }

    pub(super) fn stop(place: &Place) -> Result<(), ServiceError> {
        systemctl(&["stop", &service(place)])
    }

    pub(super) fn remove(&self, place: &Place) -> Result<(), ServiceError> {
        if !self.file(place).exists() {
            return Ok(());
        }
        systemctl(&["disable", "--now", &service(place)])?;
        remove_file(&self.file(place))?;
        systemctl(&["daemon-reload"])
    }
}

fn service(place: &Place) -> String {
    format!("{}.service", place.name())
}

fn systemctl(arguments: &[&str]) -> Result<(), ServiceError> {
    #[expect(clippy::disallowed_methods, reason = "the program that systemd is told by")]
    let mut command = Command::new("systemctl");
    let output = command.args(arguments).stdin(Stdio::null()).output();
    let why = match output {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => error.to_string(),
    };
    Err(ServiceError::Program { command: format!("systemctl {}", arguments.join(" ")), why })
}

/// A text as one word of a unit file.
///
/// # Source
///
/// systemd.syntax(7), systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers".
fn word(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    format!("\"{escaped}\"")
}

/// The same, as an argument of a program, where `$` has a meaning too.
fn argument(text: &str) -> String {
    word(text).replace('$', "$$")
}

/// The unit file.
///
/// The daemon runs the work of its charm, which may do whatever a hook may: files, packages, users, other services.
/// So it is cut off from what no charm needs, and from nothing else.
fn unit_file(place: &Place) -> String {
    let program = word(&place.program().to_string_lossy());
    let arguments: Vec<String> = place.arguments().iter().map(|text| argument(text)).collect();
    let environment = place.environment().map(|(name, value)| word(&format!("{name}={value}")));
    let folder = place.folder.to_string_lossy().replace('\\', "\\\\").replace('%', "%%");
    format!(
        "# Written by charmd; what is changed here lasts until the charm is upgraded.
[Unit]
Description=charmd of Juju unit {unit}
After=network.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={program} {arguments}
WorkingDirectory={folder}
Environment={environment}
Restart=always
RestartSec=1
TimeoutStopSec=15
KillMode=mixed
OOMPolicy=continue
UMask=0077
KeyringMode=private
LimitCORE=0
LockPersonality=yes
ProtectClock=yes
ProtectKernelLogs=yes
RestrictRealtime=yes

[Install]
WantedBy=multi-user.target
",
        unit = place.unit,
        arguments = arguments.join(" "),
        environment = environment.join(" "),
    )
}
