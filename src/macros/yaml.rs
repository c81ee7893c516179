//! What the YAML files of a charm say.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

/// One endpoint.
pub(crate) struct Endpoint {
    pub(crate) name: String,
    /// The variant of `Role`.
    pub(crate) role: &'static str,
    pub(crate) interface: String,
}

/// The type of an option or a parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Whole,
    Number,
    Truth,
    Secret,
    Any,
}

/// One option, or one parameter of an action.
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) default: Value,
    pub(crate) is_required: bool,
    pub(crate) description: String,
}

/// One action.
pub(crate) struct Action {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) parameters: Vec<Field>,
}

/// What a charm is to Juju.
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) options: Vec<Field>,
    pub(crate) actions: Vec<Action>,
    /// Every file that was read: the charm is compiled again when one changes.
    pub(crate) files: Vec<PathBuf>,
}

impl Description {
    /// Reads `metadata.yaml` at `path`, and `config.yaml` and `actions.yaml` beside it.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let mut files = vec![path.to_owned()];
        let metadata = read_map(path)?;
        let name = text(&metadata, "name").ok_or_else(|| format!("`{}` has no `name`", path.display()))?;
        let mut endpoints = Vec::new();
        for (key, role) in [("provides", "Provides"), ("requires", "Requires"), ("peers", "Peer")] {
            for (name, value) in entries(&metadata, key) {
                let interface = value.as_str().or_else(|| value.get("interface")?.as_str());
                let interface = interface
                    .ok_or_else(|| format!("endpoint `{name}` has no `interface` in `{}`", path.display()))?;
                endpoints.push(Endpoint { name: name.clone(), role, interface: interface.to_owned() });
            }
        }
        let mut beside = |name: &str| {
            let path = path.with_file_name(name);
            if !path.exists() {
                return Ok(Map::new());
            }
            let map = read_map(&path);
            files.push(path);
            map
        };
        let config = beside("config.yaml")?;
        let options = entries(&config, "options").map(|(name, value)| field(name, value, false)).collect();
        let actions = beside("actions.yaml")?;
        let actions = actions.iter().map(|(name, value)| action(name, value)).collect();
        Ok(Self { name, endpoints, options, actions, files })
    }
}

fn action(name: &str, value: &Value) -> Action {
    let map = value.as_object().cloned().unwrap_or_default();
    let required: Vec<&str> = map
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let parameters = entries(&map, "params")
        .map(|(name, value)| field(name, value, required.contains(&name.as_str())))
        .collect();
    Action { name: name.to_owned(), description: text(&map, "description").unwrap_or_default(), parameters }
}

fn field(name: &str, value: &Value, is_required: bool) -> Field {
    let kind = match value.get("type").and_then(Value::as_str) {
        // Juju takes an option without a type for a text.
        Some("string") | None => Kind::Text,
        Some("int" | "integer") => Kind::Whole,
        Some("float" | "number") => Kind::Number,
        Some("boolean") => Kind::Truth,
        Some("secret") => Kind::Secret,
        Some(_) => Kind::Any,
    };
    Field {
        name: name.to_owned(),
        kind,
        default: value.get("default").cloned().unwrap_or_default(),
        is_required,
        description: value.as_object().and_then(|map| text(map, "description")).unwrap_or_default(),
    }
}

fn read_map(path: &Path) -> Result<Map<String, Value>, String> {
    let content = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    // An empty file is a null.
    let map = Option::<Map<String, Value>>::deserialize(serde_yaml::Deserializer::from_str(&content));
    Ok(map.map_err(|error| format!("cannot read `{}` as YAML: {error}", path.display()))?.unwrap_or_default())
}

/// The entries of the map under `key`; none where there is no map.
fn entries<'a>(map: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    map.get(key).and_then(Value::as_object).into_iter().flatten()
}

fn text(map: &Map<String, Value>, key: &str) -> Option<String> {
    map.get(key)?.as_str().map(str::to_owned)
}
