//! The files of a charm, as values.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::PackError;
use super::executable::Executable;

/// The releases of Ubuntu that a charm is packed for.  A static program runs on all of them.
const CHANNELS: [&str; 2] = ["22.04", "24.04"];

/// Files that are taken over when they are there.
const TAKEN: [&str; 5] = ["README.md", "actions.yaml", "config.yaml", "icon.svg", "lxd-profile.yaml"];

/// One file of a charm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CharmFile {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    /// All that Juju keeps of a file's mode.
    pub(super) is_executable: bool,
}

/// The folder with a charm's `metadata.yaml`, found good.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    name: String,
}

impl Folder {
    /// Checks the YAML files of the charm in `path`.
    ///
    /// The checks are those without which Juju takes no charm at all; the rest it tells itself.
    pub(super) fn read(path: &Path) -> Result<Self, PackError> {
        let file = path.join("metadata.yaml");
        if !file.is_file() {
            return Err(PackError::NoMetadata { folder: path.to_owned() });
        }
        let metadata = read_map(&file)?;
        let wrong = |problem: String| PackError::Content { path: file.clone(), problem };
        for key in ["name", "summary", "description"] {
            if !metadata.get(key).is_some_and(Value::is_string) {
                return Err(wrong(format!("has no text under `{key}`, which Juju wants")));
            }
        }
        let name = metadata.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if !is_charm_name(&name) {
            return Err(wrong(format!(
                "has the name `{name}`, expected letters, digits and dashes, for example `my-charm`"
            )));
        }
        for optional in ["config.yaml", "actions.yaml"] {
            let file = path.join(optional);
            if file.is_file() {
                read_map(&file)?;
            }
        }
        Ok(Self { path: path.to_owned(), name })
    }

    /// The name of the charm, from `metadata.yaml`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The files of the charm with this program, and its daemon where it has one, sorted by name.
    pub(super) fn files(
        &self,
        executable: &Executable,
        daemon: Option<&Executable>,
        version: Option<&str>,
    ) -> Result<Vec<CharmFile>, PackError> {
        let file =
            |name: &str, bytes: Vec<u8>| CharmFile { name: name.to_owned(), bytes, is_executable: false };
        let mut files = vec![
            CharmFile { is_executable: true, ..file("dispatch", executable.bytes.clone()) },
            file("manifest.yaml", manifest(executable.architecture).into_bytes()),
        ];
        if let Some(daemon) = daemon {
            files.push(CharmFile { is_executable: true, ..file("charmd", daemon.bytes.clone()) });
        }
        if let Some(version) = version {
            files.push(file("version", format!("{version}\n").into_bytes()));
        }
        for name in self.taken_names()? {
            files.push(file(&name, read(&self.path.join(&name))?));
        }
        files.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(files)
    }

    /// The names of the files that are taken over as they are.
    fn taken_names(&self) -> Result<Vec<String>, PackError> {
        let failed = |source| PackError::Read { path: self.path.clone(), source };
        let mut names = vec!["metadata.yaml".to_owned()];
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let is_wanted = TAKEN.contains(&name.as_str()) || name.starts_with("LICENSE");
            if is_wanted && entry.path().is_file() {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// What Juju may run the charm on.
fn manifest(architecture: &str) -> String {
    // A channel is a text; without quotes YAML would make a number of it.
    let base =
        |channel| format!("- name: ubuntu\n  channel: \"{channel}\"\n  architectures:\n  - {architecture}\n");
    format!("bases:\n{}", CHANNELS.map(base).concat())
}

fn read(path: &Path) -> Result<Vec<u8>, PackError> {
    fs::read(path).map_err(|source| PackError::Read { path: path.to_owned(), source })
}

/// Reads a YAML file that is a map.
fn read_map(path: &Path) -> Result<serde_yaml::Mapping, PackError> {
    let text = String::from_utf8(read(path)?).map_err(|error| PackError::Read {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, error),
    })?;
    match serde_yaml::from_str(&text) {
        Ok(Value::Mapping(map)) => Ok(map),
        Ok(_) => Err(PackError::Content { path: path.to_owned(), problem: "is no map of keys".to_owned() }),
        Err(source) => Err(PackError::Yaml { path: path.to_owned(), source }),
    }
}

/// Letters, digits and dashes; a letter first, and one in every part between dashes.
///
/// # Source
///
/// `internal/charm/meta.go` of Juju.
fn is_charm_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.split('-').all(|part| {
            part.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && part.bytes().any(|byte| byte.is_ascii_alphabetic())
        })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::executable::fake;
    use super::*;

    pub(in super::super) const METADATA: &str =
        "name: my-charm\nsummary: A charm.\ndescription: Does little.\n";

    /// Writes files into a folder.
    pub(in super::super) fn put(folder: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            io::Write::write_all(&mut fs::File::create(folder.join(name)).unwrap(), text.as_bytes()).unwrap();
        }
    }

    /// Reads a folder with these files; the error, or the names of the files of the charm.
    fn read_folder(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), files);
        let read = || {
            let executable = Executable::parse(fake(62, &[])).unwrap();
            Folder::read(folder.path())?.files(&executable, None, None)
        };
        match read() {
            Ok(files) => Ok(files.into_iter().map(|file| file.name).collect()),
            Err(error) => Err(error.to_string().replace(&folder.path().display().to_string(), "FOLDER")),
        }
    }

    #[test]
    fn a_charm_takes_what_belongs_to_it() {
        assert_eq!(
            read_folder(&[("metadata.yaml", METADATA)]),
            Ok(["dispatch", "manifest.yaml", "metadata.yaml"].map(str::to_owned).to_vec())
        );
        let files = [
            ("metadata.yaml", METADATA),
            ("config.yaml", "options: {}"),
            ("actions.yaml", "backup: {}"),
            ("LICENSE-MIT", "..."),
            ("LICENSE-APACHE", "..."),
            ("README.md", "..."),
            ("icon.svg", "<svg/>"),
            ("Cargo.toml", ""),
            ("main.rs", ""),
        ];
        let expected = [
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "README.md",
            "actions.yaml",
            "config.yaml",
            "dispatch",
            "icon.svg",
            "manifest.yaml",
            "metadata.yaml",
        ];
        assert_eq!(read_folder(&files), Ok(expected.map(str::to_owned).to_vec()));
    }

    #[test]
    fn a_charm_that_juju_would_refuse_is_refused() {
        let named = |name: &str| METADATA.replace("my-charm", name);
        let no_name = "`FOLDER/metadata.yaml` has no text under `name`, which Juju wants";
        for (files, expected) in [
            (&[("config.yaml", "options: {}")][..], "no `metadata.yaml` in `FOLDER`"),
            (&[("metadata.yaml", "a: [")], "cannot read `FOLDER/metadata.yaml` as YAML"),
            (&[("metadata.yaml", "- name")], "`FOLDER/metadata.yaml` is no map of keys"),
            (&[("metadata.yaml", "")], "`FOLDER/metadata.yaml` is no map of keys"),
            (&[("metadata.yaml", "summary: x")], no_name),
            (&[("metadata.yaml", &named("12"))], no_name),
            (
                &[("metadata.yaml", "name: x\nsummary: y")],
                "`FOLDER/metadata.yaml` has no text under `description`, which Juju wants",
            ),
            (
                &[("metadata.yaml", &named("../up"))],
                "`FOLDER/metadata.yaml` has the name `../up`, expected letters, digits and dashes, \
                 for example `my-charm`",
            ),
            (&[("metadata.yaml", METADATA), ("config.yaml", "x")], "`FOLDER/config.yaml` is no map of keys"),
            (
                &[("metadata.yaml", METADATA), ("actions.yaml", "\t")],
                "cannot read `FOLDER/actions.yaml` as YAML",
            ),
        ] {
            assert_eq!(read_folder(files), Err(expected.to_owned()));
        }
    }

    #[test]
    fn names_follow_jujus_rule() {
        for (name, expected) in [
            ("a", true),
            ("my-charm-k8s", true),
            ("Web2", true),
            ("x-2b", true),
            ("", false),
            ("2x", false),
            ("a-2", false),
            ("a--b", false),
            ("-a", false),
            ("a-", false),
            ("a_b", false),
            ("\u{e9}", false),
        ] {
            assert_eq!(is_charm_name(name), expected, "`{name}`");
        }
    }

    #[test]
    fn the_manifest_is_what_juju_reads() {
        let manifest: Value = serde_yaml::from_str(&manifest("arm64")).unwrap();
        let base = |channel: &str| serde_json::json!({ "name": "ubuntu", "channel": channel, "architectures": ["arm64"] });
        let expected = serde_json::json!({ "bases": [base("22.04"), base("24.04")] });
        assert_eq!(serde_json::to_value(manifest).unwrap(), expected);
    }
}
