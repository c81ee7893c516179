//! Something for Prometheus to scrape over TLS.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use crate::certificates::Pair;
use crate::program::command;

const PROGRAM: &str = include_str!("target.py");

/// An HTTPS server with metrics, on 127.0.0.1; it ends when this value goes.
#[derive(Debug)]
pub(crate) struct Target {
    process: Child,
    port: u16,
}

impl Target {
    /// Starts one that takes every client.
    pub(crate) fn open(pair: &Pair) -> Self {
        Self::start(&[&pair.certificate, &pair.key])
    }

    /// Starts one that takes only clients with a certificate that `authority` signed.
    pub(crate) fn for_clients_of(authority: &Path, pair: &Pair) -> Self {
        Self::start(&[&pair.certificate, &pair.key, authority])
    }

    fn start(arguments: &[&Path]) -> Self {
        let mut command = command("python3");
        command.args(["-c", PROGRAM]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("it started just now");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("a pipe, as asked for");
        BufReader::new(stdout).read_line(&mut line).expect("a line of text");
        let port = line.trim().parse().expect("the target prints its port first");
        Self { process, port }
    }

    /// `127.0.0.1` and its port, as in `static_configs`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
