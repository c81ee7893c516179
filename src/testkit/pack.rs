//! The folder of a charm, made of a program that Cargo built.

use std::fs;
use std::io;
use std::path::Path;

/// Lays out a charm as `juju deploy` takes it: the program as `dispatch`, beside the YAML files.
///
/// In a test of the charm's package, `program` is `env!("CARGO_BIN_EXE_...")` and `yaml` is
/// `env!("CARGO_MANIFEST_DIR")`.
pub fn lay_out(
    program: impl AsRef<Path>,
    yaml: impl AsRef<Path>,
    folder: impl AsRef<Path>,
) -> io::Result<()> {
    let (yaml, folder) = (yaml.as_ref(), folder.as_ref());
    fs::create_dir_all(folder)?;
    fs::copy(program, folder.join("dispatch"))?;
    for name in ["metadata.yaml", "config.yaml", "actions.yaml"] {
        match fs::copy(yaml.join(name), folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound || name == "metadata.yaml" => {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(())
}
