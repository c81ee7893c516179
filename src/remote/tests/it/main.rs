//! The client over TLS, through proxies, and with events, against servers that do what the test says.

#![expect(clippy::disallowed_methods, reason = "writes files, and measures waits")]

mod events;
mod server;
mod tls;
