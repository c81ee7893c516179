//! Virtual time: timers, retries, leases.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use charms_reactive_sim::hookcmd::{HookCommands, Request};
use charms_reactive_sim::{Environment, InProcess, JujuVersion, LEASE, Sim};

type Notes = Rc<RefCell<Vec<String>>>;

/// A charm that writes down when which hook of which unit was run; it fails while `is_failing`.
fn noting(notes: &Notes, is_failing: &Rc<Cell<bool>>) -> InProcess {
    InProcess::from_yaml("name: web", note(notes, is_failing))
}

fn note(
    notes: &Notes,
    is_failing: &Rc<Cell<bool>>,
) -> impl Fn(Box<dyn HookCommands>, &Environment) -> i32 + 'static {
    let (notes, is_failing) = (Rc::clone(notes), Rc::clone(is_failing));
    move |_, environment| {
        let word = |name| environment.var(name).unwrap_or_default().to_owned();
        notes.borrow_mut().push(format!("{} {}", word("JUJU_UNIT_NAME"), word("JUJU_HOOK_NAME")));
        i32::from(is_failing.get())
    }
}

fn world(units: u32) -> (Sim, Notes, Rc<Cell<bool>>) {
    let (notes, is_failing) = (Rc::default(), Rc::default());
    let mut sim = Sim::from_seed(3);
    sim.deploy("web", noting(&notes, &is_failing), units).unwrap();
    sim.settle().unwrap();
    notes.borrow_mut().clear();
    (sim, notes, is_failing)
}

fn count(notes: &Notes, note: &str) -> usize {
    notes.borrow().iter().filter(|known| *known == note).count()
}

#[test]
fn update_status_comes_every_five_minutes_more_or_less() {
    let (mut sim, notes, _) = world(1);
    sim.advance(Duration::from_hours(24)).unwrap();
    assert_eq!(sim.now(), Duration::from_hours(24));
    let count = count(&notes, "web/0 update-status");
    // 288 of exactly five minutes; between four and six minutes each.
    assert!((240..=360).contains(&count), "{count} times a day");
    assert_eq!(count, notes.borrow().len(), "nothing else came");
}

#[test]
fn update_status_comes_not_at_all_where_the_model_says_so() {
    let (notes, failing) = (Rc::default(), Rc::default());
    let mut sim = Sim::builder().update_status_interval(Duration::ZERO).build().unwrap();
    sim.deploy("web", noting(&notes, &failing), 1).unwrap();
    sim.settle().unwrap();
    notes.borrow_mut().clear();
    sim.advance(Duration::from_hours(24)).unwrap();
    assert_eq!(notes.borrow().len(), 0);
}

#[test]
fn a_failed_hook_is_run_again_after_twice_as_long_each_time() {
    let (mut sim, notes, is_failing) = world(1);
    is_failing.set(true);
    sim.update_status("web/0").unwrap();
    let mut times = Vec::new();
    let (mut known, end) = (0, Duration::from_mins(20));
    while sim.now() < end {
        sim.advance(Duration::from_secs(1)).unwrap();
        if notes.borrow().len() > known {
            known = notes.borrow().len();
            times.push(sim.now().as_secs());
        }
    }
    // It fails within the first second, at 0; then exactly 5 s later, then about 10, 20, ... seconds between, each
    // with three per cent more or less than twice the one before, and five minutes at most.
    assert_eq!(times[..2], [1, 5]);
    let waits: Vec<u64> = times[1..].windows(2).map(|pair| pair[1] - pair[0]).collect();
    let nearly = [10, 20, 40, 80, 160, 300, 300];
    assert_eq!(waits.len(), nearly.len(), "{times:?}");
    for (wait, nearly) in waits.iter().zip(nearly) {
        assert!(wait.abs_diff(nearly) <= 1 + nearly / 6, "{waits:?}");
    }
    assert_ne!(waits, nearly, "chance decides nothing");
    is_failing.set(false);
    sim.advance(Duration::from_mins(5)).unwrap();
    assert_eq!(sim.unit("web/0").unwrap().failed_hook, None);
}

#[test]
fn settling_waits_for_retries_in_virtual_time() {
    let (mut sim, notes, is_failing) = world(1);
    is_failing.set(true);
    sim.update_status("web/0").unwrap();
    let settled = sim.settle().unwrap();
    assert_eq!(settled.failed.len(), 1);
    assert_eq!(notes.borrow().len(), 4, "once, and three retries");
    let nearly = Duration::from_secs(5 + 10 + 20);
    assert!(sim.now().abs_diff(nearly) < Duration::from_secs(2), "{:?}", sim.now());
}

#[test]
fn another_unit_leads_when_the_agent_of_the_leader_is_away_for_a_lease() {
    let (mut sim, notes, _) = world(2);
    assert!(sim.unit("web/0").unwrap().leader);
    sim.stop_agent("web/0").unwrap();
    sim.advance(LEASE.checked_sub(Duration::from_millis(1)).unwrap()).unwrap();
    assert!(sim.unit("web/0").unwrap().leader, "true is a promise for thirty seconds");
    sim.advance(Duration::from_millis(1)).unwrap();
    assert!(sim.unit("web/1").unwrap().leader);
    assert_eq!(*notes.borrow(), ["web/1 leader-elected"]);
    sim.start_agent("web/0").unwrap();
    sim.settle().unwrap();
    assert!(!sim.unit("web/0").unwrap().leader, "it learns that another one leads");
}

#[test]
fn a_leader_without_others_leads_again_when_it_comes_back() {
    let (mut sim, _, _) = world(1);
    sim.stop_agent("web/0").unwrap();
    sim.advance(Duration::from_mins(10)).unwrap();
    sim.start_agent("web/0").unwrap();
    sim.settle().unwrap();
    assert!(sim.unit("web/0").unwrap().leader);
}

#[test]
fn metrics_are_collected_every_five_minutes_more_or_less_to_juju_3() {
    for (version, least) in [(JujuVersion::V2_9, 1), (JujuVersion::V3_6, 1), (JujuVersion::V4_0, 0)] {
        let (notes, failing) = (Notes::default(), Rc::default());
        let folder = tempfile::tempdir().unwrap();
        let write = |name, text: &str| {
            use std::io::Write as _;
            std::fs::File::create(folder.path().join(name)).unwrap().write_all(text.as_bytes()).unwrap();
        };
        write("metadata.yaml", "name: web");
        write("metrics.yaml", "metrics: {pings: {type: gauge, description: pings}}");
        let charm = InProcess::from_folder(folder.path(), note(&notes, &failing));
        let builder = Sim::builder().juju_version(version).update_status_interval(Duration::ZERO);
        let mut sim = builder.build().unwrap();
        sim.deploy("web", charm, 1).unwrap();
        sim.settle().unwrap();
        sim.advance(Duration::from_hours(1)).unwrap();
        let count = count(&notes, "web/0 ");
        assert!((least * 10..=least * 15).contains(&count), "{version}: {count} times an hour");
    }
}

/// A charm whose leader made a secret at the start, with these arguments.
fn keeping(notes: &Notes, secret: &'static [&'static str], rotates: bool) -> InProcess {
    let notes = Rc::clone(notes);
    InProcess::from_yaml("name: web", move |mut commands, environment: &Environment| {
        let hook = environment.var("JUJU_HOOK_NAME").unwrap_or_default().to_owned();
        let mut ask = |name, args: &[&str]| {
            let request = args.iter().fold(Request::new(name, []), |request, arg| request.arg(*arg));
            commands.call(&request).unwrap()
        };
        match hook.as_str() {
            "start" => {
                let args = [secret, &["key=first", "--label", "mine"]].concat();
                let answer = ask("secret-add", &args);
                assert_eq!(answer.code, 0, "{}", String::from_utf8_lossy(&answer.stderr));
            }
            "secret-rotate" if rotates => {
                let id = environment.var("JUJU_SECRET_ID").unwrap().to_owned();
                let content = format!("key=number-{}", notes.borrow().len());
                assert_eq!(ask("secret-set", &[&id, &content]).code, 0);
            }
            "secret-expired" if rotates => {
                let id = environment.var("JUJU_SECRET_ID").unwrap().to_owned();
                let revision = environment.var("JUJU_SECRET_REVISION").unwrap().to_owned();
                assert_eq!(ask("secret-remove", &[&id, "--revision", &revision]).code, 0);
            }
            _ => {}
        }
        if hook.starts_with("secret") {
            notes.borrow_mut().push(hook);
        }
        0
    })
}

/// When what was told of a secret, to the second, in a time.
fn told_in(secret: &'static [&'static str], rotates: bool, time: Duration) -> Vec<(u64, String)> {
    let notes = Notes::default();
    let mut sim = Sim::builder().update_status_interval(Duration::ZERO).build().unwrap();
    sim.deploy("web", keeping(&notes, secret, rotates), 1).unwrap();
    sim.settle().unwrap();
    let mut told = Vec::new();
    while sim.now() < time {
        sim.advance(Duration::from_mins(1)).unwrap();
        told.extend(
            notes.borrow()[told.len()..].iter().cloned().map(|hook| (sim.now().as_secs() / 60, hook)),
        );
    }
    told
}

#[test]
fn a_secret_is_rotated_by_the_clock_and_soon_again_without_a_new_revision() {
    let hours = |hours| Duration::from_hours(hours);
    let only = |told: Vec<(u64, String)>, hook| -> Vec<u64> {
        told.into_iter().filter(|(_, known)| known == hook).map(|(at, _)| at).collect()
    };
    let told = only(told_in(&["--rotate", "hourly"], true, hours(4)), "secret-rotate");
    assert_eq!(told, [60, 120, 180, 240]);
    let told = only(told_in(&["--rotate", "hourly"], false, Duration::from_mins(72)), "secret-rotate");
    assert_eq!(told, [60, 65, 70]);
    let told = only(told_in(&["--rotate", "daily"], true, hours(49)), "secret-rotate");
    assert_eq!(told, [24 * 60, 48 * 60]);
    // The 1st of May to the 1st of June.
    let told = only(told_in(&["--rotate", "monthly"], true, hours(24 * 32)), "secret-rotate");
    assert_eq!(told, [31 * 24 * 60]);
    assert_eq!(told_in(&["--rotate", "never"], true, hours(24)), []);
}

#[test]
fn a_secret_expires_by_the_clock_until_its_revision_is_removed() {
    let expired = |minutes: &[u64]| -> Vec<(u64, String)> {
        minutes.iter().map(|at| (*at, "secret-expired".to_owned())).collect()
    };
    assert_eq!(told_in(&["--expire", "1h"], true, Duration::from_hours(3)), expired(&[60]));
    let told = told_in(&["--expire", "2024-05-01T11:00:00Z"], false, Duration::from_mins(71));
    assert_eq!(told, expired(&[60, 65, 70]));
    // It would expire before its next turn: it is rotated before, time and again.
    let told = told_in(&["--rotate", "hourly", "--expire", "90m"], false, Duration::from_mins(91));
    let rotations = told.iter().filter(|(_, hook)| hook == "secret-rotate").count();
    assert_eq!(rotations, 7, "{told:?}");
    assert!(told.contains(&(90, "secret-expired".to_owned())), "{told:?}");
}
