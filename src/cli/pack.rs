//! `charms-reactive pack`: a charm directory and a `.charm` file for each charm of a workspace.
//!
//! ```text
//! workspace   cargo metadata          -> which binary is a charm, and where its metadata.yaml is
//! build       cargo build             -> the programs, one call a package
//! daemon      cargo build             -> `charmd`, where a charm wants it
//! executable  the program's first bytes -> architecture, static or not
//! content     folder and program      -> the files of the charm, as values
//! output      target/charms           -> NAME/ and NAME_ubuntu-ARCHITECTURE.charm
//! ```
//!
//! The same program and files give the same bytes.  Nothing is uploaded, no container is needed.

mod build;
mod content;
mod daemon;
mod error;
mod executable;
mod output;
mod workspace;

use std::path::{Path, PathBuf};

pub use error::PackError;

use crate::report;
use build::Build;
use content::Folder;
use executable::Executable;
use workspace::Workspace;

const LONG_ABOUT: &str = "\
Build the charms of this workspace and pack them for deployment.

A charm is a binary that its package names in Cargo.toml, with the folder that holds
metadata.yaml (and config.yaml, actions.yaml, README.md, icon.svg, LICENSE if there are):

    [[package.metadata.charms]]
    bin = \"dispatch\"
    folder = \"..\"

For each one there is afterwards, in target/charms, a directory NAME as Juju unpacks it on a
unit, and a file NAME_ubuntu-ARCHITECTURE.charm to deploy.

With `daemon = true` there, the charm gets the daemon `charmd` beside its program, built from the
charms-reactive that it depends on.

Programs are static. They are built with musl where its target is installed, as by
`rustup target add x86_64-unknown-linux-musl`, and otherwise with the C library of GNU. A charm
with parts in C needs a C compiler for musl (Debian's musl-tools), or --target of GNU.";

/// Build the charms of this workspace and pack them for deployment
#[derive(Debug, clap::Args)]
#[command(long_about = LONG_ABOUT)]
pub struct PackArgs {
    /// Pack this charm only, by the name in metadata.yaml; may be repeated
    #[arg(long = "charm", value_name = "NAME")]
    names: Vec<String>,
    /// How to build
    #[arg(long, value_enum, default_value_t = Profile::Pack)]
    profile: Profile,
    /// Build for this target rather than for this machine, for example aarch64-unknown-linux-musl
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// Build in this folder rather than in the workspace's target
    #[arg(long, value_name = "FOLDER")]
    target_dir: Option<PathBuf>,
    /// Fail if a program is larger
    #[arg(long, value_name = "BYTES")]
    program_max: Option<usize>,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
}

/// How a charm is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Profile {
    /// Small and static, for units
    Pack,
    /// Fast to build, linked to the C library here; to try a charm on this machine
    Dev,
    /// As `pack`, optimized for speed rather than size
    Release,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Pack => "pack",
            Self::Dev => "dev",
            Self::Release => "release",
        }
    }
}

/// A charm that is to be packed: a binary, and its folder once that was read.
#[derive(Debug)]
struct Charm {
    /// Cargo's id of the package, which is right even where names are not unique.
    package_id: String,
    package: String,
    bin: String,
    folder: Folder,
    has_daemon: bool,
}

/// A charm that was packed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Packed {
    pub(crate) name: String,
    architecture: &'static str,
    /// Whether its programs bring their C library along, and so run on any release.
    is_static: bool,
    program_bytes: usize,
    /// How large the daemon is, of charms that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    daemon_bytes: Option<usize>,
    pub(crate) folder: PathBuf,
    file: PathBuf,
    file_bytes: u64,
}

/// Packs the charms of the workspace around the current directory.
pub fn run(args: &PackArgs) -> anyhow::Result<()> {
    let packed = charms(args)?;
    if args.json {
        anstream::println!("{}", serde_json::json!({ "charms": packed }));
    } else {
        anstream::print!("{}", table(&packed, &std::env::current_dir().unwrap_or_default()));
    }
    for charm in packed.iter().filter(|charm| !charm.is_static) {
        report::note(&format!(
            "`{}` is linked to the C library of this machine, and runs only where that is as new",
            charm.name
        ));
    }
    Ok(())
}

impl PackArgs {
    /// These charms, built fast, to be run on this machine.
    pub(crate) fn to_try(names: &[&str]) -> Self {
        let names = names.iter().map(ToString::to_string).collect();
        Self { names, profile: Profile::Dev, target: None, target_dir: None, program_max: None, json: false }
    }
}

/// The folder of the workspace around the current directory.
pub(crate) fn workspace_root() -> Result<PathBuf, PackError> {
    Ok(Workspace::read()?.root)
}

/// Packs charms and tells where they are.
pub(crate) fn charms(args: &PackArgs) -> anyhow::Result<Vec<Packed>> {
    let workspace = Workspace::read()?;
    let charms = chosen(read_folders(&workspace)?, &args.names)?;
    let target_dir = args.target_dir.as_deref().unwrap_or(&workspace.target_dir);
    let output_dir = std::path::absolute(target_dir)
        .map_err(|source| PackError::Write { path: target_dir.to_owned(), source })?
        .join("charms");
    let musl = if args.profile == Profile::Dev { None } else { build::musl_target() };

    let daemon = if charms.iter().any(|charm| charm.has_daemon) {
        report::step("Building", "charmd");
        Some(Executable::read(&daemon::build(args, musl.as_deref(), target_dir)?)?)
    } else {
        None
    };
    let mut packed = Vec::new();
    for charms in by_package(&charms) {
        let names: Vec<_> = charms.iter().map(|charm| charm.folder.name()).collect();
        report::step("Packing", &names.join(", "));
        let build = Build {
            package_id: &charms[0].package_id,
            package: &charms[0].package,
            bins: charms.iter().map(|charm| charm.bin.as_str()).collect(),
            profile: args.profile,
            has_pack_profile: workspace.has_pack_profile,
            target: args.target.as_deref().or(musl.as_deref()),
            target_dir: args.target_dir.as_deref(),
            manifest: None,
        };
        let programs = build.run()?;
        for (charm, program) in charms.iter().zip(programs) {
            let daemon = daemon.as_ref().filter(|_| charm.has_daemon);
            packed.push(pack(charm, &program, daemon, &output_dir)?);
        }
    }
    check_sizes(&packed, args.program_max)?;
    Ok(packed)
}

/// Reads the folder of every charm there is, so that a mistake shows before anything is built.
fn read_folders(workspace: &Workspace) -> Result<Vec<Charm>, PackError> {
    let mut charms: Vec<Charm> = Vec::new();
    for bin in &workspace.bins {
        let folder = Folder::read(&bin.folder)?;
        if let Some(other) = charms.iter().find(|other| other.folder.name() == folder.name()) {
            return Err(PackError::SameName {
                name: folder.name().to_owned(),
                first: other.folder.path().to_owned(),
                second: folder.path().to_owned(),
            });
        }
        let workspace::CharmBin { package_id, package, bin, has_daemon, .. } = bin.clone();
        charms.push(Charm { package_id, package, bin, folder, has_daemon });
    }
    Ok(charms)
}

/// Fails for the first program that is larger than it may be.
fn check_sizes(packed: &[Packed], max: Option<usize>) -> Result<(), PackError> {
    let is_larger = |charm: &&Packed| max.is_some_and(|max| charm.program_bytes > max);
    packed.iter().find(is_larger).map_or(Ok(()), |charm| {
        let (name, bytes) = (charm.name.clone(), charm.program_bytes);
        Err(PackError::TooLarge { name, bytes, max: max.unwrap_or_default() })
    })
}

/// The charms with these names, or all.
fn chosen(charms: Vec<Charm>, names: &[String]) -> Result<Vec<Charm>, PackError> {
    let known: Vec<_> = charms.iter().map(|charm| charm.folder.name().to_owned()).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(name)) {
        return Err(PackError::UnknownCharm { name: name.clone(), known });
    }
    let is_chosen = |charm: &Charm| names.is_empty() || names.iter().any(|name| name == charm.folder.name());
    Ok(charms.into_iter().filter(is_chosen).collect())
}

/// The charms of each package: one build each, as features of packages built together are united.
fn by_package(charms: &[Charm]) -> impl Iterator<Item = &[Charm]> {
    charms.chunk_by(|one, next| one.package_id == next.package_id)
}

/// Makes the directory and the file of one charm from its built program.
fn pack(
    charm: &Charm,
    program: &Path,
    daemon: Option<&Executable>,
    output_dir: &Path,
) -> Result<Packed, PackError> {
    let executable = Executable::read(program)?;
    let version = build::describe(charm.folder.path());
    let name = charm.folder.name();
    let files = charm.folder.files(&executable, daemon, version.as_deref())?;
    let folder = output::write_folder(output_dir, name, &files)?;
    let file = output_dir.join(format!("{name}_ubuntu-{}.charm", executable.architecture));
    let file_bytes = output::write_archive(&file, &files)?;
    Ok(Packed {
        name: name.to_owned(),
        architecture: executable.architecture,
        is_static: executable.is_static && daemon.is_none_or(|daemon| daemon.is_static),
        program_bytes: executable.bytes.len(),
        daemon_bytes: daemon.map(|daemon| daemon.bytes.len()),
        folder,
        file,
        file_bytes,
    })
}

/// The results for a reader, with paths below `here` as one would type them.
fn table(packed: &[Packed], here: &Path) -> String {
    let header = ["CHARM", "ARCH", "LINKED", "PROGRAM", "PACKED", "FILE"].map(str::to_owned);
    let rows = packed.iter().map(|charm| {
        let file = charm.file.strip_prefix(here).unwrap_or(&charm.file);
        [
            charm.name.clone(),
            charm.architecture.to_owned(),
            if charm.is_static { "static" } else { "dynamic" }.to_owned(),
            size(u64::try_from(charm.program_bytes).unwrap_or(u64::MAX)),
            size(charm.file_bytes),
            file.display().to_string(),
        ]
    });
    let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A number of bytes in the unit that suits it.
fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = KIB * KIB;
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        MIB.. => format!("{} MiB", tenths(MIB)),
        KIB.. => format!("{} KiB", tenths(KIB)),
        _ => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests;
