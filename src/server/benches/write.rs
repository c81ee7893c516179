//! What a write costs with 10 and with a million variables: the same.
//!
//! ```console
//! $ cargo bench -p charms-reactive-server --bench write
//! ```

#![expect(clippy::print_stdout, reason = "a bench tells what it measured")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::path::Path;
use std::time::{Duration, Instant};

use charms_reactive_core::waiter::Moment;
use charms_reactive_server::runtimeconfig::{
    Answer, Call, Incoming, Memory, Service, Snapshot, Sqlite, Store,
};
use serde_json::{Value, json};

const CONFIG: &str = "projects/p/configs/c";

/// A service with its store.
struct Desk {
    service: Service,
    store: Box<dyn Store>,
    now: Moment,
}

impl Desk {
    fn new(store: Box<dyn Store>, variables: u32, waiters: u32) -> Self {
        let now = Moment::parse("2024-05-01T10:00:00Z").expect("a moment");
        let mut desk = Self { service: Service::load(Snapshot::default()), store, now };
        desk.ask("projects/p/configs", &json!({ "name": CONFIG }));
        for number in 0..variables {
            desk.write(&format!("base/g{}/v{number}", number % 1000));
            if number % 10_000 == 0 {
                desk.commit();
            }
        }
        for number in 0..waiters {
            let path = ["/", "/base", "/base/g1", "/other"][number as usize % 4];
            let body = json!({"name": format!("{CONFIG}/waiters/w{number}"), "timeout": format!("{}s", 90_000 + number),
                              "success": {"cardinality": {"path": path, "number": 2_000_000 + number}},
                              "failure": {"cardinality": {"path": format!("/failed/{number}"), "number": 1}}});
            desk.ask(&format!("{CONFIG}/waiters"), &body);
        }
        desk.commit();
        desk
    }

    fn ask(&mut self, path: &str, body: &Value) {
        let (path, body) = (format!("/v1beta1/{path}"), body.to_string());
        let incoming = Incoming { method: "POST", path: &path, query: "", body: body.as_bytes() };
        let call = Call::parse(incoming).1.expect("a call");
        let answer = self.service.call(call, self.now).expect("done");
        assert!(matches!(answer, Answer::Done(_)));
    }

    fn write(&mut self, path: &str) {
        self.ask(
            &format!("{CONFIG}/variables"),
            &json!({"name": format!("{CONFIG}/variables/{path}"), "text": "ready"}),
        );
    }

    fn commit(&mut self) {
        self.store.commit(&self.service.take_changes()).expect("kept");
    }

    /// The median of what a write costs, each one committed.
    fn cost(&mut self, name: &str, count: u32) -> Duration {
        let mut times: Vec<Duration> = Vec::new();
        for number in 0..count {
            let path = format!("base/g1/{name}{number}");
            let begin = Instant::now();
            self.write(&path);
            self.commit();
            times.push(begin.elapsed());
        }
        times.sort_unstable();
        times[times.len() / 2]
    }
}

/// How much memory this program has, in bytes.
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}

fn main() {
    // Cargo runs benches as tests too, with fewer rounds.
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let (many, waiters, count) = if is_test { (2000, 100, 50) } else { (1_000_000, 10_000, 3000) };

    let before = memory();
    let mut large = Desk::new(Box::new(Memory), many, waiters);
    let bytes = memory().saturating_sub(before);
    println!(
        "{many} variables and {waiters} waiters: {} bytes of memory a variable",
        bytes / u64::from(many)
    );
    let mut small = Desk::new(Box::new(Memory), 10, 10);
    tell("in memory", &mut small, &mut large, count);
    drop((small, large));

    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let open = |folder: &Path| Box::new(Sqlite::open(folder).expect("opened"));
    let mut small = Desk::new(open(folders[0].path()), 10, 10);
    let mut large = Desk::new(open(folders[1].path()), many, waiters);
    tell("in SQLite, durable", &mut small, &mut large, count / 3);
    drop(large);
    let begin = Instant::now();
    let snapshot = open(folders[1].path()).load().expect("read");
    drop(Service::load(snapshot));
    println!("start with {many} variables: {:.1} s", begin.elapsed().as_secs_f64());
}

/// Both sides by turns, so that noise falls on both.
fn tell(store: &str, small: &mut Desk, large: &mut Desk, count: u32) {
    let mut ratios = Vec::new();
    let mut last = (Duration::ZERO, Duration::ZERO);
    for round in 0..5 {
        last = (small.cost(&format!("r{round}-"), count / 5), large.cost(&format!("r{round}-"), count / 5));
        ratios.push(last.1.as_secs_f64() / last.0.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "a write {store}: {:?} with 10, {:?} with many; ratio {:.2} ({:.2} to {:.2})",
        last.0, last.1, ratios[2], ratios[0], ratios[4]
    );
}
