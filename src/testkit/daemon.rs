//! Daemons of units, virtual: the registry of `charmd` with the model's clock, and with faults.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use charms_reactive::daemon::{Answer, Daemon, DaemonError, Deed};
use charms_reactive::{App, Context, UnitName};
use charms_reactive_core::operation::{Class, End, Fault, OperationId};
use charms_reactive_core::waiter::Moment;
use charms_reactive_operations::{
    Change, Children, Created, Draft, Effect, OnConflict, Record, Refused, Registry, Retention,
};
use charms_reactive_sim::{Sim, SimError};
use serde_json::{Value, json};

/// What is asked of a daemon.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Whose daemon it is.
    pub unit: &'a UnitName,
    /// The method of HTTP; or `service`, with the path `install` or `remove`: it is to run, or to be gone.
    pub method: &'a str,
    /// The path, with the query.
    pub path: &'a str,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fare {
    /// It is answered.
    Answered,
    /// It is refused, with status 400.
    Refused,
    /// It does not arrive.
    Lost,
    /// It is done, and the answer is lost.
    AnswerLost,
    /// It is done, the answer is lost, and the daemon is killed.
    Killed,
}

/// How work ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// How long it takes.
    pub after: Duration,
    /// What comes of it, or why nothing.
    pub result: Result<Value, String>,
}

type Judge = Box<dyn FnMut(&Asked<'_>) -> Fare>;
type Works = Box<dyn FnMut(&str, &Value) -> Ending>;

/// The daemons of all units of a model, virtual: `charmd`'s own registry of operations, with the clock of the model.
///
/// They answer as `charmd` does, keep what it would keep, and wake units.  Work is not run: [`Daemons::works`] says
/// how it ends.
///
/// ```
/// use std::time::Duration;
///
/// use charms_reactive::HookEvent;
/// use charms_reactive::prelude::*;
/// use charms_reactive_testkit::{Daemons, Ending, Sim, in_process};
///
/// const BACKUP: OperationKey = OperationKey::new("backup");
///
/// fn app() -> App {
///     App::new(Charm::default())
///         .work(BACKUP, |_: &mut Work| Ok(()))
///         .handler(begin, on(HookEvent::Start))
///         .handler(report, when(BACKUP.success()))
/// }
///
/// fn begin(hook: &mut Hook) -> Result<(), HandlerError> {
///     hook.operation(BACKUP).start("everything")?;
///     Ok(())
/// }
///
/// fn report(hook: &mut Hook) -> Result<(), HandlerError> {
///     hook.status(Active("backed up"));
///     Ok(hook.operation(BACKUP).forget())
/// }
///
/// let daemons = Daemons::new();
/// daemons.works(|_, _| Ending { after: Duration::from_secs(90), result: Ok(().into()) });
/// let mut sim = Sim::from_seed(7);
/// sim.deploy("web", in_process(app).daemons(&daemons).metadata("name: web"), 1).expect("deployed");
/// sim.settle().expect("settled");
/// daemons.advance(&mut sim, Duration::from_secs(91)).expect("the model works");
/// assert_eq!(sim.unit("web/0").expect("a unit").workload.message, "backed up");
/// ```
#[derive(Clone)]
pub struct Daemons(Rc<RefCell<Shared>>);

struct Shared {
    units: BTreeMap<UnitName, Registered>,
    judge: Judge,
    works: Works,
}

impl fmt::Debug for Daemons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Daemons").finish_non_exhaustive()
    }
}

impl Default for Daemons {
    fn default() -> Self {
        Self::new()
    }
}

impl Daemons {
    /// Daemons that answer everything, and whose work is done after a minute.
    pub fn new() -> Self {
        let works = |_: &str, _: &Value| Ending { after: Duration::from_mins(1), result: Ok(Value::Null) };
        let (judge, works) = (Box::new(|_: &Asked<'_>| Fare::Answered), Box::new(works));
        Self(Rc::new(RefCell::new(Shared { units: BTreeMap::new(), judge, works })))
    }

    /// Says how work ends, by the name of the operation and its input; asked again when it begins anew.
    pub fn works(&self, works: impl FnMut(&str, &Value) -> Ending + 'static) {
        self.0.borrow_mut().works = Box::new(works);
    }

    /// Says what becomes of requests.
    pub fn judge(&self, judge: impl FnMut(&Asked<'_>) -> Fare + 'static) {
        self.0.borrow_mut().judge = Box::new(judge);
    }

    /// Kills the daemon of a unit, and starts it again: its work begins anew.
    pub fn kill(&self, unit: &str) {
        let shared = &mut *self.0.borrow_mut();
        if let Some((_, registered)) = shared.units.iter_mut().find(|(name, _)| name.to_string() == unit) {
            registered.restart(&mut shared.works);
        }
    }

    /// Loses the daemon of a unit with all that it kept, as with its machine.
    pub fn lose(&self, unit: &str) {
        self.0.borrow_mut().units.retain(|name, _| name.to_string() != unit);
    }

    /// The ends that wait for being acknowledged: unit and id.
    pub fn announced(&self) -> Vec<(UnitName, String)> {
        let shared = self.0.borrow();
        let ends = shared.units.iter().flat_map(|(unit, registered)| {
            let ended = registered.registry.outbox().filter(|operation| operation.is_finished());
            ended.map(|operation| (unit.clone(), operation.id().to_string()))
        });
        ends.collect()
    }

    /// How often work of each id began.
    pub fn begun(&self) -> BTreeMap<String, usize> {
        let shared = self.0.borrow();
        let begun = shared.units.values().flat_map(|registered| &registered.begun);
        begun.map(|(id, count)| (id.to_string(), *count)).collect()
    }

    /// Wakes each unit once for which an end is announced.
    pub fn wake(&self, sim: &mut Sim) -> Result<(), SimError> {
        let mut units: Vec<UnitName> = self.announced().into_iter().map(|(unit, _)| unit).collect();
        units.dedup();
        for unit in units {
            if sim.units(unit.application().as_str()).contains(&unit) {
                sim.exec_hook(&unit.to_string(), "wake-up")?;
            }
        }
        Ok(())
    }

    /// Lets time pass for model and daemons; units are woken when work ends.
    pub fn advance(&self, sim: &mut Sim, time: Duration) -> Result<(), SimError> {
        let end = sim.now() + time;
        loop {
            self.0.borrow_mut().pass(sim.moment());
            self.wake(sim)?;
            sim.settle()?;
            let next = self.0.borrow().next().map(|at| sim.now() + at.since(sim.moment()));
            let next = next.unwrap_or(end).min(end);
            if next >= end {
                sim.advance(end.saturating_sub(sim.now()))?;
                self.0.borrow_mut().pass(sim.moment());
                return self.wake(sim);
            }
            sim.advance(next.saturating_sub(sim.now()))?;
        }
    }

    /// The same charm, whose daemons these are.
    pub(crate) fn of(&self, app: App) -> App {
        let shared = Rc::clone(&self.0);
        app.daemon_with(move |context: &Context| {
            Box::new(OfUnit { unit: context.unit.clone(), now: context.now, shared: Rc::clone(&shared) })
        })
    }
}

impl Shared {
    /// Time is so late now: work ends whose time has come.
    fn pass(&mut self, now: Moment) {
        for registered in self.units.values_mut() {
            registered.pass(now, &mut self.works);
        }
    }

    /// When the next work ends.
    fn next(&self) -> Option<Moment> {
        self.units.values().flat_map(|registered| registered.plans.values()).map(|(at, _)| *at).min()
    }
}

/// The daemon of one unit.
struct Registered {
    registry: Registry,
    kept: BTreeMap<OperationId, Record>,
    /// When and how work ends that runs.
    plans: BTreeMap<OperationId, (Moment, End)>,
    /// How often each began.
    begun: BTreeMap<OperationId, usize>,
    now: Moment,
}

impl Registered {
    fn new(now: Moment) -> Self {
        let registry = restored(Vec::new(), now);
        Self { registry, kept: BTreeMap::new(), plans: BTreeMap::new(), begun: BTreeMap::new(), now }
    }

    fn restart(&mut self, works: &mut Works) {
        self.plans.clear();
        self.registry = restored(self.kept.values().cloned().collect(), self.now);
        self.commit(works);
    }

    fn pass(&mut self, now: Moment, works: &mut Works) {
        self.now = self.now.max(now);
        loop {
            let due = self.plans.iter().find(|(_, (at, _))| *at <= self.now);
            let Some((id, (_, end))) = due.map(|(id, plan)| (*id, plan.clone())) else { return };
            self.plans.remove(&id);
            self.registry.end(id, end, self.now).expect("it runs");
            self.commit(works);
        }
    }

    /// Keeps what changed, then has the work run and stop that is to.
    fn commit(&mut self, works: &mut Works) {
        for change in self.registry.changes() {
            match change {
                Change::Put(record) => drop(self.kept.insert(record.id, *record)),
                Change::Drop(id) => drop(self.kept.remove(&id)),
            }
        }
        self.registry.stored();
        for effect in self.registry.take_effects() {
            match effect {
                Effect::Run(id) => self.begin(id, works),
                Effect::Stop(id) => {
                    if let Some((at, end)) = self.plans.get_mut(&id) {
                        // It hears of it at once, and takes a moment.
                        let stopped = self.now.after(Duration::from_secs(1));
                        if stopped < *at {
                            (*at, *end) = (stopped, End::Cancelled(None));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn begin(&mut self, id: OperationId, works: &mut Works) {
        let Ok(operation) = self.registry.get(id) else { return };
        let inputs = operation.record().inputs.clone();
        let Ending { after, result } = works(inputs["name"].as_str().unwrap_or_default(), &inputs["input"]);
        *self.begun.entry(id).or_default() += 1;
        let end = match result {
            Ok(result) => {
                let metadata = serde_json::Map::from_iter([("result".to_owned(), result)]);
                // It is shown a little early.
                self.registry.extend_metadata(id, metadata, self.now).expect("it runs");
                End::Success
            }
            Err(text) => End::Failure(Fault::new(500, text)),
        };
        self.plans.insert(id, (self.now.after(after), end));
    }

    fn answer(&mut self, method: &str, path: &str, body: Option<&Value>, works: &mut Works) -> Answer {
        let id = |text: &str| OperationId::parse(text).map_err(|_| Refused::NotFound);
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let answer = match (method, segments.as_slice()) {
            ("POST", ["1.0", "operations"]) => self.start(body.unwrap_or(&Value::Null)),
            ("DELETE", ["1.0", "operations", text]) => id(text).and_then(|id| {
                let reason = body.and_then(|body| body["reason"].as_str());
                self.registry.cancel(id, None, reason, self.now).map(|()| json!({}))
            }),
            ("GET", ["1.0", "outbox"]) => {
                Ok(self.registry.outbox().map(|operation| self.shown(operation.id())).collect())
            }
            ("DELETE", ["1.0", "outbox", text]) => {
                id(text).and_then(|id| self.registry.acknowledge(id).map(|()| json!({})))
            }
            ("GET", ["1.0", "wake-ups"]) => Ok(json!([])),
            _ => Ok(json!({})),
        };
        self.commit(works);
        match answer {
            Ok(metadata) => Answer { status: 200, body: json!({ "metadata": metadata }) },
            Err(refused) => Answer { status: refused.code(), body: json!({ "error": refused.to_string() }) },
        }
    }

    fn shown(&self, id: OperationId) -> Value {
        let operation = self.registry.get(id).expect("it is in the outbox");
        serde_json::to_value(self.registry.render(operation, Children::Counted)).expect("texts as keys")
    }

    fn start(&mut self, body: &Value) -> Result<Value, Refused> {
        let text = |key: &str| body[key].as_str().unwrap_or_default();
        let class = Class::of(text("class")).unwrap_or(Class::Task);
        let mut draft = Draft::new(text("kind"), class, "Operation of the charm").project("default");
        draft.id = OperationId::parse(text("id")).ok();
        draft.inputs = body["input"].clone();
        draft.in_outbox = body["wake"] == true;
        if !body["reference"].is_null() {
            let on_conflict = match text("on_conflict") {
                "replace" => OnConflict::Replace,
                "join" => OnConflict::Join,
                _ => OnConflict::Fail,
            };
            draft = draft.reference(text("reference"), on_conflict);
        }
        let made = u8::try_from(self.begun.len() % 256).expect("a byte");
        let now = self.now;
        let id = self.registry.create(draft, || OperationId::new(now, [made; 8]), now).map(Created::id)?;
        Ok(json!({ "id": id }))
    }
}

fn restored(kept: Vec<Record>, now: Moment) -> Registry {
    Registry::restore("none", Retention::default(), kept, "charmd ended while the operation ran", now)
}

/// The daemon of a unit, as a dispatch reaches it.
struct OfUnit {
    unit: UnitName,
    now: Moment,
    shared: Rc<RefCell<Shared>>,
}

impl Daemon for OfUnit {
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, DaemonError> {
        let shared = &mut *self.shared.borrow_mut();
        let fare = (shared.judge)(&Asked { unit: &self.unit, method, path });
        let lost = || DaemonError("the test wants it so".into());
        match fare {
            Fare::Lost => return Err(lost()),
            Fare::Refused => {
                return Ok(Answer { status: 400, body: json!({"error": "the test wants it so"}) });
            }
            Fare::Answered | Fare::AnswerLost | Fare::Killed => {}
        }
        let registered = shared.units.entry(self.unit.clone()).or_insert_with(|| Registered::new(self.now));
        registered.pass(self.now, &mut shared.works);
        let answer = registered.answer(method, path, body, &mut shared.works);
        if fare == Fare::Killed {
            registered.restart(&mut shared.works);
        }
        if fare == Fare::Answered { Ok(answer) } else { Err(lost()) }
    }

    fn service(&self, deed: Deed) -> Result<(), DaemonError> {
        let path = if deed == Deed::Install { "install" } else { "remove" };
        let shared = &mut *self.shared.borrow_mut();
        match (shared.judge)(&Asked { unit: &self.unit, method: "service", path }) {
            Fare::Answered => Ok(()),
            _ => Err(DaemonError("the test wants it so".into())),
        }
    }
}
