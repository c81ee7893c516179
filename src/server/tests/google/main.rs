//! Google's own clients, unchanged, against `charmd` over TCP: googleapiclient, google-cloud-runtimeconfig, and
//! the command line of Firebase.
//!
//! Needs Python: `tests/setup/python.sh` installs the clients into `.venv`.

#![expect(clippy::disallowed_methods, reason = "starts the server and Python")]

mod firebase;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// A running `charmd`; killed when dropped.
struct Charmd {
    child: Child,
    url: String,
    _data: tempfile::TempDir,
}

impl Charmd {
    fn start() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_charmd"))
            .args(["serve", "--http", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .stderr(Stdio::piped())
            .spawn()
            .expect("charmd starts");
        let stderr = child.stderr.take().expect("piped");
        let mut lines = BufReader::new(stderr).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.strip_prefix("info: listening on ")?.to_owned()))
            .expect("charmd says where it listens");
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url, _data: data }
    }
}

impl Drop for Charmd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The interpreter that has Google's clients.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let installed = Command::new(top.join("tests/setup/python.sh")).status().expect("the script runs");
        assert!(installed.success(), "tests/setup/python.sh installs Google's clients");
        top.join(".venv/bin/python")
    })
}

/// Runs a function of `clients.py`.
#[track_caller]
fn run(function: &str) {
    let charmd = Charmd::start();
    let output = Command::new(python())
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/google/clients.py"))
        .args([function, &charmd.url])
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn googleapiclient_through_every_method() {
    run("every_method");
}

#[test]
fn google_cloud_runtimeconfig_through_every_method() {
    run("the_library_of_google_cloud");
}

#[test]
fn google_clients_are_told_what_is_wrong() {
    run("wrong_input");
}

#[test]
fn google_clients_see_how_waiters_end() {
    run("outcomes_of_waiters");
}

#[test]
fn google_clients_page_through_a_thousand_variables() {
    run("pages_of_seven");
}

#[test]
fn google_clients_watch_variables() {
    run("watches");
}

#[test]
fn a_watch_that_sees_nothing_is_answered_before_the_client_gives_up() {
    run("a_watch_that_sees_nothing");
}

#[test]
fn a_repeated_request_makes_nothing_twice() {
    run("request_ids");
}

#[test]
fn the_first_version_has_no_operations() {
    run("the_first_version");
}

#[test]
fn our_discovery_document_is_googles_and_leads_its_client_to_us() {
    run("descriptions");
}

#[test]
fn google_clients_unpack_answers() {
    run("answers_are_packed");
}

#[test]
fn requests_of_other_clients_are_understood() {
    run("raw_requests");
}
