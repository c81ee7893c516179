//! The same load on the sockets of `charmd` and of LXD, by turns.
//!
//! ```console
//! $ cargo bench -p charms-reactive-server --bench lxd              # all of it, two minutes
//! $ cargo bench -p charms-reactive-server --bench lxd -- create    # one part: read, event, create
//! ```
//!
//! Needs LXD (`tests/setup/debian.sh`), and root.  Both have the same operations, tokens with the same metadata;
//! one thread has all connections, and sends on each the next request when it has read the answer.

#![expect(clippy::print_stdout, reason = "a bench tells what it measured")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

#[expect(dead_code, reason = "shared with the tests")]
#[path = "../tests/it/charmd.rs"]
mod charmd;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../../../tests/support/lxd.rs"]
mod lxd;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use self::charmd::Charmd;
use self::lxd::Lxd;

/// How many times both have their turn.
const ROUNDS: usize = 15;
/// How long a turn is.
const TURN: Duration = Duration::from_millis(60);
/// How many times a latency is measured in a turn.
const TRIES: usize = 20;

/// One of both servers.
struct Side {
    socket: PathBuf,
    pid: u32,
    is_lxd: bool,
    /// What a token has in it.
    like: Value,
    made: u32,
}

impl Side {
    fn lxd(lxd: &Lxd) -> Self {
        let side = Self { socket: lxd.socket(), pid: lxd.pid(), is_lxd: true, like: Value::Null, made: 0 };
        // It does things of its own when it starts.
        while side.get("/1.0/operations")["metadata"] != json!({}) {
            std::thread::sleep(Duration::from_millis(100));
        }
        side
    }

    /// One that makes what LXD makes.
    fn charmd(charmd: &Charmd, like: Value) -> Self {
        Self { socket: charmd.socket.clone(), pid: charmd.child.id(), is_lxd: false, like, made: 0 }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut connection = Connection::open(self);
        connection.send(&request(method, path, body));
        connection.receive();
        serde_json::from_slice(&connection.body).expect("JSON")
    }

    fn get(&self, path: &str) -> Value {
        self.ask("GET", path, "")
    }

    /// A request that makes a token.
    fn create(&mut self) -> Vec<u8> {
        self.made += 1;
        if self.is_lxd {
            let body = json!({"type": "client", "name": format!("token{}", self.made), "token": true});
            return request("POST", "/1.0/certificates", &body.to_string());
        }
        let like = &self.like;
        let body = json!({
            "kind": "demo", "class": "token", "description": like["description"], "metadata": like["metadata"],
        });
        request("POST", "/1.0/operations", &body.to_string())
    }

    /// Makes tokens until there are so many; gives the URLs of all.
    fn fill(&mut self, count: usize) -> Vec<String> {
        loop {
            let running = self.get("/1.0/operations")["metadata"]["running"].take();
            let urls: Vec<String> = serde_json::from_value(running).unwrap_or_default();
            if urls.len() == count {
                return urls;
            }
            let mut connection = Connection::open(self);
            for _ in urls.len()..count {
                connection.send(&self.create());
                connection.receive();
            }
        }
    }

    /// Requests a second, by so many connections for a turn; `next` is what each sends.
    fn rate(&mut self, connections: usize, mut next: impl FnMut(&mut Self) -> Vec<u8>) -> f64 {
        let mut open: Vec<Connection> = (0..connections).map(|_| Connection::open(self)).collect();
        for connection in &mut open {
            connection.send(&next(self));
        }
        let begin = Instant::now();
        let mut count = 0_u32;
        while begin.elapsed() < TURN {
            for connection in &mut open {
                connection.receive();
                connection.send(&next(self));
                count += 1;
            }
        }
        let rate = f64::from(count) / begin.elapsed().as_secs_f64();
        open.iter_mut().for_each(Connection::receive);
        rate
    }

    /// Requests a second, each on a connection of its own, as `lxc` sends them.
    fn rate_of_fresh(&self, request: &[u8]) -> f64 {
        let begin = Instant::now();
        let mut count = 0_u32;
        while begin.elapsed() < TURN {
            let mut connection = Connection::open(self);
            connection.send(request);
            connection.receive();
            count += 1;
        }
        f64::from(count) / begin.elapsed().as_secs_f64()
    }

    /// How much memory it has, in KiB.
    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

/// A connection that is kept.
struct Connection {
    stream: UnixStream,
    /// What was read and not used.
    rest: Vec<u8>,
    body: Vec<u8>,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(side: &Side) -> Self {
        let stream = UnixStream::connect(&side.socket).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        Self { stream, rest: Vec::new(), body: Vec::new(), buffer: vec![0; 64 * 1024] }
    }

    fn send(&mut self, request: &[u8]) {
        self.stream.write_all(request).expect("sent");
    }

    fn read(&mut self) {
        let count = self.stream.read(&mut self.buffer).expect("an answer");
        assert!(count > 0, "it closed the connection");
        self.rest.extend_from_slice(&self.buffer[..count]);
    }

    /// Where something is in what was read.
    fn find(&mut self, what: &[u8]) -> usize {
        let mut from = 0;
        loop {
            let found = self.rest[from..].windows(what.len()).position(|window| window == what);
            if let Some(place) = found {
                return from + place;
            }
            from = self.rest.len().saturating_sub(what.len());
            self.read();
        }
    }

    fn take(&mut self, length: usize) {
        while self.rest.len() < length {
            self.read();
        }
        self.body.extend_from_slice(&self.rest[..length]);
        self.rest.drain(..length);
    }

    /// Reads one answer, which is no error.
    fn receive(&mut self) {
        let end = self.find(b"\r\n\r\n") + 4;
        let head = String::from_utf8_lossy(&self.rest[..end]).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 2"), "{head}");
        self.rest.drain(..end);
        self.body.clear();
        if let Some((_, length)) = head.split_once("content-length: ") {
            let length = length.split("\r\n").next().and_then(|length| length.parse().ok());
            self.take(length.expect("a length"));
            return;
        }
        // In pieces.
        loop {
            let end = self.find(b"\r\n");
            let length = std::str::from_utf8(&self.rest[..end]).expect("a length");
            let length = usize::from_str_radix(length, 16).expect("a length");
            self.rest.drain(..end + 2);
            self.take(length);
            self.find(b"\r\n");
            self.rest.drain(..2);
            if length == 0 {
                return;
            }
        }
    }
}

/// A line of the table: LXD, `charmd`, and how many times as good that is.
fn tell(what: &str, unit: &str, pairs: &[(f64, f64)], is_more_better: bool) {
    let middle = |mut numbers: Vec<f64>| {
        numbers.sort_by(f64::total_cmp);
        (numbers[numbers.len() / 2], numbers[0], numbers[numbers.len() - 1])
    };
    let ratio = |(lxd, here): &(f64, f64)| if is_more_better { here / lxd } else { lxd / here };
    let (lxd, ..) = middle(pairs.iter().map(|pair| pair.0).collect());
    let (here, ..) = middle(pairs.iter().map(|pair| pair.1).collect());
    let (times, least, most) = middle(pairs.iter().map(ratio).collect());
    let digits = if lxd.min(here) < 100.0 { 2 } else { 0 };
    println!(
        "| {what} | {lxd:.digits$} {unit} | {here:.digits$} {unit} | {times:.2} ({least:.2} to {most:.2}) |"
    );
}

/// Both by turns, so that whatever else the machine does falls on both.
fn turns(sides: &mut [Side; 2], mut turn: impl FnMut(&mut Side) -> f64) -> Vec<(f64, f64)> {
    (0..ROUNDS).map(|_| sides.each_mut().map(&mut turn).into()).collect()
}

fn read(sides: &mut [Side; 2]) {
    for present in [0, 20, 620] {
        let urls = sides.each_mut().map(|side| side.fill(present));
        for connections in [1, 8, 32] {
            for recursion in [0, 1] {
                let list = request("GET", &format!("/1.0/operations?recursion={recursion}"), "");
                let pairs = turns(sides, |side| side.rate(connections, |_| list.clone()));
                let what = format!("list of {present}, recursion {recursion}, {connections} connections");
                tell(&what, "/s", &pairs, true);
            }
            if present > 0 {
                let pairs = turns(sides, |side| {
                    let url = &urls[usize::from(!side.is_lxd)][present / 2];
                    let one = request("GET", url, "");
                    side.rate(connections, |_| one.clone())
                });
                tell(&format!("one of {present}, {connections} connections"), "/s", &pairs, true);
            }
        }
        if present > 0 {
            let pairs = turns(sides, |side| {
                let url = &urls[usize::from(!side.is_lxd)][present / 2];
                side.rate_of_fresh(&request("GET", url, ""))
            });
            tell(&format!("one of {present}, a connection for each"), "/s", &pairs, true);
        }
    }
}

fn create(sides: &mut [Side; 2]) {
    for connections in [1, 8, 32] {
        let pairs = turns(sides, |side| side.rate(connections, Side::create));
        tell(&format!("create, {connections} connections"), "/s", &pairs, true);
    }
}

/// A listener, and the way to make and cancel what it hears of.
struct Listener {
    events: WebSocket<UnixStream>,
    connection: Connection,
}

impl Listener {
    fn open(side: &Side) -> Self {
        let stream = UnixStream::connect(&side.socket).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        let events = tungstenite::client("ws://x/1.0/events?type=operation", stream).expect("upgraded").0;
        Self { events, connection: Connection::open(side) }
    }

    /// How long it takes from a request to the event of a status, in milliseconds; and the URL.
    fn heard(&mut self, request: &[u8], status: &str) -> (f64, String) {
        let begin = Instant::now();
        self.connection.send(request);
        let wanted = format!("\"status\":\"{status}\"");
        let (text, took) = loop {
            match self.events.read().expect("an event") {
                Message::Text(text) if text.contains(&wanted) => {
                    break (text, begin.elapsed().as_secs_f64() * 1000.0);
                }
                _ => {}
            }
        };
        self.connection.receive();
        let event: Value = serde_json::from_str(&text).expect("JSON");
        (took, format!("/1.0/operations/{}", event["metadata"]["id"].as_str().expect("an id")))
    }
}

fn event(sides: &mut [Side; 2]) {
    let mut listeners = sides.each_ref().map(Listener::open);
    let mut made = [Vec::new(), Vec::new()];
    let mut percentiles = |take: &mut dyn FnMut(&mut Side, &mut Listener) -> f64| {
        let mut pairs = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            let mut both = [(0.0, 0.0); 2];
            for (number, (side, listener)) in sides.iter_mut().zip(&mut listeners).enumerate() {
                let mut times: Vec<f64> = (0..TRIES).map(|_| take(side, listener)).collect();
                times.sort_by(f64::total_cmp);
                both[number] = (times[TRIES / 2], times[TRIES * 95 / 100]);
            }
            pairs[0].push((both[0].0, both[1].0));
            pairs[1].push((both[0].1, both[1].1));
        }
        pairs
    };
    let created = percentiles(&mut |side, listener| {
        let request = side.create();
        let (took, url) = listener.heard(&request, "Running");
        made[usize::from(!side.is_lxd)].push(url);
        took
    });
    let cancelled = percentiles(&mut |side, listener| {
        let url = made[usize::from(!side.is_lxd)].pop().expect("as many as were made");
        listener.heard(&request("DELETE", &url, ""), "Cancelled").0
    });
    for (what, [half, most]) in [("POST to event", created), ("DELETE to event", cancelled)] {
        tell(&format!("{what}, p50"), "ms", &half, false);
        tell(&format!("{what}, p95"), "ms", &most, false);
    }
}

fn memory(sides: &[Side; 2], when: &str) {
    let [lxd, here] = sides.each_ref().map(|side| side.memory() / 1024.0);
    tell(&format!("memory {when}"), "MiB", &[(lxd, here)], false);
}

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let is_chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name);
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data").display().to_string();
    let (lxd, charmd) = (Lxd::start(), Charmd::start(folder.path(), &["--data".to_owned(), data]));
    let mut first = Side::lxd(&lxd);
    let url = first.fill(1).remove(0);
    let like = first.get(&url)["metadata"].take();
    first.ask("DELETE", &url, "");
    while first.get("/1.0/operations")["metadata"] != json!({}) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut sides = [first, Side::charmd(&charmd, like)];
    println!("| | LXD 5.0.2 | charmd | times as good |");
    println!("|---|---:|---:|---:|");
    memory(&sides, "at the start");
    if is_chosen("read") {
        read(&mut sides);
        memory(&sides, "with 620 operations");
    }
    if is_chosen("event") {
        event(&mut sides);
    }
    if is_chosen("create") {
        create(&mut sides);
    }
}
