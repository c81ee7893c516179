//! A hook command that answers from a file: nearly the cheapest that there can be, the same for all sides.
//!
//! `STUB_ANSWERS/NAME` is what `NAME` answers; with the unit's own name among the arguments, `NAME.own`.
//! Standard input is read where `-` stands for it.  The file `STUB_COUNT` gets a line for each command.
//!
//! Compiled by the benches themselves, static.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().collect();
    let name = args[0].rsplit('/').next().unwrap_or_default();
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let mut buffer = [0; 64 * 1024];
    if args.windows(2).any(|pair| pair[0] == "--file" && pair[1] == "-") {
        while io::stdin().read(&mut buffer)? > 0 {}
    }
    let unit = variable("JUJU_UNIT_NAME");
    let suffix = if args.contains(&unit) { ".own" } else { "" };
    if let Ok(mut answer) = File::open(format!("{}/{name}{suffix}", variable("STUB_ANSWERS"))) {
        loop {
            let count = answer.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            io::stdout().write_all(&buffer[..count])?;
        }
        io::stdout().flush()?;
    }
    if let Ok(count) = env::var("STUB_COUNT") {
        OpenOptions::new().append(true).create(true).open(count)?.write_all(format!("{name}\n").as_bytes())?;
    }
    Ok(())
}
