//! Where a real Prometheus comes from, and that none stays behind.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::report;

/// The programs the Prometheus charm needs.
const NAMES: [&str; 2] = ["prometheus", "promtool"];

/// The folders that hold `prometheus` and `promtool`.
pub(super) struct Programs(Vec<PathBuf>);

impl Programs {
    /// As a part of `PATH`, with the folders that every machine has.
    pub(super) fn path(&self) -> String {
        let folders = self.0.iter().map(|folder| folder.display().to_string());
        folders.chain(["/usr/bin".to_owned(), "/bin".to_owned()]).collect::<Vec<_>>().join(":")
    }
}

/// Finds Prometheus on `PATH`, or unpacks Debian's package below the target folder.
pub(super) fn find(charm_folder: &Path) -> anyhow::Result<Programs> {
    let on_path = path_variable();
    let folder_with = |name: &str| env::split_paths(&on_path).find(|folder| folder.join(name).is_file());
    let found: Option<Vec<PathBuf>> = NAMES.iter().map(|name| folder_with(name)).collect();
    if let Some(mut folders) = found {
        folders.dedup();
        report::step("Using", &format!("Prometheus in {}", folders[0].display()));
        return Ok(Programs(folders));
    }
    // `target/charms/prometheus` is where the charm was packed.
    let target = charm_folder.parent().and_then(Path::parent).unwrap_or(charm_folder);
    let unpacked = target.join("prometheus");
    let programs = unpacked.join("usr/bin");
    if NAMES.iter().all(|name| programs.join(name).is_file()) {
        report::step("Using", &format!("Prometheus in {}", programs.display()));
        return Ok(Programs(vec![programs]));
    }
    unpack(&unpacked).context(
        "there is no Prometheus on PATH, and Debian's package cannot be had; \
         install `prometheus` and `promtool`, and try again",
    )?;
    Ok(Programs(vec![programs]))
}

/// Downloads Debian's package and unpacks it, without installing it.
fn unpack(folder: &Path) -> anyhow::Result<()> {
    report::step("Unpacking", "Debian's package `prometheus` below target/, without installing it");
    fs::create_dir_all(folder)?;
    // The lists of packages may be missing; only root may fetch them, so a failure shows later.
    let _ = quiet(program("apt-get").args(["update"]));
    quiet(program("apt-get").args(["download", "prometheus"]).current_dir(folder))?;
    let package = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    let package =
        package.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let package = package.context("apt-get downloaded no package")?;
    quiet(program("dpkg-deb").arg("--extract").arg(&package).arg(folder))?;
    fs::remove_file(package)?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "looks for programs as a shell would")]
fn path_variable() -> OsString {
    env::var_os("PATH").unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "unpacks and stops a program that is not ours")]
fn program(name: &str) -> Command {
    Command::new(name)
}

/// Runs a program and shows its output only when it fails.
fn quiet(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{name}`"))?;
    if !output.status.success() {
        bail!("`{name}` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Stops the Prometheus of the model when the demo ends, however it ends.
pub(super) struct StopAtEnd {
    folder: PathBuf,
}

impl StopAtEnd {
    /// For the processes whose command line names `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }
}

impl Drop for StopAtEnd {
    /// Every process whose command line names the folder of this model is of this model.
    fn drop(&mut self) {
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let is_ours = String::from_utf8_lossy(&command).contains(&*self.folder.to_string_lossy());
            let pid = entry.file_name();
            if is_ours && pid.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
                let _ = program("kill").arg(&pid).status();
            }
        }
    }
}
