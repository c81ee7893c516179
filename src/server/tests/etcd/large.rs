//! Commits that are larger than a transaction of etcd: as one all the same.

use std::time::Duration;

use charms_reactive_server::runtimeconfig::{Etcd, News, Service, Store as _, StoreError};
use serde_json::{Value, json};

use crate::charmd::{CONFIG, ask, listed, waiter};
use crate::cluster::{Cluster, Server};
use crate::desk::{Desk, draw};

/// Twice as many as etcd takes in one transaction.
const MANY: usize = 260;

#[track_caller]
fn fine(server: &Server, method: &str, path: &str, body: &Value) -> Value {
    let (status, answer) = ask(&server.socket(), method, path, body).expect("an answer");
    assert_eq!(status, 200, "{method} {path}: {answer}");
    answer
}

fn variable(path: &str) -> Value {
    json!({"name": format!("{CONFIG}/variables/{path}"), "text": "x"})
}

/// Makes things from several threads, so that they are kept together.
fn make(server: &Server, list: &str, bodies: &[Value]) {
    std::thread::scope(|scope| {
        for bodies in bodies.chunks(bodies.len() / 8) {
            scope.spawn(move || bodies.iter().for_each(|body| drop(fine(server, "POST", list, body))));
        }
    });
}

fn waiters(number: usize) -> Vec<Value> {
    (0..MANY).map(|waiter_number| waiter(&format!("w{waiter_number}"), number, "900s")).collect()
}

#[test]
fn one_write_ends_more_waiters_than_a_transaction_holds() {
    let cluster = Cluster::start(1);
    let (left, right) = (cluster.charmd(), cluster.charmd());
    fine(&left, "POST", "projects/p/configs", &json!({ "name": CONFIG }));
    make(&left, &format!("{CONFIG}/waiters"), &waiters(MANY + 1));
    let variables: Vec<Value> = (0..MANY).map(|number| variable(&format!("a/b/v{number}"))).collect();
    make(&right, &format!("{CONFIG}/variables"), &variables);
    fine(&left, "POST", &format!("{CONFIG}/variables"), &variable("a/last"));
    let all = listed(&right.socket(), "waiters");
    assert_eq!(all.len(), MANY);
    assert!(all.values().all(|waiter| waiter["done"] == true && waiter.get("error").is_none()));
    assert_eq!(listed(&left.socket(), "waiters"), all);
    fine(&right, "DELETE", &format!("{CONFIG}/variables/a/b?recursive=true"), &Value::Null);
    let variables = listed(&left.socket(), "variables");
    assert_eq!(variables.len(), 1);
    // As it is kept.
    let third = cluster.charmd();
    assert_eq!(listed(&third.socket(), "waiters"), all);
    assert_eq!(listed(&third.socket(), "variables"), variables);
    fine(&third, "DELETE", CONFIG, &Value::Null);
    fine(&left, "POST", "projects/p/configs", &json!({ "name": CONFIG }));
    assert!(listed(&right.socket(), "waiters").is_empty());
}

#[test]
fn a_change_of_megabytes_is_one_commit() {
    const WAITERS: usize = 6000;
    let cluster = Cluster::start(1);
    let members = || cluster.urls().iter().map(|url| url.parse().expect("an address")).collect();
    let store = || Box::new(Etcd::new(members(), "/charmd/", None).expect("a store"));
    let mut left = Desk::on(store());
    let (mut right, mut last) = (store(), store());
    let mut other = Desk { service: Service::load(right.load().expect("read")), ..Desk::alone() };
    left.keeps = false;
    for number in 0..WAITERS {
        left.wait(&format!("w{number}"), "/a", 1, "900s").expect("made");
    }
    left.write("a").expect("written");
    let changes = left.service.take_changes();
    assert_eq!(changes.len(), 2 * WAITERS + 1, "each is made, and ends");
    left.store.commit(&changes).expect("kept");
    left.keeps = true;
    assert!(matches!(right.commit(&[]), Err(StoreError::Overtaken)));
    for news in right.news().expect("there is news") {
        match news {
            News::Changes(changes) => other.service.adopt(changes),
            News::Everything(_) => panic!("nothing was missed"),
        }
    }
    right.commit(&[]).expect("it knows everything");
    let mut new = Desk { service: Service::load(last.load().expect("read")), ..Desk::alone() };
    assert_eq!(left.outcome("w17"), "success");
    let all = left.all();
    assert!(other.all() == all && new.all() == all, "one truth");
}

#[test]
fn a_large_commit_is_carried_out_by_whoever_is_left() {
    let cluster = Cluster::start(1);
    let (mut left, right) = (cluster.charmd(), cluster.charmd());
    let mut state = 7;
    let mut ended = 0;
    for round in 0..10_u32 {
        fine(&right, "POST", "projects/p/configs", &json!({ "name": CONFIG }));
        make(&left, &format!("{CONFIG}/waiters"), &waiters(1));
        std::thread::scope(|scope| {
            let socket = left.socket();
            // Most of the time nobody is there to answer.
            scope.spawn(move || {
                ask(&socket, "POST", &format!("{CONFIG}/variables"), &variable("a/x"))
                    .map(drop)
                    .unwrap_or_default();
            });
            // Earlier and later: before the commit, in the middle of it, behind it.
            std::thread::sleep(Duration::from_millis((round * 16 + draw(&mut state, 30)).into()));
            left.kill();
        });
        // Even rounds: by who goes on.  Odd rounds: by who begins.
        let other = if round % 2 == 1 { Some(cluster.charmd()) } else { None };
        let reader = other.as_ref().unwrap_or(&right);
        let count =
            listed(&reader.socket(), "waiters").values().filter(|waiter| waiter["done"] == true).count();
        let is_written = listed(&reader.socket(), "variables").len() == 1;
        assert_eq!(count, if is_written { MANY } else { 0 }, "round {round}: all or none");
        ended += usize::from(is_written);
        fine(reader, "POST", &format!("{CONFIG}/variables"), &variable("b"));
        left.start();
        for list in ["waiters", "variables"] {
            assert_eq!(listed(&left.socket(), list), listed(&right.socket(), list), "round {round}");
        }
        fine(&left, "DELETE", CONFIG, &Value::Null);
    }
    assert!(ended > 0, "none was in time");
}
