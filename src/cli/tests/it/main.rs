//! The program as a process: what it prints, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]
#![expect(clippy::needless_raw_string_hashes, reason = "`expect-test` writes its snapshots so")]
#![expect(clippy::disallowed_methods, reason = "tests write files and start the program")]

mod chance;
mod charm;
mod operation;
mod runtime_config;
mod service;
mod simulate;
mod watch;
