//! What a write costs through `charmd` on etcd, against a bare put of etcd.
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

/// A connection that is kept.
struct Client<S: Read> {
    stream: BufReader<S>,
}

impl<S: Read + Write> Client<S> {
    fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    fn post(&mut self, path: &str, body: &Value) {
        let body = body.to_string();
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
        self.stream.get_mut().write_all((head + &body).as_bytes()).expect("sent");
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

fn main() {
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
