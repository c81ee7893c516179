//! Files of a plan: written beside and renamed, so that nobody ever reads half of one.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use crate::owner::Owner;

/// A file to be written or removed by the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileEffect {
    /// The file has this content and these permissions.
    Write {
        /// What is to be in it.
        content: Vec<u8>,
        /// Who may read it, for example `0o600` for a key.
        mode: u32,
    },
    /// The same, and it belongs to this user and group.
    WriteFor {
        /// What is to be in it.
        content: Vec<u8>,
        /// Who may read it, for example `0o640` for a key that a service reads.
        mode: u32,
        /// Whose it is.
        owner: Owner,
    },
    /// The file is not there.
    Remove,
}

/// Why a file of the plan could not be written or removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} `{}`", path.display())]
pub struct FileError {
    verb: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FileEffect {
    /// Makes it so, and tells whether that changed anything.  Can be done again after a crash.
    ///
    /// # Guarantees
    ///
    /// Whoever opens `path` finds the old content or the new one, never a part; a key is never
    /// readable by others, not even for a moment.  Missing folders are made.
    pub fn apply(&self, path: &Path) -> Result<bool, FileError> {
        let wrong = |verb| move |source| FileError { verb, path: path.to_owned(), source };
        match self {
            Self::Remove => match fs::remove_file(path) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(wrong("remove")(error)),
            },
            Self::Write { content, mode } => write(path, content, *mode, None).map_err(wrong("write")),
            Self::WriteFor { content, mode, owner } => {
                let ids = owner.ids().map_err(wrong("find the owner of"))?;
                write(path, content, *mode, Some(ids)).map_err(wrong("write"))
            }
        }
    }
}

/// Has the file be so, and tells whether that changed anything.
fn write(path: &Path, content: &[u8], mode: u32, ids: Option<(u32, u32)>) -> io::Result<bool> {
    if is_as_wanted(path, content, mode, ids) {
        return Ok(false);
    }
    replace(path, content, mode, ids).map(|()| true)
}

fn is_as_wanted(path: &Path, content: &[u8], mode: u32, ids: Option<(u32, u32)>) -> bool {
    let is_wanted = |metadata: fs::Metadata| {
        metadata.permissions().mode() & 0o777 == mode
            && ids.is_none_or(|ids| ids == (metadata.uid(), metadata.gid()))
    };
    fs::metadata(path).is_ok_and(is_wanted) && fs::read(path).is_ok_and(|found| found == content)
}

/// Writes a file beside `path` and renames it.
fn replace(path: &Path, content: &[u8], mode: u32, ids: Option<(u32, u32)>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".new");
    let beside = folder.join(name);
    // What a killed dispatch left behind; never a link that somebody planted.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside).and_then(|mut file| {
            if let Some((user, group)) = ids {
                fchown(&file, Some(user), Some(group))?;
            }
            // The mode above is less the umask of the unit agent.
            file.set_permissions(Permissions::from_mode(mode))?;
            file.write_all(content)?;
            file.sync_all()
        });
    if let Err(error) = written.and_then(|()| fs::rename(&beside, path)) {
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_for_its_owner_alone_and_left_alone_when_equal() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/er/key.pem");
        let effect = FileEffect::Write { content: b"KEY".to_vec(), mode: 0o600 };
        effect.apply(&path).expect("written");
        let first = fs::metadata(&path).expect("written");
        assert_eq!(first.permissions().mode() & 0o777, 0o600);
        effect.apply(&path).expect("nothing to do");
        let second = fs::metadata(&path).expect("still there");
        assert_eq!(first.modified().ok(), second.modified().ok());
        FileEffect::Write { content: b"KEY".to_vec(), mode: 0o644 }.apply(&path).expect("written again");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o644);
        let names = fs::read_dir(path.parent().expect("a folder")).expect("readable").count();
        assert_eq!(names, 1, "nothing is left beside it");
    }

    #[test]
    fn a_file_belongs_to_whom_it_should() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key.pem");
        let own = fs::metadata(folder.path()).expect("made");
        let owner = Owner::new(&own.uid().to_string(), &own.gid().to_string());
        let effect = FileEffect::WriteFor { content: b"KEY".to_vec(), mode: 0o640, owner };
        assert!(effect.apply(&path).expect("written"));
        assert!(!effect.apply(&path).expect("as it should be"));
        let found = fs::metadata(&path).expect("there");
        assert_eq!((found.uid(), found.gid()), (own.uid(), own.gid()));
        let owner = Owner::new("nobody-has-this-name", "0");
        let error = FileEffect::WriteFor { content: b"KEY".to_vec(), mode: 0o640, owner }
            .apply(&path)
            .expect_err("no such user");
        assert_eq!(error.to_string(), format!("cannot find the owner of `{}`", path.display()));
        if own.uid() == 0 {
            let other =
                FileEffect::WriteFor { content: b"KEY".to_vec(), mode: 0o640, owner: Owner::new("7", "9") };
            assert!(other.apply(&path).expect("root may"), "the content is the same, the owner is not");
            let found = fs::metadata(&path).expect("there");
            assert_eq!((found.uid(), found.gid()), (7, 9));
        }
    }

    #[test]
    fn what_a_killed_dispatch_left_is_in_nobodys_way() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        fs::create_dir(folder.path().join("target")).expect("made");
        std::os::unix::fs::symlink(folder.path().join("target/stolen"), folder.path().join("a.new"))
            .expect("made");
        FileEffect::Write { content: b"x".to_vec(), mode: 0o600 }.apply(&path).expect("written");
        assert!(!folder.path().join("target/stolen").exists(), "the link was not followed");
        assert_eq!(fs::read(&path).expect("there"), b"x");
    }

    #[test]
    fn removing_what_is_not_there_is_done() {
        let folder = tempfile::tempdir().expect("a folder");
        FileEffect::Remove.apply(&folder.path().join("none")).expect("nothing to do");
    }

    #[test]
    fn the_error_names_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("folder");
        fs::create_dir(&path).expect("made");
        let error = FileEffect::Write { content: vec![], mode: 0o644 }.apply(&path).expect_err("a folder");
        assert_eq!(error.to_string(), format!("cannot write `{}`", path.display()));
        assert!(!folder.path().join("folder.new").exists());
    }
}
