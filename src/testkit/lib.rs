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

mod app;

pub use app::{AppCharm, Mode, in_process};
pub use charms_reactive_sim::*;
