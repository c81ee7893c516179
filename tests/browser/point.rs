//! The state at any point of the run, and why handlers did not run there.

use std::collections::{BTreeMap, BTreeSet};

use charms_reactive_sim::{Event, Party, Sim};
use serde_json::{Value, json};

use crate::chromium::Browser;
use crate::world::{self, Page};
use crate::{number, picture, visible};

/// What there is of a unit, gathered from events.
#[derive(Debug, Default, PartialEq, Eq)]
struct Known {
    flags: BTreeSet<String>,
    status: String,
    ports: BTreeSet<String>,
    leader: Option<String>,
    /// `relation party key` -> value.
    bags: BTreeMap<String, String>,
}

impl Known {
    /// What the first `count` events say of the unit: the page must say the same.
    fn of(sim: &Sim, unit: &str, count: usize) -> Self {
        let mut known = Self::default();
        let application = unit.split('/').next().expect("a name");
        let mut relations = BTreeSet::new();
        let mut bags = BTreeMap::new();
        for event in &sim.events()[..count] {
            match event {
                Event::StateChanged { unit: of, key, new, .. }
                    if key == "flags" && of.to_string() == unit =>
                {
                    let flags = new.as_deref().unwrap_or("[]");
                    known.flags = serde_json::from_str(flags).expect("flags");
                }
                Event::StatusChanged { party: Party::Unit(of), status, .. } if of.to_string() == unit => {
                    known.status.clone_from(status);
                }
                Event::PortOpened { unit: of, port } if of.to_string() == unit => {
                    known.ports.insert(port.clone());
                }
                Event::PortClosed { unit: of, port } if of.to_string() == unit => {
                    known.ports.remove(port);
                }
                Event::LeaderChanged { application: of, leader } if of.as_str() == application => {
                    known.leader = leader.as_ref().map(ToString::to_string);
                }
                Event::Related { relation, key }
                    if key.split(' ').any(|end| end.starts_with(&format!("{application}:"))) =>
                {
                    relations.insert(*relation);
                }
                Event::DatabagChanged { relation, party, key, new, .. } => {
                    let party = match party {
                        Party::Unit(unit) => unit.to_string(),
                        Party::Application(application) => application.to_string(),
                    };
                    let place = (*relation, format!("{relation} {party} {key}"));
                    match new {
                        Some(value) => drop(bags.insert(place, value.clone())),
                        None => drop(bags.remove(&place)),
                    }
                }
                _ => {}
            }
        }
        let own = bags.into_iter().filter(|((relation, _), _)| relations.contains(relation));
        known.bags = own.map(|((_, place), value)| (place, value)).collect();
        known
    }

    /// What the page shows.
    fn shown(browser: &mut Browser) -> Self {
        // What is folded is shown like the rest once it is opened.
        browser.value("document.querySelectorAll('#state details').forEach((bag) => { bag.open = true; })");
        browser.settle();
        let shown = browser.value(
            "(() => { const all = (selector) => [...document.querySelectorAll(`#state ${selector}`)]; \
             const line = (name) => all('.line').find((row) => row.querySelector('.key').innerText === name); \
             return { flags: all('[data-flag]').map((chip) => chip.dataset.flag), \
             status: document.getElementById('workload').innerText, \
             ports: [...line('ports').querySelectorAll('.flag')].map((chip) => chip.innerText), \
             leader: line('leader').querySelector('.values').innerText, \
             bags: all('[data-bag]').flatMap((bag) => [...bag.querySelectorAll('.pair')].map((pair) => \
             [`${bag.dataset.bag} ${pair.dataset.key}`, pair.querySelector('.inline:last-child')?.textContent])) }; })()",
        );
        let texts = |list: &Value| -> BTreeSet<String> {
            serde_json::from_value(list.clone()).expect("a list of texts")
        };
        let pairs: Vec<(String, Option<String>)> =
            serde_json::from_value(shown["bags"].clone()).expect("pairs");
        let status = shown["status"].as_str().expect("a text").replace("no status yet", "");
        Self {
            flags: texts(&shown["flags"]),
            status,
            ports: texts(&shown["ports"]),
            leader: shown["leader"].as_str().map(str::to_owned),
            bags: pairs.into_iter().filter_map(|(place, value)| Some((place, value?))).collect(),
        }
    }
}

/// Holds the page against the events, at the point that it is at.
#[track_caller]
fn check(browser: &mut Browser, sim: &Sim) -> usize {
    let at = browser.value("document.getElementById('scrubber').value");
    let at: usize = at.as_str().and_then(|at| at.parse().ok()).expect("a number");
    let unit = browser.value("document.getElementById('unit').value");
    let unit = unit.as_str().expect("a unit is chosen");
    let mut shown = Known::shown(browser);
    if shown.leader.as_deref() == Some("this unit") {
        shown.leader = Some(unit.to_owned());
    }
    let mut known = Known::of(sim, unit, at);
    // The page never has keys.
    known
        .bags
        .values_mut()
        .filter(|value| value.contains("PRIVATE KEY"))
        .for_each(|value| "(private key hidden)".clone_into(value));
    known.bags.values_mut().for_each(|value| *value = visible(value));
    assert_eq!(shown, known, "after event {at}");
    at
}

#[test]
fn the_scrubber_shows_the_state_at_any_point() {
    let sim = world::small();
    let page = Page::of(&sim);
    let mut browser = Browser::start(1280, 800);
    let started = number(&sim, "web/1", "start", 0);
    browser.open(&page.path, &format!("#hook={started}"));
    let mut points = BTreeSet::new();
    for share in [0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 0.97, 0.3, 0.35, 0.25] {
        browser.click_at_share("#scrubber", share);
        points.insert(check(&mut browser, &sim));
    }
    assert!(points.len() > 12, "the scrubber moves: {points:?}");
    browser.photograph(&picture("state.png"));
    // Event by event over a hook that sets flags and writes databags.
    let changed = number(&sim, "web/1", "db-relation-changed", 0);
    browser.open(&page.path, &format!("#hook={changed}"));
    let end = check(&mut browser, &sim);
    let with = Known::of(&sim, "web/1", end).flags;
    let mut seen = BTreeSet::from([with.clone()]);
    for _ in 0..20 {
        browser.key(",", Some(","), false);
        let at = check(&mut browser, &sim);
        seen.insert(Known::of(&sim, "web/1", at).flags);
    }
    assert!(seen.len() > 1, "the flags were others before");
    assert!(with.contains("db.available"));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn why_a_handler_did_not_run_is_said_at_any_point() {
    let sim = world::small();
    let page = Page::of(&sim);
    let mut browser = Browser::start(1280, 800);
    let start = number(&sim, "web/0", "start", 0);
    browser.open(&page.path, &format!("#hook={start}&tab=handlers"));
    let waits = browser.text(".handler[data-handler='start_web']");
    assert!(waits.contains("did not run") && waits.contains("db.available is not set"), "{waits}");
    assert!(waits.contains("has not run before in this unit"), "{waits}");
    assert!(waits.contains("when web.configured, db.available, not web.started"), "{waits}");
    let changed = number(&sim, "web/0", "db-relation-changed", 0);
    browser.open(&page.path, &format!("#hook={changed}&tab=handlers"));
    let ran = browser.text(".handler[data-handler='start_web']");
    assert!(ran.contains("ran") && ran.contains("web.started"), "{ran}");
    browser.photograph(&picture("handlers.png"));
    // Another unit at the same point: its own last run until there.
    browser.click("[data-unit='web/1']");
    let other = browser.text("#detail .handlers");
    assert!(other.contains("web/1"), "{other}");
    // Later it waits for another reason, and the page knows when it ran last.
    let later = number(&sim, "web/0", "update-status", 0);
    browser.open(&page.path, &format!("#hook={later}&tab=handlers"));
    let waits = browser.text(".handler[data-handler='start_web']");
    assert!(waits.contains("web.started is set; it must not be"), "{waits}");
    assert!(waits.contains(&format!("last ran in #{changed} web/0 db-relation-changed")), "{waits}");
    let untraced = number(&sim, "mysql/0", "start", 0);
    browser.open(&page.path, &format!("#hook={untraced}&tab=handlers"));
    assert!(browser.text("#detail .panel").contains("writes no trace of its handlers"));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_run_without_a_record_says_so() {
    let mut sim = Sim::from_seed(3);
    let charm = charms_reactive_sim::InProcess::from_yaml("name: plain", |_, _| 0);
    sim.deploy("plain", charm, 1).expect("deployed");
    // A charm without any file to run.
    let folder = tempfile::tempdir().expect("a temporary folder");
    world::write(&folder.path().join("metadata.yaml"), "name: still");
    sim.deploy("still", folder.path(), 1).expect("deployed");
    sim.settle().expect("settled");
    let page = Page::of(&sim);
    let mut browser = Browser::start(1280, 800);
    let ran = number(&sim, "plain/0", "start", 0);
    browser.open(&page.path, &format!("#hook={ran}&tab=handlers"));
    assert!(browser.text("#detail .panel").contains("Builder::record(true)"));
    let skipped = number(&sim, "still/0", "start", 0);
    browser.click(&format!(".box.skipped[data-run='{skipped}']"));
    assert!(browser.text("#detail .panel").contains("Nothing ran"));
    browser.photograph(&picture("skipped.png"));
    let empty = Page::of(&Sim::from_seed(4));
    browser.open(&empty.path, "");
    assert!(browser.text("#state").contains("There is no unit"));
    assert_eq!(browser.value("document.querySelectorAll('.box').length"), json!(0));
    assert_eq!(browser.complaints(), [""; 0]);
}
