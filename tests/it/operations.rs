//! Operations of charms in models, with virtual daemons: whatever goes wrong, each start has one end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use charms_reactive::charm::{ActionKey, FromConfig, FromParameters, ValueError, typed_value};
use charms_reactive::operation::{self, OperationError, Started};
use charms_reactive::prelude::*;
use charms_reactive_testkit::{
    Daemons, Ending, Fare, InProcess, Sim, Verdict, every_command, for_seeds, in_process,
};
use serde_json::{Map, Value, json};

const METADATA: &str = "name: web";
const CONFIG: &str = "options:\n  revision: {type: int, default: 1}\n";
const ACTIONS: &str = "cancel: {params: {operation: {type: string, default: index}}}\noperations: {}\n";
const UNIT: &str = "web/0";
const INDEX: OperationKey = OperationKey::new("index");

struct Config {
    revision: u64,
}

impl FromConfig for Config {
    fn from_config(config: &Map<String, Value>) -> Result<Self, ValueError> {
        Ok(Self { revision: typed_value(config, "revision", "a number")? })
    }
}

struct Anything;

impl FromParameters for Anything {
    fn from_parameters(_: &Map<String, Value>) -> Result<Self, ValueError> {
        Ok(Self)
    }
}

/// Indexes each revision, again when that fails, and writes down in its state what it saw.
fn indexing() -> App {
    App::new(Charm::default())
        .work(INDEX, |_: &mut Work| Ok(()))
        .handler(begin, on(HookEvent::ConfigChanged))
        .handler(see, any([INDEX.success(), INDEX.failure(), INDEX.cancelled()]))
        .action(ActionKey::<Anything>::new("cancel"), operation::cancel)
        .action(ActionKey::<Anything>::new("operations"), operation::list)
}

fn note(hook: &mut Hook, what: &str) {
    let id = hook.operation(INDEX).id().unwrap_or_default();
    let before = hook.kept("log").unwrap_or_default();
    hook.keep("log", Some(&format!("{before}{what} {id}\n")));
}

fn begin(hook: &mut Hook) -> Result<(), HandlerError> {
    let config: Config = hook.config()?;
    if hook.operation(INDEX).replace(config.revision)? == Started::Now {
        note(hook, "start");
    }
    Ok(())
}

fn see(hook: &mut Hook) -> Result<(), HandlerError> {
    let outcome = hook.operation(INDEX).outcome().ok_or("an end that nobody knows")?;
    note(hook, outcome.as_str());
    hook.operation(INDEX).forget();
    if outcome == operation::Outcome::Failure { begin(hook) } else { Ok(()) }
}

fn charm(daemons: &Daemons) -> InProcess {
    in_process(indexing).daemons(daemons).metadata(METADATA).config(CONFIG).actions(ACTIONS)
}

fn new(seed: u64, daemons: &Daemons) -> Sim {
    let mut sim = Sim::from_seed(seed);
    sim.deploy("web", charm(daemons), 1).expect("deployed");
    sim
}

fn flags(sim: &Sim) -> Vec<String> {
    let state = sim.unit_state(UNIT).expect("a unit");
    let flags: Vec<String> = serde_json::from_str(&state["flags"]).expect("a list of flags");
    flags.into_iter().filter(|flag| flag.starts_with("operation.")).collect()
}

/// What the charm saw, as far as Juju kept it.
fn seen(sim: &Sim) -> Vec<(String, String)> {
    let state = sim.unit_state(UNIT).expect("a unit");
    let log = state.get("charm/log").cloned().unwrap_or_default();
    log.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(what, id)| (what.to_owned(), id.to_owned()))
        .collect()
}

/// How many starts, and how many ends, the charm saw; what is wrong with them.
fn check(sim: &Sim, is_at_rest: bool) -> Result<(usize, usize), String> {
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    let mut current = None;
    for (what, id) in seen(sim) {
        if what == "start" {
            if starts.contains(&id) {
                return Err(format!("{id} was started twice"));
            }
            starts.push(id.clone());
            current = Some(id);
        } else {
            if current.take().as_ref() != Some(&id) {
                return Err(format!("{id} ended, and was not running, or had ended before"));
            }
            ends.push(id);
        }
    }
    let flags = flags(sim);
    let expected: &[&str] = if current.is_some() { &["operation.index.running"] } else { &[] };
    if flags != expected {
        return Err(format!("{flags:?}, expected {expected:?}"));
    }
    match current {
        Some(id) if is_at_rest => Err(format!("nobody saw the end of {id}")),
        _ => Ok((starts.len(), ends.len())),
    }
}

/// Chance of a test: `SplitMix64`.
#[derive(Clone)]
struct Chance(Rc<Cell<u64>>);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(Rc::new(Cell::new(seed)))
    }

    fn below(&self, limit: u64) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let bits = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % limit
    }
}

/// Work that takes up to ten minutes, and fails in one case of four.
fn works(daemons: &Daemons, chance: &Chance) {
    let chance = chance.clone();
    daemons.works(move |name, _| {
        assert_eq!(name, "index");
        let result = if chance.below(4) == 0 { Err("no room".to_owned()) } else { Ok(json!({"size": 1})) };
        Ending { after: Duration::from_secs(chance.below(600)), result }
    });
}

/// Lets everything go on without faults, for long enough.
fn recover(sim: &mut Sim, daemons: &Daemons) {
    daemons.judge(|_| Fare::Answered);
    let after = |_: &str, _: &Value| Ending { after: Duration::from_secs(30), result: Ok(Value::Null) };
    daemons.works(after);
    for _ in 0..4 {
        daemons.advance(sim, Duration::from_mins(30)).expect("the model works");
    }
}

/// A life at random: kills of either side, lost answers, lost data, restarts, upgrades.
fn live(seed: u64) -> (Sim, Daemons) {
    let (daemons, chance) = (Daemons::new(), Chance::new(seed));
    works(&daemons, &chance);
    let fares = chance.clone();
    let is_calm = Rc::new(Cell::new(true));
    let calm = Rc::clone(&is_calm);
    daemons.judge(move |_| match fares.below(12) {
        _ if calm.get() => Fare::Answered,
        0 => Fare::Lost,
        1 => Fare::AnswerLost,
        2 => Fare::Killed,
        _ => Fare::Answered,
    });
    let mut sim = new(seed, &daemons);
    for _ in 0..30 {
        is_calm.set(chance.below(3) == 0);
        match chance.below(12) {
            0 | 1 => {
                let revision = chance.below(4).to_string();
                sim.configure("web", &[("revision", &*revision)]).expect("configured");
            }
            2 => sim.kill_at(usize::try_from(chance.below(12)).expect("small")),
            3 => daemons.kill(UNIT),
            4 if chance.below(3) == 0 => daemons.lose(UNIT),
            5 => sim.operator().reboot(UNIT).expect("rebooted"),
            6 => sim.upgrade("web", charm(&daemons)).expect("upgraded"),
            // One more than is needed, at any time; one for a unit that is not there yet is refused.
            7 | 8 => drop(sim.exec_hook(UNIT, "wake-up")),
            9 => drop(sim.run_action(UNIT, "cancel", Value::Null)),
            10 => drop(sim.settle().expect("the model works")),
            _ => {
                let time = Duration::from_secs(chance.below(900));
                daemons.advance(&mut sim, time).expect("the model works");
            }
        }
    }
    recover(&mut sim, &daemons);
    (sim, daemons)
}

#[test]
fn each_start_has_one_end_whatever_goes_wrong() {
    let runs = super::cluster::runs().unwrap_or(150);
    let totals = RefCell::new((0, 0));
    for_seeds(0..u64::try_from(runs).expect("a number"), |seed| {
        let (sim, daemons) = live(seed);
        let (starts, ends) =
            check(&sim, true).unwrap_or_else(|wrong| panic!("{wrong}\n{}", sim.transcript()));
        assert_eq!(daemons.announced(), [], "all ends are acknowledged");
        let mut totals = totals.borrow_mut();
        (totals.0, totals.1) = (totals.0 + starts, totals.1 + ends);
    });
    let (starts, ends) = totals.into_inner();
    assert!(starts > ends && ends > 2 * runs, "{starts} starts, {ends} ends: some were replaced");
}

#[test]
fn the_same_seed_is_the_same_life() {
    let life = |seed| live(seed).0.transcript();
    assert_eq!(life(3), life(3));
}

#[test]
fn the_unit_may_be_killed_at_every_command() {
    let daemons = Daemons::new();
    let fresh = || {
        daemons.lose(UNIT);
        new(7, &daemons)
    };
    let life = |sim: &mut Sim| {
        daemons.advance(sim, Duration::from_mins(2)).expect("the model works");
        sim.configure("web", &[("revision", "2")]).expect("configured");
        daemons.advance(sim, Duration::from_mins(20)).expect("the model works");
        let checked = check(sim, true);
        assert_eq!(checked, Ok((2, 2)), "{}", sim.transcript());
    };
    let covered = every_command(&Verdict::Kill, fresh, life);
    let covered = covered.unwrap_or_else(|broken| panic!("{broken}\n{}", broken.transcript));
    assert!(covered.commands > 20, "{covered:?}");
}

#[test]
fn each_request_may_be_lost_or_its_answer_or_the_daemon() {
    for fare in [Fare::Lost, Fare::AnswerLost, Fare::Killed] {
        let run = |fault: usize| {
            let daemons = Daemons::new();
            let asked = Rc::new(Cell::new(0));
            let count = Rc::clone(&asked);
            daemons.judge(move |_| {
                count.set(count.get() + 1);
                if count.get() == fault { fare } else { Fare::Answered }
            });
            let mut sim = new(7, &daemons);
            daemons.advance(&mut sim, Duration::from_mins(2)).expect("the model works");
            sim.configure("web", &[("revision", "2")]).expect("configured");
            daemons.advance(&mut sim, Duration::from_mins(30)).expect("the model works");
            let checked = check(&sim, true);
            assert_eq!(checked, Ok((2, 2)), "{fare:?} at {fault}\n{}", sim.transcript());
            assert_eq!(daemons.announced(), []);
            asked.get()
        };
        let requests = run(0);
        assert!(requests > 6, "{requests}");
        for fault in 1..=requests {
            run(fault);
        }
    }
}

#[test]
fn a_charm_without_operations_that_are_open_asks_nothing() {
    let daemons = Daemons::new();
    let asked = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&asked);
    daemons.judge(move |asked| {
        log.borrow_mut().push(format!("{} {}", asked.method, asked.path));
        Fare::Answered
    });
    let mut sim = new(7, &daemons);
    sim.settle().expect("the model works");
    // A hook after another sees the end, and the next one acknowledges it.
    daemons.advance(&mut sim, Duration::from_mins(30)).expect("the model works");
    assert_eq!(check(&sim, true), Ok((1, 1)));
    asked.borrow_mut().clear();
    for _ in 0..3 {
        sim.update_status(UNIT).expect("asked");
        sim.settle().expect("the model works");
    }
    assert_eq!(*asked.borrow(), [""; 0]);
    sim.exec_hook(UNIT, "wake-up").expect("run");
    assert_eq!(*asked.borrow(), ["GET /1.0/outbox", "GET /1.0/wake-ups"]);
}

#[test]
fn what_a_handler_may_ask_for() {
    fn app() -> App {
        App::new(Charm::default()).work(INDEX, |_: &mut Work| Ok(())).handler(run, on(HookEvent::Start))
    }
    fn run(hook: &mut Hook) -> Result<(), HandlerError> {
        let unknown = hook.operation(OperationKey::new("other"));
        assert!(matches!(unknown.start(()), Err(OperationError::Unknown { name: "other" })));
        let index = hook.operation(INDEX);
        assert_eq!((index.is_running(), index.id(), index.outcome()), (false, None, None));
        assert!(matches!(index.result::<()>(), Err(OperationError::NoResult { .. })));
        let long = "x".repeat(operation::INPUT_BYTES_MAX);
        assert!(matches!(index.start(long), Err(OperationError::TooLong { .. })));
        index.cancel("not there");
        assert_eq!(index.start(1)?, Started::Now);
        assert!(hook.is_set(&INDEX.running()));
        let first = index.id();
        assert_eq!(index.start(1)?, Started::Before);
        assert!(matches!(index.start(2), Err(OperationError::Running { name: "index" })));
        assert_eq!((index.start_or_join(2)?, index.id()), (Started::Before, first.clone()));
        assert_eq!(index.replace(1)?, Started::Before);
        assert_eq!(index.replace(2)?, Started::Now);
        assert_ne!(index.id(), first);
        index.cancel("no");
        assert_eq!(index.start(2)?, Started::Now, "one that is to stop is as good as over");
        index.forget();
        assert!(index.is_running(), "one that runs is not forgotten");
        Ok(())
    }
    let daemons = Daemons::new();
    let mut sim = Sim::from_seed(7);
    sim.deploy("web", in_process(app).daemons(&daemons).metadata(METADATA), 1).expect("deployed");
    sim.settle().expect("the model works");
    assert_eq!(flags(&sim), ["operation.index.running"], "{}", sim.transcript());
    assert_eq!(daemons.begun().len(), 1, "what was replaced before the commit never began");
}

#[test]
fn what_the_daemon_refuses_has_failed_and_says_why() {
    fn app() -> App {
        App::new(Charm::default())
            .command(INDEX, ["/usr/bin/index", "--all"])
            .handler(begin, on(HookEvent::Start))
            .handler(see, when(INDEX.failure()))
    }
    fn see(hook: &mut Hook) -> Result<(), HandlerError> {
        let index = hook.operation(INDEX);
        assert!(matches!(index.result::<()>(), Err(OperationError::NoResult { .. })));
        hook.status(Blocked(index.error().unwrap_or_default()));
        Ok(())
    }
    fn begin(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.operation(INDEX).start(())?;
        Ok(())
    }
    let daemons = Daemons::new();
    daemons.judge(|asked| if asked.method == "POST" { Fare::Refused } else { Fare::Answered });
    let mut sim = Sim::from_seed(7);
    sim.deploy("web", in_process(app).daemons(&daemons).metadata(METADATA), 1).expect("deployed");
    sim.settle().expect("the model works");
    sim.update_status(UNIT).expect("asked");
    sim.settle().expect("the model works");
    assert_eq!(sim.unit(UNIT).expect("a unit").workload.message, "the test wants it so");
    assert_eq!(flags(&sim), ["operation.index.failure"]);
}

#[test]
fn an_action_lists_what_there_is() {
    let daemons = Daemons::new();
    let mut sim = new(7, &daemons);
    let list = |sim: &mut Sim| {
        let listed = sim.run_action(UNIT, "operations", Value::Null).expect("run");
        listed.results["index"].as_str().expect("a line").split(' ').next().map(str::to_owned)
    };
    daemons.judge(|_| Fare::Lost);
    sim.settle().expect("the model works");
    assert_eq!(list(&mut sim).as_deref(), Some("about"), "about to run");
    daemons.judge(|_| Fare::Answered);
    sim.update_status(UNIT).expect("asked");
    sim.settle().expect("the model works");
    assert_eq!(list(&mut sim).as_deref(), Some("running"));
    daemons.advance(&mut sim, Duration::from_mins(10)).expect("the model works");
    assert_eq!(list(&mut sim).as_deref(), Some("not"), "not started: it is forgotten");
}
