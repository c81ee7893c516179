//! The hook-command program.
