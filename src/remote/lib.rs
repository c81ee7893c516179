//! What programs have of the client and hooks need not carry: TCP, TLS, proxies, options, events.
//!
//! ```text
//! options        everything that can be said of a client, by hand or by variables of the environment
//! address tcp    a URL, and connections to it
//! proxy tls      through whom; whom to trust, and who one is
//! events follow  operations while they change, rather than asking again and again
//! ```
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use charms_reactive_client::ClientError;
//! use charms_reactive_remote::{Options, Server, follow};
//! use serde_json::json;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::Url("https://lxd.example.org:8443".to_owned());
//! let fingerprint = Some("0c1a9f3b192c44f7eb01febda8cfdc62f8e11604ad098b2693d290397dcc3599".to_owned());
//! let options = Options { server, fingerprint, ..Options::default() };
//! let client = options.client()?;
//!
//! // Any request; what the server starts for it is waited for, unless somebody says otherwise.
//! client.call("PUT", "/1.0/instances/c1/state").body(&json!({"action": "start"})).send()?;
//! let backup = client.call("POST", "/1.0/instances/c1/backups").body(&json!({})).sync(false).send()?;
//! let id = backup.operation().ok_or("done at once")?.id;
//! match follow(&client, &id, Some(Duration::from_secs(60)), |now| println!("{:?}", now.progress())) {
//!     Ok(operation) => println!("done: {:?}", operation.resources),
//!     Err(ClientError::Failed(operation)) => println!("failed: {}", operation.reason()),
//!     Err(ClientError::Cancelled(operation)) => println!("cancelled: {}", operation.reason()),
//!     Err(ClientError::TimedOut { operation, .. }) => println!("still {}", operation.status.as_str()),
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok(())
//! # }
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
