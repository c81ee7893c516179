//! What is remembered by name: data and files as they were seen last, and what was done.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use charms_reactive_core::digest::{digest, digest_of_bytes};
use charms_reactive_core::json;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dispatch::Dispatch;
use crate::external;
use crate::file::FileEffect;
use crate::handler::Handler;

/// What is remembered by name between dispatches.
///
/// # Shape
///
/// Keys of the unit state, JSON; digests in place of texts:
///
/// | Key | Value |
/// |---|---|
/// | `data` | by the name given to [`crate::Hook::data_changed`], the digest |
/// | `files` | by handler, then by path, the digest of the file; null for one that was not there |
/// | `done` | the handlers that ran once, and what the charm marked as done, sorted |
/// | `leader` | by key, the digest of the leader's setting |
/// | `secrets` | by relation and request, the URI and the digest of a secret of ours |
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) data: BTreeMap<String, String>,
    pub(crate) files: BTreeMap<String, BTreeMap<PathBuf, Option<String>>>,
    pub(crate) done: BTreeSet<String>,
    pub(crate) leader: BTreeMap<String, String>,
    pub(crate) secrets: BTreeMap<String, KnownSecret>,
}

/// A secret that we made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KnownSecret {
    pub(crate) uri: String,
    /// The digest of its content.
    pub(crate) digest: String,
}

/// Files that were read in this dispatch, by their path.
#[derive(Debug, Default)]
pub(crate) struct FilesRead(RefCell<BTreeMap<PathBuf, Option<Vec<u8>>>>);

impl Dispatch {
    /// Whether all that the handler waits for is there: flags, files, and that it has not run before.
    pub(crate) fn is_ready(&self, handler: &Handler) -> bool {
        handler.condition.holds(&self.flags.borrow())
            && !self.has_run_before(handler)
            && self.has_changed_files(handler)
            && handler.condition.program().is_none_or(|program| program.is_wanted(self))
    }

    /// Whether the handler is to run once only, and has.
    pub(crate) fn has_run_before(&self, handler: &Handler) -> bool {
        handler.condition.is_once() && self.memory.borrow().done.contains(&handler.key)
    }

    /// Whether in each group of the handler's files one changed.
    pub(crate) fn has_changed_files(&self, handler: &Handler) -> bool {
        let mut groups = handler.condition.files().iter();
        groups.all(|group| group.iter().any(|path| self.is_changed(handler, path)))
    }

    /// What a handler waits for besides hooks and flags, in words.  No program is asked for it.
    pub(crate) fn missing_besides_flags(&self, handler: &Handler) -> Vec<String> {
        let condition = &handler.condition;
        let mut missing = Vec::new();
        if self.has_run_before(handler) {
            missing.push("it has run, and runs once".to_owned());
        }
        let is_unchanged = |group: &&Vec<PathBuf>| !group.iter().any(|path| self.is_changed(handler, path));
        for group in condition.files().iter().filter(is_unchanged) {
            let names: Vec<String> = group.iter().map(|path| format!("`{}`", path.display())).collect();
            missing.push(format!("none of {} has changed since it ran", names.join(", ")));
        }
        if let Some(program) = condition.program() {
            missing.push(format!("`{} --test` does not say so", program.name()));
        }
        missing
    }

    /// Whether the condition looks at a file that is planned.
    pub(crate) fn has_planned_file(&self, handler: &Handler) -> bool {
        let plan = self.plan.borrow();
        let mut files = handler.condition.files().iter().flatten();
        files.any(|path| plan.files.contains_key(&self.context.charm_dir.join(path)))
    }

    /// What a handler is about to see of its files.
    pub(crate) fn look_at_files(&self, handler: &Handler) -> BTreeMap<PathBuf, Option<String>> {
        let files = handler.condition.files().iter().flatten();
        files.map(|path| (path.clone(), self.content_of(path).map(|bytes| digest_of_bytes(&bytes)))).collect()
    }

    /// Remembers that a handler has run, and the files that it saw.
    pub(crate) fn has_run(&self, handler: &Handler, seen: BTreeMap<PathBuf, Option<String>>) {
        let mut memory = self.memory.borrow_mut();
        if handler.condition.is_once() {
            memory.done.insert(handler.key.clone());
        }
        if !seen.is_empty() {
            memory.files.insert(handler.key.clone(), seen);
        }
    }

    /// Forgets files that no handler looks at any more.
    pub(crate) fn forget_unknown_handlers(&self, handlers: &[Handler]) {
        let is_known = |key: &String| {
            external::is_key(key)
                || handlers.iter().any(|handler| handler.key == *key && !handler.condition.files().is_empty())
        };
        self.memory.borrow_mut().files.retain(|key, _| is_known(key));
    }

    /// Whether `data` is other than the last that was remembered under `name`.
    pub(crate) fn is_data_changed(&self, name: &str, data: &Value) -> bool {
        match self.memory.borrow().data.get(name) {
            None => true,
            Some(known) => {
                let now = digest(&json::to_text(data));
                !self.is_digest_of(known, &now, |import, hash| import.is_of_data(hash, data))
            }
        }
    }

    /// Remembers `data` under `name`.
    pub(crate) fn remember_data(&self, name: &str, data: &Value) {
        self.memory.borrow_mut().data.insert(name.to_owned(), digest(&json::to_text(data)));
    }

    /// Whether a file is other than the handler saw it last.
    fn is_changed(&self, handler: &Handler, path: &Path) -> bool {
        let content = self.content_of(path);
        let memory = self.memory.borrow();
        let known = memory.files.get(&handler.key).and_then(|files| files.get(path)).cloned().flatten();
        match (known, content) {
            (None, None) => false,
            (Some(known), Some(bytes)) => {
                let now = digest_of_bytes(&bytes);
                !self.is_digest_of(&known, &now, |import, hash| import.is_of_file(hash, &bytes))
            }
            _ => true,
        }
    }

    /// A file as it will be when this dispatch ends well; None where it will not be there.
    fn content_of(&self, path: &Path) -> Option<Vec<u8>> {
        let path = self.context.charm_dir.join(path);
        match self.plan.borrow().files.get(&path) {
            Some(FileEffect::Write { content, .. } | FileEffect::WriteFor { content, .. }) => {
                return Some(content.clone());
            }
            Some(FileEffect::Remove) => return None,
            None => {}
        }
        if let Some(known) = self.files_read.0.borrow().get(&path) {
            return known.clone();
        }
        let content = match fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.warn_once(format!("taking `{}` for a file that is not there: {error}", path.display()));
                None
            }
        };
        self.files_read.0.borrow_mut().insert(path, content.clone());
        content
    }
}

/// `data` as JSON; the error names what it is for.
pub(crate) fn as_json(name: &str, data: &impl Serialize) -> Result<Value, DataError> {
    serde_json::to_value(data).map_err(|source| DataError { name: name.to_owned(), source })
}

/// Data that cannot be remembered: it is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("cannot remember data `{name}` as JSON")]
pub struct DataError {
    name: String,
    source: serde_json::Error,
}
