//! A list of hook commands of all kinds, good and bad, and what is told of their answers.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use charms_reactive::hookcmd::{HookCommands, Request};

/// The file in the charm directory to which each hook adds.
pub(crate) const REPORT: &str = "report.txt";

/// How much of an output is told; of the rest, the length.
const SHOWN_BYTES: usize = 400;

/// Runs all commands, and tells in [`REPORT`] what each of them answered.
pub(crate) fn run_all(
    commands: &mut dyn HookCommands,
    variable: impl Fn(&str) -> Option<String>,
    dir: &Path,
) {
    let event = variable("JUJU_DISPATCH_PATH").unwrap_or_default();
    let mut report = format!("== {event}\n");
    for request in requests(&variable) {
        report.push_str(&tell(commands, &request, &dir.to_string_lossy()));
    }
    let file = OpenOptions::new().append(true).create(true).open(dir.join(REPORT));
    file.and_then(|mut file| file.write_all(report.as_bytes())).expect("the charm directory is there");
}

/// One command and what it left behind; the folder, which is another in each run, is `DIR`.
fn tell(commands: &mut dyn HookCommands, request: &Request, dir: &str) -> String {
    let mut told = format!("$ {request}\n").replace(dir, "DIR");
    match commands.call(request) {
        Ok(answer) => {
            for (name, bytes) in [("out", &answer.stdout), ("err", &answer.stderr)] {
                if !bytes.is_empty() {
                    let text = String::from_utf8_lossy(bytes).replace(dir, "DIR");
                    let shown = &text[..text.floor_char_boundary(SHOWN_BYTES)];
                    writeln!(told, "  {name} {}: {shown:?}", text.len()).expect("texts can be written");
                }
            }
            writeln!(told, "  exit {}", answer.code).expect("texts can be written");
        }
        Err(error) => writeln!(told, "  {error}").expect("texts can be written"),
    }
    told
}

/// What is run in each hook, in this order.
fn requests(variable: &impl Fn(&str) -> Option<String>) -> Vec<Request> {
    let relation = variable("JUJU_RELATION_ID").unwrap_or_else(|| "ring:0".to_owned());
    let unit = variable("JUJU_UNIT_NAME").expect("Juju sets it");
    let long: Vec<String> = (0..10).map(|key| format!("long{key}: {}\n", "x".repeat(60_000))).collect();
    let in_relation = |name, args: &[&str]| {
        let request = Request::new(name, ["-r"]).arg(&relation);
        args.iter().fold(request, |request, arg| request.arg(*arg))
    };
    vec![
        // What there is.
        Request::new("config-get", ["--all", "--format=json"]),
        Request::new("config-get", ["title"]),
        Request::new("config-get", ["missing"]),
        Request::new("is-leader", ["--format=json"]),
        Request::new("relation-ids", ["--format=json", "ring"]),
        Request::new("relation-ids", ["missing"]),
        in_relation("relation-list", &["--format=json"]),
        in_relation("relation-list", &["--format=yaml", "--app"]),
        Request::new("relation-list", ["-r", "ring:99"]),
        in_relation("relation-get", &["--format=json", "-"]).arg(&unit),
        in_relation("relation-get", &["--format=json", "-", "web/77"]),
        in_relation("relation-get", &["--format=json", "--app", "-", "web"]),
        Request::new("relation-get", ["-r", "nonsense", "-"]),
        Request::new("network-get", ["--format=json", "ring"]),
        Request::new("network-get", ["--primary-address", "ring"]),
        Request::new("unit-get", ["private-address"]),
        Request::new("status-get", ["--format=json", "--include-data"]),
        Request::new("goal-state", ["--format=json"]),
        Request::new("opened-ports", ["--format=json"]),
        Request::new("storage-list", ["--format=json"]),
        Request::new("resource-get", ["missing"]),
        Request::new("credential-get", []),
        Request::new("state-get", ["--format=json", "count"]),
        // What is kept: from arguments, from input, from a file beside the charm.
        Request::new("state-set", ["count=1", "empty="]),
        Request::new("state-set", ["--file", "-"]).stdin("a: \"\u{1F980}\"\nb: 'two\n  lines'\n"),
        Request::new("state-set", ["--file", "-"]),
        Request::new("state-set", ["--file", "-"]).stdin(""),
        Request::new("state-set", ["--file", "-"]).stdin("not: [a, map"),
        Request::new("state-get", ["--format=json"]),
        Request::new("state-set", ["--file", "-"]).stdin(long.concat()),
        Request::new("state-get", ["--format=json"]),
        Request::new("state-set", ["--file", "-"]).stdin(format!("too-long: {}", "x".repeat(70_000))),
        Request::new("state-delete", ["long0"]),
        Request::new("state-delete", ["missing"]),
        in_relation("relation-set", &["--file", "-"]).stdin("host: h\nport: \"80\"\n"),
        in_relation("relation-set", &["--file", "settings.yaml"]),
        in_relation("relation-set", &["--file", "missing.yaml"]),
        in_relation("relation-set", &["port=", "text=two\nlines", "odd=a=b"]),
        in_relation("relation-set", &["--app", "by=leader"]),
        Request::new("relation-set", ["-r", "ring:99", "a=b"]),
        in_relation("relation-get", &["--format=json", "-"]).arg(&unit),
        // What is shown.
        Request::new("status-set", ["active", ""]),
        Request::new("status-set", ["maintenance", "\u{e9}t\u{e9} \"quoted\""]),
        Request::new("status-set", ["nonsense", "x"]),
        Request::new("application-version-set", ["1.2.3"]),
        Request::new("open-port", ["8080/tcp"]),
        Request::new("open-port", ["99999/tcp"]),
        Request::new("close-port", ["8080/tcp"]),
        Request::new("juju-log", ["-l", "INFO", "a line\nand another"]),
        Request::new("juju-log", ["-l", "INFO", "--", "-dash"]),
        Request::new("juju-log", []).arg("x".repeat(100_000)),
        // Actions, leadership, secrets.
        Request::new("action-get", ["--format=json"]),
        Request::new("action-set", ["answer.depth=3"]),
        Request::new("action-log", ["half way"]),
        Request::new("leader-set", ["who=me"]),
        Request::new("leader-get", ["--format=json"]),
        Request::new("secret-add", ["--label", "key", "password=hunter2"]),
        Request::new("secret-get", ["--label", "key", "--format=json"]),
        Request::new("secret-get", ["secret:nonsense"]),
        // What no Juju takes.
        Request::new("is-leader", ["--nonsense"]),
        Request::new("relation-ids", ["one", "two"]),
        Request::new("status-set", []),
        Request::new("no-such-command", ["x"]),
    ]
}
