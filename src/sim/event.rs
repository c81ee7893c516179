//! What happens in a simulation, as values for observers, for the transcript and for the page.

use std::fmt;
use std::time::Duration;

use charms_reactive_core::{ApplicationName, UnitName};
use charms_reactive_hookcmd::commands::Party;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// How a process ended.
///
/// As JSON: `{"code": 0}`, `{"signal": 9}`, `"timed-out"` or `"rebooted"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// Killed by this signal.
    Signal(i32),
    /// Killed by us, because it took longer than a hook may.
    TimedOut,
    /// Killed by us, because the hook asked for a reboot at once.
    Rebooted,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::TimedOut => f.write_str("killed after the time limit"),
            Self::Rebooted => f.write_str("killed for a reboot"),
        }
    }
}

/// Which stream a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output; Juju logs it at level DEBUG.
    Stdout,
    /// Standard error; Juju logs it at level WARNING.
    Stderr,
}

/// Something that happened.
///
/// # As JSON
///
/// One object an event: its kind under `event`, in words with dashes, and its fields under their own
/// names.  Names are stable; there may be more kinds and more fields in later versions.
///
/// ```
/// use charms_reactive_sim::{Event, hookcmd::UnitName};
///
/// let event = Event::UnitAdded { unit: UnitName::parse("web/0").expect("a name") };
/// let json = serde_json::to_string(&event).expect("events are plain");
/// assert_eq!(json, r#"{"event":"unit-added","unit":"web/0"}"#);
/// ```
///
/// Units, applications and parties are their names (only units have a `/`), bytes are text in which what
/// is no text is replaced, times are seconds as numbers, what is absent is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// An operator, or a fault, has done something to the model; what follows from it comes after it.
    OperatorActed {
        /// What, in words, for example `relate web:db with mysql:server`.
        what: String,
    },
    /// Time has passed, which is told before the next run.
    TimePassed {
        /// How much since the simulation was made.
        #[serde(serialize_with = "seconds")]
        now: Duration,
    },
    /// The next run of the unit is this action.
    ActionStarted {
        /// The unit.
        unit: UnitName,
        /// Its number.
        id: u32,
        /// Its name.
        action: String,
        /// Its parameters, with defaults.
        parameters: Map<String, Value>,
    },
    /// The agent started the charm.
    HookStarted {
        /// The unit.
        unit: UnitName,
        /// The hook, action, or `juju-exec`.
        hook: String,
        /// The relation, for example `db:3`, and who it is about, for hooks of relations.
        about: Option<String>,
    },
    /// The charm has no file for this hook, so nothing was run.
    HookSkipped {
        /// The unit.
        unit: UnitName,
        /// The hook.
        hook: String,
        /// As in [`Event::HookStarted`].
        about: Option<String>,
    },
    /// A hook command was answered.
    CommandRun {
        /// The unit.
        unit: UnitName,
        /// The name of the command.
        name: String,
        /// Its arguments.
        args: Vec<String>,
        /// Its standard input, where it wanted some.
        #[serde(serialize_with = "optional_text")]
        stdin: Option<Vec<u8>>,
        /// Its exit code.
        code: i32,
        /// Its standard output.
        #[serde(serialize_with = "text")]
        stdout: Vec<u8>,
        /// Its standard error.
        #[serde(serialize_with = "text")]
        stderr: Vec<u8>,
    },
    /// The agent refused a request on its socket.
    CallRefused {
        /// The unit.
        unit: UnitName,
        /// The name of the command.
        name: String,
        /// What the agent said.
        text: String,
    },
    /// The charm wrote a line.
    Output {
        /// The unit.
        unit: UnitName,
        /// Where to.
        stream: Stream,
        /// The line, without its end; bytes that are not text are replaced.
        line: String,
    },
    /// The charm wrote more than is kept of one run.
    OutputDropped {
        /// The unit.
        unit: UnitName,
        /// Where to.
        stream: Stream,
        /// How much is not kept.
        bytes: u64,
    },
    /// Something that Juju takes without a word, and that is likely a mistake.
    Warned {
        /// What the matter is.
        text: String,
    },
    /// The charm wrote to Juju's log with `juju-log`.
    Log {
        /// The unit.
        unit: UnitName,
        /// The level, for example `INFO`.
        level: String,
        /// The message.
        message: String,
    },
    /// The charm wrote down which of its handlers ran, and why others did not.
    ///
    /// Only where [`crate::Builder::record`] asks for it, and of charms that do so.
    Traced {
        /// The unit.
        unit: UnitName,
        /// What it wrote.
        trace: Value,
    },
    /// The process ended, and what it had staged was made visible or dropped.
    HookEnded {
        /// The unit.
        unit: UnitName,
        /// The hook.
        hook: String,
        /// How the process ended; `None` when it could not be started.
        exit: Option<Exit>,
        /// Whether the staged changes were made visible.
        committed: bool,
        /// Why the unit is in error now, if it is.
        error: Option<String>,
    },
    /// A key of a databag is other than before.
    DatabagChanged {
        /// The number of the relation.
        relation: u32,
        /// Whose databag.
        #[serde(serialize_with = "name")]
        party: Party,
        /// The key.
        key: String,
        /// What it was.
        old: Option<String>,
        /// What it is.
        new: Option<String>,
    },
    /// A key of a unit's state is other than before.
    StateChanged {
        /// The unit.
        unit: UnitName,
        /// The key.
        key: String,
        /// What it was.
        old: Option<String>,
        /// What it is.
        new: Option<String>,
    },
    /// A unit or an application shows another status.
    StatusChanged {
        /// Whose.
        #[serde(serialize_with = "name")]
        party: Party,
        /// The word.
        status: String,
        /// The text beside it.
        message: String,
    },
    /// The workload has another version.
    VersionChanged {
        /// The unit that said so.
        unit: UnitName,
        /// The version.
        version: String,
    },
    /// A port was opened.
    PortOpened {
        /// The unit.
        unit: UnitName,
        /// For example `80/tcp`.
        port: String,
    },
    /// A port was closed.
    PortClosed {
        /// The unit.
        unit: UnitName,
        /// For example `80/tcp`.
        port: String,
    },
    /// Another unit leads.
    LeaderChanged {
        /// The application.
        application: ApplicationName,
        /// The new leader.
        leader: Option<UnitName>,
    },
    /// The leader's settings of an application changed (up to Juju 3).
    LeaderSettingsChanged {
        /// The application.
        application: ApplicationName,
    },
    /// A running action told about its progress.
    ActionLogged {
        /// The unit.
        unit: UnitName,
        /// What it said.
        message: String,
    },
    /// Two endpoints were related.
    Related {
        /// The number of the relation.
        relation: u32,
        /// Both endpoints, as Juju writes the key of a relation.
        key: String,
    },
    /// A relation is gone.
    Unrelated {
        /// The number of the relation.
        relation: u32,
    },
    /// A unit was added.
    UnitAdded {
        /// The unit.
        unit: UnitName,
    },
    /// A unit has run its last hook, and stays until the subordinates beside it are gone.
    UnitWaits {
        /// The unit.
        unit: UnitName,
    },
    /// The cloud is asked for storage for a unit.
    StorageAdded {
        /// The unit.
        unit: UnitName,
        /// The id, for example `data/0`.
        storage: String,
    },
    /// A unit has a storage instance no more.
    StorageDetached {
        /// The unit.
        unit: UnitName,
        /// The id, for example `data/0`.
        storage: String,
        /// Whether the instance is gone, too.
        is_removed: bool,
    },
    /// A unit measured something (to Juju 3).
    MetricAdded {
        /// The unit.
        unit: UnitName,
        /// The name of the metric.
        key: String,
        /// The number.
        value: String,
    },
    /// A unit took over the files of another charm while a hook of its has failed.
    CharmReplaced {
        /// The unit.
        unit: UnitName,
    },
    /// A unit is gone.
    UnitRemoved {
        /// The unit.
        unit: UnitName,
    },
}

impl Event {
    /// Whether hooks of other units may follow from it.
    fn concerns_others(&self) -> bool {
        // Named are those that do not, so that an event that is new here costs time and not truth.
        !matches!(
            self,
            Self::HookStarted { .. }
                | Self::HookSkipped { .. }
                | Self::HookEnded { .. }
                | Self::CommandRun { .. }
                | Self::CallRefused { .. }
                | Self::Output { .. }
                | Self::OutputDropped { .. }
                | Self::Warned { .. }
                | Self::Log { .. }
                | Self::StateChanged { .. }
                | Self::StatusChanged { .. }
                | Self::VersionChanged { .. }
                | Self::PortOpened { .. }
                | Self::PortClosed { .. }
                | Self::ActionLogged { .. }
                | Self::ActionStarted { .. }
                | Self::Traced { .. }
        )
    }
}

/// The name of a party.
pub(crate) fn party_name(party: &Party) -> String {
    match party {
        Party::Unit(unit) => unit.to_string(),
        Party::Application(application) => application.to_string(),
    }
}

fn name<S: Serializer>(party: &Party, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&party_name(party))
}

fn text<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}

#[expect(clippy::ref_option, reason = "the form that serde asks for")]
fn optional_text<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    bytes.as_deref().map(String::from_utf8_lossy).serialize(serializer)
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

type Observer = Box<dyn FnMut(&Event)>;

/// All that happened, and who is told.
#[derive(Default)]
pub(crate) struct Journal {
    events: Vec<Event>,
    /// How many of the newest are kept at least; all without.
    kept: Option<usize>,
    /// How many were not kept.
    dropped: usize,
    observers: Vec<Observer>,
    /// Whether something was told since the last look that any unit may have to be asked about.
    concerns_all: bool,
    /// The databags that changed since the last look: they concern those who read them.
    databags: Vec<(u32, Party)>,
    /// What is told after what caused it, the innermost cause last.
    held: Vec<Vec<Event>>,
    /// The time that was told last.
    now: Duration,
}

impl Journal {
    pub(crate) fn record(&mut self, event: Event) {
        if let Some(held) = self.held.last_mut() {
            held.push(event);
            return;
        }
        match &event {
            Event::DatabagChanged { relation, party, .. } => {
                let databag = (*relation, party.clone());
                if self.databags.last() != Some(&databag) {
                    self.databags.push(databag);
                }
            }
            other => self.concerns_all |= other.concerns_others(),
        }
        // Twice as many at most, so that each event is moved once on average.
        if let Some(kept) = self.kept
            && self.events.len() / 2 >= kept
        {
            self.dropped += self.events.len() - kept;
            self.events.drain(..self.events.len() - kept);
        }
        self.events.push(event);
        // Last: an observer may panic, and what it panicked at is to be seen.
        if let Some(event) = self.events.last() {
            self.observers.iter_mut().for_each(|observer| observer(event));
        }
    }

    /// The databags that changed since the last call; none where something was told that concerns anybody.
    pub(crate) fn take_concerns(&mut self) -> Option<Vec<(u32, Party)>> {
        let databags = std::mem::take(&mut self.databags);
        (!std::mem::take(&mut self.concerns_all)).then_some(databags)
    }

    /// Keeps this many of the newest events at least.
    pub(crate) fn keep(&mut self, count: usize) {
        self.kept = Some(count);
    }

    /// Holds events back, so that what causes them can be told first.
    pub(crate) fn hold(&mut self) {
        self.held.push(Vec::new());
    }

    /// Tells `cause`, then all that was held back.
    pub(crate) fn release(&mut self, cause: Option<Event>) {
        let held = self.held.pop().unwrap_or_default();
        for event in cause.into_iter().chain(held) {
            self.record(event);
        }
    }

    /// Tells what time it is, where that is not known.
    pub(crate) fn tell_time(&mut self, now: Duration) {
        if self.now != now {
            self.now = now;
            self.record(Event::TimePassed { now });
        }
    }

    pub(crate) fn observe(&mut self, observer: Observer) {
        self.observers.push(observer);
    }

    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// How many events came before those that are kept.
    pub(crate) fn dropped(&self) -> usize {
        self.dropped
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("events", &self.events.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(event: &Event, expected: &str) {
        assert_eq!(serde_json::to_string(event).expect("events are plain"), expected);
    }

    fn unit() -> UnitName {
        UnitName::parse("web/0").expect("a name")
    }

    #[test]
    fn events_keep_their_shape_as_json() {
        check(
            &Event::HookStarted { unit: unit(), hook: "install".to_owned(), about: None },
            r#"{"event":"hook-started","unit":"web/0","hook":"install","about":null}"#,
        );
        let (name, args) = ("relation-set".to_owned(), vec!["--file".to_owned(), "-".to_owned()]);
        let (stdin, stderr) = (Some(b"a: b".to_vec()), vec![b'n', b'o', 0xff]);
        check(
            &Event::CommandRun { unit: unit(), name, args, stdin, code: 1, stdout: Vec::new(), stderr },
            "{\"event\":\"command-run\",\"unit\":\"web/0\",\"name\":\"relation-set\",\"args\":[\"--file\",\"-\"],\
             \"stdin\":\"a: b\",\"code\":1,\"stdout\":\"\",\"stderr\":\"no\u{fffd}\"}",
        );
        let (old, new) = (None, Some("1".to_owned()));
        let (key, party) = ("port".to_owned(), Party::Application(unit().application().clone()));
        check(
            &Event::DatabagChanged { relation: 3, party, key, old, new },
            r#"{"event":"databag-changed","relation":3,"party":"web","key":"port","old":null,"new":"1"}"#,
        );
        check(
            &Event::TimePassed { now: Duration::from_millis(1500) },
            r#"{"event":"time-passed","now":1.5}"#,
        );
    }

    #[test]
    fn exits_keep_their_shape_as_json() {
        let check = |exit: Exit, expected: &str| {
            assert_eq!(serde_json::to_string(&exit).expect("plain"), expected);
        };
        check(Exit::Code(0), r#"{"code":0}"#);
        check(Exit::Signal(9), r#"{"signal":9}"#);
        check(Exit::TimedOut, r#""timed-out""#);
        check(Exit::Rebooted, r#""rebooted""#);
    }

    #[test]
    fn a_cause_is_told_before_what_follows_from_it() {
        let told = |what: &str| Event::OperatorActed { what: what.to_owned() };
        let mut journal = Journal::default();
        journal.hold();
        journal.hold();
        journal.record(told("inner effect"));
        journal.release(Some(told("inner")));
        journal.record(told("outer effect"));
        journal.release(Some(told("outer")));
        let expected = ["outer", "inner", "inner effect", "outer effect"].map(told);
        assert_eq!(journal.events(), expected);
    }
}
