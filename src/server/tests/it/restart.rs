//! What is kept: after a restart at any moment, everything is as it was.

use std::path::Path;
use std::time::Duration;

use charms_reactive_server::runtimeconfig::{Service, Sqlite, Store, StoreError};
use serde_json::json;

use crate::desk::{CONFIG, Desk};

fn open(folder: &Path) -> (Box<dyn Store>, Service) {
    let mut store = Sqlite::open(folder).expect("opened");
    let service = Service::load(store.load().expect("read"));
    (Box::new(store), service)
}

/// Closes the store and opens it again.
fn restart(desk: Desk, folder: &Path) -> Desk {
    let Desk { now, store, .. } = desk;
    drop(store);
    let (store, service) = open(folder);
    Desk { service, store, now, ..Desk::alone() }
}

/// A number below `bound`, drawn from `state`.
pub(crate) fn draw(state: &mut u64, bound: u32) -> u32 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    u32::try_from(*state >> 33).expect("31 bits") % bound
}

/// One of three texts.
fn pick(state: &mut u64, texts: [&'static str; 3]) -> &'static str {
    texts[usize::try_from(draw(state, 3)).expect("small")]
}

/// One random request.
pub(crate) fn step(desk: &mut Desk, state: &mut u64) {
    let path = format!("{}/{}", pick(state, ["a", "ab", "b"]), draw(state, 6));
    let name = format!("w{}", draw(state, 5));
    desk.pass(Duration::from_millis(draw(state, 900).into()));
    // Most of these are refused now and then, which is fine: then nothing may change.
    let _ = match draw(state, 12) {
        0..=3 => desk.write(&path),
        4 => desk.ask("PUT", &format!("{CONFIG}/variables/{path}"), &json!({"value": "aGkK"})),
        5 => desk.ask("DELETE", &format!("{CONFIG}/variables/{path}"), &json!({})),
        6 => desk.ask("DELETE", &format!("{CONFIG}/variables/a?recursive=true"), &json!({})),
        7 | 8 => desk.wait(&name, pick(state, ["/a", "b", "/"]), 1 + draw(state, 8), "2.5s"),
        9 => desk.ask("DELETE", &format!("{CONFIG}/waiters/{name}"), &json!({})),
        10 => desk.ask("PUT", CONFIG, &json!({"description": path})),
        _ => desk.ask(
            "POST",
            &format!("{CONFIG}:setIamPolicy"),
            &json!({"policy": {"bindings": [{"role": path}]}}),
        ),
    };
}

#[test]
fn after_a_restart_everything_is_as_it_was() {
    for seed in 0..8 {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, service) = open(folder.path());
        let mut desk = Desk::with(store, service);
        let mut state = seed;
        for _ in 0..120 {
            step(&mut desk, &mut state);
            if draw(&mut state, 10) == 0 {
                let before = desk.all();
                desk = restart(desk, folder.path());
                assert_eq!(desk.all(), before, "seed {seed}");
            }
        }
    }
}

#[test]
fn a_deadline_that_passed_while_nobody_was_there_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, service) = open(folder.path());
    let mut desk = Desk::with(store, service);
    desk.wait("over", "/a", 1, "60s").expect("made");
    desk.wait("going-on", "/a", 1, "3600s").expect("made");
    desk.pass(Duration::from_mins(10));
    desk = restart(desk, folder.path());
    desk.write("a").expect("written");
    assert_eq!(desk.outcome("over"), "Timeout expired.");
    assert_eq!(desk.outcome("going-on"), "success");
}

#[test]
fn request_ids_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, service) = open(folder.path());
    let mut desk = Desk::with(store, service);
    let body = json!({"name": format!("{CONFIG}/variables/a"), "text": "x"});
    let path = format!("{CONFIG}/variables?requestId=r");
    let made = desk.ask("POST", &path, &body).expect("made");
    desk = restart(desk, folder.path());
    assert_eq!(desk.ask("POST", &path, &body), Ok(made));
}

#[test]
fn two_servers_do_not_share_a_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Sqlite::open(folder.path()).expect("opened");
    assert!(matches!(Sqlite::open(folder.path()), Err(StoreError::Locked)));
    drop(first);
    assert!(Sqlite::open(folder.path()).is_ok());
}

#[test]
fn what_is_kept_is_private() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("deep/data");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let (store, service) = open(&data);
    let _desk = Desk::with(store, service);
    assert_eq!(mode(&data), 0o700);
    for entry in std::fs::read_dir(&data).expect("a folder").flatten() {
        assert_eq!(mode(&entry.path()), 0o600, "{}", entry.path().display());
    }
}
