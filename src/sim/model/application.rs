//! An application: its charm, its settings, its leader.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::rc::Rc;

use charms_reactive_core::{ApplicationName, OptionKind, OptionSpec, UnitName};
use serde_json::{Map, Number, Value};

use super::unit::{Life, StatusEntry};
use crate::error::ModelError;
use crate::metadata::{Charm, kind_name};

/// An application of the model.
#[derive(Clone, Debug)]
pub(crate) struct Application {
    pub(crate) name: ApplicationName,
    pub(crate) charm: Rc<Charm>,
    /// One more with each upgrade.
    pub(crate) charm_revision: u32,
    pub(crate) life: Life,
    /// What the operator set; options that are not in here have their default.
    pub(crate) settings: BTreeMap<String, Value>,
    /// What the operator had set of charms that some units still have.
    pub(crate) settings_left: Vec<(Rc<Charm>, BTreeMap<String, Value>)>,
    pub(crate) leader: Option<UnitName>,
    pub(crate) units_made: u32,
    /// What the leader said about the whole; until then, the units' statuses are summed up.
    pub(crate) status: Option<StatusEntry>,
    pub(crate) leader_settings: BTreeMap<String, String>,
    pub(crate) leader_settings_version: u64,
    /// One more with each upgrade and each new resource.
    pub(crate) charm_modified: u32,
    /// Whether units take an upgrade over while a hook of theirs has failed.
    pub(crate) is_upgrade_forced: bool,
    /// How many instances of each storage a new unit gets.
    pub(crate) storage: BTreeMap<String, u32>,
    pub(crate) resources: BTreeMap<String, Resource>,
    /// What a charm in operator mode wants its pods to be.
    pub(crate) pod_specs: BTreeMap<PodSpecKind, String>,
    /// Whether its units may ask for the cloud's credential.
    pub(crate) is_trusted: bool,
    /// The model it is in, where that is not the simulated one.
    pub(crate) home: Option<Rc<Home>>,
    /// Where it is reached as a whole, on Kubernetes.
    pub(crate) service_address: Ipv4Addr,
}

/// Another model, which shares relations with the simulated one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) name: String,
    pub(crate) uuid: String,
}

/// In which form a charm says what its pods are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PodSpecKind {
    /// Juju's own.
    Juju,
    /// That of Kubernetes.
    Raw,
}

/// A resource as it was given to an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) content: Vec<u8>,
}

impl Application {
    /// A new application without units.
    pub(crate) fn new(name: ApplicationName, charm: Rc<Charm>, service_address: Ipv4Addr) -> Self {
        Self {
            name,
            charm,
            charm_revision: 0,
            life: Life::Alive,
            settings: BTreeMap::new(),
            settings_left: Vec::new(),
            leader: None,
            units_made: 0,
            status: None,
            leader_settings: BTreeMap::new(),
            leader_settings_version: 0,
            charm_modified: 0,
            is_upgrade_forced: false,
            storage: BTreeMap::new(),
            resources: BTreeMap::new(),
            pod_specs: BTreeMap::new(),
            is_trusted: false,
            home: None,
            service_address,
        }
    }

    /// The values of all options as a unit with this charm sees them; null for those without value and default.
    ///
    /// # Source
    ///
    /// `juju/juju:state/unit.go`, `ConfigSettings`, to 3: settings are kept by charm, so that a unit which has
    /// not taken an upgrade over sees those of its own charm, as they were left.
    pub(crate) fn options<'a>(&'a self, charm: &Rc<Charm>) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let left = self.settings_left.iter().find(|(known, _)| Rc::ptr_eq(known, charm));
        let (charm, settings) = match left {
            Some((charm, settings)) if !Rc::ptr_eq(charm, &self.charm) => (charm, settings),
            _ => (&self.charm, &self.settings),
        };
        let value = |option: &'a OptionSpec| settings.get(&option.name).unwrap_or(&option.default);
        charm.metadata.options.iter().map(move |option| (option.name.as_str(), value(option)))
    }

    /// The same as an object.
    pub(crate) fn config(&self, charm: &Rc<Charm>) -> Map<String, Value> {
        self.options(charm).map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }

    /// Changes options from texts, all or none.
    ///
    /// # Source
    ///
    /// `internal/charm/config.go`: an unknown option is refused; a text is read by the type.
    pub(crate) fn configure(&mut self, changes: &[(&str, &str)]) -> Result<(), ModelError> {
        let parsed: Vec<(String, Value)> = changes
            .iter()
            .map(|(name, text)| {
                let option = self.charm.option(name).ok_or_else(|| no_option(name))?;
                Ok(((*name).to_owned(), parse_option(option, text)?))
            })
            .collect::<Result<_, ModelError>>()?;
        self.settings.extend(parsed);
        Ok(())
    }

    /// Gives options their defaults again, all or none.
    pub(crate) fn reset(&mut self, names: &[&str]) -> Result<(), ModelError> {
        if let Some(name) = names.iter().find(|name| self.charm.option(name).is_none()) {
            return Err(no_option(name));
        }
        for name in names {
            self.settings.remove(*name);
        }
        Ok(())
    }

    /// Takes over another charm; settings that it does not know, or not with this type, are dropped.
    ///
    /// Where `is_left` says so, units that still have the old charm go on seeing its settings.
    pub(crate) fn upgrade(&mut self, charm: Rc<Charm>, is_left: bool) {
        // Nobody has those any more that are only known here.
        self.settings_left.retain(|(charm, _)| Rc::strong_count(charm) > 1);
        if is_left {
            self.settings_left.push((Rc::clone(&self.charm), self.settings.clone()));
        }
        self.settings.retain(|name, value| {
            charm.option(name).is_some_and(|option| {
                matches!(
                    (option.kind, value),
                    (OptionKind::String | OptionKind::Secret, Value::String(_))
                        | (OptionKind::Int | OptionKind::Float, Value::Number(_))
                        | (OptionKind::Boolean, Value::Bool(_))
                )
            })
        });
        self.charm = charm;
        self.charm_revision += 1;
        self.charm_modified += 1;
        self.is_upgrade_forced = false;
    }
}

fn no_option(name: &str) -> ModelError {
    ModelError::NoOption { name: name.to_owned() }
}

/// Reads a text as a value of the option's type.
fn parse_option(option: &OptionSpec, text: &str) -> Result<Value, ModelError> {
    let value = match option.kind {
        OptionKind::String => Some(Value::from(text)),
        OptionKind::Secret => (text.is_empty() || text.starts_with("secret:")).then(|| Value::from(text)),
        OptionKind::Int => text.parse::<i64>().ok().map(Value::from),
        OptionKind::Float => text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number),
        // What Go's `strconv.ParseBool` takes.
        OptionKind::Boolean => match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(Value::Bool(false)),
            _ => None,
        },
    };
    value.ok_or_else(|| ModelError::OptionType {
        name: option.name.clone(),
        expected: kind_name(option.kind),
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_by_the_type_of_its_option() {
        let check = |kind, text: &str, expected: &str| {
            let option = OptionSpec { name: "o".to_owned(), kind, default: Value::Null };
            let found = match parse_option(&option, text) {
                Ok(value) => value.to_string(),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expected, "`{text}`");
        };
        check(OptionKind::String, "", "\"\"");
        check(OptionKind::Int, "12", "12");
        check(OptionKind::Int, "1.5", "option \"o\" expected int, got \"1.5\"");
        check(OptionKind::Float, "2", "2.0");
        check(OptionKind::Float, "NaN", "option \"o\" expected float, got \"NaN\"");
        check(OptionKind::Boolean, "t", "true");
        check(OptionKind::Boolean, "yes", "option \"o\" expected boolean, got \"yes\"");
        check(OptionKind::Secret, "secret:9m4e2mr0ui3e8a215n4g", "\"secret:9m4e2mr0ui3e8a215n4g\"");
        check(OptionKind::Secret, "plain", "option \"o\" expected secret, got \"plain\"");
    }
}
