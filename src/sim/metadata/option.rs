//! The options of a charm, from `config.yaml`.

use std::path::Path;

use charms_reactive_core::{OptionKind, OptionSpec};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use super::{CharmError, read_yaml};

#[derive(Deserialize)]
struct ConfigFile {
    options: IndexMap<String, OptionFile>,
}

#[derive(Deserialize)]
struct OptionFile {
    #[serde(rename = "type")]
    kind: Option<String>,
    default: Option<Value>,
}

pub(super) fn read_options(path: &Path) -> Result<Vec<OptionSpec>, CharmError> {
    let Some(file) = read_yaml::<ConfigFile>(path)? else { return Ok(Vec::new()) };
    let options = file.options.into_iter().map(|(name, option)| {
        let kind = match option.kind.as_deref() {
            None | Some("string") => OptionKind::String,
            Some("int") => OptionKind::Int,
            Some("float") => OptionKind::Float,
            Some("boolean") => OptionKind::Boolean,
            Some("secret") => OptionKind::Secret,
            Some(found) => return Err(CharmError::OptionType { option: name, found: found.to_owned() }),
        };
        let default = option.default.unwrap_or(Value::Null);
        let fits = match (&default, kind) {
            (Value::Null, _)
            | (Value::String(_), OptionKind::String | OptionKind::Secret)
            | (Value::Bool(_), OptionKind::Boolean)
            | (Value::Number(_), OptionKind::Float) => Some(default.clone()),
            (Value::Number(number), OptionKind::Int) => number.is_i64().then(|| default.clone()),
            // Juju reads YAML 1.1, where these words are booleans.
            (Value::String(word), OptionKind::Boolean) => yaml_word(word).map(Value::Bool),
            _ => None,
        };
        let default = fits.ok_or_else(|| CharmError::Default {
            option: name.clone(),
            expected: kind_name(kind),
            found: default.to_string(),
        })?;
        Ok(OptionSpec { name, kind, default })
    });
    options.collect()
}

/// The boolean that a word is in YAML 1.1, but not in the YAML that we read.
fn yaml_word(word: &str) -> Option<bool> {
    match word {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => Some(true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => Some(false),
        _ => None,
    }
}

/// The type of an option, as Juju's messages name it.
pub(crate) fn kind_name(kind: OptionKind) -> &'static str {
    match kind {
        OptionKind::String => "string",
        OptionKind::Int => "int",
        OptionKind::Float => "float",
        OptionKind::Boolean => "boolean",
        OptionKind::Secret => "secret",
    }
}
