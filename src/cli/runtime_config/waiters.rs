//! `runtime-config waiters`.

use std::path::PathBuf;
use std::time::Duration;

use charms_reactive_core::waiter::{VariablePath, span_text};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::deployment;
use super::error::RuntimeConfigError;
use super::name::{Config, Name};
use super::wait::wait;
use super::{Desk, OfConfig, Paging, columns};
use crate::time::parse_wait;
use crate::{report, show};

pub(super) const LIST: &str = "waiters";

/// How long the program waits for a waiter, as gcloud: twelve hours.
pub(super) const WAIT_MAX: Duration = Duration::from_hours(12);

/// The waiters that are looked at for overlapping paths.
const LOOKED_AT: Paging = Paging { limit: Some(1000), page_size: 1000 };

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a waiter, and wait until it has ended
    Create(CreateArgs),
    /// Remove a waiter; it need not have ended
    Delete(Named),
    /// Show a waiter
    Describe(Named),
    /// List the waiters of a config
    List {
        #[command(flatten)]
        of: OfConfig,
        #[command(flatten)]
        paging: Paging,
    },
    /// Wait until a waiter has ended
    Wait {
        #[command(flatten)]
        named: Named,
        /// Give up after this time: 1s to 12h
        #[arg(long, value_name = "TIME", default_value = "12h", value_parser = parse_wait, allow_hyphen_values = true)]
        max_wait: Duration,
    },
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// Its name, or the full one
    name: String,
    #[command(flatten)]
    of: OfConfig,
}

impl Named {
    fn parse(&self, desk: &Desk) -> Result<Name, RuntimeConfigError> {
        Name::parse(&self.name, LIST, self.of.config_name.as_deref(), &desk.project)
    }
}

/// A waiter, by flags or in a file.
#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// Its name, or the full one
    #[arg(required_unless_present = "file")]
    name: Option<String>,
    #[command(flatten)]
    of: OfConfig,
    /// When it is over: 1s to 12h
    #[arg(
        long,
        value_name = "TIME",
        value_parser = parse_wait,
        required_unless_present = "file",
        allow_hyphen_values = true
    )]
    timeout: Option<Duration>,
    /// Where variables have to stand
    #[arg(long, value_name = "PATH", required_unless_present = "file")]
    success_cardinality_path: Option<String>,
    /// How many, at least
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=2_147_483_647),
        allow_hyphen_values = true
    )]
    success_cardinality_number: u32,
    /// Where variables make it fail
    #[arg(long, value_name = "PATH")]
    failure_cardinality_path: Option<String>,
    /// How many, at least
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=2_147_483_647),
        requires = "failure_cardinality_path",
        allow_hyphen_values = true
    )]
    failure_cardinality_number: u32,
    /// A YAML file with one `runtimeconfig.v1beta1.waiter`, as for Deployment Manager
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["timeout", "success_cardinality_path", "failure_cardinality_path"]
    )]
    file: Option<PathBuf>,
    /// Do not wait until it has ended
    #[arg(long = "async")]
    is_async: bool,
}

pub(super) fn run(desk: &Desk, verb: &Verb) -> Result<(), RuntimeConfigError> {
    match verb {
        Verb::Create(args) => create(desk, args),
        Verb::Delete(named) => {
            let name = named.parse(desk)?;
            desk.client.call("DELETE", &name.path(), None)?;
            desk.tell("Deleted", &name.shown_path());
            Ok(())
        }
        Verb::Describe(named) => {
            let waiter = desk.client.call("GET", &named.parse(desk)?.path(), None)?;
            Ok(show::item(&columns::shaped(waiter, false), desk.format.as_ref())?)
        }
        Verb::List { of, paging } => {
            let config = of.config_name.as_deref().ok_or_else(|| {
                RuntimeConfigError::Setting("which config? expected `--config-name CONFIG`".to_owned())
            })?;
            let list = Name::of(&Config::parse(config, &desk.project), LIST, "");
            let waiters = desk.list(&list.list_path(), LIST, "", paging)?;
            let waiters: Vec<_> = waiters.into_iter().map(|one| columns::shaped(one, false)).collect();
            Ok(show::list(&waiters, columns::WAITER_COLUMNS, desk.format.as_ref())?)
        }
        Verb::Wait { named, max_wait } => {
            let waiter = wait(&desk.client, &named.parse(desk)?, *max_wait)?;
            Ok(show::item(&columns::shaped(waiter, false), desk.format.as_ref())?)
        }
    }
}

fn create(desk: &Desk, args: &CreateArgs) -> Result<(), RuntimeConfigError> {
    let (name, fields) = match &args.file {
        Some(file) => {
            let (name, config) = (args.name.as_deref(), args.of.config_name.as_deref());
            deployment::one_waiter(file, name, config, &desk.project)?
        }
        None => declared(desk, args)?,
    };
    make(desk, &name, &fields)?;
    if args.is_async {
        let waiter = desk.client.call("GET", &name.path(), None)?;
        let id = &name.id;
        report::plain(&format!("\nThe wait command can be used to monitor the progress of waiter [{id}].\n"));
        return shown_if_asked(desk, waiter);
    }
    let waiter = wait(&desk.client, &name, WAIT_MAX)?;
    shown_if_asked(desk, waiter)
}

/// The waiter that the flags describe.
fn declared(desk: &Desk, args: &CreateArgs) -> Result<(Name, Value), RuntimeConfigError> {
    let id = args.name.as_deref().unwrap_or_default();
    let name = Name::parse(id, LIST, args.of.config_name.as_deref(), &desk.project)?;
    let condition = |path: &String, number: u32| json!({"cardinality": {"path": path, "number": number}});
    let mut fields = json!({ "timeout": span_text(args.timeout.unwrap_or(WAIT_MAX)) });
    if let Some(path) = &args.success_cardinality_path {
        fields["success"] = condition(path, args.success_cardinality_number);
    }
    if let Some(path) = &args.failure_cardinality_path {
        fields["failure"] = condition(path, args.failure_cardinality_number);
    }
    Ok((name, fields))
}

/// Makes a waiter, and tells; also of others that look at the same variables.
pub(super) fn make(desk: &Desk, name: &Name, fields: &Value) -> Result<(), RuntimeConfigError> {
    let mut body = fields.clone();
    body["name"] = name.full().into();
    desk.client.call("POST", &name.list_path(), Some(&body))?;
    desk.tell("Created", &name.shown_path());
    let others = desk.list(&name.list_path(), LIST, "", &LOOKED_AT)?;
    for warning in overlaps(name, &body, &others) {
        report::note(&warning);
    }
    Ok(())
}

fn shown_if_asked(desk: &Desk, waiter: Value) -> Result<(), RuntimeConfigError> {
    match &desk.format {
        Some(format) => Ok(show::item(&columns::shaped(waiter, false), Some(format))?),
        None => Ok(()),
    }
}

/// The paths that a waiter counts below.
fn paths(waiter: &Value) -> Vec<VariablePath> {
    let path = |kind: &str| VariablePath::parse(waiter[kind]["cardinality"]["path"].as_str()?).ok();
    ["success", "failure"].into_iter().filter_map(path).collect()
}

/// What there is to say about waiters that count the same variables; Google advises against such.
fn overlaps(name: &Name, waiter: &Value, others: &[Value]) -> Vec<String> {
    let own = paths(waiter);
    let mut warnings = Vec::new();
    if let [success, failure] = own.as_slice()
        && (success.covers(failure) || failure.covers(success))
    {
        warnings.push(format!(
            "success and failure of waiter `{}` count the same variables, below `{success}` and `{failure}`: \
             failure comes first",
            name.id
        ));
    }
    let full = name.full();
    for other in others.iter().filter(|other| other["done"] != true && other["name"] != full.as_str()) {
        let theirs = paths(other);
        let pairs = own.iter().flat_map(|own| theirs.iter().map(move |path| (own, path)));
        let Some((path, their)) = pairs.into_iter().find(|(own, path)| own.covers(path) || path.covers(own))
        else {
            continue;
        };
        let id = other["name"].as_str().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
        warnings.push(format!(
            "waiters `{}` and `{id}` count the same variables, below `{path}` and `{their}`: \
             better give each waiter a path of its own",
            name.id
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(name: &str, success: &str, failure: Option<&str>, done: bool) -> Value {
        let condition = |path: &str| json!({"cardinality": {"path": path, "number": 1}});
        let failure = failure.map(condition);
        json!({"name": format!("projects/p/configs/c/waiters/{name}"), "success": condition(success),
               "failure": failure, "done": done})
    }

    #[track_caller]
    fn check(success: &str, failure: Option<&str>, expected: &[&str]) {
        let others = [
            waiter("same", "/a", None, false),
            waiter("below", "/b/c", Some("/d/e"), false),
            waiter("over", "/a", None, true),
            waiter("own", "/a", None, false),
        ];
        let name = Name::parse("own", LIST, Some("c"), "p").expect("a name");
        let found = overlaps(&name, &waiter("own", success, failure, false), &others);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn waiters_that_share_a_path_or_whose_paths_are_one_above_the_other_are_told_of() {
        check("a/", None, &["waiters `own` and `same` count the same variables, below `/a` and `/a`"]);
        check("/b", None, &["`below` count the same variables, below `/b` and `/b/c`"]);
        check("/x", Some("/d/e/f"), &["`below` count the same variables, below `/d/e/f` and `/d/e`"]);
        check("/", None, &["`same`", "`below`"]);
        check("/x", Some("/x/y"), &["success and failure of waiter `own`"]);
    }

    #[test]
    fn whole_segments_count_and_who_has_ended_does_not() {
        check("/ab", None, &[]);
        check("/b-1", Some("/d/ef"), &[]);
    }
}
