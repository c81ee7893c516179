//! The transcripts of `docs/waiters.md` are what the program prints.

use std::path::Path;

use expect_test::expect_file;

use crate::charm::read;
use crate::service::{Service, timeless};

/// The heading behind which they stand.
const HEADING: &str = "### From the command line";

#[test]
fn the_page_shows_what_the_program_prints() {
    let service = Service::start();
    service.write("bootstrap.yaml", "");
    let page = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/waiters.md"));
    let (before, section) = page.split_once(HEADING).unwrap();
    let end = section.find("\n### ").unwrap();
    let (section, after) = section.split_at(end);
    let mut blocks = section.split("```");
    let mut found = blocks.next().unwrap().to_owned();
    let mut count = 0;
    while let (Some(block), text) = (blocks.next(), blocks.next().unwrap_or_default()) {
        let shown = match block.split_once('\n').unwrap() {
            ("console", lines) => {
                count += 1;
                format!("console\n{}", played(&service, lines))
            }
            ("yaml", file) => {
                service.write("bootstrap.yaml", file);
                block.to_owned()
            }
            _ => block.to_owned(),
        };
        found.extend(["```", &shown, "```", text]);
    }
    assert_eq!(count, 2, "blocks with commands");
    // UPDATE_EXPECT=1 cargo test -p charms-reactive-cli --test it page
    expect_file!["../../../../../docs/waiters.md"].assert_eq(&format!("{before}{HEADING}{found}{after}"));
}

/// The commands of a block, each with what came of it.
fn played(service: &Service, block: &str) -> String {
    let mut found = String::new();
    let mut lines = block.lines();
    while let Some(line) = lines.next() {
        let Some(line) = line.strip_prefix("$ charms-reactive runtime-config ") else { continue };
        found.extend(["$ charms-reactive runtime-config ", line, "\n"]);
        let mut command = line.to_owned();
        while let Some(first) = command.strip_suffix('\\') {
            let more = lines.next().unwrap_or_default();
            found.extend([more, "\n"]);
            command = format!("{first}{more}");
        }
        found.push_str(&timeless(&service.line(&command)));
    }
    found
}
