//! `resource-get`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Asked, Command, Done, Outcome, failed, usage};
use crate::agent::{make_dir, write_file};

pub(super) const COMMANDS: &[Command] =
    &[Command::setter("resource-get", "<resource name>", &[], resource_get)];

/// Gives the path of a file, without the end of a line.
///
/// The file is brought when it is first asked for, and again when another one was given since.
///
/// # Source
///
/// `J/resource-get.go`; `juju/juju:internal/resource/context`, where a file with the right fingerprint
/// is not downloaded again.
fn resource_get(asked: &mut Asked<'_>) -> Outcome {
    let Some(name) = asked.line.positional.first().filter(|name| !name.is_empty()) else {
        return usage("missing required resource name");
    };
    asked.refuse_from(1)?;
    let unit = &asked.run.unit;
    let spec = asked.model.units.get(unit).and_then(|unit| unit.charm.resources.get(name));
    let given = asked.model.applications.get(unit.application()).and_then(|it| it.resources.get(name));
    let (Some(spec), Some(resource)) = (spec, given) else {
        return failed(format!("could not download resource: resource {name:?} not found"));
    };
    let agent = format!("unit-{}-{}", unit.application(), unit.number());
    let folder = asked.model.root.join("agents").join(agent).join("resources").join(name);
    match bring(&folder, spec.filename(), &resource.content) {
        Ok(path) => Ok(Done::Text(path.display().to_string())),
        Err(error) => failed(format!("could not download resource: {error}")),
    }
}

fn bring(folder: &Path, filename: &str, content: &[u8]) -> io::Result<PathBuf> {
    let path = folder.join(filename);
    if !fs::read(&path).is_ok_and(|there| there == content) {
        make_dir(folder)?;
        write_file(&path, content)?;
    }
    Ok(path)
}
