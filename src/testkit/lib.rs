//! Tests of charms: many units in a simulated Juju model, without a controller.
//!
//! The model is that of [`charms_reactive_sim`], which is all here; this crate knows besides how to run
//! an [`App`](charms_reactive::App) in it.  A charm takes it as a development dependency:
//!
//! ```
//! use charms_reactive::HookEvent;
//! use charms_reactive::prelude::*;
//! use charms_reactive_testkit::{Sim, in_process};
//!
//! # const METADATA: &str = "name: web";
//! fn app() -> App {
//!     App::new(Charm::default()).handler(ready, on(HookEvent::Start))
//! }
//!
//! fn ready(hook: &mut Hook) -> Result<(), HandlerError> {
//!     hook.status(Active("ready"));
//!     Ok(())
//! }
//!
//! let mut sim = Sim::from_seed(7);
//! sim.deploy("web", in_process(app).metadata(METADATA), 3).expect("deployed");
//! sim.settle().expect("settled");
//! assert_eq!(sim.unit("web/2").expect("a unit").workload.message, "ready");
//! ```

//!
//! # Where to look
//!
//! | For | See |
//! |---|---|
//! | what an operator does | [`Sim`], [`Step`] |
//! | one body as a function and as a program | [`in_both_modes!`], [`AppCharm::source`], [`lay_out`] |
//! | faults | [`Sim::rule`], [`Sim::hook_rule`], [`Sim::kill_at`], [`every_command`] |
//! | time | [`Sim::advance`], [`Sim::stop_agent`] |
//! | operations of charms, and faults of their daemons | [`Daemons`] |
//! | many seeds | [`for_seeds`], [`Trial`], [`Possible`] |
//! | every order | [`explore`], [`explore_steps`] |
//! | what no charm should do | [`Sim::check_all`] |
//! | looking | [`Sim::status`], [`Sim::snapshot`], [`Sim::transcript`], [`Sim::events`], [`Sim::page`] |
//!
//! `docs/testing.md` of the repository is the guide, and `tests/outside` a charm with such tests.

mod app;
mod daemon;
mod mode;
mod pack;

pub use app::{AppCharm, in_process};
pub use charms_reactive_sim::*;
pub use daemon::{Asked, Daemons, Ending, Fare};
pub use mode::Mode;
pub use pack::lay_out;
