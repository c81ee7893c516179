//! Virtual time: timers, retries, leases.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use charms_reactive_sim::{Environment, InProcess, LEASE, Sim};

type Notes = Rc<RefCell<Vec<String>>>;

/// A charm that writes down when which hook of which unit was run; it fails while `is_failing`.
fn noting(notes: &Notes, is_failing: &Rc<Cell<bool>>) -> InProcess {
    let (notes, is_failing) = (Rc::clone(notes), Rc::clone(is_failing));
    InProcess::from_yaml("name: web", move |_, environment: &Environment| {
        let word = |name| environment.var(name).unwrap_or_default().to_owned();
        notes.borrow_mut().push(format!("{} {}", word("JUJU_UNIT_NAME"), word("JUJU_HOOK_NAME")));
        i32::from(is_failing.get())
    })
}

fn world(units: u32) -> (Sim, Notes, Rc<Cell<bool>>) {
    let (notes, is_failing) = (Rc::default(), Rc::default());
    let mut sim = Sim::from_seed(3);
    sim.deploy("web", noting(&notes, &is_failing), units).unwrap();
    sim.settle().unwrap();
    notes.borrow_mut().clear();
    (sim, notes, is_failing)
}

#[test]
fn update_status_comes_every_five_minutes_more_or_less() {
    let (mut sim, notes, _) = world(1);
    sim.advance(Duration::from_hours(24)).unwrap();
    assert_eq!(sim.now(), Duration::from_hours(24));
    let count = notes.borrow().iter().filter(|note| *note == "web/0 update-status").count();
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
    // It fails within the first second, at 0; then 5, 10, 20, ... seconds between, and five minutes at most.
    assert_eq!(times, [1, 5, 15, 35, 75, 155, 315, 615, 915]);
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
    assert_eq!(sim.now(), Duration::from_secs(5 + 10 + 20));
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
