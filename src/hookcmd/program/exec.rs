//! `juju-exec` of a simulated model: has a script run between the hooks of a unit.
//!
//! To be started from outside of hooks, from the folder with the hook commands of the model: beside it are the
//! folders of the agents, each with a socket.  What goes over that socket is ours, one JSON object each way.

use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use charms_reactive_core::UnitName;
use serde::{Deserialize, Serialize};

/// Its names: of Juju 3 and later, and of 2.9.
pub const NAMES: [&str; 2] = ["juju-exec", "juju-run"];

/// The socket in the folder of a unit's agent.
pub const SOCKET: &str = "run.socket";

/// What is asked for: a line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// For bash.
    pub script: String,
}

/// What came of it, as JSON; or why it was not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The exit code.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// The name under which `argv0` is this program.
pub(super) fn name(argv0: &OsStr) -> Option<&'static str> {
    let file = Path::new(argv0).file_name()?;
    NAMES.into_iter().find(|name| file == *name)
}

/// The folder of a unit's agent, beside that of the hook commands.
pub fn agent_folder(root: &Path, unit: &UnitName) -> PathBuf {
    root.join("agents").join(format!("unit-{}-{}", unit.application(), unit.number()))
}

/// Is the program `name` for the rest of this process.
pub(super) fn run(name: &str, var: impl Fn(&str) -> Option<String>) -> ExitCode {
    let mut arguments = std::env::args_os().map(|text| text.to_string_lossy().into_owned());
    let argv0 = arguments.next().unwrap_or_default();
    let told = ask(name, Path::new(&argv0), &arguments.collect::<Vec<_>>(), var).unwrap_or_else(|why| Told {
        code: 1,
        stdout: String::new(),
        stderr: format!("ERROR {why}\n"),
    });
    // Whoever asked may have gone.
    let _ = io::stdout().write_all(told.stdout.as_bytes());
    let _ = io::stderr().write_all(told.stderr.as_bytes());
    ExitCode::from(super::exit_code(told.code))
}

/// Has the script run; the error is in Juju's words, where Juju has some.
///
/// # Source
///
/// `cmd/jujud/run/run.go` of Juju.
fn ask(
    name: &str,
    argv0: &Path,
    arguments: &[String],
    var: impl Fn(&str) -> Option<String>,
) -> Result<Told, String> {
    if let Some(id) = var("JUJU_CONTEXT_ID").filter(|id| !id.is_empty()) {
        return Err(format!("{name} cannot be called from within a hook, have context {id:?}"));
    }
    let (unit, words) = match arguments {
        [flag, unit, words @ ..] if flag == "-u" || flag == "--unit" => (unit, words),
        [unit, words @ ..] if !unit.starts_with('-') => (unit, words),
        _ => return Err("expected UNIT SCRIPT".to_owned()),
    };
    if words.is_empty() {
        return Err("missing commands".to_owned());
    }
    let unit = UnitName::parse(unit).map_err(|error| error.to_string())?;
    let tools = folder_of(argv0, name, &var("PATH").unwrap_or_default());
    let root = tools.as_deref().and_then(Path::parent).ok_or("there is no model around this program")?;
    // From inside of the folder, its path may be as long as it likes.
    let missing = |_| format!("unit \"{unit}\" not found on this machine");
    std::env::set_current_dir(agent_folder(root, &unit)).map_err(missing)?;
    let mut stream = UnixStream::connect(SOCKET).map_err(missing)?;
    let broken = |error: io::Error| format!("the model does not answer: {error}");
    let asked = serde_json::to_string(&Asked { script: words.join(" ") }).expect("texts are JSON");
    stream.write_all(format!("{asked}\n").as_bytes()).map_err(broken)?;
    let mut told = String::new();
    stream.read_to_string(&mut told).map_err(broken)?;
    serde_json::from_str(&told).map_err(|error| broken(error.into()))
}

/// Where a program is that was started as `argv0`.
fn folder_of(argv0: &Path, name: &str, path: &str) -> Option<PathBuf> {
    match argv0.parent() {
        Some(folder) if folder != Path::new("") => std::path::absolute(folder).ok(),
        _ => std::env::split_paths(path).find(|folder| folder.join(name).exists()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_a_hook_is_refused_and_who_asks_for_nobody() {
        let ask = |arguments: &[&str], context: Option<&str>| {
            let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            let argv0 = Path::new("/nonexistent/tools/juju-exec");
            ask("juju-exec", argv0, &arguments, |_| context.map(str::to_owned)).expect_err("not run")
        };
        assert_eq!(
            ask(&["web/0", "true"], Some("web/0-install-1")),
            "juju-exec cannot be called from within a hook, have context \"web/0-install-1\""
        );
        assert_eq!(ask(&["web/0", "true"], None), "unit \"web/0\" not found on this machine");
        assert_eq!(ask(&["-u", "web/0", "true"], None), "unit \"web/0\" not found on this machine");
        assert_eq!(ask(&["web/0"], None), "missing commands");
        assert_eq!(ask(&["--no-context", "true"], None), "expected UNIT SCRIPT");
        assert!(ask(&["web", "true"], None).contains("`web`"));
    }
}
