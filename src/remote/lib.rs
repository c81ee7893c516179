//! What programs have of the client and hooks need not carry: TCP, TLS, proxies, options, events.
//!
//! ```text
//! options        everything that can be said of a client, by hand or by variables of the environment
//! address tcp    a URL, and connections to it
//! proxy tls      through whom; whom to trust, and who one is
//! events follow  operations while they change, rather than asking again and again
//! ```

mod address;
mod events;
mod follow;
mod options;
mod proxy;
mod tcp;
mod tls;

pub use events::{Event, Events, Happening, Topic};
pub use follow::{follow, watch};
pub use options::{Options, OptionsError, Server, VARIABLES};
