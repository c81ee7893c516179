//! An etcd that has users.

#![expect(clippy::disallowed_methods, reason = "starts the server, and waits for it")]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::charmd::{CONFIG, Charmd, ask};
use crate::cluster::Cluster;

fn write(path: &Path, text: &str) -> String {
    File::create(path).expect("a file").write_all(text.as_bytes()).expect("written");
    path.display().to_string()
}

/// From which key on, and up to which: all below `/charmd/`, in base64.
const BELOW: [&str; 2] = ["L2NoYXJtZC8=", "L2NoYXJtZDA="];

/// Gives etcd a root and a user `unit`, who may touch what is below `/charmd/` alone.
fn add_users(cluster: &Cluster) {
    let [key, range_end] = BELOW;
    for (path, body) in [
        ("user/add", json!({"name": "root", "password": "r"})),
        ("role/add", json!({"name": "root"})),
        ("user/grant", json!({"user": "root", "role": "root"})),
        ("user/add", json!({"name": "unit", "password": "s3cret \u{e9}"})),
        ("role/add", json!({"name": "charmd"})),
        (
            "role/grant",
            json!({"name": "charmd", "perm": {"permType": "READWRITE", "key": key, "range_end": range_end}}),
        ),
        ("user/grant", json!({"user": "unit", "role": "charmd"})),
        ("enable", json!({})),
    ] {
        cluster.ask(0, &format!("/v3/auth/{path}"), &body).expect(path);
    }
}

#[test]
fn a_user_of_etcd_signs_in_and_again_when_etcd_forgets() {
    let mut cluster = Cluster::start(1);
    add_users(&cluster);
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let password = write(&folders[0].path().join("password"), "s3cret \u{e9}\n");
    let arguments = |password: &str| {
        let url = cluster.urls().join(",");
        ["--etcd", &url, "--etcd-user", "unit", "--etcd-password-file", password].map(str::to_owned)
    };
    let store = arguments(&password);
    let wrong = arguments(&write(&folders[0].path().join("wrong"), "r\n"));
    let missing = arguments("/nowhere");
    let servers = folders.each_ref().map(|folder| Charmd::start(folder.path(), &store));
    let done = |server: usize, method: &str, path: &str, body: &Value| {
        let (status, answer) = ask(&servers[server].socket, method, path, body).expect("an answer");
        assert_eq!(status, 200, "{answer}");
        answer
    };
    done(0, "POST", "projects/p/configs", &json!({ "name": CONFIG }));
    let name = format!("{CONFIG}/variables/a");
    let made = done(1, "POST", &format!("{CONFIG}/variables"), &json!({"name": name, "text": "1"}));
    // A restart of etcd forgets who has signed in; the watches of servers begin anew, too.
    cluster.kill_member(0);
    cluster.start_member(0);
    let begin = Instant::now();
    while ask(&servers[0].socket, "GET", &name, &Value::Null).expect("an answer").0 == 503 {
        assert!(begin.elapsed() < Duration::from_secs(30), "etcd does not come back");
    }
    let watched = std::thread::scope(|scope| {
        let watch = scope
            .spawn(|| done(1, "POST", &format!("{name}:watch"), &json!({"newerThan": made["updateTime"]})));
        let updated = done(0, "PUT", &name, &json!({"text": "2"}));
        assert_eq!(watch.join().expect("watched")["updateTime"], updated["updateTime"]);
        done(1, "GET", &name, &Value::Null)
    });
    assert_eq!(watched["text"], "2");
    // A wrong password; none; nobody at all.
    for (arguments, expected) in [
        (wrong.to_vec(), "etcd refuses: etcdserver: authentication failed, invalid user ID or password"),
        (missing.to_vec(), "cannot read a password from `/nowhere`, expected a file with one line"),
        (store[..2].to_vec(), "etcd refuses: etcdserver: user name is empty"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_charmd"))
            .args(["serve", "--http", "127.0.0.1:0"])
            .args(arguments)
            .output()
            .expect("charmd starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(expected), "{stderr}");
    }
}
