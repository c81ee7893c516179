//! `config-get`.

use serde_json::Value;

use super::flags::Flag;
use super::{Asked, Command, Done, Outcome, usage};

pub(super) const COMMANDS: &[Command] =
    &[Command::getter("config-get", "[<key>]", &[Flag::switch(&["a", "all"])], config_get)];

/// # Source
///
/// `J/config-get.go`: without `--all`, options without a value are left out.
fn config_get(asked: &mut Asked<'_>) -> Outcome {
    let is_all = asked.line.is_on("a");
    let key = asked.line.positional.first();
    if let (true, Some(key)) = (is_all, key) {
        return usage(format!("cannot use argument --all together with key {key:?}"));
    }
    asked.refuse_from(1)?;
    let unit = asked.model.units.get(&asked.run.unit);
    let mut config = unit.map(|unit| asked.model.config(unit)).unwrap_or_default();
    if let Some(key) = key.filter(|key| !key.is_empty()) {
        return Ok(Done::Value(config.remove(key).unwrap_or(Value::Null)));
    }
    config.retain(|_, value| is_all || !value.is_null());
    Ok(Done::Value(Value::Object(config)))
}
