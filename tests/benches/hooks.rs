//! What a hook costs, against the frameworks that charms are written in today, and against the floor.
//!
//! ```console
//! $ tests/setup/debian.sh && tests/setup/python.sh
//! $ cargo bench -p charms-reactive-tests --bench hooks             # all of it
//! $ cargo bench -p charms-reactive-tests --bench hooks -- idle     # one part
//! $ cargo bench -p charms-reactive-tests --bench hooks -- --page   # into docs/cost.md
//! ```
//!
//! All sides of a table are measured in turns in one run.  Without `--bench`, as part of the tests, it runs
//! our own side a few times and starts nothing that has to be installed.

#![expect(clippy::print_stdout, reason = "a bench tells what it measured")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[path = "hooks/agent.rs"]
mod agent;
#[path = "hooks/crowd.rs"]
mod crowd;
#[path = "hooks/duty.rs"]
mod duty;
#[path = "../support/go.rs"]
mod go;
#[path = "hooks/measure.rs"]
mod measure;
#[path = "hooks/packed.rs"]
mod packed;
#[path = "hooks/world.rs"]
mod world;

use charms_reactive::hookcmd::socket::Socket;
use charms_reactive::hookcmd::{HookCommands as _, Request};
use charms_reactive_testkit::Sim;

use agent::Answers;
use crowd::Crowd;
use duty::{Duty, FLAGS, HANDLERS};
use measure::{Side, measure, shown, table};
use packed::{Ours, tests};
use world::{World, stubs};

/// What one run needs.
struct Bench {
    is_test: bool,
    ours: Ours,
    stub: PathBuf,
    empty: PathBuf,
    folder: tempfile::TempDir,
    /// The parts that are wanted; all without.
    wanted: Vec<String>,
    /// What came of the parts, by their name on the page.
    parts: BTreeMap<&'static str, String>,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let is_test = !args.iter().any(|arg| arg == "--bench");
    let folder = tempfile::tempdir().expect("a folder");
    let [stub, empty] = stubs(folder.path());
    let wanted = args.iter().filter(|arg| !arg.starts_with('-')).cloned().collect();
    let ours = Ours::build(is_test);
    let mut bench = Bench { is_test, ours, stub, empty, folder, wanted, parts: BTreeMap::new() };
    bench.part("idle", Bench::idle);
    bench.part("changed", Bench::changed);
    bench.part("handlers", Bench::handlers);
    bench.part("requests", Bench::requests);
    bench.part("simulated", Bench::simulated);
    bench.part("command", Bench::command);
    bench.part("scaling", Bench::scaling);
    bench.part("size", Bench::size);
    if args.iter().any(|arg| arg == "--page") {
        bench.write_page();
    }
}

impl Bench {
    fn part(&mut self, name: &'static str, run: fn(&Self) -> String) {
        if self.wanted.is_empty() || self.wanted.iter().any(|wanted| wanted == name) {
            let text = run(self);
            println!("## {name}\n\n{text}");
            self.parts.insert(name, text);
        }
    }

    fn rounds(&self, rounds: usize) -> usize {
        if self.is_test { 2 } else { rounds }
    }

    /// A hook with nothing to do, whole process.
    fn idle(&self) -> String {
        let world = World::new(Duty::Idle, "update-status", &self.stub);
        world.answer("state-get", &Crowd::new(0).state_after(Duty::Idle, &["hooks/install"]));
        self.sides(&world, 250, "")
    }

    /// A `-changed` hook in which a unit has other data than before, by the number of units.
    fn changed(&self) -> String {
        let mut text = String::new();
        for units in [1, 100, 1000] {
            let world = World::new(Duty::Changed, "db-relation-changed", &self.stub);
            let crowd = Crowd::new(units);
            let hooks = ["hooks/start", "hooks/db-relation-changed"];
            world.answer("state-get", &crowd.state_after(Duty::Changed, &hooks));
            world.answer("relation-list", &crowd.units());
            world.answer("relation-get", &crowd.databag("another"));
            let rounds = if units == 1000 { 10 } else { 100 };
            write!(text, "{units} units:\n\n{}\n", self.sides(&world, rounds, "")).expect("a text");
        }
        text
    }

    /// Many flags set in one of many handlers.
    fn handlers(&self) -> String {
        let world = World::new(Duty::Handlers, "config-changed", &self.stub);
        world.answer("state-get", &Crowd::new(0).state_after(Duty::Handlers, &["hooks/install"]));
        let mut handlers =
            "from charms.reactive import set_flag\n\n\n@hook(\"config-changed\")\ndef begin():\n".to_owned();
        writeln!(handlers, "    for number in range({FLAGS}):\n        set_flag(f\"work.{{number}}\")")
            .expect("a text");
        for number in 0..HANDLERS - 1 {
            write!(handlers, "\n\n@when(\"work.{number}\")\ndef done_{number}():\n    pass\n")
                .expect("a text");
        }
        self.sides(&world, 100, &handlers)
    }

    /// Many requests answered in one dispatch.
    fn requests(&self) -> String {
        let count = if self.is_test { 10 } else { 1000 };
        let world = World::new(Duty::Requests, "db-relation-changed", &self.stub);
        let crowd = Crowd::new(1).asking(0);
        let hooks = ["hooks/start", "hooks/db-relation-changed"];
        world.answer("state-get", &crowd.state_after(Duty::Requests, &hooks));
        world.answer("relation-get", &crowd.asking(count).databag(""));
        self.sides(&world, 50, "")
    }

    /// Our charm, and those of the others, with one duty.
    fn sides(&self, world: &World, rounds: usize, handlers: &str) -> String {
        let ours = world.charm("ours", &self.ours.charm);
        let floor = world.charm("floor", &self.empty);
        // The first one shows the status; it stays shown.
        ours.run();
        let calls = ours.commands();
        let mut counts = vec![("charms-reactive", calls.len())];
        let mut sides = vec![
            Side::new("charms-reactive", move || ours.run_anew()),
            Side::new("an empty program, static", move || floor.run()),
        ];
        let agent = agent::start(&Answers::Files(world.path("answers")));
        let native = world
            .charm("native", &self.ours.charm)
            .with("CHARMS_REACTIVE_BACKEND", "socket")
            .with("JUJU_AGENT_SOCKET_NETWORK", agent.network)
            .with("JUJU_AGENT_SOCKET_ADDRESS", agent.address);
        native.run();
        sides.push(Side::new("charms-reactive, on the socket", move || native.run_anew()));
        if !self.is_test {
            // Interpreters take a hundred times as long, so a tenth of the rounds tells as much.
            let every = (rounds / 25).max(1);
            let reactive = world.reactive(handlers);
            reactive.run();
            reactive.keep_state();
            counts.push(("charms.reactive 1.5.3", reactive.commands().len()));
            sides.push(Side::new("charms.reactive 1.5.3", move || reactive.run_anew()).every(every));
            if world.is_for_ops() {
                let ops = world.ops();
                ops.run();
                counts.push(("ops 3.9", ops.commands().len()));
                sides.push(Side::new("ops 3.9", move || ops.run()).every(every));
            }
            let reads: Vec<String> = calls.iter().map(|name| format!("{name} --format=json")).collect();
            let name = "a Go program that runs our hook commands";
            let go = world.charm("go", &go::program("charm")).with("BENCH_CALLS", reads.join("\n"));
            counts.push((name, go.commands().len()));
            sides.push(Side::new(name, move || go.run()));
        }
        let told: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
        format!("{}\nHook commands: {}.\n", table(&measure(self.rounds(rounds), sides)), told.join(", "))
    }

    /// A hook with nothing to do in a simulated model, beside the same with stubs.
    #[expect(clippy::disallowed_methods, reason = "a bench makes the charms it measures")]
    fn simulated(&self) -> String {
        let world = World::new(Duty::Idle, "update-status", &self.stub);
        world.answer("state-get", &Crowd::new(0).state_after(Duty::Idle, &["hooks/install"]));
        let agent = agent::start(&Answers::Files(world.path("answers")));
        let stubbed = world.charm("stubbed", &self.ours.charm);
        let native = world
            .charm("native", &self.ours.charm)
            .with("CHARMS_REACTIVE_BACKEND", "socket")
            .with("JUJU_AGENT_SOCKET_NETWORK", agent.network)
            .with("JUJU_AGENT_SOCKET_ADDRESS", agent.address);
        stubbed.run();
        native.run();
        let model = |is_on_socket: bool| {
            let charm = tempfile::tempdir().expect("a folder");
            let file = |name: &str| charm.path().join(name);
            fs::write(file("metadata.yaml"), "name: web\nrequires: {db: {interface: mysql}}\n")
                .expect("a file");
            fs::copy(&self.ours.charm, file("dispatch")).expect("copied");
            if is_on_socket {
                fs::write(file("on-socket"), "").expect("a file");
            }
            let builder = Sim::builder().seed(1).events_max(1000).program(&self.ours.hook_command);
            let mut sim = builder.build().expect("a model");
            sim.deploy("web", charm.path(), 1).expect("deployed");
            sim.settle().expect("settled");
            move || {
                sim.update_status("web/0").expect("a unit");
                assert_eq!(sim.settle().expect("settled").hooks, 1);
            }
        };
        let sides = vec![
            Side::new("with hook commands that are stubs", || stubbed.run()),
            Side::new("in a simulated model", model(false)),
            Side::new("on a socket that is a stub", || native.run()),
            Side::new("on the socket of a simulated model", model(true)),
        ];
        table(&measure(self.rounds(250), sides))
    }

    /// One hook command, in all the ways that there are.
    fn command(&self) -> String {
        let answer = "{\"egress-subnets\":\"10.0.0.7/32\",\"private-address\":\"10.0.0.7\"}\n";
        let agent = agent::start(&Answers::Same(answer));
        let request = Request::new("relation-get", ["--format=json", "-", "mysql/0"]);
        let variables = [
            ("JUJU_AGENT_SOCKET_NETWORK", agent.network.clone()),
            ("JUJU_AGENT_SOCKET_ADDRESS", agent.address.clone()),
        ];
        let world = |program: &Path| {
            World::new(Duty::Idle, "update-status", &self.stub).with_commands(program, &variables)
        };
        let mut worlds = vec![("our program, static", world(&self.ours.hook_command))];
        if !self.is_test {
            worlds.push(("a program in Go, static, as Juju's own", world(&go::program("jujuc"))));
        }
        worlds.push(("an empty program, static: the floor of programs", world(&self.empty)));
        let mut native = Socket::new(agent.clone(), "/srv");
        let mut sides = vec![
            Side::new("on the open socket", || {
                assert_eq!(native.call(&request).expect("an answer").code, 0);
            })
            .batch(100),
            Side::new("on a socket of its own", || {
                let mut socket = Socket::new(agent.clone(), "/srv");
                assert_eq!(socket.call(&request).expect("an answer").code, 0);
            })
            .batch(20),
        ];
        for (name, world) in &worlds {
            let command = world.charm("dir", &world.path("other-bin").join("relation-get"));
            sides.push(Side::new(*name, move || command.run()));
        }
        // The floor of the socket: as many bytes there and back, without a protocol.
        let (mut here, there) = std::os::unix::net::UnixStream::pair().expect("a pair");
        std::thread::spawn(move || echo(there));
        sides.push(
            Side::new("250 bytes to another thread and back: the floor of sockets", move || {
                use std::io::{Read as _, Write as _};
                let mut buffer = [0; 250];
                here.write_all(&buffer).expect("it reads");
                here.read_exact(&mut buffer).expect("it writes");
            })
            .batch(100),
        );
        table(&measure(self.rounds(300), sides))
    }

    /// Whether twice the work takes twice the time, in process.
    fn scaling(&self) -> String {
        let mut text = "| | size | a dispatch | for each |\n|---|---:|---:|---:|\n".to_owned();
        let sizes: [usize; 4] = if self.is_test { [1, 2, 4, 8] } else { [250, 500, 1000, 2000] };
        let mut row = |name: &str, size: usize, app: charms_reactive::App, crowd: &Crowd, hook: &str| {
            let measured =
                measure(self.rounds(20), vec![Side::new(name, || drop(crowd.clone().run(&app, hook)))]);
            let median = measured[0].median;
            let each = median / u32::try_from(size).expect("few");
            writeln!(text, "| {name} | {size} | {} | {} |", shown(median), shown(each)).expect("a text");
        };
        for size in sizes {
            let crowd = Crowd::new(0).after(Duty::Handlers, &["hooks/install"]);
            row(
                "handlers, a quarter with flags that are set",
                size,
                duty::handlers(size, size / 4),
                &crowd,
                "hooks/config-changed",
            );
        }
        for size in sizes {
            let crowd =
                Crowd::new(1).asking(0).after(Duty::Requests, &["hooks/start", "hooks/db-relation-changed"]);
            row(
                "requests of one unit, all answered",
                size,
                Duty::Requests.app(),
                &crowd.asking(size),
                "hooks/db-relation-changed",
            );
        }
        for size in sizes {
            let crowd = Crowd::new(size).after(Duty::Changed, &["hooks/start", "hooks/db-relation-changed"]);
            row(
                "units, one of which changed",
                size,
                Duty::Changed.app(),
                &crowd.saying("another"),
                "hooks/db-relation-changed",
            );
        }
        text
    }

    /// The programs as they are packed, and how long they take to find that there is no Juju.
    fn size(&self) -> String {
        let programs = [
            ("`prometheus-scrape-jobs`", &self.ours.scrape_jobs),
            ("a charm with a handler or two", &self.ours.charm),
            ("an empty program in Rust, static", &self.empty),
        ];
        let sides = programs.map(|(name, program)| Side::new(name, move || start_to_exit(program)));
        let measured = measure(self.rounds(500), sides.into());
        let mut text = "| | bytes | start to exit | 10 % to 90 % |\n|---|---:|---:|---:|\n".to_owned();
        for (side, (name, program)) in measured.iter().zip(programs) {
            let bytes = fs::metadata(program).expect("built").len();
            let (median, low, high) = (shown(side.median), shown(side.low), shown(side.high));
            writeln!(text, "| {name} | {bytes} | {median} | {low} to {high} |").expect("a text");
        }
        text
    }

    /// Puts the parts that were measured into docs/cost.md.
    #[expect(clippy::disallowed_methods, reason = "writes the page when it is asked to")]
    fn write_page(&self) {
        let path = tests().join("../docs/cost.md");
        let mut page = fs::read_to_string(&path).expect("docs/cost.md");
        for (name, text) in &self.parts {
            let (begin, end) = (format!("<!-- measured: {name} -->\n"), format!("<!-- end of {name} -->"));
            let (before, rest) =
                page.split_once(&begin).unwrap_or_else(|| panic!("the page has no `{begin}`"));
            let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("the page has no `{end}`"));
            page = format!("{before}{begin}{text}{end}{after}");
        }
        fs::write(path, page).expect("docs/cost.md can be written");
        println!("in {}", self.folder.path().display());
    }
}

/// Starts a program without a variable, and waits for its end.
#[expect(clippy::disallowed_methods, reason = "a bench starts programs")]
fn start_to_exit(program: &Path) {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("a program");
}

fn echo(mut stream: std::os::unix::net::UnixStream) {
    use std::io::{Read as _, Write as _};
    let mut buffer = [0; 250];
    while stream.read_exact(&mut buffer).and_then(|()| stream.write_all(&buffer)).is_ok() {}
}
