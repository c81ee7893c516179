//! Which binaries of a workspace are charms, from `cargo metadata`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use super::PackError;
use super::build::{cargo, cargo_error};

/// What there is to pack.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Workspace {
    pub(super) root: PathBuf,
    pub(super) target_dir: PathBuf,
    /// Whether it has its own idea of how charms are built.
    pub(super) has_pack_profile: bool,
    /// Not empty; those of one package stand together.
    pub(super) bins: Vec<CharmBin>,
}

/// A binary that a package declares to be a charm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CharmBin {
    pub(super) package_id: String,
    pub(super) package: String,
    pub(super) bin: String,
    /// Where its `metadata.yaml` is.
    pub(super) folder: PathBuf,
    /// Whether it wants `charmd` beside `dispatch`.
    pub(super) has_daemon: bool,
}

/// The part of `cargo metadata` that we read.
#[derive(Debug, Deserialize)]
struct CargoMetadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    /// Anything, for any tool.
    #[serde(default)]
    metadata: serde_json::Value,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// One `[[package.metadata.charms]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    bin: String,
    folder: PathBuf,
    #[serde(default)]
    daemon: bool,
}

impl Workspace {
    /// Asks cargo about the workspace around the current directory.
    pub(super) fn read() -> Result<Self, PackError> {
        let output = cargo()
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(Stdio::inherit())
            .output()
            .map_err(cargo_error)?;
        if !output.status.success() {
            return Err(PackError::Workspace);
        }
        Self::parse(&output.stdout)
    }

    /// Reads what `cargo metadata` printed.
    pub(super) fn parse(json: &[u8]) -> Result<Self, PackError> {
        let metadata: CargoMetadata = serde_json::from_slice(json)
            .map_err(|source| PackError::CargoOutput { command: "metadata", source })?;
        let mut bins = Vec::new();
        for package in &metadata.packages {
            bins.extend(charm_bins(package)?);
        }
        if bins.is_empty() {
            return Err(PackError::NoCharm { root: metadata.workspace_root });
        }
        let has_pack_profile = has_pack_profile(&metadata.workspace_root);
        let (root, target_dir) = (metadata.workspace_root, metadata.target_directory);
        Ok(Self { root, target_dir, has_pack_profile, bins })
    }
}

fn charm_bins(package: &Package) -> Result<Vec<CharmBin>, PackError> {
    let Some(sections) = package.metadata.get("charms") else { return Ok(Vec::new()) };
    let sections = Vec::<Section>::deserialize(sections)
        .map_err(|source| PackError::Section { package: package.name.clone(), source })?;
    let targets = package.targets.iter().filter(|target| target.kind.iter().any(|kind| kind == "bin"));
    let known: Vec<_> = targets.map(|target| target.name.clone()).collect();
    let package_dir = package.manifest_path.parent().unwrap_or(Path::new("."));
    sections
        .into_iter()
        .map(|Section { bin, folder, daemon }| {
            if !known.contains(&bin) {
                let known = known.clone();
                return Err(PackError::NoBin { package: package.name.clone(), bin, known });
            }
            let folder = package_dir.join(folder);
            // For messages: `charm/..` reads worse than what it is.
            let folder = folder.canonicalize().unwrap_or(folder);
            let (package_id, package) = (package.id.clone(), package.name.clone());
            Ok(CharmBin { package_id, package, bin, folder, has_daemon: daemon })
        })
        .collect()
}

/// Whether the workspace's manifest has a `[profile.pack]`, which `cargo metadata` does not tell.
pub(super) fn has_pack_profile(root: &Path) -> bool {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    manifest.lines().any(|line| line.trim() == "[profile.pack]")
}
