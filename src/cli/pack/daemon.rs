//! `charmd` for the charms that want it: built from the framework that they depend on, wherever that is.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use super::build::{Build, cargo, cargo_error};
use super::workspace::has_pack_profile;
use super::{PackArgs, PackError, build};

/// The package that a charm depends on.
const FRAMEWORK: &str = "charms-reactive";
/// The one beside it, with the daemon.
const SERVER: &str = "charms-reactive-server";
/// Where that is in the framework's repository.
const MANIFEST: &str = "src/server/Cargo.toml";

/// The part of `cargo metadata` that we read.
#[derive(Debug, Deserialize)]
struct CargoMetadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

/// Builds the daemon, or has Cargo find that it is built; gives its path.
///
/// It has parts in C: without a compiler of C for musl, it is built with the C library of GNU inside.
pub(super) fn build(args: &PackArgs, musl: Option<&str>, target_dir: &Path) -> Result<PathBuf, PackError> {
    let root = framework()?;
    let manifest = root.join(MANIFEST);
    if !manifest.is_file() {
        return Err(PackError::NoDaemon { root });
    }
    let musl = musl.filter(|_| build::has_musl_compiler());
    let build = Build {
        package_id: SERVER,
        package: SERVER,
        bins: vec!["charmd"],
        profile: args.profile,
        has_pack_profile: has_pack_profile(&root),
        target: args.target.as_deref().or(musl),
        target_dir: Some(target_dir),
        manifest: Some(&manifest),
    };
    let [program] = <[PathBuf; 1]>::try_from(build.run()?).expect("one for each binary");
    Ok(program)
}

/// Where the framework's sources are: a folder, or what Cargo has fetched.
fn framework() -> Result<PathBuf, PackError> {
    let output = cargo()
        .args(["metadata", "--format-version", "1"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(cargo_error)?;
    if !output.status.success() {
        return Err(PackError::Workspace);
    }
    find(&output.stdout)
}

fn find(json: &[u8]) -> Result<PathBuf, PackError> {
    let metadata: CargoMetadata = serde_json::from_slice(json)
        .map_err(|source| PackError::CargoOutput { command: "metadata", source })?;
    let package = metadata.packages.into_iter().find(|package| package.name == FRAMEWORK);
    let root = package.and_then(|package| Some(package.manifest_path.parent()?.to_owned()));
    root.ok_or(PackError::NoFramework)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_is_that_of_the_framework_the_charm_depends_on() {
        let metadata = serde_json::json!({"packages": [
            {"name": "serde", "manifest_path": "/registry/serde/Cargo.toml"},
            {"name": "charms-reactive", "manifest_path": "/checkouts/charms-reactive/1a2b/Cargo.toml"},
        ]});
        let found = find(metadata.to_string().as_bytes()).expect("found");
        assert_eq!(found, Path::new("/checkouts/charms-reactive/1a2b"));
        let error = find(br#"{"packages": []}"#).expect_err("no framework");
        assert_eq!(error.to_string(), "a charm wants the daemon, and none depends on `charms-reactive`");
    }
}
