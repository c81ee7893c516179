//! The charm in `tests/outside`, built and tested as its author would: from a folder outside of this
//! workspace, with the test kit as a development dependency, without a network.

#![expect(clippy::disallowed_methods, reason = "the test plays the charm's author, who runs cargo")]

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn a_charm_outside_of_the_workspace_is_tested_with_the_kit() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside");
    // Sources that are gone must not be tested; what was built may stay.
    let _ = fs::remove_dir_all(&folder);
    copy(&top.join("tests/outside"), &folder);
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).expect("a manifest");
    let text = text.replace("\"../../", &format!("\"{}/", top.display()));
    let text = text.replace("\"../..\"", &format!("\"{}\"", top.display()));
    assert!(!text.contains("../.."), "a path still leads into the workspace");
    fs::write(&manifest, text).expect("written");
    // The versions that are here anyway: nothing is downloaded.
    fs::copy(top.join("Cargo.lock"), folder.join("Cargo.lock")).expect("a lock file");

    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--offline"]).current_dir(&folder);
    cargo.env("CARGO_TARGET_DIR", folder.with_file_name("outside-target"));
    let output = cargo.output().expect("cargo runs");
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("everybody_greets::as_a_program ... ok"), "{told}");

    // Packed, it has the daemon of the framework that it depends on.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--offline", "--quiet", "--package", "charms-reactive-cli", "--manifest-path"]);
    cargo.arg(top.join("Cargo.toml")).arg("--target-dir").arg(top.join("target"));
    cargo.args(["--", "pack", "--profile", "dev"]).current_dir(&folder);
    let target = folder.with_file_name("outside-target");
    let output = cargo.env("CARGO_TARGET_DIR", &target).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let charmd = target.join("charms/greeter/charmd");
    let output = Command::new(charmd).arg("--version").output().expect("charmd starts");
    assert!(output.stdout.starts_with(b"charmd "), "{output:?}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            // What its author built there.
            if entry.file_name() != "target" {
                copy(&entry.path(), &target);
            }
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}
