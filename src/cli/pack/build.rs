//! The programs that packing starts: `cargo`, `rustc` to ask where it is, and `git` where it is there.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::{PackError, Profile};

/// How charms are built where the workspace has no `[profile.pack]`: small, for units.
const PACK_PROFILE: [&str; 5] = [
    "profile.pack.inherits=\"release\"",
    "profile.pack.opt-level=\"s\"",
    "profile.pack.lto=\"fat\"",
    "profile.pack.codegen-units=1",
    "profile.pack.strip=\"symbols\"",
];

/// With the C library inside, a program runs on every release of the base.
const STATIC: &str = "target.'cfg(target_env = \"gnu\")'.rustflags=[\"-C\", \"target-feature=+crt-static\"]";

/// One call of `cargo build`.
#[derive(Debug)]
pub(super) struct Build<'a> {
    pub(super) package_id: &'a str,
    pub(super) package: &'a str,
    pub(super) bins: Vec<&'a str>,
    pub(super) profile: Profile,
    pub(super) has_pack_profile: bool,
    pub(super) target: Option<&'a str>,
    pub(super) target_dir: Option<&'a Path>,
    /// The manifest of the package, where it is not of the workspace around the current directory.
    pub(super) manifest: Option<&'a Path>,
}

/// The part of cargo's messages that we read.
#[derive(Debug, Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Build<'_> {
    /// Builds the binaries; the paths of the programs, in their order.
    pub(super) fn run(&self) -> Result<Vec<PathBuf>, PackError> {
        let output = cargo()
            .args(self.args())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(cargo_error)?;
        if !output.status.success() {
            return Err(PackError::Build { package: self.package.to_owned() });
        }
        self.programs(&output.stdout)
    }

    fn args(&self) -> Vec<String> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut args: Vec<String> =
            ["build", "--message-format=json-render-diagnostics", "--profile", self.profile.name()]
                .map(str::to_owned)
                .to_vec();
        args.extend(["--package".to_owned(), self.package_id.to_owned()]);
        args.extend(self.bins.iter().flat_map(|bin| ["--bin".to_owned(), (*bin).to_owned()]));
        if let Some(manifest) = self.manifest {
            args.extend(["--manifest-path".to_owned(), text(manifest)]);
        }
        if let Some(dir) = self.target_dir {
            args.extend(["--target-dir".to_owned(), text(dir)]);
        }
        if let Some(target) = self.target {
            args.extend(["--target".to_owned(), target.to_owned()]);
        }
        if self.profile != Profile::Dev {
            // Flags for a named target stay away from build scripts and macros.
            if self.target.is_none() {
                args.extend(["--target", "host-tuple"].map(str::to_owned));
            }
            args.extend(["--config", STATIC].map(str::to_owned));
        }
        if self.profile == Profile::Pack && !self.has_pack_profile {
            args.extend(PACK_PROFILE.iter().flat_map(|line| ["--config", line].map(str::to_owned)));
        }
        args
    }

    /// Finds the programs in cargo's messages, one JSON object a line.
    pub(super) fn programs(&self, messages: &[u8]) -> Result<Vec<PathBuf>, PackError> {
        let mut built = Vec::new();
        for message in serde_json::Deserializer::from_slice(messages).into_iter::<Message>() {
            let message = message.map_err(|source| PackError::CargoOutput { command: "build", source })?;
            if let Message { reason, target: Some(target), executable: Some(path) } = message
                && reason == "compiler-artifact"
                && target.kind.iter().any(|kind| kind == "bin")
            {
                built.push((target.name, path));
            }
        }
        let find = |bin: &&str| {
            let found = built.iter().find(|(name, _)| name == bin);
            found.map(|(_, path)| path.clone()).ok_or_else(|| PackError::NoProgram {
                package: self.package.to_owned(),
                bin: (*bin).to_owned(),
            })
        };
        self.bins.iter().map(find).collect()
    }
}

/// The target with musl for this machine, where its standard library is installed.
///
/// A program with musl is smaller than one with the C library of GNU, and starts faster.
pub(super) fn musl_target() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a program: the variable is cargo's own")]
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let print = |argument: &str| {
        let output = command(&rustc).args(["--print", argument]).stdin(Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let target = musl_of(&print("host-tuple")?)?;
    let sysroot = PathBuf::from(print("sysroot")?);
    sysroot.join("lib/rustlib").join(&target).join("lib").is_dir().then_some(target)
}

/// Whether parts in C can be compiled for it.
pub(super) fn has_musl_compiler() -> bool {
    let asked = command("musl-gcc").arg("--version").stdin(Stdio::null()).output();
    asked.is_ok_and(|output| output.status.success())
}

/// The same target with musl for its C library.
fn musl_of(host: &str) -> Option<String> {
    Some(format!("{}-musl", host.strip_suffix("-gnu")?))
}

/// The version of the sources in `folder`, as git describes it; `None` without git.
pub(super) fn describe(folder: &Path) -> Option<String> {
    let output = command("git")
        .args(["describe", "--always", "--dirty"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

/// Cargo: the one that runs us, if one does.
#[expect(clippy::disallowed_methods, reason = "a program: cargo tells its children where it is")]
pub(super) fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Why cargo could not be started.
pub(super) fn cargo_error(source: io::Error) -> PackError {
    PackError::Cargo { program: cargo().get_program().to_string_lossy().into_owned(), source }
}

#[expect(clippy::disallowed_methods, reason = "a program that starts cargo and git")]
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(profile: Profile) -> Build<'static> {
        Build {
            package_id: "path+file:///charms#two@0.1.0",
            package: "two",
            bins: vec!["db", "web"],
            profile,
            has_pack_profile: true,
            target: None,
            target_dir: None,
            manifest: None,
        }
    }

    #[test]
    fn a_package_is_built_alone_and_static() {
        let args = build(Profile::Pack).args().join(" ");
        assert_eq!(
            args,
            "build --message-format=json-render-diagnostics --profile pack \
             --package path+file:///charms#two@0.1.0 --bin db --bin web --target host-tuple \
             --config target.'cfg(target_env = \"gnu\")'.rustflags=[\"-C\", \"target-feature=+crt-static\"]"
        );
    }

    #[test]
    fn a_build_to_try_is_an_ordinary_one() {
        let args = build(Profile::Dev).args().join(" ");
        assert!(args.ends_with("--profile dev --package path+file:///charms#two@0.1.0 --bin db --bin web"));
    }

    #[test]
    fn a_workspace_without_the_profile_is_given_one() {
        let with_target = |profile, has_pack_profile| {
            let target = Some("aarch64-unknown-linux-musl");
            Build { has_pack_profile, target, ..build(profile) }.args().join(" ")
        };
        let args = with_target(Profile::Pack, false);
        assert!(args.contains("--config profile.pack.inherits=\"release\""), "{args}");
        assert!(args.contains("--target aarch64-unknown-linux-musl"), "{args}");
        assert!(!with_target(Profile::Pack, true).contains("profile.pack."));
        assert!(!with_target(Profile::Release, false).contains("profile.pack."));
    }

    #[test]
    fn a_host_with_gnus_library_has_a_target_with_musl() {
        assert_eq!(musl_of("aarch64-unknown-linux-gnu").as_deref(), Some("aarch64-unknown-linux-musl"));
        assert_eq!(musl_of("x86_64-unknown-linux-musl"), None);
        assert_eq!(musl_of("aarch64-apple-darwin"), None);
        // Whether it is installed here is not for this test to say; that it can be asked is.
        assert!(musl_target().is_none_or(|target| target.ends_with("-linux-musl")));
    }

    #[test]
    fn programs_are_found_among_cargos_messages() {
        let messages =
            br#"{"reason":"compiler-artifact","target":{"name":"serde","kind":["lib"]},"executable":null}
{"reason":"build-script-executed","package_id":"x"}
{"reason":"compiler-artifact","target":{"name":"web","kind":["bin"]},"executable":"/t/pack/web"}
{"reason":"compiler-artifact","target":{"name":"db","kind":["example"]},"executable":"/t/pack/examples/db"}
{"reason":"compiler-artifact","target":{"name":"db","kind":["bin"]},"executable":"/t/pack/db"}
{"reason":"build-finished","success":true}
"#;
        let programs = build(Profile::Pack).programs(messages).unwrap();
        assert_eq!(programs, [Path::new("/t/pack/db"), Path::new("/t/pack/web")]);

        let error = build(Profile::Pack).programs(br#"{"reason":"build-finished"}"#).unwrap_err();
        assert_eq!(error.to_string(), "cannot find binary `db` of package `two`, although cargo built it");
    }
}
