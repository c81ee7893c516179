//! The folders of the unit agents: a copy of the charm, the hook commands, the socket.
//!
//! ```text
//! <folder>/agents/unit-web-0/charm          the unit's own copy of the charm
//! <folder>/agents/unit-web-0/agent.socket   while a hook runs
//! <folder>/agents/unit-web-0/run.socket     for `juju-exec`
//! <folder>/tools/relation-get               links to the hook-command program, as is `juju-exec`
//! ```

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use charms_reactive_core::UnitName;
use charms_reactive_hookcmd::program::exec;

use crate::error::RunError;
use crate::metadata::{Charm, StorageKind};
use crate::stray;

/// How long the path of a unix socket may be.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Writes a file of the simulated world.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] for a path that is not absolute: it would lie wherever the test was started.
#[expect(clippy::disallowed_methods, reason = "plain files of the simulated world, no hook's")]
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    refuse_relative(path)?;
    fs::write(path, bytes)
}

/// Makes a folder of the simulated world; fails as [`write_file`] does.
pub(crate) fn make_dir(path: &Path) -> io::Result<()> {
    refuse_relative(path)?;
    fs::create_dir_all(path)
}

fn refuse_relative(path: &Path) -> io::Result<()> {
    if path.is_absolute() {
        return Ok(());
    }
    let text = "the simulated world is in a folder of its own, and this path is in none";
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

/// The folder of all agents.
#[derive(Debug)]
pub(crate) struct Agents {
    root: PathBuf,
    /// Whether a program was ever run, which may have left others behind.
    has_run: Cell<bool>,
}

impl Agents {
    /// Lays out the folder: one link for each hook command.
    pub(crate) fn new(
        root: PathBuf,
        program: &Path,
        names: impl Iterator<Item = &'static str>,
    ) -> Result<Self, RunError> {
        let agents = Self { root, has_run: Cell::new(false) };
        let tools = agents.tools();
        for name in names {
            make_folder(&tools)?;
            let link = tools.join(name);
            // A folder that is kept has the links of the time before.
            let _ = fs::remove_file(&link);
            symlink(program, &link).map_err(|source| RunError::Files { path: link, source })?;
        }
        Ok(agents)
    }

    /// The folder with the hook commands.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join("tools")
    }

    /// The folder of the unit's agent.
    pub(crate) fn unit(&self, unit: &UnitName) -> PathBuf {
        exec::agent_folder(&self.root, unit)
    }

    /// The unit's copy of its charm.
    pub(crate) fn charm(&self, unit: &UnitName) -> PathBuf {
        self.unit(unit).join("charm")
    }

    /// Where the unit's socket is; at a shorter path when Juju's is too long for the kernel.
    pub(crate) fn socket(&self, unit: &UnitName) -> Result<PathBuf, RunError> {
        let usual = self.unit(unit).join("agent.socket");
        let fits = |path: &Path| path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX;
        if fits(&usual) {
            return Ok(usual);
        }
        let short = self.root.join("agent.socket");
        if fits(&short) {
            return Ok(short);
        }
        Err(RunError::SocketPath { path: short, bytes_max: SOCKET_PATH_BYTES_MAX })
    }

    /// Gives a unit its copy of a charm; an upgrade takes away what only the old charm had.
    ///
    /// Files that the charm has made are kept.  A charm in process without files has nothing to be copied.
    ///
    /// # Source
    ///
    /// `internal/charm/charmarchive.go`: files keep their exec bit, links stay.
    pub(crate) fn deploy(&self, unit: &UnitName, new: &Charm, old: Option<&Charm>) -> Result<(), RunError> {
        let target = self.charm(unit);
        let mut fresh = BTreeSet::new();
        if new.is_copied {
            make_folder(&target)?;
            copy_folder(&new.folder, &target, Path::new(""), &mut fresh)?;
        }
        if let Some(old) = old.filter(|old| old.is_copied && (!new.is_copied || old.folder != new.folder)) {
            let mut stale = BTreeSet::new();
            list_folder(&old.folder, Path::new(""), &mut stale)?;
            for path in stale.difference(&fresh) {
                // Already gone is as good.
                let _ = fs::remove_file(target.join(path));
            }
        }
        Ok(())
    }

    /// Makes the charm directory of a unit, where it is not there.
    pub(crate) fn make(&self, unit: &UnitName) -> Result<(), RunError> {
        make_folder(&self.charm(unit))
    }

    /// A folder with these files, for a charm that has them as texts.
    pub(crate) fn write_charm(
        &self,
        number: usize,
        texts: &[(&'static str, String)],
    ) -> Result<PathBuf, RunError> {
        let folder = self.root.join("charms").join(number.to_string());
        make_folder(&folder)?;
        for (name, text) in texts {
            let path = folder.join(name);
            write_file(&path, text.as_bytes()).map_err(|source| RunError::Files { path, source })?;
        }
        Ok(folder)
    }

    /// Notes that a program is about to be run.
    pub(crate) fn note_program(&self) {
        self.has_run.set(true);
    }

    /// Ends what a unit's charm has started and left behind: its machine or pod is gone, or restarts.
    pub(crate) fn end_programs(&self, unit: &UnitName) {
        self.end_below(&self.unit(unit));
    }

    fn end_below(&self, folder: &Path) {
        if self.has_run.get() {
            stray::end_all(|| stray::below(folder));
        }
    }

    /// Takes away everything of a unit that is gone, with what its charm has left running.
    pub(crate) fn remove(&self, unit: &UnitName) {
        self.end_programs(unit);
        // What a left-over program still writes there goes with the whole folder at the end.
        let _ = fs::remove_dir_all(self.unit(unit));
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        self.end_below(&self.root);
    }
}

/// Makes what a storage instance is to a charm: an empty folder, or a file in place of a device.
pub(crate) fn make_storage(path: &Path, kind: StorageKind) -> Result<(), RunError> {
    match kind {
        StorageKind::Filesystem => make_folder(path),
        StorageKind::Block if path.exists() => Ok(()),
        StorageKind::Block => {
            make_folder(path.parent().unwrap_or(path))?;
            write_file(path, b"").map_err(|source| RunError::Files { path: path.to_owned(), source })
        }
    }
}

fn make_folder(path: &Path) -> Result<(), RunError> {
    make_dir(path).map_err(|source| RunError::Files { path: path.to_owned(), source })
}

/// The files and links below `from`, relative to it.
fn list_folder(from: &Path, below: &Path, found: &mut BTreeSet<PathBuf>) -> Result<(), RunError> {
    let folder = from.join(below);
    let wrong = |source| RunError::Files { path: folder.clone(), source };
    for entry in fs::read_dir(&folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let path = below.join(entry.file_name());
        if entry.file_type().map_err(wrong)?.is_dir() {
            list_folder(from, &path, found)?;
        } else {
            found.insert(path);
        }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path, below: &Path, copied: &mut BTreeSet<PathBuf>) -> Result<(), RunError> {
    let folder = from.join(below);
    let wrong = |source| RunError::Files { path: folder.clone(), source };
    for entry in fs::read_dir(&folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let path = below.join(entry.file_name());
        let (source, target) = (from.join(&path), to.join(&path));
        let kind = entry.file_type().map_err(wrong)?;
        if kind.is_dir() {
            make_folder(&target)?;
            copy_folder(from, to, &path, copied)?;
            continue;
        }
        copy_file(&source, &target, kind.is_symlink())
            .map_err(|error| RunError::Files { path: target, source: error })?;
        copied.insert(path);
    }
    Ok(())
}

fn copy_file(source: &Path, target: &Path, is_link: bool) -> io::Result<()> {
    // A running program cannot be written over, but its name can be taken away.
    match fs::remove_file(target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // A link that leads out of the charm, as into a build folder, is copied as what it names.
    if is_link && fs::read_link(source).is_ok_and(|to| to.is_relative() && !to.starts_with("..")) {
        return symlink(fs::read_link(source)?, target);
    }
    fs::copy(source, target)?;
    let is_executable = fs::metadata(source)?.permissions().mode() & 0o111 != 0;
    fs::set_permissions(target, fs::Permissions::from_mode(if is_executable { 0o755 } else { 0o644 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_where_the_test_happens_to_be() {
        let path = Path::new("stray-of-a-test");
        assert_eq!(write_file(path, b"").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        for kind in [StorageKind::Filesystem, StorageKind::Block] {
            let error = make_storage(&path.join("data-0"), kind).unwrap_err();
            assert!(matches!(&error, RunError::Files { .. }), "{error}");
        }
        let agents = Agents::new(PathBuf::new(), Path::new(""), std::iter::empty()).unwrap();
        assert!(agents.make(&UnitName::parse("web/0").unwrap()).is_err());
        assert!(!path.exists() && !Path::new("agents").exists());
    }
}
