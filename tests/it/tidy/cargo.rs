//! What cargo knows of the workspace.

use std::process::Command;

use serde_json::Value;

use super::tree::top;

/// The packages of the workspace, from their manifests alone.
pub(super) fn manifests() -> Vec<Value> {
    packages(&metadata(&["--no-deps", "--offline"]))
}

/// All packages and the edges between them, as built on this machine.
pub(super) fn resolved() -> Value {
    // Without other platforms: their packages need not be on this machine.
    metadata(&["--locked", "--filter-platform", "host-tuple"])
}

/// The packages of an answer of `cargo metadata`.
pub(super) fn packages(metadata: &Value) -> Vec<Value> {
    metadata["packages"].as_array().expect("cargo lists packages").clone()
}

/// The text under `key`.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("cargo gives a text as `{key}`"))
}

/// The elements of the list under `key`.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("cargo gives a list as `{key}`"))
}

#[expect(clippy::disallowed_methods, reason = "asks cargo, which names itself in a variable, what it knows")]
fn metadata(arguments: &[&str]) -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1"])
        .args(arguments)
        .current_dir(top())
        .output()
        .expect("cargo runs this test");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`cargo metadata {}` failed: {complaint}", arguments.join(" "));
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}
