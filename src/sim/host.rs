//! Who answers a running charm: the model, the run, and the faults in force.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use charms_reactive_hookcmd::wire::{Call, Reply, STDIN_WANTED};

use crate::commands::{self, Reaction};
use crate::event::{Event, Exit, Stream};
use crate::model::Model;
use crate::operator::Operator;
use crate::rule::{Command, Rules, Verdict};
use crate::run::Run;

/// The number of the signal that a killed process ends by.
const SIGKILL: i32 = 9;

/// The model and the run, while the charm of the run asks for things.
pub(crate) struct Host {
    pub(crate) model: Model,
    pub(crate) run: Run,
    pub(crate) rules: Rules,
    /// Whether the next call is the last one again, now with its standard input.
    is_repeated: bool,
    /// What a rule or an observer panicked with.
    panic: Option<Panic>,
}

/// What a panic brings along.
pub(crate) type Panic = Box<dyn Any + Send>;

impl Host {
    pub(crate) fn new(model: Model, run: Run, rules: Rules) -> Self {
        Self { model, run, rules, is_repeated: false, panic: None }
    }

    /// The model and the run again, and what a rule or an observer panicked with, for the test to fail with.
    pub(crate) fn into_parts(self) -> (Model, Run, Option<Panic>) {
        (self.model, self.run, self.panic)
    }

    /// A hook command wants an answer.
    pub(crate) fn call(&mut self, call: &Call) -> Reaction {
        self.guarded(|host| host.answer(call)).unwrap_or(Reaction::Kill(Exit::Signal(SIGKILL)))
    }

    /// Does what tells rules and observers, which are the test's: when one panics, the charm is not to blame.
    /// It is stopped, and the panic waits until the model is back in its place.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.panic.is_some() {
            return None;
        }
        catch_unwind(AssertUnwindSafe(|| work(self))).map_err(|panic| self.panic = Some(panic)).ok()
    }

    fn answer(&mut self, call: &Call) -> Reaction {
        let is_repeated = std::mem::take(&mut self.is_repeated);
        if !is_repeated && let Some(reaction) = self.fault(call) {
            return reaction;
        }
        self.model.journal.hold();
        let reaction = commands::react(&mut self.model, &mut self.run, call);
        self.is_repeated = matches!(&reaction, Reaction::Reply(Reply::Refused(text)) if text == STDIN_WANTED);
        self.told(call, &reaction);
        reaction
    }

    /// What a rule does to the command, where that is not what Juju would do.
    fn fault(&mut self, call: &Call) -> Option<Reaction> {
        let command = Command {
            unit: &self.run.unit,
            hook: &self.run.hook,
            name: &call.command,
            args: &call.args,
            index: self.run.commands,
            total: self.rules.count_command(),
        };
        let verdict = self.rules.judge_command(&command);
        match verdict {
            Verdict::Run => None,
            Verdict::Kill => Some(Reaction::Kill(Exit::Signal(SIGKILL))),
            Verdict::Refuse { text, code } => {
                let reaction = commands::done(code, String::new(), commands::error_line(&text));
                self.model.journal.hold();
                self.told(call, &reaction);
                Some(reaction)
            }
            Verdict::Change(change) => {
                let unit = self.run.unit.clone();
                change.apply(&mut Operator::new(&mut self.model), &unit);
                None
            }
        }
    }

    /// Writes down a command that was answered, and what followed from it.
    fn told(&mut self, call: &Call, reaction: &Reaction) {
        let told = match reaction {
            Reaction::Reply(Reply::Done(answer)) => {
                self.run.commands += 1;
                Some(Event::CommandRun {
                    unit: self.run.unit.clone(),
                    name: call.command.clone(),
                    args: call.args.clone(),
                    stdin: call.stdin.clone().filter(|stdin| !stdin.is_empty()),
                    code: answer.code,
                    stdout: answer.stdout.clone(),
                    stderr: answer.stderr.clone(),
                })
            }
            // The caller makes the same call again, with its standard input.
            Reaction::Reply(Reply::Refused(_)) | Reaction::Kill(_) => None,
        };
        self.model.journal.release(told);
    }

    /// The socket refused a request.
    pub(crate) fn refused(&mut self, name: String, text: String) {
        let unit = self.run.unit.clone();
        self.record(Event::CallRefused { unit, name, text });
    }

    /// The process wrote a line.
    pub(crate) fn line(&mut self, stream: Stream, line: String) {
        let unit = self.run.unit.clone();
        self.record(Event::Output { unit, stream, line });
    }

    /// The process wrote more than is kept.
    pub(crate) fn dropped(&mut self, stream: Stream, bytes: u64) {
        let unit = self.run.unit.clone();
        self.record(Event::OutputDropped { unit, stream, bytes });
    }

    fn record(&mut self, event: Event) {
        self.guarded(|host| host.model.journal.record(event));
    }
}
