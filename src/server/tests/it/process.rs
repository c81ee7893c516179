//! `charmd` as a process: what a kill leaves, and many who watch.

#![expect(clippy::disallowed_methods, reason = "waits for the server")]

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Place;
use crate::charmd::{CONFIG, ask, listed, receive, send, waiter};

#[test]
fn what_was_answered_survives_a_kill_and_no_waiter_ends_twice() {
    let place = Place::new();
    let mut acknowledged: BTreeMap<String, Value> = BTreeMap::new();
    let mut ended: BTreeMap<String, Value> = BTreeMap::new();
    for round in 0..4_usize {
        let server = place.start();
        let socket = server.socket.clone();
        if round == 0 {
            ask(&socket, "POST", "projects/p/configs", &json!({ "name": CONFIG })).expect("a config");
        }
        for (name, found) in listed(&socket, "waiters") {
            if let Some(before) = ended.get(&name) {
                assert_eq!(found, *before, "it had ended");
            }
        }
        let found = listed(&socket, "variables");
        for (name, variable) in &acknowledged {
            assert_eq!(found.get(name), Some(variable), "it was answered");
        }
        for number in 0..20 {
            let (name, timeout) =
                (format!("w{round}-{number}"), if number % 2 == 0 { "0.05s" } else { "900s" });
            let body = waiter(&name, found.len() + number * 10, timeout);
            let (status, answer) =
                ask(&socket, "POST", &format!("{CONFIG}/waiters"), &body).expect("a waiter");
            assert_eq!(status, 200, "{answer}");
        }
        let is_over = AtomicBool::new(false);
        let writer = |writer: usize| {
            let mut made = Vec::new();
            for number in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let name = format!("{CONFIG}/variables/a/r{round}-{writer}-{number}");
                let body = json!({"name": name, "text": "x"});
                match ask(&socket, "POST", &format!("{CONFIG}/variables"), &body) {
                    Ok((200, variable)) => made.push((name, variable)),
                    Ok((status, answer)) => panic!("{status} {answer}"),
                    Err(_) => break,
                }
            }
            made
        };
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4).map(|number| scope.spawn(move || writer(number))).collect();
            let watcher = scope.spawn(|| {
                let mut seen = BTreeMap::new();
                while !is_over.load(Ordering::Relaxed) {
                    let Ok((200, page)) = ask(&socket, "GET", &format!("{CONFIG}/waiters"), &Value::Null)
                    else {
                        break;
                    };
                    for found in page["waiters"].as_array().into_iter().flatten() {
                        if found["done"] == true {
                            let name = found["name"].as_str().expect("a name").to_owned();
                            let before = seen.insert(name, found.clone());
                            assert!(before.is_none_or(|before| before == *found), "it ends once");
                        }
                    }
                }
                seen
            });
            std::thread::sleep(Duration::from_millis(150 + 70 * round as u64));
            drop(server);
            is_over.store(true, Ordering::Relaxed);
            for writer in writers {
                acknowledged.extend(writer.join().expect("a writer"));
            }
            ended.extend(watcher.join().expect("a watcher"));
        });
    }
    assert!(acknowledged.len() > 50, "{}", acknowledged.len());
    assert!(ended.values().any(|waiter| waiter["error"]["code"] == 4), "some time was over");
    assert!(ended.values().any(|waiter| waiter.get("error").is_none()), "some succeeded");
}

#[test]
fn ten_thousand_watches_wait_without_a_thread_each() {
    const WATCHES: usize = 10_000;
    // Each is a file for the client, and one for the server, which has the same limit.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    assert!(
        limit.maximum.is_none_or(|most| most > 10_100),
        "too few open files: `ulimit -Hn` says {limit:?}"
    );
    let limit = rustix::process::Rlimit { current: limit.maximum, ..limit };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).expect("more open files");
    let place = Place::new();
    let server = place.start();
    let socket = server.socket.clone();
    ask(&socket, "POST", "projects/p/configs", &json!({ "name": CONFIG })).expect("a config");
    let name = format!("{CONFIG}/variables/a");
    ask(&socket, "POST", &format!("{CONFIG}/variables"), &json!({"name": name, "text": "x"}))
        .expect("a variable");
    let watch = |_| send(&socket, "POST", &format!("{name}:watch"), &json!({})).expect("sent");
    let watches: Vec<UnixStream> = (0..WATCHES).map(watch).collect();
    // A client that hangs up is forgotten.
    drop(watch(0));
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.child.id())).expect("it runs").count();
    assert!(threads < 10, "{threads} threads");
    // Those that come after the write see it at once: their `newerThan` is older.
    let (_, first) = ask(&socket, "GET", &name, &Value::Null).expect("an answer");
    let older = json!({"newerThan": first["updateTime"]});
    let (status, updated) = ask(&socket, "PUT", &name, &json!({"text": "y"})).expect("an answer");
    assert_eq!((status, &updated["state"]), (200, &json!("UPDATED")));
    let late = ask(&socket, "POST", &format!("{name}:watch"), &older).expect("an answer");
    assert_eq!(late, (200, updated.clone()));
    let begin = Instant::now();
    for stream in watches {
        assert_eq!(receive(stream).expect("an answer"), (200, updated.clone()));
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}
