//! What the keys of charmhelpers' store mean.
//!
//! | Key | Value | Becomes |
//! |---|---|---|
//! | `reactive.states.FLAG` | null, or what an interface of the first generation kept | a flag; the value is kept |
//! | `reactive.conversations....` | what an interface of the first generation kept | kept |
//! | `reactive.endpoints.departed.ENDPOINT` | a list of units with their last data | departed units |
//! | `reactive.data_changed.endpoint.ENDPOINT.RELATION.UNIT.KEY` | a hash | what was seen of the unit |
//! | `reactive.data_changed.NAME` | a hash | data |
//! | `reactive.files_changed.PATH` | a hash, or null | files |
//! | `reactive.invoked.PATH:LINE:NAME` | true | a handler that ran once |
//! | `leadership.settings.KEY` | a text, or null | a setting of the leader |
//! | other keys of `reactive.` | of the running dispatch, triggers | nothing |
//! | all others | the charm's own | kept |

use std::collections::BTreeMap;

use charms_reactive_core::{Databag, EndpointName, RelationId, UnitName};
use charms_reactive_runtime::Imported;
use serde::Deserialize;

/// A unit in the list of those that left.
#[derive(Deserialize)]
struct Left {
    relation: String,
    unit_name: String,
    #[serde(default)]
    data: BTreeMap<String, Option<String>>,
}

/// What the keys and values say; `handlers` are the names of handlers, by those that they had in Python.
pub(crate) fn imported(rows: Vec<(String, String)>, handlers: &BTreeMap<String, String>) -> Imported {
    let mut imported = Imported::default();
    for (key, value) in rows {
        if let Some(flag) = key.strip_prefix("reactive.states.") {
            // Flags of changed options end with their hook.
            if !is_of_hook(flag) {
                imported.flags.push(flag.to_owned());
            }
            if value != "null" {
                imported.kept.insert(key, value);
            }
        } else if key.starts_with("reactive.endpoints.departed.") {
            imported
                .departed
                .extend(parsed::<Vec<Left>>(&key, &value).unwrap_or_default().into_iter().filter_map(left));
        } else if let Some(name) = key.strip_prefix("reactive.data_changed.") {
            let Some(hash) = parsed::<String>(&key, &value) else { continue };
            match seen(name) {
                Some((relation, unit, key)) => {
                    imported.seen.entry((relation, unit)).or_default().insert(key.to_owned(), hash);
                }
                None => {
                    imported.data.insert(name.to_owned(), hash);
                }
            }
        } else if let Some(path) = key.strip_prefix("reactive.files_changed.") {
            if let Some(hash) = parsed::<Option<String>>(&key, &value) {
                imported.files.insert(path.into(), hash);
            }
        } else if let Some(function) = key.strip_prefix("reactive.invoked.") {
            let name = function.rsplit(':').next().unwrap_or(function);
            imported.done.push(handlers.get(name).map_or(name, String::as_str).to_owned());
        } else if let Some(setting) = key.strip_prefix("leadership.settings.") {
            if let Some(Some(text)) = parsed::<Option<String>>(&key, &value) {
                imported.leader.insert(setting.to_owned(), text);
            }
        } else if key.starts_with("reactive.conversations.") || !key.starts_with("reactive.") {
            imported.kept.insert(key, value);
        }
    }
    imported
}

fn is_of_hook(flag: &str) -> bool {
    flag == "config.changed" || flag.starts_with("config.changed.")
}

fn left(left: Left) -> Option<(RelationId, UnitName, Databag)> {
    let unit = UnitName::parse(&left.unit_name).ok()?;
    let relation = RelationId::parse(&left.relation).ok()?;
    let mut data = Databag::new();
    for (key, text) in left.data {
        data.set(&key, &text.unwrap_or_default());
    }
    Some((relation, unit, data))
}

/// The relation, the unit and the key of a databag: `endpoint.db.db:1.mysql/0.host.name`.
fn seen(name: &str) -> Option<(RelationId, UnitName, &str)> {
    let mut parts = name.strip_prefix("endpoint.")?.splitn(4, '.');
    let endpoint = EndpointName::parse(parts.next()?).ok()?;
    let relation = RelationId::parse(parts.next()?).ok()?;
    let unit = UnitName::parse(parts.next()?).ok()?;
    let key = parts.next()?;
    (*relation.endpoint() == endpoint).then_some((relation, unit, key))
}

/// A value of the framework; what cannot be read is told, and left out.
fn parsed<T: serde::de::DeserializeOwned>(key: &str, value: &str) -> Option<T> {
    serde_json::from_str(value).map_err(|error| log::warn!("not taking over `{key}`: {error}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[(&str, &str)]) -> Imported {
        let rows = rows.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        imported(rows.collect(), &BTreeMap::from([("oo".to_owned(), "install".to_owned())]))
    }

    #[test]
    fn a_real_file_is_read_as_it_was_meant() {
        // As charms.reactive 1.5.3 and layer-leadership left it.
        let imported = of(&[
            ("reactive.dispatch.phase", r#""other""#),
            ("reactive.dispatch.removed_state", "true"),
            ("reactive.states.app.installed", "null"),
            ("reactive.states.endpoint.db.changed.k", "null"),
            ("reactive.states.config.changed", "null"),
            ("reactive.states.config.changed.name", "null"),
            (
                "reactive.states.old.available",
                r#"{"relation": "old", "conversations": ["reactive.conversations.old:2.o/0"]}"#,
            ),
            ("reactive.data_changed.endpoint.db.db:1.u/0.k", r#""c4ca4238a0b923820dcc509a6f75849b""#),
            ("reactive.data_changed.endpoint.db.db:1.u/0.k.dotted", r#""x""#),
            ("reactive.data_changed.cfg", r#""19afc29426da0042fc4e8b7c6b727fdf""#),
            ("reactive.data_changed.endpoint.of.mine", r#""y""#),
            ("reactive.files_changed./etc/f9", r#""7694f4a66316e53c8cdd9d9954bd611d""#),
            ("reactive.files_changed./etc/gone", "null"),
            ("reactive.invoked./var/charm/reactive/handlers.py:12:oo", "true"),
            ("reactive.invoked./var/charm/reactive/handlers.py:20:other", "true"),
            (
                "reactive.endpoints.departed.db",
                r#"[{"relation": "db:1", "unit_name": "u/1", "data": {"k": "\"two\"", "n": null}}]"#,
            ),
            (
                "reactive.conversations.old:2.o/0",
                r#"{"namespace": "old:2", "units": ["o/0"], "scope": "o/0"}"#,
            ),
            ("reactive.state_watch", r#"{"iteration": 0, "changes": [], "pending": []}"#),
            ("reactive.flag_set_triggers.a", r#"{"set_flag": ["b"], "clear_flag": []}"#),
            ("leadership.settings.pw", r#""a""#),
            ("leadership.settings.gone", "null"),
            ("my.note", r#"{"\u00e9": [1, 2.5, null, true]}"#),
        ]);
        assert_eq!(imported.flags, ["app.installed", "endpoint.db.changed.k", "old.available"]);
        let (relation, unit, data) = &imported.departed[0];
        assert_eq!((relation.to_string(), unit.to_string()), ("db:1".to_owned(), "u/1".to_owned()));
        assert_eq!((data.text("k"), data.text("n")), (Some("\"two\""), None));
        let seen: Vec<_> =
            imported.seen.values().flatten().map(|(key, hash)| format!("{key} {hash}")).collect();
        assert_eq!(seen, ["k c4ca4238a0b923820dcc509a6f75849b", "k.dotted x"]);
        assert_eq!(imported.data.keys().collect::<Vec<_>>(), ["cfg", "endpoint.of.mine"]);
        assert_eq!(imported.files.values().filter(|hash| hash.is_none()).count(), 1);
        assert_eq!(imported.done, ["install", "other"]);
        assert_eq!(imported.leader, BTreeMap::from([("pw".to_owned(), "a".to_owned())]));
        let kept = ["my.note", "reactive.conversations.old:2.o/0", "reactive.states.old.available"];
        assert_eq!(imported.kept.keys().collect::<Vec<_>>(), kept);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let imported = of(&[
            ("reactive.endpoints.departed.db", "7"),
            ("reactive.data_changed.x", "[]"),
            ("reactive.states.fine", "nonsense"),
            ("mine", "NaN"),
            // D48: to charmhelpers, which searches with `LIKE`, this is flag `X`.
            ("REACTIVE.STATES.X", "null"),
        ]);
        assert_eq!(imported.flags, ["fine"], "a flag is its key");
        assert!(imported.departed.is_empty() && imported.data.is_empty());
        assert_eq!(imported.kept["mine"], "NaN");
    }
}
