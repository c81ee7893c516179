//! `charms-reactive simulate --watch`.

use std::fs::File;
use std::process::{Child, Stdio};

use crate::charm::{Desk, SHOP, comes_true, read};

/// Ends the program with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_scenario_is_run_again_when_it_or_a_charm_changes() {
    let desk = Desk::new();
    let scenario = |message: &str| {
        format!("{SHOP}steps:\n- settle\n- expect: {{status: {{db: 'active: {message}'}}}}\n")
    };
    desk.write("scenario.yaml", &scenario("2 clients"));
    let log = desk.path("log");
    let mut command = desk.command(&["simulate", "scenario.yaml", "--watch"]);
    let child = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
    let _child = Ended(child);
    let runs = || read(&log).matches("Watching").count();
    assert!(comes_true(|| runs() == 1), "{}", read(&log));
    assert!(!read(&log).contains("error"), "{}", read(&log));

    desk.write("scenario.yaml", &scenario("many clients"));
    assert!(comes_true(|| runs() == 2), "{}", read(&log));
    assert!(read(&log).contains("- active: many clients\n    + active: 2 clients"), "{}", read(&log));

    // A mistake does not end the watch.
    desk.write("scenario.yaml", "applications: 7\n");
    assert!(comes_true(|| runs() == 3), "{}", read(&log));
    desk.write("scenario.yaml", &scenario("version 2"));
    assert!(comes_true(|| runs() == 4), "{}", read(&log));

    let before = read(&log).matches("error").count();
    desk.write("web/hooks/extra", "a file that changes nothing");
    assert!(comes_true(|| runs() == 5), "{}", read(&log));
    assert_eq!(read(&log).matches("error").count(), before + 1, "{}", read(&log));

    // A charm that is not there yet may come.
    desk.write("scenario.yaml", &scenario("version 2").replace("./web", "./later"));
    assert!(comes_true(|| runs() == 6), "{}", read(&log));
    assert!(read(&log).contains("is not there"), "{}", read(&log));
    desk.write("later/metadata.yaml", "name: later\nrequires: {db: {interface: sql}}\n");
    assert!(comes_true(|| runs() == 7), "{}", read(&log));
}
