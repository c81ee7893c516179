//! Waiters in a service: the daemons of all units keep together what the databags of the peer relation kept.
//!
//! ```text
//!   declared       in the application's databag, as ever, and told to the service by the leader
//!   checked in     told to the service by each unit; no databag changes, so no unit runs a hook for it
//!   ended          as the service says; the leader latches it in the application's databag
//! ```
//!
//! What is to be told is kept until the service has taken it: a dispatch adds to it, and each commit tells what is
//! left.  Whatever is told may be told again.

use std::collections::BTreeMap;

use charms_reactive_core::digest::digest;
use charms_reactive_core::waiter::{CONFIG_BYTES_MAX, Outcome, VariablePath, span_text};
use charms_reactive_core::{Databag, EndpointName, UnitName, json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::check_in::{CheckIns, UNIT_KEY};
use super::record::Record;
use crate::daemon::{Answer, Daemon, DaemonError};
use crate::dispatch::Dispatch;
use crate::run::chain;

/// The last part of the keys under which a unit keeps what it said, and what the service has still to be told.
const SAID: &str = "said";
const UNTOLD: &str = "untold";

/// What the service is to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Deed {
    /// A unit says a text under a path, or no more.
    Say { unit: UnitName, path: String, text: Option<String> },
    /// The application waits.
    Declare { name: String, waiter: Value },
    /// It does no more.
    Forget { name: String },
}

impl Deed {
    /// Whether an earlier one need not be done, where this is.
    fn supersedes(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Say { unit, path, .. }, Self::Say { unit: other, path: before, .. }) => {
                unit == other && path == before
            }
            (Self::Forget { name }, Self::Declare { name: other, .. } | Self::Forget { name: other }) => {
                name == other
            }
            (later, earlier) => later == earlier,
        }
    }
}

/// The service, as one endpoint sees it.
pub(super) struct Service<'a> {
    dispatch: &'a Dispatch,
    endpoint: &'a EndpointName,
    daemon: &'a dyn Daemon,
}

impl<'a> Service<'a> {
    /// The service of this endpoint's waiters; None where they are kept in the relation.
    pub(super) fn of(dispatch: &'a Dispatch, endpoint: &'a EndpointName) -> Option<Self> {
        let daemon = dispatch.daemon.get(&dispatch.context).filter(|_| dispatch.has_waiter_service)?;
        Some(Self { dispatch, endpoint, daemon })
    }

    /// This unit says a text under a path, or no more.
    pub(super) fn say(&self, path: &VariablePath, text: Option<&str>) {
        let mut said = self.said();
        if said.text(path) != text {
            said.set(path.clone(), text);
            self.keep(SAID, said.to_text());
            let unit = self.dispatch.context.unit.clone();
            self.add(Deed::Say { unit, path: path.to_string(), text: text.map(str::to_owned) });
        }
    }

    /// A unit that has left says nothing more.
    pub(super) fn take_back(&self, unit: &UnitName) {
        let all = self.check_ins();
        for path in all.get(unit).into_iter().flat_map(CheckIns::paths) {
            self.add(Deed::Say { unit: unit.clone(), path: path.to_string(), text: None });
        }
    }

    pub(super) fn declare(&self, name: &str, record: &Record) {
        let waiter = record.waiter();
        let condition = |condition: &charms_reactive_core::waiter::Cardinality| json!({"cardinality": {"path": condition.path.to_string(), "number": condition.number}});
        let mut body = json!({
            "name": self.waiter(name),
            "timeout": span_text(waiter.timeout),
            "success": condition(&waiter.success),
        });
        if let Some(failure) = &waiter.failure {
            body["failure"] = condition(failure);
        }
        self.add(Deed::Declare { name: name.to_owned(), waiter: body });
    }

    pub(super) fn forget(&self, name: &str) {
        self.add(Deed::Forget { name: name.to_owned() });
    }

    /// How a waiter has ended; None while it waits, and where the service cannot be asked.
    ///
    /// One that the service does not know, though it should, is declared once more.
    pub(super) fn outcome(&self, name: &str, record: &Record) -> Option<Outcome> {
        let answer = self.told("GET", &self.waiter(name), None)?;
        match (answer.status, answer.body["done"] == true, answer.body["error"]["code"].as_i64()) {
            (200, true, None) => Some(Outcome::Success),
            (200, true, Some(4)) => Some(Outcome::Timeout),
            (200, true, Some(_)) => Some(Outcome::Failure),
            (404, ..) if self.dispatch.model.is_leader().unwrap_or(false) => {
                self.declare(name, record);
                None
            }
            _ => None,
        }
    }

    /// What all units have checked in, this one with what it says just now.
    pub(super) fn check_ins(&self) -> BTreeMap<UnitName, CheckIns> {
        let mut all: BTreeMap<UnitName, CheckIns> = BTreeMap::new();
        let variables = format!("{}/variables", self.config());
        let mut token = String::new();
        loop {
            let path = format!("{variables}?returnValues=true&pageSize=1000&pageToken={token}");
            let Some(answer) = self.told("GET", &path, None).filter(|answer| answer.status == 200) else {
                break;
            };
            for variable in answer.body["variables"].as_array().into_iter().flatten() {
                let name = variable["name"].as_str().and_then(|name| name.strip_prefix(&variables));
                if let Some((unit, path)) = name.and_then(split) {
                    all.entry(unit)
                        .or_default()
                        .set(path, Some(variable["text"].as_str().unwrap_or_default()));
                }
            }
            match answer.body["nextPageToken"].as_str() {
                Some(next) => next.clone_into(&mut token),
                None => break,
            }
        }
        all.insert(self.dispatch.context.unit.clone(), self.said());
        all
    }

    /// Tells the service what it has not been told.
    ///
    /// That it cannot be reached is no reason to fail: the next dispatch tells it.
    pub(super) fn tell(&self) {
        let mut untold = self.untold();
        while let Some(deed) = untold.first() {
            match self.carry_out(deed) {
                Ok(answer) if answer.status < 500 => {
                    let is_done =
                        matches!((deed, answer.status), (_, 200 | 404) | (Deed::Declare { .. }, 409));
                    if !is_done {
                        let why = &answer.body["error"]["message"];
                        log::error!("the service of waiters refuses {deed:?}: {} {why}", answer.status);
                    }
                    untold.remove(0);
                }
                Ok(answer) => {
                    log::info!(
                        "the service of waiters is told later: {} {}",
                        answer.status,
                        answer.body["error"]
                    );
                    break;
                }
                Err(error) => {
                    log::info!("the service of waiters is told later: {}", chain(&error).join(": "));
                    break;
                }
            }
        }
        self.keep_untold(&untold);
    }

    /// Does it; where there is no config yet, makes that first.
    fn carry_out(&self, deed: &Deed) -> Result<Answer, DaemonError> {
        let answer = self.carry_out_once(deed)?;
        let is_new = matches!(deed, Deed::Say { text: Some(_), .. } | Deed::Declare { .. });
        if answer.status != 404 || !is_new {
            return Ok(answer);
        }
        let config = self.config();
        let (configs, _) = config.rsplit_once('/').unwrap_or_default();
        let made = self.ask("POST", configs, Some(&json!({ "name": config })))?;
        if made.status == 200 || made.status == 409 { self.carry_out_once(deed) } else { Ok(made) }
    }

    fn carry_out_once(&self, deed: &Deed) -> Result<Answer, DaemonError> {
        match deed {
            Deed::Declare { waiter, .. } => {
                self.ask("POST", &format!("{}/waiters", self.config()), Some(waiter))
            }
            Deed::Forget { name } => self.ask("DELETE", &self.waiter(name), None),
            Deed::Say { unit, path, text } => {
                let variables = format!("{}/variables", self.config());
                let name = format!("{variables}{path}/{}", segment(unit));
                let Some(text) = text else { return self.ask("DELETE", &name, None) };
                let answer = self.ask("PUT", &name, Some(&json!({ "text": text })))?;
                if answer.status != 404 {
                    return Ok(answer);
                }
                self.ask("POST", &variables, Some(&json!({"name": name, "text": text})))
            }
        }
    }

    /// The name of a waiter in the service.
    pub(super) fn waiter(&self, name: &str) -> String {
        format!("{}/waiters/{name}", self.config())
    }

    /// `projects/MODEL/configs/APPLICATION.ENDPOINT`, with a digest where that would be too long.
    fn config(&self) -> String {
        let context = &self.dispatch.context;
        let model = context.model_uuid.as_deref().unwrap_or("model");
        let mut name = format!("{}.{}", context.unit.application(), self.endpoint);
        if name.len() > CONFIG_BYTES_MAX {
            name = digest(&name);
        }
        format!("projects/{model}/configs/{name}")
    }

    fn ask(&self, method: &str, name: &str, body: Option<&Value>) -> Result<Answer, DaemonError> {
        self.daemon.request(method, &format!("/v1beta1/{name}"), body)
    }

    /// The same, for whom no answer is like none yet.
    fn told(&self, method: &str, name: &str, body: Option<&Value>) -> Option<Answer> {
        let answer = self.ask(method, name, body);
        if let Err(error) = &answer {
            self.dispatch.warn_once(format!("the service of waiters: {}", chain(error).join(": ")));
        }
        answer.ok()
    }

    /// What this unit says.
    fn said(&self) -> CheckIns {
        let kept = self.dispatch.kept.borrow();
        let text = kept.get(&self.key(SAID)).map_or("", String::as_str);
        CheckIns::of(&Databag::from([(UNIT_KEY, text)]))
    }

    fn add(&self, deed: Deed) {
        let mut untold = self.untold();
        // So there are never more than there are paths and waiters, however long the service is away.
        untold.retain(|earlier| !deed.supersedes(earlier));
        untold.push(deed);
        self.keep_untold(&untold);
    }

    fn untold(&self) -> Vec<Deed> {
        let kept = self.dispatch.kept.borrow();
        let text = kept.get(&self.key(UNTOLD));
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    fn keep_untold(&self, untold: &[Deed]) {
        self.keep(UNTOLD, if untold.is_empty() { String::new() } else { json::to_text(&json!(untold)) });
    }

    fn keep(&self, what: &str, text: String) {
        let (mut kept, key) = (self.dispatch.kept.borrow_mut(), self.key(what));
        if text.is_empty() {
            kept.remove(&key);
        } else {
            kept.insert(key, text);
        }
    }

    fn key(&self, what: &str) -> String {
        format!("waiters/{}/{what}", self.endpoint)
    }
}

/// The last segment of the variables of a unit: `app-3`.
fn segment(unit: &UnitName) -> String {
    unit.to_string().replace('/', "-")
}

/// The unit that a variable is of, and the path under which it said it.
fn split(name: &str) -> Option<(UnitName, VariablePath)> {
    let (path, segment) = name.rsplit_once('/')?;
    let (application, number) = segment.rsplit_once('-')?;
    Some((
        UnitName::parse(&format!("{application}/{number}")).ok()?,
        VariablePath::parse_variable(path).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_untold_does_not_grow_while_the_service_is_away() {
        let say = |path: &str, text: Option<&str>| Deed::Say {
            unit: UnitName::parse("db/0").expect("a name"),
            path: path.to_owned(),
            text: text.map(str::to_owned),
        };
        let declare = |number: u32| Deed::Declare { name: "w".to_owned(), waiter: number.into() };
        let forget = || Deed::Forget { name: "w".to_owned() };
        for (later, earlier, expected) in [
            (say("/a", Some("2")), say("/a", Some("1")), true),
            (say("/a", None), say("/a", Some("1")), true),
            (say("/b", None), say("/a", Some("1")), false),
            (forget(), declare(1), true),
            (forget(), forget(), true),
            (declare(1), forget(), false),
            (declare(1), declare(1), true),
            (declare(1), say("/a", None), false),
        ] {
            assert_eq!(later.supersedes(&earlier), expected, "{later:?} after {earlier:?}");
        }
    }

    #[test]
    fn a_variable_tells_unit_and_path() {
        let (unit, path) = split("/status/ready/my-db-12").expect("of a unit");
        assert_eq!((unit.to_string(), path.to_string()), ("my-db/12".to_owned(), "/status/ready".to_owned()));
        assert_eq!(segment(&unit), "my-db-12");
        for text in ["", "/", "/my-db-12", "/ready/x", "/ready/my-db"] {
            assert!(split(text).is_none(), "`{text}`");
        }
    }
}
