//! What a charm needs in scope.

pub use charms_reactive_core::{Flag, HookEvent, RelationEvent};

pub use crate::automatic::{CONFIG_CHANGED, IS_LEADER};
pub use crate::charm::{App, Charm};
pub use crate::condition::{Condition, all, any, files_changed, none, not_all, on, once, when};
pub use crate::handler::HandlerError;
pub use crate::hook::Hook;
pub use crate::obstacle::Obstacle;
pub use crate::operation::{OperationKey, Work};
pub use crate::plan::{Active, Blocked, Maintenance, Status, Waiting};
pub use crate::trigger::{Trigger, cleared, set};
