//! Google's command line for Firebase, unchanged: `functions:config` keeps its settings in Runtime Configurator.
//!
//! Needs Node.js: `tests/setup/firebase.sh` installs the program.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::Charmd;

/// The variables that tell the program where Google is, but for the service that is tested.
const ELSEWHERE: [&str; 7] = [
    "FIREBASE_API_URL",
    "FIREBASE_AUTH_URL",
    "FIREBASE_AUTHPROXY_URL",
    "FIREBASE_REALTIME_URL",
    "FIREBASE_RESOURCEMANAGER_URL",
    "FIREBASE_SERVICE_USAGE_URL",
    "FIREBASE_TOKEN_URL",
];

/// The rest of Google: gives out tokens, permits everything, and has all services enabled.
fn google() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    format!("http://{address}")
}

fn serve(stream: TcpStream) {
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut head = Vec::new();
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|count| count > 0) && line != "\r\n" {
                head.push(std::mem::take(&mut line).to_ascii_lowercase());
            }
            let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
            let length =
                head.iter().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            stream.read_exact(&mut body).expect("a body");
            let answer = match path {
                path if path.contains("testiampermissions") => serde_json::from_slice(&body).expect("JSON"),
                path if path.contains("/services/") => json!({"state": "ENABLED"}),
                path if path.contains("token") => json!({"access_token": "x", "expires_in": 3600}),
                _ => json!({}),
            };
            let answer = answer.to_string();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
            let stream = stream.get_mut();
            write!(stream, "{head}: {}\r\n\r\n{answer}", answer.len()).expect("answered");
        }
    });
}

/// A folder of somebody who develops for Firebase.
struct Developer {
    charmd: Charmd,
    google: String,
    folder: tempfile::TempDir,
}

impl Developer {
    fn new() -> Self {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let installed = Command::new(top.join("tests/setup/firebase.sh")).status().expect("the script runs");
        assert!(installed.success(), "tests/setup/firebase.sh installs firebase-tools");
        let folder = tempfile::tempdir().expect("a folder");
        fs::File::create(folder.path().join("firebase.json"))
            .and_then(|mut file| file.write_all(b"{}"))
            .expect("written");
        Self { charmd: Charmd::start(), google: google(), folder }
    }

    /// What the program says: `status`, and `result` or `error`.
    #[track_caller]
    fn firebase(&self, project: &str, arguments: &[&str]) -> Value {
        let program = "../../target/tools/firebase/node_modules/firebase-tools/lib/bin/firebase.js";
        let mut command = Command::new("node");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(program));
        command.args(["--json", "--non-interactive", "--project", project]).args(arguments);
        command.current_dir(&self.folder).env("HOME", self.folder.path());
        command.env("FIREBASE_TOKEN", "x").env("FIREBASE_RUNTIMECONFIG_URL", &self.charmd.url);
        for name in ELSEWHERE {
            command.env(name, &self.google);
        }
        let output = command.output().expect("Node.js runs: tests/setup/debian.sh installs it");
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    #[track_caller]
    fn done(&self, project: &str, arguments: &[&str]) -> Value {
        let said = self.firebase(project, arguments);
        assert_eq!(said["status"], "success", "{said}");
        said["result"].clone()
    }

    /// What `functions:config:get` gives.
    #[track_caller]
    fn config(&self, project: &str) -> Value {
        self.done(project, &["functions:config:get"])
    }
}

#[test]
fn firebase_sets_gets_and_unsets() {
    let developer = Developer::new();
    assert_eq!(developer.config("shop"), json!({}), "no config yet");
    developer
        .done("shop", &["functions:config:set", "shop.name=Ünder \"quotes\"", "shop.open=9", "mail.host=mx"]);
    let all = json!({"shop": {"name": "Ünder \"quotes\"", "open": "9"}, "mail": {"host": "mx"}});
    assert_eq!(developer.config("shop"), all);
    // A variable that is there is updated.
    developer.done("shop", &["functions:config:set", "shop.open=10"]);
    assert_eq!(developer.done("shop", &["functions:config:get", "shop.open"]), json!("10"));
    developer.done("shop", &["functions:config:unset", "shop.name", "mail", "nobody.knows"]);
    let left = json!({"shop": {"open": "10"}});
    assert_eq!(developer.config("shop"), left);
    // Longer than a variable may be.
    let long = format!("shop.long={}", "x".repeat(4096));
    let said = developer.firebase("shop", &["functions:config:set", &long]);
    assert_eq!(said["status"], "error", "{said}");
    assert!(
        said["error"].as_str().is_some_and(|text| text.contains("400, Request contains an invalid argument")),
        "{said}"
    );
    assert_eq!(developer.config("shop"), left);
}

#[test]
fn firebase_clones_the_settings_of_another_project() {
    let developer = Developer::new();
    developer.done("shop", &["functions:config:set", "shop.open=9", "mail.host=mx"]);
    developer.done("branch", &["functions:config:clone", "--from", "shop", "--except", "mail"]);
    assert_eq!(developer.config("branch"), json!({"shop": {"open": "9"}}));
}
