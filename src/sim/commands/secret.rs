//! The commands for secrets.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];
