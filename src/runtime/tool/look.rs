//! Tools that look, and change nothing.

use std::collections::BTreeMap;

use charms_reactive_core::{ApplicationName, EndpointSpec, UnitName};
use serde::Serialize;

use super::{Found, Session, ToolError, lines};
use crate::endpoint::Endpoint;
use crate::exchange::Overview;
use crate::explain::{Explained, explain as explain_all};

/// `flags`
pub(super) fn flags(session: &Session<'_>, _: Option<&str>) -> Result<Found, ToolError> {
    let flags = session.dispatch.flags.borrow();
    let names: Vec<&str> = flags.names().collect();
    Ok(Found::new(lines(&names), &names))
}

/// `explain [HANDLER]`
pub(super) fn explain(session: &Session<'_>, handler: Option<&str>) -> Result<Found, ToolError> {
    let mut all: Vec<Explained> = explain_all(session.app, &session.dispatch);
    if let Some(name) = handler {
        all.retain(|explained| explained.handler() == name);
        if all.is_empty() {
            let known = session.app.handlers.iter().map(|handler| handler.name).collect();
            return Err(ToolError::NoHandler { name: name.to_owned(), known });
        }
    }
    Ok(Found::new(all.iter().map(ToString::to_string).collect(), &all))
}

/// An endpoint and its relations.
#[derive(Serialize)]
struct EndpointShown {
    endpoint: String,
    role: &'static str,
    interface: String,
    flags: Vec<String>,
    relations: Vec<RelationShown>,
}

#[derive(Serialize)]
struct RelationShown {
    relation: String,
    application: Option<ApplicationName>,
    units: Vec<UnitName>,
    /// Units that left, and are still in the list of departed units.
    departed: Vec<UnitName>,
}

/// `relations`
pub(super) fn relations(session: &Session<'_>, _: Option<&str>) -> Result<Found, ToolError> {
    let endpoints = session.dispatch.metadata.endpoints.iter();
    let all: Vec<EndpointShown> =
        endpoints.map(|spec| EndpointShown::new(session, spec)).collect::<Result<_, _>>()?;
    Ok(Found::new(all.iter().map(ToString::to_string).collect(), &all))
}

impl EndpointShown {
    fn new(session: &Session<'_>, spec: &EndpointSpec) -> Result<Self, ToolError> {
        let dispatch = &session.dispatch;
        let endpoint = Endpoint::new(dispatch.clone(), spec.name.clone());
        // By relation; a relation that is gone may still have units that left it.
        let mut departed: BTreeMap<String, Vec<UnitName>> = BTreeMap::new();
        for unit in &endpoint.all_departed_units().list() {
            let relation = unit.relation().relation_id().to_string();
            departed.entry(relation).or_default().push(unit.unit_name().clone());
        }
        let mut relations = Vec::new();
        for relation in &endpoint.relations()? {
            let units = relation.joined_units()?;
            relations.push(RelationShown {
                relation: relation.relation_id().to_string(),
                application: relation.application_name()?,
                units: units.iter().map(|unit| unit.unit_name().clone()).collect(),
                departed: departed.remove(&relation.relation_id().to_string()).unwrap_or_default(),
            });
        }
        let gone = departed.into_iter().map(|(relation, departed)| RelationShown {
            relation,
            application: departed.first().map(|unit| unit.application().clone()),
            units: Vec::new(),
            departed,
        });
        relations.extend(gone);
        let prefix = format!("endpoint.{}.", spec.name);
        let flags = dispatch.flags.borrow();
        let flags = flags.names().filter(|name| name.starts_with(&prefix)).map(str::to_owned).collect();
        let (endpoint, role) = (spec.name.to_string(), spec.role.as_str());
        Ok(Self { endpoint, role, interface: spec.interface.clone(), flags, relations })
    }
}

impl std::fmt::Display for EndpointShown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} ({} {})", self.endpoint, self.role, self.interface)?;
        for relation in &self.relations {
            let application = relation
                .application
                .as_ref()
                .map_or("an application that Juju does not tell", ApplicationName::as_str);
            write!(f, "  {} with {application}: ", relation.relation)?;
            match relation.units.as_slice() {
                [] => f.write_str("no units")?,
                units => f.write_str(&listed(units))?,
            }
            if !relation.departed.is_empty() {
                write!(f, "; left: {}", listed(&relation.departed))?;
            }
            writeln!(f)?;
        }
        if self.relations.is_empty() {
            writeln!(f, "  no relation")?;
        }
        if !self.flags.is_empty() {
            writeln!(f, "  flags: {}", self.flags.join(", "))?;
        }
        Ok(())
    }
}

fn listed(units: &[UnitName]) -> String {
    units.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// `operations`
pub(super) fn operations(session: &Session<'_>, _: Option<&str>) -> Result<Found, ToolError> {
    let engine = session.dispatch.engine.as_ref();
    let all = engine.map(|engine| engine.lines(&session.dispatch)).unwrap_or_default();
    let text: Vec<String> = all.iter().map(|(name, line)| format!("{name}: {line}")).collect();
    let mut found = Found::new(lines(&text), &all.iter().cloned().collect::<BTreeMap<_, _>>());
    if all.is_empty() {
        found.note = Some("this charm has no operations".to_owned());
    }
    Ok(found)
}

/// An endpoint and its requests.
#[derive(Serialize)]
struct RequestsShown {
    endpoint: String,
    #[serde(flatten)]
    overview: Overview,
}

/// `requests`
pub(super) fn requests(session: &Session<'_>, _: Option<&str>) -> Result<Found, ToolError> {
    let managers = session.dispatch.managers.borrow().clone();
    let mut all = Vec::new();
    for (endpoint, manager) in managers {
        let endpoint = endpoint.to_string();
        match manager.overview() {
            Ok(None) => {}
            Ok(Some(overview)) => all.push(RequestsShown { endpoint, overview }),
            Err(source) => return Err(ToolError::Interface { endpoint, source }),
        }
    }
    let mut found = Found::new(all.iter().map(ToString::to_string).collect(), &all);
    if all.is_empty() {
        found.note = Some("no endpoint of this charm has an interface with requests and answers".to_owned());
    }
    Ok(found)
}

impl std::fmt::Display for RequestsShown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.endpoint)?;
        for request in &self.overview.requests {
            writeln!(f, "  {} {} of {}: {}", request.relation, request.id, request.unit, request.request)?;
            for answer in &request.answers {
                let old = if answer.is_current { "" } else { ", to what the request said before" };
                writeln!(f, "    answer of {}{old}: {}", answer.unit, answer.response)?;
            }
            if request.answers.is_empty() {
                writeln!(f, "    no answer")?;
            }
        }
        for malformed in &self.overview.malformed {
            writeln!(f, "  {malformed}")?;
        }
        if self.overview.requests.is_empty() {
            writeln!(f, "  no requests")?;
        }
        Ok(())
    }
}
