//! The charms of a scenario, as folders: directories, unpacked archives, and what cargo builds.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::{SimulateError, nearest};
use super::scenario::Scenario;
use crate::pack::{self, PackArgs};
use crate::report;

/// What a charm that cargo builds begins with.
const CARGO: &str = "cargo:";

/// The folders of all charms of a scenario.
#[derive(Debug, Default)]
pub(super) struct Charms {
    folders: BTreeMap<String, PathBuf>,
    /// What the archives were unpacked into.
    unpacked: Vec<TempDir>,
}

impl Charms {
    /// The files and folders that the charms of a scenario in `folder` are read from, there or not.
    pub(super) fn sources(scenario: &Scenario, folder: &Path) -> Vec<PathBuf> {
        let all = all(scenario);
        let is_built = |charm: &str| charm.starts_with(CARGO);
        let read = all.iter().filter(|(_, charm)| !is_built(charm)).map(|(_, charm)| path(charm, folder));
        let workspace = all.iter().any(|(_, charm)| is_built(charm)).then(pack::workspace_root);
        read.chain(workspace.and_then(Result::ok)).collect()
    }

    /// Finds, unpacks and builds the charms of a scenario in `folder`.
    pub(super) fn find(scenario: &Scenario, folder: &Path) -> anyhow::Result<Self> {
        let all = all(scenario);
        let mut charms = Self::default();
        charms.build(&all)?;
        for (name, charm) in all {
            if !charms.folders.contains_key(charm) {
                let found = charms.read(charm, name, folder)?;
                charms.folders.insert(charm.clone(), found);
            }
        }
        Ok(charms)
    }

    /// The folder of a charm, by what the scenario calls it.
    pub(super) fn folder<'a>(&'a self, charm: &'a str) -> &'a Path {
        self.folders.get(charm).map_or(Path::new(charm), PathBuf::as_path)
    }

    /// Has cargo build the charms that are asked of it, all at once.
    fn build(&mut self, all: &[(&String, &String)]) -> anyhow::Result<()> {
        let mut names: Vec<&str> = all.iter().filter_map(|(_, charm)| charm.strip_prefix(CARGO)).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return Ok(());
        }
        for packed in pack::charms(&PackArgs::to_try(&names))? {
            self.folders.insert(format!("{CARGO}{}", packed.name), packed.folder);
        }
        Ok(())
    }

    fn read(&mut self, charm: &str, of: &str, folder: &Path) -> Result<PathBuf, SimulateError> {
        let wrong = |problem: &str, hint: Option<String>| SimulateError::Charm {
            charm: charm.to_owned(),
            of: of.to_owned(),
            problem: problem.to_owned(),
            hint,
        };
        let path = path(charm, folder);
        if path.is_file() {
            return self.unpack(&path);
        }
        if !path.is_dir() {
            let hint = if charm.contains(['/', '.']) {
                let here = entries(path.parent().unwrap_or(folder));
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                nearest(&name, here.iter().map(String::as_str))
                    .map(|meant| format!("did you mean `{meant}`?"))
            } else {
                Some(format!(
                    "charms of Charmhub have to be fetched before: `juju download {charm}`; \
                     charms of this workspace are `cargo:{charm}`"
                ))
            };
            return Err(wrong("is not there", hint));
        }
        if !path.join("metadata.yaml").is_file() {
            let hint = "paths are relative to the scenario; Juju reads `metadata.yaml`".to_owned();
            return Err(wrong("is no charm: it has no `metadata.yaml`", Some(hint)));
        }
        if !path.join("dispatch").exists() && !path.join("hooks").exists() {
            report::note(&format!(
                "charm `{charm}` has neither `dispatch` nor `hooks`, so none of its hooks does anything; \
                 one that cargo builds is `cargo:NAME`"
            ));
        }
        Ok(path)
    }

    /// Unpacks an archive as Juju does: files keep their exec bit.
    fn unpack(&mut self, path: &Path) -> Result<PathBuf, SimulateError> {
        let read = |source| SimulateError::Read { path: path.to_owned(), source };
        let broken = |source| SimulateError::Archive { path: path.to_owned(), source };
        let target = tempfile::Builder::new().prefix("charm-").tempdir().map_err(read)?;
        let mut archive = zip::ZipArchive::new(File::open(path).map_err(read)?).map_err(broken)?;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(broken)?;
            // A name that leads out of the folder is none of a charm's.
            let Some(name) = entry.enclosed_name() else { continue };
            let file = target.path().join(name);
            let write = |source| SimulateError::Write { path: file.clone(), source };
            if entry.is_dir() {
                fs::create_dir_all(&file).map_err(write)?;
                continue;
            }
            fs::create_dir_all(file.parent().unwrap_or(target.path())).map_err(write)?;
            if entry.is_symlink() {
                let mut link = String::new();
                std::io::Read::read_to_string(&mut entry, &mut link).map_err(read)?;
                std::os::unix::fs::symlink(link, &file).map_err(write)?;
                continue;
            }
            std::io::copy(&mut entry, &mut File::create(&file).map_err(write)?).map_err(write)?;
            let is_executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
            let mode = Permissions::from_mode(if is_executable { 0o755 } else { 0o644 });
            fs::set_permissions(&file, mode).map_err(write)?;
        }
        let folder = target.path().to_owned();
        self.unpacked.push(target);
        Ok(folder)
    }
}

/// The charms of a scenario, each with the application or the name that it is used by.
fn all(scenario: &Scenario) -> Vec<(&String, &String)> {
    let applications = scenario.applications.iter().map(|(name, application)| (name, &application.charm));
    applications.chain(&scenario.charms).collect()
}

/// Where a charm is that is not built.
fn path(charm: &str, folder: &Path) -> PathBuf {
    folder.join(charm.strip_prefix("local:").unwrap_or(charm))
}

/// The names in a folder.
fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
