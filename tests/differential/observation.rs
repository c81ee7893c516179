//! Compares what the handlers could see.

use serde_json::{Map, Value};

use crate::compare::{Check, Dispatch, ENDPOINTS};
use crate::difference::Difference;

/// The own application.
const APPLICATION: &str = "twin";

/// Compares what both twins saw in their first round.
pub(crate) fn compare_observations(dispatch: &mut Dispatch<'_>, python: &Value, rust: &Value) -> Check {
    for field in ["hook", "is_leader", "config", "flags"] {
        same(field, &python[field], &rust[field])?;
    }
    for endpoint in ENDPOINTS {
        let (of_python, of_rust) = (&python["endpoints"][endpoint], &rust["endpoints"][endpoint]);
        compare_endpoint(dispatch, endpoint, of_python, of_rust)
            .map_err(|reason| format!("{endpoint}: {reason}"))?;
    }
    compare_requests(dispatch, list(&python["requests"]), list(&rust["requests"]))?;
    compare_own_requests(dispatch, list(&python["own_requests"]), list(&rust["own_requests"]))
}

fn same(what: &str, python: &Value, rust: &Value) -> Check {
    if python == rust { Ok(()) } else { Err(format!("{what} is {python} in Python, {rust} in Rust")) }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// A name or an id, in the order of numbers: `db:2` before `db:10`.
fn by_number(name: &str) -> (&str, u32) {
    let (name, number) = name.rsplit_once([':', '/']).unwrap_or((name, ""));
    (name, number.parse().unwrap_or_default())
}

fn compare_endpoint(dispatch: &mut Dispatch<'_>, endpoint: &str, python: &Value, rust: &Value) -> Check {
    same("is_joined", &python["is_joined"], &rust["is_joined"])?;
    let mut of_python = list(&python["relations"]);
    let mut of_rust = list(&rust["relations"]);
    let own = dispatch.due.relation.map(|number| format!("{endpoint}:{number}"));
    let is_own = |relation: &Value| own.as_deref() == relation["id"].as_str();
    if dispatch.is_own(endpoint, "departed") && !of_python.iter().any(is_own) {
        let position = of_rust.iter().position(is_own).ok_or("the relation is on neither side")?;
        if !list(&of_rust.remove(position)["units"]).is_empty() {
            return Err("Python dropped a relation with units".to_owned());
        }
        dispatch.count(Difference::LastUnit);
    }
    if dispatch.is_own(endpoint, "broken")
        && let Some(position) = of_python.iter().position(is_own)
    {
        of_python.remove(position);
        dispatch.count(Difference::Broken);
    }
    ordered(dispatch, &mut of_python, &mut of_rust, |relation| text(relation, "id").to_owned())?;
    if of_python.len() != of_rust.len() {
        return Err(format!("relations are {of_python:?} in Python, {of_rust:?} in Rust"));
    }
    for (python, rust) in of_python.iter().zip(&of_rust) {
        compare_relation(dispatch, python, rust).map_err(|reason| format!("{}: {reason}", python["id"]))?;
    }
    compare_units(dispatch, python, rust)?;
    compare_departed(dispatch, list(&python["departed"]), list(&rust["departed"]))
}

/// Checks that each side has its own order, and puts Python's into that of numbers.
fn ordered(
    dispatch: &mut Dispatch<'_>,
    python: &mut [Value],
    rust: &mut [Value],
    name: impl Fn(&Value) -> String,
) -> Check {
    if !python.is_sorted_by_key(&name) {
        return Err(format!("Python does not order {python:?} as texts"));
    }
    let number = |value: &Value| {
        let name = name(value);
        let parts: Vec<(String, u32)> =
            name.split(' ').map(|part| (by_number(part).0.to_owned(), by_number(part).1)).collect();
        parts
    };
    if !rust.is_sorted_by_key(number) {
        return Err(format!("Rust does not order {rust:?} as numbers"));
    }
    if !python.is_sorted_by_key(number) {
        dispatch.count(Difference::NumericOrder);
        python.sort_by_key(number);
    }
    Ok(())
}

fn compare_relation(dispatch: &mut Dispatch<'_>, python: &Value, rust: &Value) -> Check {
    same("id", &python["id"], &rust["id"])?;
    let (mut of_python, mut of_rust) = (list(&python["units"]), list(&rust["units"]));
    ordered(dispatch, &mut of_python, &mut of_rust, |unit| unit.as_str().unwrap_or_default().to_owned())?;
    same("units", &of_python.clone().into(), &of_rust.clone().into())?;
    if !of_python.is_empty() {
        same("application", &python["application"], &rust["application"])?;
        return same("received_app", &python["received_app"], &rust["received_app"]);
    }
    if python["application"] != rust["application"] {
        if text(python, "application") != APPLICATION {
            return Err(format!("application is {} in Python", python["application"]));
        }
        dispatch.count(Difference::ApplicationName);
    }
    Ok(())
}

fn compare_units(dispatch: &mut Dispatch<'_>, python: &Value, rust: &Value) -> Check {
    let (mut of_python, mut of_rust) = (list(&python["units"]), list(&rust["units"]));
    // Of each key the first unit's value counts, each side in its own order.
    same("merged", &python["merged"], &merged(&of_python).into())?;
    same("merged", &merged(&of_rust).into(), &rust["merged"])?;
    let name = |unit: &Value| format!("{} {}", text(unit, "relation"), text(unit, "unit"));
    ordered(dispatch, &mut of_python, &mut of_rust, name)?;
    if of_python.len() != of_rust.len() {
        return Err(format!("units are {of_python:?} in Python, {of_rust:?} in Rust"));
    }
    for (python, rust) in of_python.iter().zip(&of_rust) {
        for field in ["relation", "unit", "raw"] {
            same(field, &python[field], &rust[field])?;
        }
        for (key, raw) in python["raw"].as_object().into_iter().flatten() {
            let (mine, theirs) = (&python["received"][key], &rust["received"][key]);
            if mine == theirs {
                continue;
            }
            // Python tells numbers that JSON has not by a map of their kind and their text.
            if mine["float"].is_null() && mine["integer"].is_null() {
                return Err(format!("{raw} is {mine} in Python, {theirs} in Rust"));
            }
            dispatch.count(Difference::TypedReads);
        }
    }
    Ok(())
}

fn merged(units: &[Value]) -> Map<String, Value> {
    let mut merged = Map::new();
    for unit in units {
        for (key, value) in unit["received"].as_object().into_iter().flatten() {
            merged.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    merged
}

/// The units that left: Python has them in order of leaving, we within each relation.
fn compare_departed(dispatch: &mut Dispatch<'_>, mut python: Vec<Value>, rust: Vec<Value>) -> Check {
    if python == rust {
        return Ok(());
    }
    python.sort_by_key(|unit| by_number(text(unit, "relation")).1);
    same("departed", &python.into(), &rust.into())?;
    dispatch.count(Difference::DepartedList);
    Ok(())
}

fn number_of(id: &str) -> u32 {
    id.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// What is asked of us.
fn compare_requests(dispatch: &mut Dispatch<'_>, mut python: Vec<Value>, mut rust: Vec<Value>) -> Check {
    let id = |request: &Value| text(request, "id").to_owned();
    if !python.is_sorted_by_key(id) {
        return Err("Python does not order requests by id".to_owned());
    }
    if !rust.is_sorted_by_key(id) {
        dispatch.count(Difference::RequestOrder);
    }
    python.sort_by_key(id);
    rust.sort_by_key(id);
    if python.len() != rust.len() {
        return Err(format!("requests are {python:?} in Python, {rust:?} in Rust"));
    }
    for (python, rust) in python.iter().zip(&rust) {
        for field in ["id", "name", "data"] {
            same(field, &python[field], &rust[field])?;
        }
        if python["answer"].is_null() != rust["answer"].is_null() {
            // Python has the answer to an earlier request of the same id, which we took back with that.
            if python["answer"].is_null() {
                return Err(format!("request {} is answered in Rust only", python["id"]));
            }
            dispatch.count(Difference::AnswersRemoved);
        } else if python["answer"] != rust["answer"] {
            dispatch.count(Difference::AnswersCurrent);
        }
    }
    Ok(())
}

/// What we ask.
fn compare_own_requests(dispatch: &mut Dispatch<'_>, mut python: Vec<Value>, mut rust: Vec<Value>) -> Check {
    let id = |request: &Value| text(request, "id").to_owned();
    if dispatch.is_own("ask", "departed") || dispatch.is_own("ask", "broken") {
        // The relation may be there on one side only; that was compared.
        let is_here = |request: &Value| Some(number_of(&id(request))) != dispatch.due.relation;
        python.retain(is_here);
        rust.retain(is_here);
    }
    if python.iter().map(id).ne(rust.iter().map(id)) {
        dispatch.count(Difference::RequestOrder);
    }
    python.sort_by_key(id);
    rust.sort_by_key(id);
    if python.len() != rust.len() {
        return Err(format!("own requests are {python:?} in Python, {rust:?} in Rust"));
    }
    for (python, rust) in python.iter().zip(&rust) {
        for field in ["id", "name", "data"] {
            same(field, &python[field], &rust[field])?;
        }
        if python["answer"].is_null() && dispatch.has_run_in_hook("ask") {
            // Python forgets the answer when it asks again, until the next dispatch.
            if !rust["answer"].is_null() {
                dispatch.count(Difference::FlagsFollow);
            }
        } else if python["answer"] != rust["answer"] {
            if !list(&rust["answers"]).contains(&python["answer"]) {
                return Err(format!(
                    "the answer to {} is {} in Python, {}",
                    rust["id"], python["answer"], rust["answers"]
                ));
            }
            dispatch.count(Difference::AllAnswers);
        }
    }
    Ok(())
}
