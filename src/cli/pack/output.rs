//! What packing leaves behind: the directory of a charm, and its archive.

use std::fs::{self, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::PackError;
use super::content::CharmFile;

impl CharmFile {
    /// The two modes that Juju knows.
    fn mode(&self) -> u32 {
        if self.is_executable { 0o755 } else { 0o644 }
    }
}

/// Writes the directory `name`, in place of one that was there; its path.
pub(super) fn write_folder(output_dir: &Path, name: &str, files: &[CharmFile]) -> Result<PathBuf, PackError> {
    let folder = output_dir.join(name);
    let write = || -> io::Result<()> {
        fs::create_dir_all(output_dir)?;
        // Written beside and renamed: never half a charm, and no file of an earlier one stays.
        let beside = tempfile::Builder::new().prefix(".packing-").tempdir_in(output_dir)?;
        for file in files {
            let path = beside.path().join(&file.name);
            let mut target = fs::File::create_new(&path)?;
            target.write_all(&file.bytes)?;
            target.set_permissions(Permissions::from_mode(file.mode()))?;
        }
        fs::set_permissions(beside.path(), Permissions::from_mode(0o755))?;
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(beside.path(), &folder)?;
        // It has another name now: there is nothing left to remove.
        let _ = beside.keep();
        Ok(())
    };
    write().map_err(|source| PackError::Write { path: folder.clone(), source })?;
    Ok(folder)
}

/// Writes the archive at `path`; its size.  The same files give the same bytes.
pub(super) fn write_archive(path: &Path, files: &[CharmFile]) -> Result<u64, PackError> {
    let write = || -> io::Result<u64> {
        let output_dir = path.parent().unwrap_or(Path::new("."));
        let mut beside = tempfile::NamedTempFile::new_in(output_dir)?;
        let mut archive = ZipWriter::new(BufWriter::new(beside.as_file_mut()));
        for file in files {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .last_modified_time(DateTime::default())
                .unix_permissions(file.mode());
            archive.start_file(&file.name, options)?;
            archive.write_all(&file.bytes)?;
        }
        archive.finish()?.flush()?;
        beside.as_file().set_permissions(Permissions::from_mode(0o644))?;
        let bytes = beside.as_file().metadata()?.len();
        beside.persist(path)?;
        Ok(bytes)
    };
    write().map_err(|source| PackError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn files() -> Vec<CharmFile> {
        let file = |name: &str, text: &str, is_executable| CharmFile {
            name: name.to_owned(),
            bytes: text.as_bytes().to_vec(),
            is_executable,
        };
        vec![file("dispatch", &"program ".repeat(1000), true), file("metadata.yaml", "name: x\n", false)]
    }

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn the_folder_is_the_charm_and_nothing_else() {
        let output = tempfile::tempdir().unwrap();
        let output_dir = output.path().join("charms");
        fs::create_dir_all(output_dir.join("x")).unwrap();
        fs::File::create(output_dir.join("x/old")).unwrap();

        let folder = write_folder(&output_dir, "x", &files()).unwrap();
        assert_eq!(folder, output_dir.join("x"));
        let entries = |path: &Path| {
            let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            names
        };
        assert_eq!(entries(&folder), ["dispatch", "metadata.yaml"]);
        assert_eq!(entries(&output_dir), ["x"]);
        assert_eq!(
            [&folder, &folder.join("dispatch"), &folder.join("metadata.yaml")].map(|path| mode_of(path)),
            [0o755, 0o755, 0o644]
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let output = tempfile::tempdir().unwrap();
        let output_dir = output.path().join("file");
        fs::File::create(&output_dir).unwrap();
        let error = write_folder(&output_dir, "x", &files()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write `{}`", output_dir.join("x").display()));
    }

    #[test]
    fn the_archive_holds_the_files_with_their_modes() {
        let output = tempfile::tempdir().unwrap();
        let path = output.path().join("x.charm");
        let bytes = write_archive(&path, &files()).unwrap();
        assert_eq!((bytes, mode_of(&path)), (fs::metadata(&path).unwrap().len(), 0o644));
        assert!(bytes < 1000, "it is not compressed: {bytes}");

        let mut archive = zip::ZipArchive::new(fs::File::open(&path).unwrap()).unwrap();
        let mut found = Vec::new();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).unwrap();
            let is_executable = match entry.unix_mode().unwrap() & 0o7777 {
                0o755 => true,
                0o644 => false,
                mode => panic!("{mode:o}"),
            };
            let (name, mut bytes) = (entry.name().to_owned(), Vec::new());
            entry.read_to_end(&mut bytes).unwrap();
            found.push(CharmFile { name, bytes, is_executable });
        }
        assert_eq!(found, files());
    }

    #[test]
    fn the_same_files_give_the_same_archive() {
        let output = tempfile::tempdir().unwrap();
        let paths = ["one.charm", "two.charm"].map(|name| output.path().join(name));
        for path in &paths {
            write_archive(path, &files()).unwrap();
        }
        let [one, two] = paths.map(|path| fs::read(path).unwrap());
        assert_eq!(one, two);
        // No clock went in: 1980-01-01, the beginning of time for zip, in two bytes after two of zeros.
        assert_eq!(one[10..14], [0, 0, 0x21, 0]);
    }
}
