//! Charm `twin`: one of two twins, in Rust and in Python, that must do the same.
//!
//! What it does is a program, `program.json` in the folder of the charm; see [`twin`].

pub mod kit;
pub mod twin;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The framework takes the folder from its context; the program is needed before there is one.
    charms_reactive::run(&twin::app("program.json".as_ref()))
}
