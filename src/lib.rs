//! Write Juju charms in Rust, in the reactive style.
//!
//! Facts gather as **flags**, and **handlers** run when their conditions hold.  A charm is a list that
//! reads aloud:
//!
//! ```
//! use charms_reactive::prelude::*;
//!
//! const INSTALLED: Flag = Flag::new("web.installed");
//!
//! pub fn app() -> App {
//!     App::new(Charm::default())
//!         .handler(install, none([INSTALLED]))
//!         .handler(report, when(INSTALLED))
//! }
//!
//! fn install(hook: &mut Hook) -> Result<(), HandlerError> {
//!     hook.write_file("/etc/web/web.conf", "port = 80\n", 0o644);
//!     hook.set(INSTALLED);
//!     Ok(())
//! }
//!
//! fn report(hook: &mut Hook) -> Result<(), HandlerError> {
//!     hook.status(Active("serving on port 80"));
//!     Ok(())
//! }
//! ```
//!
//! A charm with endpoints, options and actions begins with [`charm!`], which reads its `metadata.yaml`
//! when it is compiled.  Its `main` is [`run`].

pub use charms_reactive_core::{
    ApplicationName, Databag, EndpointName, EndpointSpec, Flag, HookEvent, Metadata, OptionKind, OptionSpec,
    RelationEvent, RelationId, Role, SecretEvent, StorageEvent, UnitName, WorkloadStatus,
};
pub use charms_reactive_hookcmd as hookcmd;
pub use charms_reactive_macros::charm;
pub use charms_reactive_runtime::*;
/// JSON, as the code that [`charm!`] makes needs it.
pub use serde_json;
