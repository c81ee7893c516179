//! The commands for secrets, from Juju 3 on.  All changes are staged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use charms_reactive_core::{ApplicationName, UnitName};
use charms_reactive_hookcmd::commands::Party;
use serde_json::{Map, Value, json};

use super::flags::Flag;
use super::{Asked, Command, Done, Failure, Outcome, failed, usage};
use crate::base64;
use crate::calendar;
use crate::model::Tracked;
use crate::secret::{Grant, Secret};

/// # Source
///
/// `juju/juju:core/secrets/value.go`.
const CONTENT_BYTES_MAX: usize = 1_000_000;
const ROTATIONS: &[&str] = &["never", "hourly", "daily", "weekly", "monthly", "quarterly", "yearly"];

const LABEL: Flag = Flag::value(&["label"]);
const CHANGE: &[Flag] = &[
    LABEL,
    Flag::value(&["description"]),
    Flag::value(&["expire"]),
    Flag::value(&["rotate"]),
    Flag::value(&["owner"]),
    Flag::value(&["file"]),
];
const RELATION: Flag = Flag::value(&["r", "relation"]);
const UNIT: Flag = Flag::value(&["unit"]);

pub(super) const COMMANDS: &[Command] = &[
    Command::setter("secret-add", "[key[#base64|#file]=value...]", CHANGE, secret_add),
    Command::setter("secret-set", "<ID> [key[#base64]=value...]", CHANGE, secret_set),
    Command::yaml_getter(
        "secret-get",
        "<ID> [key[#base64]]",
        &[LABEL, Flag::switch(&["peek"]), Flag::switch(&["refresh"])],
        secret_get,
    ),
    Command::yaml_getter("secret-info-get", "<ID>", &[LABEL], secret_info_get),
    Command::getter("secret-ids", "", &[], secret_ids),
    Command::setter("secret-grant", "<ID>", &[RELATION, UNIT], secret_grant),
    Command::setter(
        "secret-revoke",
        "<ID>",
        &[RELATION, UNIT, Flag::value(&["app", "application"])],
        secret_revoke,
    ),
    Command::setter("secret-remove", "<ID>", &[Flag::value(&["revision"])], secret_remove),
];

/// The id in `secret:ID`, `ID` or `secret://MODEL/ID`.
///
/// # Source
///
/// `juju/juju:core/secrets/uri.go`.
fn parse_id(text: &str) -> Result<String, Failure> {
    let rest = text.strip_prefix("secret:").unwrap_or(text);
    let id = rest.rsplit('/').next().unwrap_or_default();
    let is_valid = id.len() == 20 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v'));
    if is_valid { Ok(id.to_owned()) } else { usage(format!("secret URI {text:?} not valid")) }
}

/// The secret as it will be when the run ends well.
fn pending(asked: &Asked<'_>, id: &str) -> Option<Secret> {
    match asked.run.staged.secrets.get(id) {
        Some(staged) => staged.clone(),
        None => asked.model.secrets.get(id).cloned(),
    }
}

/// The secret as it will be, when this unit may change it.
fn owned(asked: &Asked<'_>, id: &str) -> Result<Secret, Failure> {
    let Some(secret) = pending(asked, id) else { return failed(format!("secret {id:?} not found")) };
    let is_leader = asked.model.is_leader(&asked.run.unit);
    let may =
        secret.is_owned_by(&asked.run.unit) && (is_leader || matches!(secret.owner, Some(Party::Unit(_))));
    if may { Ok(secret) } else { failed("permission denied") }
}

/// All secrets that this unit owns, alone or with its application, as they will be.
fn all_owned(asked: &Asked<'_>) -> Vec<(String, Secret)> {
    let ids: BTreeSet<&String> = asked.model.secrets.keys().chain(asked.run.staged.secrets.keys()).collect();
    let secrets = ids.into_iter().filter_map(|id| Some((id.clone(), pending(asked, id)?)));
    secrets.filter(|(_, secret)| secret.is_owned_by(&asked.run.unit)).collect()
}

fn stage(asked: &mut Asked<'_>, id: String, secret: Option<Secret>) {
    asked.run.staged.secrets.insert(id, secret);
}

/// The content on the command line, encoded; `None` when there is none.
///
/// # Source
///
/// `juju/juju:core/secrets/createhelpers.go`.
fn content(asked: &Asked<'_>, from: usize) -> Result<Option<BTreeMap<String, String>>, Failure> {
    let mut content: BTreeMap<String, String> =
        asked.file()?.into_iter().map(|(key, value)| (key, base64::encode(value.as_bytes()))).collect();
    for arg in asked.line.positional.iter().skip(from) {
        let Some((key, value)) = arg.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return usage(format!("expected \"key=value\", got {arg:?}"));
        };
        let (key, value) = match key.split_once('#') {
            None => (key, base64::encode(value.as_bytes())),
            Some((key, "base64")) if base64::decode(value).is_some() => (key, value.to_owned()),
            Some((key, "file")) => {
                let path = Path::new(&asked.call.dir).join(value);
                let bytes = fs::read(&path)
                    .or_else(|error| failed(format!("reading content for secret key {key:?}: {error}")))?;
                (key, base64::encode(&bytes))
            }
            Some(_) => return usage(format!("secret value for key {key:?} is not valid base64")),
        };
        content.insert(key.to_owned(), value);
    }
    if let Some(key) = content.keys().find(|key| !is_key(key)) {
        return usage(format!(
            "key {key:?} must start and end with lowercase alphanumeric, contain only lowercase alphanumeric and hyphens, and have at least 3 characters"
        ));
    }
    let bytes: usize = content.values().map(String::len).sum();
    if bytes > CONTENT_BYTES_MAX {
        return usage(format!("secret content of {bytes} bytes exceeds the maximum of {CONTENT_BYTES_MAX}"));
    }
    Ok(Some(content).filter(|content| !content.is_empty()))
}

/// A letter, then at least two letters or digits, each with at most one dash before it.
fn is_key(key: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = key.as_bytes();
    let letters = bytes.iter().filter(|byte| is_inner(**byte)).count();
    bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.last().is_some_and(|byte| is_inner(*byte))
        && bytes.iter().all(|byte| is_inner(*byte) || *byte == b'-')
        && !key.contains("--")
        && letters >= 3
}

/// Changes what the flags say.
fn describe(asked: &Asked<'_>, secret: &mut Secret) -> Result<(), Failure> {
    if let Some(label) = asked.line.value("label") {
        let is_taken = all_owned(asked).into_iter().any(|(_, other)| {
            other.label.as_deref() == Some(label) && other.owner == secret.owner && other != *secret
        });
        if is_taken {
            return failed(format!("secret with label {label:?} already exists"));
        }
        secret.label = Some(label.to_owned()).filter(|label| !label.is_empty());
    }
    if let Some(description) = asked.line.value("description") {
        description.clone_into(&mut secret.description);
    }
    if let Some(rotation) = asked.line.value("rotate") {
        if !ROTATIONS.contains(&rotation) {
            return usage(format!("rotate policy {rotation:?} not valid"));
        }
        if secret.rotation != rotation {
            rotation.clone_into(&mut secret.rotation);
            secret.rotates = secret.rotates_after(asked.model.now);
        }
    }
    Ok(())
}

/// When the newest revision is not good any more, as the command line says.
///
/// # Source
///
/// `J/secret-add.go`: a moment, or a duration from now on.
fn expiry(asked: &Asked<'_>) -> Result<Option<Duration>, Failure> {
    let Some(text) = asked.line.value("expire").filter(|text| !text.is_empty()) else { return Ok(None) };
    if let Some(at) = calendar::read(text) {
        return Ok(Some(at));
    }
    let is_negative = text.starts_with('-') && calendar::duration(&text[1..]).is_some();
    match calendar::duration(text) {
        Some(time) if !time.is_zero() => Ok(Some(asked.model.now + time)),
        None if !is_negative => usage(format!("expire time or duration {text:?} not valid")),
        _ => usage(format!("negative expire duration {text:?} not valid")),
    }
}

fn secret_add(asked: &mut Asked<'_>) -> Outcome {
    let Some(content) = content(asked, 0)? else { return usage("missing secret value or filename") };
    let owner = match asked.line.value("owner") {
        None | Some("application") => Party::Application(asked.run.unit.application().clone()),
        Some("unit") => Party::Unit(asked.run.unit.clone()),
        Some(other) => return usage(format!("secret owner {other:?} not valid")),
    };
    if matches!(owner, Party::Application(_)) && !asked.model.is_leader(&asked.run.unit) {
        return failed("this unit is not the leader");
    }
    let mut secret = Secret::new(Some(owner), content);
    describe(asked, &mut secret)?;
    secret.expires.extend(expiry(asked)?.map(|at| (1, at)));
    let id = asked.model.next_secret_id();
    stage(asked, id.clone(), Some(secret));
    Ok(Done::Text(format!("secret:{id}\n")))
}

fn secret_set(asked: &mut Asked<'_>) -> Outcome {
    let Some(id) = asked.line.positional.first() else { return usage("missing secret URI") };
    let id = parse_id(id)?;
    let content = content(asked, 1)?;
    let mut secret = owned(asked, &id)?;
    describe(asked, &mut secret)?;
    let newest = secret.newest();
    if let Some(content) = content.filter(|content| secret.revisions.get(&newest) != Some(content)) {
        // Several changes in one run are one new revision.
        let stored = asked.model.secrets.get(&id).map_or(0, Secret::newest);
        let revision = if newest > stored { newest } else { newest + 1 };
        secret.revisions.insert(revision, content);
    }
    let newest = secret.newest();
    secret.expires.extend(expiry(asked)?.map(|at| (newest, at)));
    stage(asked, id, Some(secret));
    Ok(Done::Nothing)
}

/// The id that a reader means by an id, a label, or both.
fn meant(asked: &Asked<'_>) -> Result<String, Failure> {
    let label = asked.line.value("label").filter(|label| !label.is_empty());
    if let Some(id) = asked.line.positional.first() {
        match (parse_id(id), label) {
            // Beside a label, the first word may as well be a key.
            (Err(_), Some(_)) => {}
            (id, _) => return id,
        }
    }
    let Some(label) = label else { return usage("require either a secret URI or label") };
    let owned = all_owned(asked).into_iter().find(|(_, secret)| secret.label.as_deref() == Some(label));
    let stored = asked.model.units.get(&asked.run.unit).map(|unit| &unit.tracked);
    let mut tracked = asked.run.staged.tracked.iter().chain(stored.into_iter().flatten());
    let tracked = tracked.find(|(_, tracked)| tracked.label.as_deref() == Some(label));
    let found = owned.map(|(id, _)| id).or_else(|| tracked.map(|(id, _)| id.clone()));
    found.ok_or_else(|| Failure::Failed(format!("consumer label {label:?} not found")))
}

/// # Source
///
/// `J/secret-get.go`: an owner reads the newest revision, a consumer the one it tracks.
fn secret_get(asked: &mut Asked<'_>) -> Outcome {
    let (is_peek, is_refresh) = (asked.line.is_on("peek"), asked.line.is_on("refresh"));
    if is_peek && is_refresh {
        return usage("specify one of --peek or --refresh but not both");
    }
    asked.refuse_from(2)?;
    let id = meant(asked)?;
    let Some(secret) = pending(asked, &id) else { return failed(format!("secret {id:?} not found")) };
    let unit = &asked.run.unit;
    let newest = secret.newest();
    let revision = if secret.is_owned_by(unit) {
        newest
    } else {
        if !secret.is_granted_to(unit, |relation| asked.model.relations.contains_key(&relation)) {
            return failed("permission denied");
        }
        let stored = asked.model.units.get(unit).and_then(|unit| unit.tracked.get(&id));
        let known = asked.run.staged.tracked.get(&id).or(stored).cloned();
        let mut tracked = known.unwrap_or(Tracked { revision: newest, label: None });
        if let Some(label) = asked.line.value("label").filter(|label| !label.is_empty()) {
            tracked.label = Some(label.to_owned());
        }
        if is_refresh {
            tracked.revision = newest;
        }
        let revision = if is_peek { newest } else { tracked.revision };
        asked.run.staged.tracked.insert(id.clone(), tracked);
        revision
    };
    let Some(content) = secret.revisions.get(&revision) else {
        return failed(format!("secret revision \"{id}/{revision}\" not found"));
    };
    let plain = |encoded: &String| {
        let bytes = base64::decode(encoded).unwrap_or_default();
        Value::from(String::from_utf8_lossy(&bytes).into_owned())
    };
    let key_at = asked.line.positional.first().map_or(0, |first| usize::from(parse_id(first).is_ok()));
    let Some(key) = asked.line.positional.get(key_at) else {
        let map: Map<String, Value> =
            content.iter().map(|(key, value)| (key.clone(), plain(value))).collect();
        return Ok(Done::Value(Value::Object(map)));
    };
    let (key, is_encoded) = match key.strip_suffix("#base64") {
        Some(key) => (key, true),
        None => (key.as_str(), false),
    };
    match content.get(key) {
        Some(value) if is_encoded => Ok(Done::Value(Value::from(value.as_str()))),
        Some(value) => Ok(Done::Value(plain(value))),
        None => failed(format!("secret key value {key:?} not found")),
    }
}

fn secret_info_get(asked: &mut Asked<'_>) -> Outcome {
    asked.refuse_from(1)?;
    let label = asked.line.value("label").filter(|label| !label.is_empty());
    let id = asked.line.positional.first();
    let (name, found) = match (id, label) {
        (Some(_), Some(_)) => return usage("specify either a secret URI or label but not both"),
        (None, None) => return usage("require either a secret URI or label"),
        (Some(id), None) => {
            let id = parse_id(id)?;
            (id.clone(), all_owned(asked).into_iter().find(|(owned, _)| *owned == id))
        }
        (None, Some(label)) => {
            let is_meant = |(_, secret): &(String, Secret)| secret.label.as_deref() == Some(label);
            (label.to_owned(), all_owned(asked).into_iter().find(is_meant))
        }
    };
    let Some((id, secret)) = found else { return failed(format!("secret {name:?} not found")) };
    let owner = match secret.owner {
        Some(Party::Application(_)) => "application",
        Some(Party::Unit(_)) => "unit",
        // Nobody owns such a secret here, so nobody asks.
        None => "model",
    };
    let access = secret.grants.iter().map(|grant| {
        let target = match &grant.unit {
            Some(unit) => format!("unit-{}-{}", unit.application(), unit.number()),
            None => format!("application-{}", grant.application),
        };
        let relation = grant.relation.and_then(|number| asked.model.relations.get(&number));
        let key = relation.map(crate::model::Relation::key);
        let scope = format!("relation-{}", key.unwrap_or_default().replace(':', ".").replace(' ', "#"));
        json!({"target": target, "scope": scope, "role": "view"})
    });
    let mut info = json!({
        "revision": secret.newest(),
        "label": secret.label.clone().unwrap_or_default(),
        "owner": owner,
        "rotation": secret.rotation,
    });
    if !secret.description.is_empty() {
        info["description"] = Value::from(secret.description.as_str());
    }
    if let Some(at) = secret.expires.get(&secret.newest()) {
        info["expiry"] = Value::from(calendar::shown(*at));
    }
    if let Some(at) = secret.rotates {
        info["rotates"] = Value::from(calendar::shown(at));
    }
    let access: Vec<Value> = access.collect();
    if !access.is_empty() {
        info["access"] = Value::from(access);
    }
    Ok(Done::Value(json!({ id: info })))
}

fn secret_ids(asked: &mut Asked<'_>) -> Outcome {
    asked.refuse_from(0)?;
    Ok(Done::Value(all_owned(asked).into_iter().map(|(id, _)| Value::from(id)).collect()))
}

fn secret_grant(asked: &mut Asked<'_>) -> Outcome {
    let Some(id) = asked.line.positional.first() else { return usage("missing secret URI") };
    let id = parse_id(id)?;
    let number = asked.some_relation()?;
    asked.refuse_from(1)?;
    let application = remote_application(asked, number)?;
    let unit = match asked.line.value("unit") {
        None => None,
        Some(name) => match UnitName::parse(name).map(|unit| meant_unit(asked, number, &unit)) {
            Ok(unit) if *unit.application() == application => Some(unit),
            _ => {
                return usage(format!(
                    "cannot specify unit {name:?} in relation to application \"{application}\""
                ));
            }
        },
    };
    let mut secret = owned(asked, &id)?;
    secret.grants.insert(Grant { relation: Some(number), application, unit });
    stage(asked, id, Some(secret));
    Ok(Done::Nothing)
}

/// The unit that this one means by a name, across models too.
fn meant_unit(asked: &Asked<'_>, number: u32, unit: &UnitName) -> UnitName {
    let relation = asked.model.relations.get(&number);
    relation.map_or_else(|| unit.clone(), |it| it.meant_unit(asked.run.unit.application(), unit))
}

fn remote_application(asked: &Asked<'_>, number: u32) -> Result<ApplicationName, Failure> {
    let relation = asked.model.relations.get(&number);
    let remote =
        relation.map(|relation| relation.remote_end(asked.run.unit.application()).application.clone());
    remote.ok_or_else(|| Failure::Failed("relation not found".to_owned()))
}

fn secret_revoke(asked: &mut Asked<'_>) -> Outcome {
    let Some(id) = asked.line.positional.first() else { return usage("missing secret URI") };
    let id = parse_id(id)?;
    asked.refuse_from(1)?;
    let (app, unit) = (asked.line.value("app"), asked.line.value("unit"));
    if app.is_some() && unit.is_some() {
        return usage("specify only one of application or unit");
    }
    if app.is_some() && asked.line.value("r").is_some() {
        return usage("do not specify both relation and app");
    }
    let relation = if app.is_none() { asked.relation()? } else { None };
    let is_meant: Box<dyn Fn(&Grant) -> bool> = match (app, unit, relation) {
        (Some(app), ..) => {
            let app = app.to_owned();
            Box::new(move |grant| grant.application.as_str() == app)
        }
        (None, Some(unit), _) => {
            let unit = unit.to_owned();
            Box::new(move |grant| grant.unit.as_ref().is_some_and(|name| name.to_string() == unit))
        }
        (None, None, Some(number)) => Box::new(move |grant| grant.relation == Some(number)),
        (None, None, None) => return usage("missing relation or application or unit"),
    };
    let mut secret = owned(asked, &id)?;
    secret.grants.retain(|grant| !is_meant(grant));
    stage(asked, id, Some(secret));
    Ok(Done::Nothing)
}

fn secret_remove(asked: &mut Asked<'_>) -> Outcome {
    let Some(id) = asked.line.positional.first() else { return usage("missing secret URI") };
    let id = parse_id(id)?;
    asked.refuse_from(1)?;
    let mut secret = owned(asked, &id)?;
    let Some(revision) = asked.line.value("revision") else {
        stage(asked, id, None);
        return Ok(Done::Nothing);
    };
    let Ok(number) = revision.parse::<u32>() else {
        return usage(format!(
            "invalid value {revision:?} for option --revision: strconv.ParseInt: parsing {revision:?}: invalid syntax"
        ));
    };
    secret.expires.remove(&number);
    secret.expired.remove(&number);
    if secret.revisions.remove(&number).is_none() {
        return failed(format!("secret revision \"{id}/{number}\" not found"));
    }
    let is_left = !secret.revisions.is_empty();
    stage(asked, id, is_left.then_some(secret));
    Ok(Done::Nothing)
}
