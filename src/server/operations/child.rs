//! Kinds of work that are done by other programs: by the charm's own, or by any.
//!
//! ```text
//!   stdin    {"id": ..., "input": ..., "kept": ...}      first; then answers, and what is to be heard
//!            {"kept": true}  {"refused": "..."}  {"stop": true}
//!            end of file: `charmd` has gone
//!   stdout   {"progress": {...}}  {"keep": ...}  {"result": ...}  {"error": "..."}
//!            any other line is output, as is all of stderr: it is logged, and its end is in error texts
//! ```
//!
//! Exit code 0 is success.  A child leads a process group of its own; what is left of the group when the child
//! has ended, or has to end, is killed.

mod leftover;
mod line;
mod run;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use charms_reactive_core::UnitName;
use charms_reactive_core::operation::{Class, End, Fault};
use charms_reactive_operations::Draft;
use serde_json::Value;

use super::kind::{Kind, Work};

pub use leftover::end_leftovers;
pub use run::{RESULT_BYTES_MAX, TERMINATE_AFTER};

use run::Program;

/// The variable that tells a child, and what it starts, for which operation it works.
const OPERATION: &str = "CHARMD_OPERATION";
/// The variable that tells for which `charmd`.
const DIRECTORY: &str = "CHARMD_DIRECTORY";

/// What children are given, and where they run.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where the charm is.
    pub charm: PathBuf,
    /// Where this `charmd` keeps its data: it tells its children from those of others.
    pub data: PathBuf,
    /// Whose charm it is.
    pub unit: Option<UnitName>,
}

/// What is done for an operation of a charm.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Inputs {
    /// What the charm calls it.
    name: String,
    /// The program and its arguments; of the charm's own program, none are said.
    #[serde(default)]
    command: Vec<String>,
    /// What it is given.
    #[serde(default)]
    input: Value,
    /// How often the unit is woken, at most, when it says how far it is: seconds; not at all where it is missing.
    #[serde(default)]
    wake_every: Option<NonZeroU32>,
}

impl Inputs {
    fn wake_every(&self) -> Option<Duration> {
        self.wake_every.map(|seconds| Duration::from_secs(seconds.get().into()))
    }

    fn parse(inputs: &Value) -> Result<Self, String> {
        let inputs: Self = serde_json::from_value(inputs.clone()).map_err(|error| error.to_string())?;
        let is_mark = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        let is_name = inputs.name.starts_with(|first: char| first.is_ascii_alphanumeric());
        if !is_name || !inputs.name.chars().all(is_mark) {
            return Err(format!(
                "name `{}` is not valid, expected letters, digits, `-` and `_`, a letter or digit first",
                inputs.name
            ));
        }
        Ok(inputs)
    }
}

/// Work that the charm's own program does: `dispatch work NAME`.
#[derive(Clone, Debug)]
pub struct CharmWork(pub Place);

impl Kind for CharmWork {
    fn name(&self) -> &'static str {
        "work"
    }

    fn draft(&self, class: Option<Class>, inputs: Value) -> Result<Draft, String> {
        let Inputs { name, command, .. } = Inputs::parse(&inputs)?;
        if !command.is_empty() {
            return Err("`command` is for work of the kind `command`".to_owned());
        }
        Ok(drafted(self, class, &name, inputs))
    }

    fn run(&self, work: Work) -> Pin<Box<dyn Future<Output = End> + Send>> {
        let place = self.0.clone();
        let dispatch = place.charm.join("dispatch");
        Box::pin(run_program(work, place, true, |inputs| {
            (dispatch, vec!["work".to_owned(), inputs.name.clone()])
        }))
    }
}

/// Work that any program does; for those alone who could start it themselves.
#[derive(Clone, Debug)]
pub struct Command(pub Place);

impl Kind for Command {
    fn name(&self) -> &'static str {
        "command"
    }

    fn is_for_owner_alone(&self) -> bool {
        true
    }

    fn draft(&self, class: Option<Class>, inputs: Value) -> Result<Draft, String> {
        let Inputs { name, command, .. } = Inputs::parse(&inputs)?;
        match command.first() {
            None => Err("`command` is missing, expected a program and its arguments".to_owned()),
            Some(program) if !Path::new(program).is_absolute() => {
                Err(format!("program `{program}` is not valid, expected an absolute path"))
            }
            Some(_) => Ok(drafted(self, class, &name, inputs)),
        }
    }

    fn run(&self, work: Work) -> Pin<Box<dyn Future<Output = End> + Send>> {
        Box::pin(run_program(work, self.0.clone(), false, |inputs| {
            let mut words = inputs.command.iter().cloned();
            (words.next().unwrap_or_default().into(), words.collect())
        }))
    }
}

/// Runs the program, with the arguments, that its inputs ask for.
async fn run_program(
    work: Work,
    place: Place,
    is_told_on_stdin: bool,
    asked: impl FnOnce(&Inputs) -> (PathBuf, Vec<String>),
) -> End {
    let inputs = match Inputs::parse(&work.inputs) {
        Ok(inputs) => inputs,
        Err(text) => return End::Failure(Fault::new(400, text)),
    };
    let (path, arguments) = asked(&inputs);
    let wake_every = inputs.wake_every();
    let program = Program { path, arguments, input: inputs.input, place, wake_every, is_told_on_stdin };
    run::run(work, program).await
}

fn drafted(kind: &impl Kind, class: Option<Class>, name: &str, inputs: Value) -> Draft {
    let mut draft =
        Draft::new(kind.name(), class.unwrap_or(Class::Task), &format!("Operation `{name}` of the charm"));
    draft.inputs = inputs;
    draft
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn inputs_are_checked_before_anything_is_made() {
        let place = Place { charm: "/charm".into(), data: "/data".into(), unit: None };
        let check = |kind: &dyn Kind, inputs: Value, expected: &str| {
            let error = kind.draft(None, inputs).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        };
        let (work, command) = (CharmWork(place.clone()), Command(place));
        check(&work, json!({}), "missing field `name`");
        for name in ["", "--help", "a b", "../x"] {
            check(&work, json!({ "name": name }), "is not valid, expected letters");
        }
        check(&work, json!({"name": "a", "command": ["/bin/true"]}), "for work of the kind `command`");
        check(&work, json!({"name": "a", "size": 1}), "unknown field `size`");
        check(&work, json!({"name": "a", "wake_every": 0}), "expected a nonzero u32");
        check(&command, json!({"name": "a"}), "`command` is missing");
        check(&command, json!({"name": "a", "command": ["true"]}), "expected an absolute path");
        let draft = command.draft(Some(Class::Durable), json!({"name": "a", "command": ["/bin/true"]}));
        assert_eq!(draft.expect("a draft").description, "Operation `a` of the charm");
    }
}
