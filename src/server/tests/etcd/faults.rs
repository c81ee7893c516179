//! Three servers on an etcd of three members, under load, while servers and members are killed and cut off.

#![expect(clippy::disallowed_methods, reason = "lets time pass, and waits for servers")]
#![expect(clippy::print_stdout, reason = "a run that fails is to be understood")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use charms_reactive_core::waiter::{Moment, parse_span};
use serde_json::{Value, json};

use crate::charmd::{CONFIG, ask, listed, waiter};
use crate::cluster::{Cluster, Server};
use crate::desk::draw;

const SERVERS: usize = 3;
const MEMBERS: u32 = 3;
const WRITERS: u64 = 6;
/// How many times something breaks.
const FAULTS: usize = 12;
/// The time of no waiter is longer.
const TIMEOUT_MAX: Duration = Duration::from_secs(6);

/// What one client was told.
#[derive(Default)]
struct Told {
    /// Variables by name, as they were made.
    made: BTreeMap<String, Value>,
    /// A variable of its own: what was answered last, and what was said since without an answer.
    own: Option<String>,
    perhaps: BTreeSet<String>,
    waiters: BTreeSet<String>,
}

/// One client, who asks any server for this and that.
fn client(number: u64, seed: u64, sockets: &[PathBuf], is_over: &AtomicBool) -> Told {
    let mut told = Told::default();
    let mut state = seed.wrapping_mul(31).wrapping_add(number);
    let own = format!("{CONFIG}/variables/own/{number}");
    for turn in 0.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let socket = &sockets[draw(&mut state, 3) as usize];
        match draw(&mut state, 8) {
            0..=3 => {
                let name = format!("{CONFIG}/variables/a/{number}-{turn}");
                let body = json!({"name": name, "text": "x"});
                match ask(socket, "POST", &format!("{CONFIG}/variables"), &body) {
                    Ok((200, variable)) => drop(told.made.insert(name, variable)),
                    Ok((status, answer)) => assert_eq!(status, 503, "{answer}"),
                    Err(_) => {}
                }
            }
            4 | 5 => {
                let text = turn.to_string();
                let body = json!({"name": own, "text": text});
                // What was not answered may have been done.
                let is_made = told.own.is_some() || !told.perhaps.is_empty();
                let (method, path) =
                    if is_made { ("PUT", own.clone()) } else { ("POST", format!("{CONFIG}/variables")) };
                match ask(socket, method, &path, &body) {
                    Ok((200, _)) => {
                        told.own = Some(text);
                        told.perhaps.clear();
                    }
                    // The first one was not done.
                    Ok((404, _)) if told.own.is_none() => told.perhaps.clear(),
                    // One that nobody answered may have been done in the end.
                    Ok((503 | 409, _)) | Err(_) => drop(told.perhaps.insert(text)),
                    Ok((status, answer)) => panic!("{status} {answer}"),
                }
            }
            6 => {
                let name = format!("w{number}-{turn}");
                let timeout = Duration::from_millis(u64::from(draw(&mut state, 6000)));
                let body = waiter(
                    &name,
                    draw(&mut state, 1500) as usize,
                    &format!("{:.3}s", timeout.as_secs_f64() + 0.001),
                );
                match ask(socket, "POST", &format!("{CONFIG}/waiters"), &body) {
                    Ok((200, _)) => drop(told.waiters.insert(format!("{CONFIG}/waiters/{name}"))),
                    Ok((status, answer)) => assert_eq!(status, 503, "{answer}"),
                    Err(_) => {}
                }
            }
            _ => {
                // Its own write is there, on whichever server.
                if let (Some(text), true) = (&told.own, told.perhaps.is_empty())
                    && let Ok((200, found)) = ask(socket, "GET", &own, &Value::Null)
                {
                    assert_eq!(found["text"], *text, "what was answered is read");
                }
            }
        }
    }
    told
}

/// Looks at the waiters of one server; none may change once it has ended.
fn look(socket: &Path, is_over: &AtomicBool) -> BTreeMap<String, Value> {
    let mut ended: BTreeMap<String, Value> = BTreeMap::new();
    while !is_over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
        let Ok((200, page)) = ask(socket, "GET", &format!("{CONFIG}/waiters?pageSize=1000"), &Value::Null)
        else {
            continue;
        };
        for found in page["waiters"].as_array().into_iter().flatten() {
            if found["done"] == true {
                let name = found["name"].as_str().expect("a name").to_owned();
                let before = ended.insert(name, found.clone());
                assert!(before.is_none_or(|before| before == *found), "it ends once: {found}");
            }
        }
    }
    ended
}

/// Watches a variable on any server, and asks again whatever happens; gives the last text that it was told.
fn watch(seed: u64, sockets: &[PathBuf], is_over: &AtomicBool) -> String {
    let mut state = seed;
    let mut last = json!({});
    let mut text = String::new();
    loop {
        let socket = &sockets[draw(&mut state, 3) as usize];
        match ask(socket, "POST", &format!("{CONFIG}/variables/watched:watch"), &last) {
            Ok((200, found)) => {
                assert!(last["newerThan"].as_str() <= found["updateTime"].as_str(), "time does not go back");
                last = json!({"newerThan": found["updateTime"]});
                found["text"].as_str().expect("a text").clone_into(&mut text);
                if text == "end" || is_over.load(Ordering::Relaxed) {
                    return text;
                }
            }
            Ok((status, answer)) => assert_eq!(status, 503, "{answer}"),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Breaks something for a while, then has it whole again.
fn fault(kind: u32, state: &mut u64, cluster: &mut Cluster, servers: &mut [Server]) {
    let member = draw(state, MEMBERS) as usize;
    let server = draw(state, 3) as usize;
    let while_broken = Duration::from_millis(300 + u64::from(draw(state, 1200)));
    println!("fault {kind}: member {member}, server {server}, for {while_broken:?}");
    match kind {
        0 => {
            cluster.kill_member(member);
            std::thread::sleep(while_broken);
            cluster.start_member(member);
        }
        1 => {
            servers[server].kill();
            std::thread::sleep(while_broken);
            servers[server].start();
        }
        2 => {
            cluster.pause_member(member, true);
            std::thread::sleep(while_broken * 2);
            cluster.pause_member(member, false);
        }
        _ => {
            servers[server].pause(true);
            std::thread::sleep(while_broken);
            // What it does not know yet is forgotten.
            let _ = cluster.compact(member);
            servers[server].pause(false);
        }
    }
    std::thread::sleep(Duration::from_millis(u64::from(draw(state, 600))));
}

/// Asks until the answer is 200.
fn insist(socket: &Path, method: &str, path: &str, body: &Value) {
    let begin = Instant::now();
    while !matches!(ask(socket, method, path, body), Ok((200 | 409, _))) {
        assert!(begin.elapsed() < Duration::from_secs(30), "{method} {path} does not go through");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn nothing_is_lost_and_no_waiter_ends_twice_whatever_dies() {
    let seed = std::env::var("CHARMS_REACTIVE_SEED").map_or(1, |text| text.parse().expect("a number"));
    println!("seed {seed}");
    let mut cluster = Cluster::start(MEMBERS as usize);
    let mut servers: Vec<Server> = (0..SERVERS).map(|_| cluster.charmd()).collect();
    let sockets: Vec<PathBuf> = servers.iter().map(Server::socket).collect();
    insist(&sockets[0], "POST", "projects/p/configs", &json!({ "name": CONFIG }));
    let watched = json!({"name": format!("{CONFIG}/variables/watched"), "text": "begin"});
    insist(&sockets[0], "POST", &format!("{CONFIG}/variables"), &watched);
    let is_over = AtomicBool::new(false);
    let (told, ended, text) = std::thread::scope(|scope| {
        let (sockets, is_over) = (&sockets, &is_over);
        let clients: Vec<_> =
            (0..WRITERS).map(|number| scope.spawn(move || client(number, seed, sockets, is_over))).collect();
        let lookers: Vec<_> =
            sockets.iter().map(|socket| scope.spawn(move || look(socket, is_over))).collect();
        let patient = scope.spawn(move || watch(seed, sockets, is_over));
        let mut state = seed;
        // Each kind in turn, so that none is left out.
        for number in 0..FAULTS {
            let kind = u32::try_from(number % 4).expect("small");
            fault(kind, &mut state, &mut cluster, &mut servers);
        }
        is_over.store(true, Ordering::Relaxed);
        insist(&sockets[1], "PUT", &format!("{CONFIG}/variables/watched"), &json!({"text": "end"}));
        let told: Vec<Told> = clients.into_iter().map(|client| client.join().expect("a client")).collect();
        let ended: Vec<_> = lookers.into_iter().map(|looker| looker.join().expect("a looker")).collect();
        (told, ended, patient.join().expect("a watcher"))
    });
    cluster.wait();
    assert_eq!(text, "end", "the watch has seen the last write");
    // All that has a time is over.
    std::thread::sleep(TIMEOUT_MAX);
    for socket in &sockets {
        insist(socket, "GET", CONFIG, &Value::Null);
    }
    let variables = listed(&sockets[0], "variables");
    let waiters = listed(&sockets[0], "waiters");
    for socket in &sockets[1..] {
        assert_eq!(listed(socket, "variables"), variables, "one truth");
        assert_eq!(listed(socket, "waiters"), waiters, "one truth");
    }
    let count = |of: fn(&Told) -> usize| told.iter().map(of).sum::<usize>();
    println!("{} variables, {} waiters", count(|told| told.made.len()), count(|told| told.waiters.len()));
    assert!(count(|told| told.made.len()) > 100 && count(|told| told.waiters.len()) > 20, "there was load");
    for (number, told) in told.iter().enumerate() {
        for (name, variable) in &told.made {
            assert_eq!(variables.get(name), Some(variable), "it was answered");
        }
        let own = variables.get(&format!("{CONFIG}/variables/own/{number}"));
        let own = own.map(|own| own["text"].as_str().expect("a text").to_owned());
        let is_told = own == told.own || own.is_some_and(|own| told.perhaps.contains(&own));
        assert!(is_told, "the last text that was answered, or a later one");
        for name in &told.waiters {
            assert!(waiters.contains_key(name), "{name} was answered");
        }
    }
    for (name, found) in ended.iter().flatten() {
        assert_eq!(waiters.get(name), Some(found), "it had ended");
    }
    judge(&variables, &waiters);
}

/// Each outcome is the one that follows from what was written, and when.
fn judge(variables: &BTreeMap<String, Value>, waiters: &BTreeMap<String, Value>) {
    let moment = |value: &Value| Moment::parse(value.as_str().expect("a text")).expect("a moment");
    let below = variables.iter().filter(|(name, _)| name.starts_with(&format!("{CONFIG}/variables/a/")));
    let mut times: Vec<Moment> = below.map(|(_, variable)| moment(&variable["updateTime"])).collect();
    times.sort_unstable();
    let mut outcomes = [0, 0];
    for (name, found) in waiters {
        let number = found["success"]["cardinality"]["number"].as_u64().expect("a number");
        let timeout = parse_span(found["timeout"].as_str().expect("a text")).expect("a span");
        let deadline = moment(&found["createTime"]).after(timeout);
        let is_met = times.get(usize::try_from(number).expect("small") - 1).is_some_and(|at| *at <= deadline);
        assert_eq!(found["done"], true, "{name} has ended");
        assert_eq!(found.get("error").is_none(), is_met, "{found}, {} variables", times.len());
        outcomes[usize::from(is_met)] += 1;
    }
    println!("{} timeouts, {} successes", outcomes[0], outcomes[1]);
    assert!(outcomes.iter().all(|count| *count > 0), "both have happened: {outcomes:?}");
}
