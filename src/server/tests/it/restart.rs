//! What is kept: after a restart at any moment, everything is as it was.

use std::time::Duration;

use charms_reactive_server::runtimeconfig::Service;
use serde_json::json;

use super::Place;
use crate::desk::{CONFIG, Desk, draw, step};

/// Closes the store and opens it again.
fn restart(desk: Desk, place: &Place) -> Desk {
    let Desk { now, store, .. } = desk;
    drop(store);
    let mut store = place.open();
    let service = Service::load(store.load().expect("read"));
    Desk { service, store, now, ..Desk::alone() }
}

#[test]
fn after_a_restart_everything_is_as_it_was() {
    for seed in 0..8 {
        let place = Place::new();
        let mut desk = Desk::on(place.open());
        let mut state = seed;
        for _ in 0..120 {
            step(&mut desk, &mut state);
            if draw(&mut state, 10) == 0 {
                let before = desk.all();
                desk = restart(desk, &place);
                assert_eq!(desk.all(), before, "seed {seed}");
            }
        }
    }
}

#[test]
fn a_deadline_that_passed_while_nobody_was_there_is_one() {
    let place = Place::new();
    let mut desk = Desk::on(place.open());
    desk.wait("over", "/a", 1, "60s").expect("made");
    desk.wait("going-on", "/a", 1, "3600s").expect("made");
    desk.pass(Duration::from_mins(10));
    desk = restart(desk, &place);
    desk.write("a").expect("written");
    assert_eq!(desk.outcome("over"), "Timeout expired.");
    assert_eq!(desk.outcome("going-on"), "success");
}

#[test]
fn request_ids_survive_a_restart() {
    let place = Place::new();
    let mut desk = Desk::on(place.open());
    let body = json!({"name": format!("{CONFIG}/variables/a"), "text": "x"});
    let path = format!("{CONFIG}/variables?requestId=r");
    let made = desk.ask("POST", &path, &body).expect("made");
    desk = restart(desk, &place);
    assert_eq!(desk.ask("POST", &path, &body), Ok(made));
}
