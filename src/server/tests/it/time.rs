//! What time does: deadlines, request ids, watches.

use std::time::Duration;

use charms_reactive_core::waiter::Moment;
use charms_reactive_server::runtimeconfig::{Code, REQUEST_ID_KEPT};
use serde_json::json;

use super::Place;
use crate::desk::{CONFIG, Desk};

const OVER: &str = "Timeout expired.";

#[test]
fn a_deadline_is_exact_and_its_moment_still_in_time() {
    let run = |late: u64| {
        let place = Place::new();
        let mut desk = Desk::on(place.open());
        desk.wait("w", "/a", 1, "60s").expect("made");
        let created = desk.get(&format!("{CONFIG}/waiters/w")).expect("a waiter")["createTime"].clone();
        desk.now = Moment::parse(created.as_str().expect("a text")).expect("a moment");
        desk.pass(Duration::from_mins(1) + Duration::from_nanos(late));
        desk.write("a").expect("written");
        desk.outcome("w")
    };
    assert_eq!(run(0), "success");
    assert_eq!(run(1), OVER);
}

#[test]
fn a_timeout_needs_nobody_who_asks() {
    let place = Place::new();
    let mut desk = Desk::on(place.open());
    desk.wait("late", "/a", 1, "60s").expect("made");
    desk.wait("early", "/a", 1, "0.000000001s").expect("made");
    let first = desk.service.next_timeout().expect("somebody waits");
    desk.service.tick(first);
    assert_eq!(desk.service.take_changes().len(), 1, "the outcome is written down");
    let next = desk.service.next_timeout().expect("somebody waits");
    assert_eq!(
        next.since(first),
        Duration::from_mins(1) - Duration::from_nanos(2),
        "each was made a nanosecond later"
    );
    desk.now = next;
    assert_eq!(desk.outcome("late"), OVER);
    assert_eq!(desk.service.next_timeout(), None);
}

#[test]
fn every_change_has_a_later_moment() {
    let place = Place::new();
    let mut desk = Desk::on(place.open());
    let mut last = String::new();
    for number in 0..50 {
        let made = desk.write(&format!("a/v{number}")).expect("written");
        let updated = made["updateTime"].as_str().expect("a text").to_owned();
        assert!(
            updated > last && updated.ends_with('Z'),
            "the clock stands still, and {updated} is later than {last}"
        );
        last = updated;
        if number == 25 {
            // The clock of the machine is put back.
            let before = desk.now.nanoseconds() - 3_600_000_000_000;
            desk.now = Moment::from_nanoseconds(before).expect("an hour ago");
        }
    }
}

#[test]
fn a_request_id_is_forgotten_after_a_day() {
    let place = Place::new();
    let mut desk = Desk::on(place.open());
    let create = |desk: &mut Desk| {
        let body = json!({"name": format!("{CONFIG}/variables/a"), "text": "x"});
        desk.ask("POST", &format!("{CONFIG}/variables?requestId=r"), &body).map_err(|error| error.code)
    };
    let first = create(&mut desk).expect("made");
    desk.pass(REQUEST_ID_KEPT.saturating_sub(Duration::from_secs(1)));
    assert_eq!(create(&mut desk), Ok(first));
    desk.pass(Duration::from_secs(2));
    assert_eq!(create(&mut desk), Err(Code::AlreadyExists));
}

#[test]
fn a_watch_that_ends_by_time_has_the_variable_without_state() {
    let place = Place::new();
    let mut desk = Desk::on(place.open());
    let made = desk.write("a").expect("written");
    let id = desk.watch("a");
    assert_eq!(desk.service.end_watch(id), Some(made));
    assert_eq!(desk.service.end_watch(id), None, "it is over");
    desk.ask("PUT", &format!("{CONFIG}/variables/a"), &json!({"text": "y"})).expect("updated");
    assert_eq!(desk.service.take_notices(), [], "nobody is told");
}

#[test]
fn many_watches_of_one_variable_are_answered_by_one_write() {
    let place = Place::new();
    let mut desk = Desk::on(place.open());
    desk.write("a").expect("written");
    let watches: Vec<_> = (0..10_000).map(|_| desk.watch("a")).collect();
    let updated =
        desk.ask("PUT", &format!("{CONFIG}/variables/a"), &json!({"value": "aGkK"})).expect("updated");
    let notices = desk.service.take_notices();
    assert_eq!(notices.len(), watches.len());
    assert!(notices.iter().all(|(_, value)| *value == updated));
}
