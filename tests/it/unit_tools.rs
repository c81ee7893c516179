//! The charm's program as a tool on the unit: in `juju exec`, and in a hook that is debugged.

use std::path::Path;

use charms_reactive::FileEffect;
use charms_reactive_sim::{Event, Sim};
use serde_json::{Value, json};

use super::layout;

/// What no tool may print.
const SECRETS: [&str; 4] = ["s3cret", "BEGIN", "t0ken", "MIIB"];

const JOBS: &str = "- job_name: node\n  scheme: https\n  basic_auth: {username: u, password: s3cret}\n\
                    - job_name: refuse-me\n  authorization: {credentials: t0ken}\n";
const KEY: &str =
    "-----BEGIN PRIVATE KEY-----\nMIIBszCCAVmgAwIBAgIUQ0FfbmFtZQ==\n-----END PRIVATE KEY-----\n";
const CERTIFICATE: &str =
    "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ0FfbmFtZQ==\n-----END CERTIFICATE-----\n";

/// Stands before the charm's program: where somebody has left a script, that is run in the place of a
/// hook, as `juju debug-hooks` lets a person do.
const DEBUGGED: &str = "#!/bin/sh\n\
    if [ -f session ]; then mv session session.done; exec sh session.done >session.out 2>&1; fi\n\
    exec ./charm \"$@\"\n";

/// Applications `jobs` and `prometheus` with one unit each, not related; `jobs/0` can be debugged.
pub(crate) struct Unit {
    pub(crate) sim: Sim,
    _folder: tempfile::TempDir,
}

impl Unit {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (jobs, prometheus) = (folder.path().join("jobs"), folder.path().join("prometheus"));
        layout::SCRAPE_JOBS.lay_out(&jobs);
        std::fs::rename(jobs.join("dispatch"), jobs.join("charm")).expect("there");
        write(&jobs.join("dispatch"), DEBUGGED);
        let acceptor = layout::Charm {
            program: env!("CARGO_BIN_EXE_jobs-acceptor"),
            folder: concat!(env!("CARGO_MANIFEST_DIR"), "/charms/jobs-acceptor"),
        };
        acceptor.lay_out(&prometheus);
        let mut sim =
            Sim::builder().seed(7).program(env!("CARGO_BIN_EXE_sim-hook-command")).build().expect("a model");
        sim.deploy("jobs", jobs, 1).expect("deployed");
        sim.deploy("prometheus", prometheus, 1).expect("deployed");
        let mut unit = Self { sim, _folder: folder };
        unit.settle();
        unit
    }

    /// The same, related, with jobs and certificates.
    fn related() -> Self {
        let mut unit = Self::new();
        unit.sim.relate("jobs:prometheus", "prometheus:manual-jobs").expect("related");
        let options = [("jobs", JOBS), ("client-cert", CERTIFICATE), ("client-key", KEY)];
        unit.sim.configure("jobs", &options).expect("configured");
        unit.settle();
        unit
    }

    #[track_caller]
    pub(crate) fn settle(&mut self) {
        let settled = self.sim.settle().expect("the model works");
        assert_eq!(settled.failed, [], "{}", self.sim.transcript());
    }

    /// What a script in `juju exec` prints; it must end with this exit code.
    #[track_caller]
    pub(crate) fn exec(&mut self, unit: &str, script: &str, code: i32) -> String {
        let result = self.sim.exec(unit, script).expect("run");
        assert_eq!((result.code, &result.flush_error), (code, &None), "{}{}", result.stdout, result.stderr);
        result.stdout + &result.stderr
    }

    #[track_caller]
    fn json(&mut self, unit: &str, command: &str) -> Value {
        let text = self.exec(unit, &format!("./dispatch {command} --json"), 0);
        serde_json::from_str(&text).expect("JSON")
    }

    /// Leaves a script that `jobs/0` runs in the place of its next hook.
    #[track_caller]
    pub(crate) fn debug(&mut self, script: &str) {
        write(&self.sim.charm_dir("jobs/0").expect("a unit").join("session"), script);
    }

    /// What that script printed.
    #[track_caller]
    pub(crate) fn debugged(&mut self) -> String {
        self.exec("jobs/0", "cat session.out", 0)
    }

    /// Everything that `jobs/0` logged.
    pub(crate) fn log(&self) -> String {
        let texts = self.sim.events().iter().filter_map(|event| match event {
            Event::Log { unit, message, .. } if unit.to_string() == "jobs/0" => Some(message.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }
}

fn write(path: &Path, text: &str) {
    FileEffect::Write { content: text.into(), mode: 0o755 }.apply(path).expect("written");
}

/// How often a handler of `jobs/0` ran, by its log.
fn runs(unit: &Unit, handler: &str) -> usize {
    unit.log().matches(&format!("running handler `{handler}`")).count()
}

#[test]
fn a_flag_set_by_hand_wakes_its_handler_in_the_next_hook() {
    let mut unit = Unit::related();
    let before = runs(&unit, "register");
    let told = unit.exec("jobs/0", "./dispatch explain register", 0);
    assert!(told.contains("  waiting for `scrape-jobs.stale`: nobody has set `scrape-jobs.stale`"), "{told}");
    assert_eq!(unit.exec("jobs/0", "./dispatch set-flag scrape-jobs.stale", 0), "+scrape-jobs.stale\n");
    let told = unit.exec("jobs/0", "./dispatch explain register", 0);
    assert_eq!(told, "register: scrape-jobs.stale\n  would run in the next hook\n");
    assert_eq!(runs(&unit, "register"), before, "a tool runs no handler");
    unit.sim.update_status("jobs/0").expect("a unit");
    unit.settle();
    assert_eq!(runs(&unit, "register"), before + 1);
    assert!(!unit.exec("jobs/0", "./dispatch flags", 0).contains("scrape-jobs.stale"));
}

#[test]
fn a_trigger_follows_a_flag_that_is_set_by_hand() {
    let mut unit = Unit::new();
    let changes = unit.json("jobs/0", "set-flag endpoint.prometheus.changed");
    let expected = ["+endpoint.prometheus.changed", "+scrape-jobs.stale"];
    assert_eq!(changes, json!({ "flag": "endpoint.prometheus.changed", "changes": expected }));
    let flags = unit.json("jobs/0", "flags");
    assert!(flags.as_array().expect("a list").contains(&json!("scrape-jobs.stale")), "{flags}");
}

#[test]
fn a_script_of_juju_exec_keeps_its_flags_even_when_it_fails() {
    let mut unit = Unit::new();
    unit.exec("jobs/0", "./dispatch set-flag by.hand && ./dispatch flags | grep by.hand && exit 7", 7);
    assert!(unit.exec("jobs/0", "./dispatch flags", 0).contains("by.hand\n"), "Juju flushes all the same");
}

#[test]
fn in_a_hook_that_is_debugged_flags_are_part_of_its_transaction() {
    let mut unit = Unit::new();
    unit.debug("./dispatch set-flag by.hand; ./dispatch flags | grep hand; exit 1");
    unit.sim.update_status("jobs/0").expect("a unit");
    unit.sim.step().expect("the model works");
    assert_eq!(unit.debugged(), "+by.hand\nby.hand\n", "the hook sees what it has staged");
    let flags = unit.exec("jobs/0", "./dispatch flags", 0);
    assert!(!flags.contains("by.hand"), "the hook failed, so Juju kept nothing: {flags}");
    unit.sim.resolve("jobs/0", true).expect("a unit in error");
    // A flag, then the hook itself: the charm sees the flag, and Juju keeps what came of both.
    let before = runs(&unit, "register");
    unit.debug("./dispatch set-flag scrape-jobs.stale; ./dispatch explain look_again; ./dispatch");
    unit.sim.update_status("jobs/0").expect("a unit");
    unit.settle();
    let told = unit.debugged();
    assert!(told.starts_with("+scrape-jobs.stale\nlook_again: in upgrade-charm or "), "{told}");
    assert_eq!(runs(&unit, "register"), before + 1);
}

#[test]
fn no_tool_prints_a_secret_on_either_side() {
    let mut unit = Unit::related();
    let databag = unit.sim.unit_databag(0, "jobs/0").expect("a databag");
    let databag: String = databag.iter().map(|(_, text)| text).collect();
    for secret in SECRETS {
        assert!(databag.contains(secret), "`{secret}` is there to be found");
    }
    for side in ["jobs/0", "prometheus/0"] {
        for command in ["flags", "explain", "relations", "requests"] {
            for option in ["", " --json"] {
                let told = unit.exec(side, &format!("./dispatch {command}{option}"), 0);
                assert!(!told.is_empty());
                for secret in SECRETS {
                    assert!(!told.contains(secret), "`{command}{option}` of {side}: {told}");
                }
            }
        }
    }
}

#[test]
fn both_sides_show_requests_with_their_answers() {
    let mut unit = Unit::related();
    let hidden = "(hidden)";
    // The key is in a secret of the side that asks; the other side reads it.
    for (side, endpoint, relation, key) in [
        ("jobs/0", "prometheus", "prometheus:0", Value::Null),
        ("prometheus/0", "manual-jobs", "manual-jobs:0", hidden.into()),
    ] {
        let is_asking = key.is_null();
        let node = json!({
            "job_name": "node", "job_data": hidden, "ca_cert": null, "client_cert": hidden, "client_key": key,
        });
        let told = unit.json(side, "requests");
        assert_eq!(told[0]["endpoint"], endpoint);
        assert_eq!(told[0]["malformed"], json!([]));
        let mut requests = told[0]["requests"].as_array().expect("a list").clone();
        requests.sort_by_key(|request| request["request"]["job_name"].to_string());
        assert_eq!(requests.len(), 2, "{told}");
        assert_eq!(requests[0]["request"], node);
        assert_eq!(requests[0]["secret_id"].as_str().is_some_and(|id| id.starts_with("secret:")), is_asking);
        assert_eq!((&requests[0]["relation"], &requests[0]["unit"]), (&json!(relation), &json!("jobs/0")));
        let accepted = json!({ "success": true, "reason": null });
        let answer = json!([{ "unit": "prometheus/0", "is_current": true, "response": accepted }]);
        assert_eq!(requests[0]["answers"], answer);
        let refused = json!({ "success": false, "reason": "refused by request" });
        assert_eq!(requests[1]["answers"][0]["response"], refused);
    }
}

#[test]
fn what_is_no_request_is_shown_as_such_and_an_old_answer_as_old() {
    let mut unit = Unit::related();
    unit.exec("jobs/0", "relation-set -r prometheus:0 request_x='{\"request_id\": 7}'", 0);
    unit.settle();
    let told = unit.exec("prometheus/0", "./dispatch requests", 0);
    let malformed =
        "  skipping key `request_x` of `jobs/0`: `request_id` is 7, expected \"x\" as in the key\n";
    assert!(told.contains(malformed), "{told}");
    // The job changes while nobody of `prometheus` runs a hook.
    let guard = unit.sim.hook_rule(|hook| match hook.unit.application().as_str() {
        "prometheus" => charms_reactive_sim::Fate::FailCommit("busy".to_owned()),
        _ => charms_reactive_sim::Fate::Run,
    });
    unit.sim.configure("jobs", &[("jobs", "- job_name: node\n  scheme: http\n")]).expect("configured");
    unit.sim.settle().expect("the model works");
    let told = unit.exec("jobs/0", "./dispatch requests", 0);
    assert!(told.contains("    answer of prometheus/0, to what the request said before: "), "{told}");
    drop(guard);
}

#[test]
fn relations_are_told_as_juju_has_them_now() {
    let mut unit = Unit::new();
    assert_eq!(
        unit.json("jobs/0", "relations"),
        json!([{ "endpoint": "prometheus", "role": "provides", "interface": "prometheus-manual",
                 "flags": [], "relations": [] }])
    );
    unit.sim.relate("jobs:prometheus", "prometheus:manual-jobs").expect("related");
    unit.settle();
    let relation = json!({
        "relation": "prometheus:0", "application": "prometheus", "units": ["prometheus/0"], "departed": [],
    });
    assert_eq!(unit.json("jobs/0", "relations")[0]["relations"], json!([relation]));
}

#[test]
fn outside_of_a_hook_context_there_is_a_hint_and_no_trace() {
    let mut unit = Unit::new();
    for (environment, because) in [
        ("", "because: `JUJU_UNIT_NAME` is not set"),
        ("JUJU_UNIT_NAME=jobs/0", "because: cannot start hook command `state-get`"),
    ] {
        let told = unit.exec("jobs/0", &format!("env -i {environment} ./charm set-flag a"), 1);
        assert!(told.contains(because), "{told}");
        assert!(told.contains("hint: run it as `juju exec --unit UNIT -- ./dispatch set-flag a`"), "{told}");
    }
    let help = unit.exec("jobs/0", "env -i ./charm --help", 0);
    assert!(help.starts_with("Usage: dispatch [COMMAND]"), "help needs no context: {help}");
    assert!(unit.exec("jobs/0", "./dispatch frobnicate", 2).starts_with("no command `frobnicate`, expected"));
}
