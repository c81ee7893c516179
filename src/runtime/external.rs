//! Handlers that are programs of the charm: files in `reactive/`, with `--test` and `--invoke`.
//!
//! A charm that has some says so, with [`crate::App::external_handlers`].
//!
//! # Shape
//!
//! Every file below `reactive/` and `hooks/reactive/` that is executable, has no extension or `.sh`, and
//! is no text or begins with `#!` is a handler; they run in order of their paths, after those in Rust.
//!
//! | Step | Call | Meaning |
//! |---|---|---|
//! | test | `FILE --test` | code 0: it wants to run; 1: it does not; another one fails the hook |
//! | run | `FILE --invoke OUTPUT`, with what its test printed | a code other than 0 fails the hook |
//!
//! It is tested among the handlers of the hook, in the first round, and in each round after one in which
//! a flag changed.  On its `PATH` is the command `charms.reactive`, which is the charm's own program
//! ([`helper`]), and for bash a file of decorators to be sourced, `charms.reactive.sh`.
//!
//! # Guarantees
//!
//! The transaction holds: what such a handler says through `charms.reactive` is gathered ([`exchange`])
//! and taken in when it ended well, so it commits or rolls back with everything else.  Its hook commands
//! go to Juju, which holds back most of them until the hook ends well; relation data that this
//! dispatch plans is not seen by them yet.
//!
//! # Source
//!
//! `charms.reactive.bus.ExternalHandler`.  There each test commits the state (D3), a second test replaces
//! the output of the first (D2), and the handler runs in each of a hundred rounds (D36).

mod exchange;
mod helper;

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use charms_reactive_hookcmd::spawn::{Program, run_program};

use crate::Hook;
use crate::condition::Condition;
use crate::dispatch::Dispatch;
use crate::handler::{Handler, HandlerError};

use exchange::{Change, Exchange};

pub(crate) use helper::main as helper_main;

/// The folders that are searched, below the charm directory.
const FOLDERS: [&str; 2] = ["reactive", "hooks/reactive"];

/// How much of a file is looked at to tell whether it is a text.
const HEAD_BYTES: usize = 1024;

/// The code of a test that says no.
const NO: i32 = 1;

/// One program.
#[derive(Debug)]
pub(crate) struct External {
    path: PathBuf,
    /// The same, from the charm directory.
    name: String,
    /// What its last test printed, and the files it looked at.
    tested: RefCell<Option<(Vec<u8>, Vec<Change>)>>,
}

/// Why a program could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum ExternalError {
    #[error(
        "cannot start `{name}`, expected a program of this machine, or a text whose first line is `#!` and one"
    )]
    Broken { name: String, source: io::Error },
    #[error("cannot start `{name}`")]
    Start { name: String, source: io::Error },
    #[error("`{name} --test` ended with code {code}, expected 0 (it wants to run) or {NO} (it does not)")]
    Test { name: String, code: i32 },
    #[error("`{name} --invoke` ended with code {code}")]
    Invoke { name: String, code: i32 },
    #[error("cannot exchange flags with `{name}`")]
    Exchange { name: String, source: io::Error },
}

/// The programs of a charm, as handlers.
pub(crate) fn discover(charm_dir: &Path) -> Vec<Handler> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        search(&charm_dir.join(folder), &mut paths);
    }
    paths.sort();
    let named = paths.into_iter().map(|path| {
        let name = path.strip_prefix(charm_dir).unwrap_or(&path).to_string_lossy().into_owned();
        handler(Rc::new(External { path, name, tested: RefCell::default() }))
    });
    named.collect()
}

fn handler(external: Rc<External>) -> Handler {
    let program = external.clone();
    let run = move |hook: &mut Hook| program.invoke(&hook.dispatch);
    Handler {
        name: "program",
        key: external.name.clone(),
        condition: Condition::external(external),
        run: Box::new(run),
    }
}

fn search(folder: &Path, found: &mut Vec<PathBuf>) {
    // A folder that is not there, or cannot be read, has no handlers.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            search(&path, found);
        } else if is_handler(&path) {
            found.push(path);
        }
    }
}

/// Whether something is remembered by this key for a program.
pub(crate) fn is_key(key: &str) -> bool {
    FOLDERS.iter().any(|folder| key.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
}

/// Whether a file is a handler.
///
/// # Source
///
/// `ExternalHandler` is registered by `_register_handlers_from_file` in `charms/reactive/bus.py`.
fn is_handler(path: &Path) -> bool {
    let is_named = path.extension().is_none_or(|extension| extension == "sh");
    let is_executable = fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0);
    if !is_named || !is_executable {
        return false;
    }
    let Ok(bytes) = fs::read(path) else { return false };
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    // A character may be cut at the end.
    let is_text = str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true);
    !is_text || head.starts_with(b"#!")
}

impl External {
    /// The path from the charm directory.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Asks the program whether it wants to run.  A failure is kept as the fault of the dispatch.
    pub(crate) fn is_wanted(&self, dispatch: &Dispatch) -> bool {
        match self.test(dispatch) {
            Ok(is_wanted) => is_wanted,
            Err(error) => {
                dispatch.set_fault(&self.name, error.into());
                false
            }
        }
    }

    fn test(&self, dispatch: &Dispatch) -> Result<bool, ExternalError> {
        let (code, output, changes) = self.call(dispatch, &["--test".into()], true)?;
        // Looking changes nothing: of what a test says, only what it looked at is of interest, later.
        let looked: Vec<Change> =
            changes.into_iter().filter(|change| matches!(change, Change::Seen(..))).collect();
        *self.tested.borrow_mut() = Some((output, looked));
        match code {
            0 => Ok(true),
            NO => Ok(false),
            code => Err(ExternalError::Test { name: self.name.clone(), code }),
        }
    }

    fn invoke(&self, dispatch: &Dispatch) -> Result<(), HandlerError> {
        let (output, looked) = self.tested.borrow_mut().take().unwrap_or_default();
        let output = OsString::from_vec(output);
        let (code, _, changes) = self.call(dispatch, &["--invoke".into(), output], false)?;
        if code != 0 {
            return Err(ExternalError::Invoke { name: self.name.clone(), code }.into());
        }
        for change in looked.into_iter().chain(changes) {
            change.apply(dispatch);
        }
        Ok(())
    }

    /// Runs the program, and gives its code, its output, and what it said through the helper.
    fn call(
        &self,
        dispatch: &Dispatch,
        args: &[OsString],
        is_output_wanted: bool,
    ) -> Result<(i32, Vec<u8>, Vec<Change>), ExternalError> {
        let wrong = |source| ExternalError::Exchange { name: self.name.clone(), source };
        let exchange = Exchange::begin(dispatch, &self.name).map_err(wrong)?;
        let environment = [
            (exchange::FOLDER_VARIABLE, exchange.folder().as_os_str().to_owned()),
            ("CHARM_DIR", dispatch.context.charm_dir.clone().into_os_string()),
            ("JUJU_HOOK_NAME", dispatch.context.event.to_string().into()),
        ];
        let program = Program {
            path: &self.path,
            args,
            environment: &environment,
            folder_of_commands: Some(&exchange.commands()),
        };
        let (code, output) = run_program(&program, is_output_wanted).map_err(|source| {
            let name = self.name.clone();
            if is_no_program(&source) {
                ExternalError::Broken { name, source }
            } else {
                ExternalError::Start { name, source }
            }
        })?;
        Ok((code, output, exchange.end().map_err(wrong)?))
    }
}

/// `ENOEXEC`: the system does not know how to run the file.
fn is_no_program(error: &io::Error) -> bool {
    const ENOEXEC: i32 = 8;
    error.raw_os_error() == Some(ENOEXEC)
}

impl PartialEq for External {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for External {}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "files of the test, no hook's")]
    fn file(folder: &Path, name: &str, content: &[u8], mode: u32) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    }

    #[test]
    fn programs_are_found_by_their_mode_their_name_and_how_they_begin() {
        let folder = tempfile::tempdir().expect("a folder");
        let script = b"#!/bin/bash\n";
        for (name, content, mode) in [
            ("reactive/b.sh", &script[..], 0o755),
            ("reactive/a", script, 0o755),
            ("reactive/deep/er", script, 0o755),
            ("hooks/reactive/c", script, 0o755),
            ("reactive/binary", b"\x7fELF\xff\xfe", 0o755),
            ("reactive/not-executable.sh", script, 0o644),
            ("reactive/README.md", script, 0o755),
            ("reactive/text", b"no program", 0o755),
            ("reactive/cut", &[b"#!/bin/sh\n# ".as_slice(), "é".repeat(600).as_bytes()].concat(), 0o755),
            ("hooks/install", script, 0o755),
        ] {
            file(folder.path(), name, content, mode);
        }
        let keys: Vec<String> = discover(folder.path()).into_iter().map(|handler| handler.key).collect();
        let expected = [
            "hooks/reactive/c",
            "reactive/a",
            "reactive/b.sh",
            "reactive/binary",
            "reactive/cut",
            "reactive/deep/er",
        ];
        assert_eq!(keys, expected, "each once, in order");
    }
}
