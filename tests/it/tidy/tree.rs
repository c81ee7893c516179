//! The files of the repository, as the rules see them.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that are made, not written.
const MADE: [&str; 5] = [".git", ".venv", "__pycache__", "node_modules", "target"];

/// One file of text.
pub(super) struct Page {
    /// Its path from the top of the repository, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl Page {
    /// The lines with their numbers, from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Where a line is, as compilers write it.
    pub(super) fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }
}

/// The top of the repository.
pub(super) fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in a folder of the repository")
}

/// Every file of text, sorted by path.
pub(super) fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    collect(top(), &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let text = String::from_utf8(fs::read(&path).expect("listed just now")).ok()?;
        let path = path.strip_prefix(top()).expect("below the top").to_string_lossy().into_owned();
        Some(Page { path, text })
    };
    paths.into_iter().filter_map(read).collect()
}

/// Every file of this kind, for example `md`.
pub(super) fn pages_of_kind(kind: &str) -> Vec<Page> {
    let pages: Vec<Page> = pages().into_iter().filter(|page| is_of_kind(&page.path, kind)).collect();
    assert!(!pages.is_empty(), "no file is of kind `{kind}`: the rule looks in the wrong place");
    pages
}

/// The text of one file.
pub(super) fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("cannot read `{path}`: {error}"))
}

/// Whether there is such a file or folder, from the top.
pub(super) fn exists(path: &str) -> bool {
    top().join(path).exists()
}

/// Whether `path` is that of a file of this kind, for example `md`.
pub(super) fn is_of_kind(path: &str, kind: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == kind)
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository").flatten() {
        let is_made = MADE.iter().any(|name| *name == entry.file_name());
        let kind = entry.file_type().expect("listed just now");
        if kind.is_dir() && !is_made {
            collect(&entry.path(), paths);
        } else if kind.is_file() && !is_made {
            paths.push(entry.path());
        }
    }
}
