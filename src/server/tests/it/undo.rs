//! Changes that are taken back, and changes that another server made.

use std::time::Duration;

use charms_reactive_server::runtimeconfig::{Memory, Service, Sqlite};
use serde_json::{Value, json};

use crate::desk::{CONFIG, Desk, draw, step};

/// An empty service that keeps nothing, with one config.
fn desk() -> Desk {
    Desk::on(Box::new(Memory))
}

/// All that can be seen, and what time will do.
fn whole(desk: &mut Desk) -> (Vec<Value>, Option<charms_reactive_core::waiter::Moment>) {
    (desk.all(), desk.service.next_timeout())
}

#[test]
fn what_is_taken_back_has_not_happened() {
    for seed in 0..12 {
        let (mut desk, mut plain) = (desk(), desk());
        let mut state = seed;
        for _ in 0..120 {
            if draw(&mut state, 3) == 0 {
                // Looking lets time pass as well, so that both look.
                let before = whole(&mut desk);
                assert_eq!(whole(&mut plain), before, "seed {seed}");
                let now = desk.now;
                desk.keeps = false;
                let mut other = state ^ 0x5555;
                for _ in 0..draw(&mut state, 6) {
                    step(&mut desk, &mut other);
                    if draw(&mut other, 9) == 0 {
                        let _ = desk.ask("DELETE", CONFIG, &Value::Null);
                        let _ = desk.ask("POST", "projects/p/configs", &json!({ "name": CONFIG }));
                    }
                }
                desk.service.take_back();
                desk.keeps = true;
                desk.now = now;
                assert_eq!(desk.service.take_notices(), []);
                assert_eq!(whole(&mut desk), before, "seed {seed}");
                // Its clock has gone on.
                desk.pass(Duration::from_hours(1));
                plain.pass(Duration::from_hours(1));
            }
            let mut same = state;
            step(&mut desk, &mut state);
            step(&mut plain, &mut same);
        }
        assert_eq!(whole(&mut desk), whole(&mut plain), "seed {seed}");
    }
}

#[test]
fn a_watch_goes_on_when_the_write_is_taken_back() {
    for deed in ["PUT variables/a", "DELETE variables/a", "DELETE variables/a?recursive=true", "DELETE"] {
        let mut desk = desk();
        desk.write("a").expect("written");
        let id = desk.watch("a");
        let (method, path) = deed.split_once(' ').unwrap_or((deed, ""));
        let path = format!("{CONFIG}/{path}");
        let deed = |desk: &mut Desk| desk.ask(method, path.trim_end_matches('/'), &json!({"text": "b"}));
        desk.keeps = false;
        deed(&mut desk).expect("done");
        desk.service.take_back();
        desk.keeps = true;
        assert_eq!(desk.service.take_notices(), [], "nothing has happened");
        deed(&mut desk).expect("done");
        let notices = desk.service.take_notices();
        assert_eq!(notices.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id]);
    }
}

#[test]
fn two_servers_that_tell_each_other_are_one() {
    for seed in 0..12 {
        let mut desks = [desk(), Desk::alone()];
        let told = std::mem::take(&mut desks[0].told);
        desks[1].service.adopt(told);
        let mut state = seed;
        for _ in 0..150 {
            let who = usize::from(draw(&mut state, 2) == 0);
            let now = desks[0].now.max(desks[1].now);
            // Their clocks differ.
            desks[who].now = now.after(Duration::from_millis(draw(&mut state, 400).into()));
            step(&mut desks[who], &mut state);
            let told = std::mem::take(&mut desks[who].told);
            desks[1 - who].service.adopt(told);
            desks[1 - who].now = desks[who].now;
            let (left, right) = desks.split_at_mut(1);
            assert_eq!(whole(&mut left[0]), whole(&mut right[0]), "seed {seed}");
            for desk in &mut desks {
                assert_eq!(desk.told, [], "looking at the same time decides nothing");
            }
        }
    }
}

#[test]
fn a_watch_is_answered_by_what_another_server_writes() {
    let deeds: [(&str, &str, &str); 3] = [
        ("PUT", "projects/p/configs/c/variables/a", "UPDATED"),
        ("DELETE", "projects/p/configs/c/variables/a", "DELETED"),
        ("DELETE", "projects/p/configs/c", "DELETED"),
    ];
    for (method, path, expected) in deeds {
        let mut writer = desk();
        let mut watcher = Desk::alone();
        let written = writer.write("a").expect("written");
        watcher.service.adopt(std::mem::take(&mut writer.told));
        watcher.now = writer.now;
        let id = watcher.watch("a");
        let done = writer.ask(method, path, &json!({"text": "b"})).expect("done");
        watcher.service.adopt(std::mem::take(&mut writer.told));
        let mut value = if method == "PUT" { done } else { written };
        value["state"] = expected.into();
        assert_eq!(watcher.service.take_notices(), [(id, value)], "{method} {path}");
    }
}

#[test]
fn a_service_that_begins_anew_answers_who_missed_something() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut desk = Desk::on(Box::new(Sqlite::open(folder.path()).expect("opened")));
    let names = ["same", "other", "gone"];
    let old: Vec<Value> = names.iter().map(|name| desk.write(name).expect("written")).collect();
    let watches: Vec<_> = names.iter().map(|name| desk.watch(name)).collect();
    // Written past this service.
    let snapshot = desk.store.load().expect("read");
    let mut other = Desk { service: Service::load(snapshot), ..Desk::alone() };
    other.now = desk.now;
    std::mem::swap(&mut other.store, &mut desk.store);
    let new = other.ask("PUT", &format!("{CONFIG}/variables/other"), &json!({"text": "x"})).expect("updated");
    other.ask("DELETE", &format!("{CONFIG}/variables/gone"), &Value::Null).expect("deleted");
    let snapshot = other.store.load().expect("read");
    desk.service.renew(snapshot);
    let mut gone = old[2].clone();
    gone["state"] = "DELETED".into();
    let mut notices = desk.service.take_notices();
    notices.sort_by_key(|(id, _)| *id);
    assert_eq!(notices, [(watches[1], new), (watches[2], gone)]);
    assert_eq!(desk.service.end_watch(watches[0]), Some(old[0].clone()), "it goes on");
}
