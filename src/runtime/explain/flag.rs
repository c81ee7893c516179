//! What a flag means, in words: why it is set, and what has to happen until it is.

use charms_reactive_core::{EndpointName, EndpointSpec, Flag, UnitName};

use crate::automatic::{CONFIG_CHANGED, IS_LEADER, SERIES_UPGRADE};
use crate::dispatch::Dispatch;
use crate::record::RelationRecord;

/// How many units are named.
const UNITS_SHOWN_MAX: usize = 5;

/// What the name of a flag stands for.
enum Subject<'a> {
    /// `endpoint.NAME.REST` of an endpoint that the charm has.
    Endpoint(&'a EndpointSpec, &'a str),
    /// `endpoint.NAME.REST` of one that it does not have.
    UnknownEndpoint(&'a str),
    /// `config.FAMILY.OPTION`.
    Option { family: &'a str, name: &'a str, is_known: bool },
    /// `operation.NAME.HOW`.
    Operation { name: &'a str, how: &'a str, is_known: bool },
    /// A flag that is the framework's, or the charm's own.
    Other,
}

/// Finds words for flags, from what the unit state remembers: no hook command is run for it.
pub(super) struct Words<'a> {
    dispatch: &'a Dispatch,
}

impl<'a> Words<'a> {
    pub(super) fn new(dispatch: &'a Dispatch) -> Self {
        Self { dispatch }
    }

    /// Why a flag is not set: what has to happen.
    pub(super) fn why_not_set(&self, flag: &Flag) -> String {
        let application = self.dispatch.context.unit.application();
        let because = match self.subject(flag) {
            Subject::Endpoint(endpoint, rest) => self.endpoint_not_set(endpoint, rest),
            Subject::UnknownEndpoint(name) => format!("the charm has no endpoint `{name}`"),
            Subject::Option { name, is_known: false, .. } => format!("the charm has no option `{name}`"),
            Subject::Option { family: "changed", name, .. } => format!(
                "option `{name}` has not changed: set only in the dispatch that sees a change, after \
                 `juju config {application} {name}=...`"
            ),
            Subject::Option { family: "set", name, .. } => format!(
                "option `{name}` is empty, zero or false: `juju config {application} {name}=...` gives it a value"
            ),
            Subject::Option { name, .. } => format!(
                "option `{name}` has another value than its default: \
                 `juju config {application} --reset {name}` takes it away"
            ),
            Subject::Operation { name, is_known: false, .. } => {
                format!("the charm has no operation `{name}`")
            }
            Subject::Operation { name, how: "running", .. } => {
                format!("operation `{name}` does not run: a handler starts it")
            }
            Subject::Operation { name, how, .. } => {
                format!(
                    "operation `{name}` has not ended as `{how}` since it was started last, or was forgotten"
                )
            }
            Subject::Other if *flag == CONFIG_CHANGED => format!(
                "no option has changed: set only in the dispatch that sees a change, after \
                 `juju config {application} ...`"
            ),
            Subject::Other if *flag == IS_LEADER => format!(
                "this unit is not known to lead `{application}`: Juju runs `leader-elected` on the unit that does"
            ),
            Subject::Other if *flag == SERIES_UPGRADE => {
                "no series upgrade is going on: hook `pre-series-upgrade` sets it".to_owned()
            }
            Subject::Other => format!("nobody has set `{flag}`"),
        };
        self.with_triggers(because, flag, true)
    }

    /// Why a flag is set: what has to happen until it is not any more.
    pub(super) fn why_set(&self, flag: &Flag) -> String {
        let because = match self.subject(flag) {
            Subject::Endpoint(endpoint, rest) => self.endpoint_set(endpoint, rest),
            Subject::UnknownEndpoint(name) => {
                format!(
                    "it is set, and the charm has no endpoint `{name}` any more: the next `upgrade-charm` clears it"
                )
            }
            Subject::Option { name, is_known: false, .. } => {
                format!("it is set, and the charm has no option `{name}` any more: the next hook clears it")
            }
            Subject::Option { family: "set", name, .. } => format!("option `{name}` has a value"),
            Subject::Option { family: "default", name, .. } => format!("option `{name}` has its default"),
            Subject::Option { name, .. } => format!("option `{name}` has changed"),
            Subject::Operation { name, is_known: false, .. } => {
                format!("it is set, and the charm has no operation `{name}` any more")
            }
            Subject::Operation { name, how: "running", .. } => {
                format!("operation `{name}` runs, or is about to; the dispatch that sees its end clears it")
            }
            Subject::Operation { name, how, .. } => {
                format!("operation `{name}` has ended as `{how}`; its next start clears it, or `forget`")
            }
            Subject::Other if *flag == IS_LEADER => {
                "this unit leads; the first dispatch after another one does clears it".to_owned()
            }
            Subject::Other if *flag == SERIES_UPGRADE => {
                "a series upgrade is going on: hook `post-series-upgrade` clears it".to_owned()
            }
            Subject::Other => format!("`{flag}` is set, and nobody has cleared it"),
        };
        self.with_triggers(because, flag, false)
    }

    fn subject<'f>(&'f self, flag: &'f Flag) -> Subject<'f> {
        let metadata = &self.dispatch.metadata;
        let parts: Vec<&str> = flag.as_str().splitn(3, '.').collect();
        match parts.as_slice() {
            ["endpoint", name, rest] => {
                let known = EndpointName::parse(name).ok().and_then(|name| metadata.endpoint(&name));
                known.map_or(Subject::UnknownEndpoint(name), |endpoint| Subject::Endpoint(endpoint, rest))
            }
            ["config", family @ ("changed" | "set" | "default"), name] => {
                let is_known = metadata.options.iter().any(|option| option.name == **name);
                Subject::Option { family, name, is_known }
            }
            ["operation", name, how @ ("running" | "success" | "failure" | "cancelled")] => {
                let is_known = self.dispatch.engine.as_ref().is_some_and(|engine| engine.has(name));
                Subject::Operation { name, how, is_known }
            }
            _ => Subject::Other,
        }
    }

    fn endpoint_not_set(&self, endpoint: &EndpointSpec, rest: &str) -> String {
        let name = &endpoint.name;
        if let Some(key) = rest.strip_prefix("changed.") {
            return format!(
                "key `{key}` of no remote databag on `{name}` has changed since the charm cleared it"
            );
        }
        match rest {
            "joined" => self.nobody_joined(name),
            "changed" => format!("no remote databag on `{name}` has changed since the charm cleared it"),
            "departed" => {
                format!("no unit has left `{name}`, or the charm has cleared its list of departed units")
            }
            "has_requests" => format!("nobody asks for anything on `{name}`"),
            "new_requests" => format!("there is no request on `{name}` that is not answered"),
            "removed_requests" => format!("no answered request on `{name}` was taken back"),
            "has_responses" => format!("no request of ours on `{name}` is answered"),
            "all_responses" => format!("there is no request of ours on `{name}`, or not each is answered"),
            _ => format!(
                "neither interface `{}` of endpoint `{name}` nor the charm has set it",
                endpoint.interface
            ),
        }
    }

    fn endpoint_set(&self, endpoint: &EndpointSpec, rest: &str) -> String {
        let name = &endpoint.name;
        if let Some(key) = rest.strip_prefix("changed.") {
            return format!(
                "key `{key}` of a remote databag on `{name}` has changed, and the charm has not cleared it"
            );
        }
        match rest {
            "joined" => match self.joined(name) {
                units if units.is_empty() => format!("it was set by hand: no unit has joined `{name}`"),
                units => format!("{} joined `{name}`; it is cleared when the last one leaves", named(&units)),
            },
            "changed" => {
                format!("a remote databag on `{name}` has changed, and the charm has not cleared it")
            }
            "departed" => match self.departed(name) {
                units if units.is_empty() => format!("it was set by hand: no unit has left `{name}`"),
                units => format!(
                    "{} left `{name}`, and the charm has not cleared its list of departed units",
                    named(&units)
                ),
            },
            "has_requests" => format!("there are requests on `{name}`"),
            "new_requests" => format!("a request on `{name}` has no answer, or changed since"),
            "removed_requests" => {
                format!("an answered request on `{name}` was taken back, and the charm has not cleared it")
            }
            "has_responses" => format!("a request of ours on `{name}` is answered"),
            "all_responses" => format!("each request of ours on `{name}` is answered"),
            _ => format!("interface `{}` of endpoint `{name}`, or the charm, has set it", endpoint.interface),
        }
    }

    fn joined(&self, endpoint: &EndpointName) -> Vec<UnitName> {
        self.dispatch.records_of(endpoint).flat_map(|(_, record)| record.members.into_keys()).collect()
    }

    fn departed(&self, endpoint: &EndpointName) -> Vec<UnitName> {
        let left = self.dispatch.records_of(endpoint).flat_map(|(_, record)| record.departed);
        left.map(|departed| departed.unit).collect()
    }

    fn nobody_joined(&self, endpoint: &EndpointName) -> String {
        let units = self.joined(endpoint);
        if !units.is_empty() {
            return format!(
                "it was cleared by hand, though {} joined `{endpoint}`: the next hook sets it",
                named(&units)
            );
        }
        let there = self.dispatch.records_of(endpoint).filter(|(_, record)| !record.broken);
        let waiting: Vec<String> = there
            .map(|(relation, record): (_, RelationRecord)| match record.application {
                Some(application) => format!("`{application}` on `{relation}`"),
                None => format!("`{relation}`"),
            })
            .collect();
        let because = format!("no unit of any application has joined `{endpoint}`");
        if waiting.is_empty() {
            let application = self.dispatch.context.unit.application();
            let is_old =
                self.dispatch.context.juju_version.as_deref().is_some_and(|text| text.starts_with("2."));
            let relate = if is_old { "add-relation" } else { "integrate" };
            return format!(
                "{because}: it has no relation, `juju {relate} {application}:{endpoint} APPLICATION` makes one"
            );
        }
        format!("{because}: related are {}, without a unit yet", waiting.join(", "))
    }

    /// Adds the triggers that would set a flag, or clear it.
    fn with_triggers(&self, because: String, flag: &Flag, is_to_set: bool) -> String {
        let triggers = self.dispatch.triggers.borrow();
        let caused_by = |edge: bool, happens: &str| {
            let causes = triggers.causes(flag, is_to_set).filter(|(_, is_set)| *is_set == edge);
            let causes: Vec<String> = causes.map(|(cause, _)| format!("`{cause}`")).collect();
            (!causes.is_empty()).then(|| format!("when {} {happens}", causes.join(" or ")))
        };
        let causes: Vec<String> =
            [caused_by(true, "becomes set"), caused_by(false, "is cleared")].into_iter().flatten().collect();
        if causes.is_empty() {
            return because;
        }
        let verb = if is_to_set { "sets" } else { "clears" };
        format!("{because}; a trigger {verb} it {}", causes.join(", or "))
    }
}

/// Units by name, as many as are of use.
fn named(units: &[UnitName]) -> String {
    let shown = units.iter().take(UNITS_SHOWN_MAX).map(|unit| format!("`{unit}`"));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match units.len().saturating_sub(UNITS_SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
