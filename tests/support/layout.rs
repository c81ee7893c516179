//! Charm folders for models, made of the programs that Cargo built for the tests.

use std::fs;
use std::path::{Path, PathBuf};

/// A charm: its program, and the folder of its YAML files.
pub(crate) struct Charm {
    pub(crate) program: &'static str,
    pub(crate) folder: &'static str,
}

/// The charm at the top of the repository.
pub(crate) const SCRAPE_JOBS: Charm = Charm {
    program: env!("CARGO_BIN_EXE_prometheus-scrape-jobs"),
    folder: concat!(env!("CARGO_MANIFEST_DIR"), "/.."),
};

impl Charm {
    /// Makes the folder of the charm, as `cargo pack` does.
    pub(crate) fn lay_out(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("a folder");
        copy(Path::new(self.program), folder.join("dispatch"));
        for name in ["metadata.yaml", "config.yaml", "actions.yaml"] {
            let file = Path::new(self.folder).join(name);
            if file.exists() {
                copy(&file, folder.join(name));
            }
        }
    }
}

fn copy(from: &Path, to: PathBuf) {
    let copied = fs::copy(from, to);
    copied.unwrap_or_else(|error| panic!("cannot copy `{}`: {error}", from.display()));
}
