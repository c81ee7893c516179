//! What a write costs through `charmd` on etcd, against a bare put of etcd; and how long it takes until a
//! thousand who watch have heard of it.
//!
//! ```console
//! $ cargo bench -p charms-reactive-server --bench etcd
//! ```
//!
//! Both sides over the same gateway of etcd, from the same client, by turns.

#![expect(clippy::print_stdout, reason = "a bench tells what it measured")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

#[expect(dead_code, reason = "shared with the tests")]
#[path = "../tests/it/charmd.rs"]
mod charmd;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../tests/etcd/cluster.rs"]
mod cluster;

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use self::charmd::CONFIG;
use self::cluster::Cluster;

const ROUNDS: usize = 5;
/// How many writes one client does in a round.
const WRITES: usize = 400;
/// How many clients write at once.
const CLIENTS: usize = 16;

/// How many watch at once.
const WATCHERS: usize = 1000;
/// How long all are left alone before a write, so that whoever was about to wait does.
const REST: Duration = Duration::from_millis(50);

/// A connection that is kept.
struct Client<S: Read> {
    stream: BufReader<S>,
}

impl<S: Read + Write> Client<S> {
    fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    fn post(&mut self, path: &str, body: &Value) {
        self.send("POST", path, body);
        self.receive();
    }

    fn send(&mut self, method: &str, path: &str, body: &Value) {
        let body = body.to_string();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
        self.stream.get_mut().write_all((head + &body).as_bytes()).expect("sent");
    }

    /// The body of a whole answer.
    fn receive(&mut self) -> Value {
        let mut length = 0;
        let mut status = String::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("a line");
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(text) = line.strip_prefix("content-length: ") {
                length = text.parse().expect("a number");
            }
            if line.is_empty() {
                break;
            }
            if status.is_empty() {
                status = line;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("a body");
        assert!(status.contains(" 200 "), "{status} {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("JSON")
    }

    /// The next message of an answer that does not end, which has this word in it.
    fn receive_with(&mut self, word: &str) {
        let mut line = String::new();
        while !(line.starts_with('{') && line.contains(word)) {
            line.clear();
            assert_ne!(self.stream.read_line(&mut line).expect("a line"), 0, "the answer ended");
        }
    }
}

/// A client of `charmd`, and one of etcd.
struct Pair {
    charmd: Client<UnixStream>,
    etcd: Client<TcpStream>,
    name: String,
    number: usize,
}

impl Pair {
    fn new(socket: &Path, address: &str, name: String) -> Self {
        let stream = TcpStream::connect(address).expect("connected");
        stream.set_nodelay(true).expect("set");
        let charmd = Client::new(UnixStream::connect(socket).expect("connected"));
        Self { charmd, etcd: Client::new(stream), name, number: 0 }
    }

    fn write(&mut self) {
        self.number += 1;
        let name = format!("{CONFIG}/variables/{}/{}", self.name, self.number);
        self.charmd.post(&format!("/v1beta1/{CONFIG}/variables"), &json!({"name": name, "text": "ready"}));
    }

    fn put(&mut self) {
        self.number += 1;
        let key = STANDARD.encode(format!("/bare/{}/{}", self.name, self.number));
        self.etcd.post("/v3/kv/put", &json!({"key": key, "value": STANDARD.encode("ready")}));
    }
}

/// The median of what one costs.
fn cost(mut deed: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..WRITES {
        let begin = Instant::now();
        deed();
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    times[times.len() / 2]
}

/// How many are done a second by all clients.
fn rate(pairs: &mut [Pair], deed: fn(&mut Pair)) -> f64 {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for pair in pairs.iter_mut() {
            scope.spawn(move || (0..WRITES / 4).for_each(|_| deed(pair)));
        }
    });
    f64::from(u32::try_from(pairs.len() * (WRITES / 4)).expect("small")) / begin.elapsed().as_secs_f64()
}

/// A thousand who watch one variable of `charmd`, and a thousand who watch one key of etcd: from the write until
/// all have heard, and until the write itself is answered.
struct Watched {
    charmd: Vec<Client<UnixStream>>,
    etcd: Vec<Client<TcpStream>>,
    writer: Pair,
    /// When the variable was last written.
    last: Value,
}

impl Watched {
    fn new(socket: &Path, address: &str) -> Self {
        let mut writer = Pair::new(socket, address, "watched".to_owned());
        let name = format!("{CONFIG}/variables/watched");
        writer.charmd.send(
            "POST",
            &format!("/v1beta1/{CONFIG}/variables"),
            &json!({"name": name, "text": "0"}),
        );
        let last = writer.charmd.receive()["updateTime"].clone();
        let charmd =
            (0..WATCHERS).map(|_| Client::new(UnixStream::connect(socket).expect("connected"))).collect();
        let etcd = (0..WATCHERS).map(|_| {
            let mut client = Client::new(TcpStream::connect(address).expect("connected"));
            client.send(
                "POST",
                "/v3/watch",
                &json!({"create_request": {"key": STANDARD.encode("/watched")}}),
            );
            client.receive_with("\"created\"");
            client
        });
        let etcd = etcd.collect();
        Self { charmd, etcd, writer, last }
    }

    /// Has all of `charmd` watch; their answers are read one after another, as of etcd's.
    fn charmd(&mut self) -> [Duration; 3] {
        let path = format!("/v1beta1/{CONFIG}/variables/watched");
        let begin = Instant::now();
        for client in &mut self.charmd {
            client.send("POST", &format!("{path}:watch"), &json!({"newerThan": self.last}));
        }
        // Whoever is answered after them knows that they all wait.
        self.writer.charmd.send("GET", &path, &Value::Null);
        self.writer.charmd.receive();
        let renewed = begin.elapsed();
        std::thread::sleep(REST);
        let begin = Instant::now();
        self.writer.charmd.send("PUT", &path, &json!({"text": "1"}));
        self.last = self.writer.charmd.receive()["updateTime"].clone();
        let answered = begin.elapsed();
        for client in &mut self.charmd {
            assert_eq!(client.receive()["updateTime"], self.last);
        }
        [answered, begin.elapsed(), renewed]
    }

    fn etcd(&mut self) -> [Duration; 2] {
        std::thread::sleep(REST);
        let begin = Instant::now();
        let body = json!({"key": STANDARD.encode("/watched"), "value": STANDARD.encode("1")});
        self.writer.etcd.post("/v3/kv/put", &body);
        let answered = begin.elapsed();
        for client in &mut self.etcd {
            client.receive_with("\"events\"");
        }
        [answered, begin.elapsed()]
    }
}

/// A thousand watch: on a server with a directory, and on one with an etcd, against etcd.
fn watch(cluster: &Cluster, address: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data").display().to_string();
    let embedded = charmd::Charmd::start(folder.path(), &["--data".to_owned(), data]);
    let clustered = cluster.charmd();
    for (place, socket) in [("a directory", embedded.socket.clone()), ("etcd", clustered.socket())] {
        let mut client = Client::new(UnixStream::connect(&socket).expect("connected"));
        client.send("POST", "/v1beta1/projects/p/configs", &json!({ "name": CONFIG }));
        // The other part may have made it.
        let mut head = [0; 12];
        client.stream.read_exact(&mut head).expect("an answer");
        let mut watched = Watched::new(&socket, address);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS * 4 {
            ours.push(watched.charmd());
            theirs.push(watched.etcd());
        }
        let median = |times: &mut dyn Iterator<Item = Duration>| {
            let mut times: Vec<Duration> = times.collect();
            times.sort_unstable();
            times[times.len() / 2]
        };
        let [put, all] = [0, 1].map(|part| median(&mut theirs.iter().map(|times| times[part])));
        let [write, heard, renewed] = [0, 1, 2].map(|part| median(&mut ours.iter().map(|times| times[part])));
        println!(
            "{WATCHERS} who watch, charmd on {place}: a write is answered in {write:?} and heard by all in {heard:?} \
             (then they ask again, in {renewed:?}); of etcd itself {put:?} and {all:?}; ratios {:.2} and {:.2}",
            write.as_secs_f64() / put.as_secs_f64(),
            heard.as_secs_f64() / all.as_secs_f64(),
        );
    }
}

fn main() {
    {
        let cluster = Cluster::start(1);
        let url = cluster.urls()[0].clone();
        watch(&cluster, url.strip_prefix("http://").expect("an address"));
    }
    for members in [1, 3] {
        let cluster = Cluster::start(members);
        let server = cluster.charmd();
        let url = &cluster.urls()[0];
        let address = url.strip_prefix("http://").expect("an address");
        let pair = |name: String| Pair::new(&server.socket(), address, name);
        let mut one = pair("one".to_owned());
        one.charmd.post("/v1beta1/projects/p/configs", &json!({ "name": CONFIG }));
        let mut many: Vec<Pair> = (0..CLIENTS).map(|number| pair(format!("many{number}"))).collect();
        let mut ratios = (Vec::new(), Vec::new());
        let mut last = (Duration::ZERO, Duration::ZERO, 0.0, 0.0);
        for _ in 0..ROUNDS {
            last = (
                cost(|| one.put()),
                cost(|| one.write()),
                rate(&mut many, Pair::put),
                rate(&mut many, Pair::write),
            );
            ratios.0.push(last.1.as_secs_f64() / last.0.as_secs_f64());
            ratios.1.push(last.3 / last.2);
        }
        ratios.0.sort_by(f64::total_cmp);
        ratios.1.sort_by(f64::total_cmp);
        let text = |ratios: &[f64]| {
            format!("ratio {:.2} ({:.2} to {:.2})", ratios[ROUNDS / 2], ratios[0], ratios[ROUNDS - 1])
        };
        println!(
            "etcd of {members}: a bare put {:?}, a write through charmd {:?}; {}",
            last.0,
            last.1,
            text(&ratios.0)
        );
        println!(
            "etcd of {members}, {CLIENTS} clients: {:.0} bare puts a second, {:.0} writes through charmd; {}",
            last.2,
            last.3,
            text(&ratios.1)
        );
    }
}
