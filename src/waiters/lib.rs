//! The engine of waiters: `(state, event, now)` to `(state, effects)`, without clock, file and thread.
//!
//! ```text
//!   Event + now ──► Engine ──► [Ended]      who ended, how, and when
//!                     │
//!                     ├─ Tree       variables, counted at every prefix of their paths;
//!                     │             at each node the numbers that waiters look for there
//!                     └─ deadlines  sorted
//! ```
//!
//! ```
//! use std::time::Duration;
//!
//! use charms_reactive_core::waiter::{Cardinality, Moment, Outcome, VariablePath, Waiter, WaiterName};
//! use charms_reactive_waiters::{Engine, Event};
//!
//! let path = |text| VariablePath::parse(text).expect("a path");
//! let at = |second| Moment::from_unix(Duration::from_secs(second));
//! let success = Cardinality::new(path("/ready"), 2);
//! let waiter = Waiter { success, failure: None, timeout: Duration::from_secs(60), created: at(100) };
//!
//! let mut engine = Engine::new();
//! let name = WaiterName::parse("bootstrap").expect("a name");
//! assert!(engine.apply(Event::Wait { name: name.clone(), waiter }, at(100)).is_empty());
//! assert!(engine.apply(Event::Write(path("/ready/web-0")), at(110)).is_empty());
//! let ended = engine.apply(Event::Write(path("/ready/web-1")), at(120));
//! assert_eq!((&ended[0].name, ended[0].outcome, ended[0].at), (&name, Outcome::Success, at(120)));
//! ```
//!
//! # What it costs
//!
//! One write walks the segments of its path, whatever the number of variables and waiters; a waiter that
//! ends costs the logarithm of their number besides.  Nothing can be cheaper: each prefix of the path has
//! a count that changes.  A removal below a path walks that path, and forgets each variable that goes.
//!
//! # Guarantees
//!
//! - A waiter ends once.  What happens later does not change how.
//! - A change at the moment of the deadline is in time, a nanosecond later it is not.
//! - Failure is judged before success, when one change meets both.

mod engine;
mod tree;

pub use engine::{Ended, Engine, Event};
pub use tree::{Conflict, Tree};
