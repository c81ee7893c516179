//! Why a charm could not be packed, and what may help.

use std::io;
use std::path::PathBuf;

/// Why a charm could not be packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// There is no cargo.
    #[error("cannot start `{program}`")]
    Cargo {
        /// What was to be started.
        program: String,
        /// Why it was not.
        source: io::Error,
    },
    /// Cargo does not take this for a workspace; it has said why.
    #[error("cannot read the workspace, `cargo metadata` failed")]
    Workspace,
    /// Cargo's description of the workspace has a form we do not know.
    #[error("cannot understand what `cargo {command}` printed")]
    CargoOutput {
        /// The subcommand.
        command: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// No package names a charm.
    #[error("no charm in workspace `{}`", root.display())]
    NoCharm {
        /// The folder of the workspace.
        root: PathBuf,
    },
    /// A package names its charms in a form we do not know.
    #[error("cannot read `package.metadata.charms` of package `{package}`")]
    Section {
        /// The name of the package.
        package: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A package names a binary that it does not have.
    #[error("package `{package}` has no binary `{bin}`, which `package.metadata.charms` names")]
    NoBin {
        /// The name of the package.
        package: String,
        /// The name of the binary.
        bin: String,
        /// The binaries it has.
        known: Vec<String>,
    },
    /// A charm wants the daemon, and its framework is not there.
    #[error("a charm wants the daemon, and none depends on `charms-reactive`")]
    NoFramework,
    /// A charm wants the daemon, and the sources of its framework are not whole.
    #[error("no sources of `charmd` in `{}`", root.display())]
    NoDaemon {
        /// The folder of the framework.
        root: PathBuf,
    },
    /// The folder of a charm has no `metadata.yaml`.
    #[error("no `metadata.yaml` in `{}`", folder.display())]
    NoMetadata {
        /// The folder.
        folder: PathBuf,
    },
    /// A file of the charm is not YAML.
    #[error("cannot read `{}` as YAML", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_yaml::Error,
    },
    /// A file of the charm is YAML, but not what Juju wants.
    #[error("`{}` {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, to be read after its name.
        problem: String,
    },
    /// Two charms have the same name.
    #[error("two charms are called `{name}`: in `{}` and in `{}`", first.display(), second.display())]
    SameName {
        /// The name.
        name: String,
        /// The folder of one of them.
        first: PathBuf,
        /// The folder of the other.
        second: PathBuf,
    },
    /// A charm was asked for that does not exist.
    #[error("no charm `{name}` in this workspace")]
    UnknownCharm {
        /// What was asked for.
        name: String,
        /// The charms there are.
        known: Vec<String>,
    },
    /// Cargo did not build it; it has said why.
    #[error("cannot build package `{package}`")]
    Build {
        /// The name of the package.
        package: String,
    },
    /// Cargo built it and did not say where the program is.
    #[error("cannot find binary `{bin}` of package `{package}`, although cargo built it")]
    NoProgram {
        /// The name of the package.
        package: String,
        /// The name of the binary.
        bin: String,
    },
    /// What was built is no program that Juju could start.
    #[error("`{}` {problem}", path.display())]
    Executable {
        /// The program.
        path: PathBuf,
        /// What is wrong with it, to be read after its name.
        problem: String,
    },
    /// A program is larger than it may be.
    #[error("the program of charm `{name}` has {bytes} bytes, expected at most {max}")]
    TooLarge {
        /// The charm.
        name: String,
        /// How large its program is.
        bytes: usize,
        /// How large it may be.
        max: usize,
    },
    /// A file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl PackError {
    /// What may help.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Cargo { .. } => {
                "cargo comes with Rust, see https://rustup.rs; it has to be in PATH".to_owned()
            }
            Self::Workspace => "run this in the folder of a Cargo workspace or package".to_owned(),
            Self::NoCharm { .. } => "name one in the Cargo.toml of its package:\n\n    \
                 [[package.metadata.charms]]\n    \
                 bin = \"dispatch\"\n    \
                 folder = \".\"      # where its metadata.yaml is\n"
                .to_owned(),
            Self::NoFramework => {
                "the package of the charm needs `charms-reactive` in its dependencies".to_owned()
            }
            Self::NoDaemon { .. } => {
                "depend on a checkout of charms-reactive, by `path` or `git`, or leave out `daemon = true`"
                    .to_owned()
            }
            Self::Section { .. } => {
                "expected a list, `[[package.metadata.charms]]`, with `bin` and `folder`".to_owned()
            }
            Self::NoBin { known, .. } if known.is_empty() => "it has no binary at all".to_owned(),
            Self::NoBin { known, .. } => format!("it has {}", listed(known)),
            Self::NoMetadata { folder } if folder.join("charmcraft.yaml").is_file() => {
                "its charmcraft.yaml is not enough: Juju reads metadata.yaml".to_owned()
            }
            Self::NoMetadata { .. } => {
                "`folder` in `package.metadata.charms` is relative to the package".to_owned()
            }
            Self::UnknownCharm { known, .. } => format!("there is {}", listed(known)),
            _ => return None,
        })
    }
}

fn listed(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
