//! Who may import whom, and what may be on the way of a hook.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use super::cargo::{list, manifests, packages, resolved, text};
use super::expect_none;

/// Each crate, from the ground up, with the crates of ours that it may import.
const FLOORS: &[(&str, &[&str])] = &[
    ("charms-reactive-core", &[]),
    ("charms-reactive-macros", &[]),
    ("charms-reactive-hookcmd", &["charms-reactive-core"]),
    ("charms-reactive-client", &["charms-reactive-core"]),
    ("charms-reactive-waiters", &["charms-reactive-core"]),
    ("charms-reactive-operations", &["charms-reactive-core"]),
    (
        "charms-reactive-runtime",
        &[
            "charms-reactive-client",
            "charms-reactive-core",
            "charms-reactive-hookcmd",
            "charms-reactive-waiters",
        ],
    ),
    ("charms-reactive-import", &["charms-reactive-core", "charms-reactive-runtime"]),
    ("charms-reactive-remote", &["charms-reactive-client", "charms-reactive-core"]),
    ("charms-reactive-sim", &["charms-reactive-core", "charms-reactive-hookcmd"]),
    (
        "charms-reactive",
        &[
            "charms-reactive-core",
            "charms-reactive-hookcmd",
            "charms-reactive-macros",
            "charms-reactive-runtime",
        ],
    ),
    (
        "charms-reactive-testkit",
        &["charms-reactive", "charms-reactive-core", "charms-reactive-operations", "charms-reactive-sim"],
    ),
    ("prometheus-manual", &["charms-reactive-core", "charms-reactive-runtime"]),
    ("prometheus-scrape-jobs", &["charms-reactive", "prometheus-manual"]),
    (
        "charms-reactive-server",
        &[
            "charms-reactive-client",
            "charms-reactive-core",
            "charms-reactive-operations",
            "charms-reactive-waiters",
        ],
    ),
    (
        "charms-reactive-cli",
        &[
            "charms-reactive-client",
            "charms-reactive-core",
            "charms-reactive-hookcmd",
            "charms-reactive-remote",
            "charms-reactive-sim",
        ],
    ),
    // A charm of the tests with SQLite, apart from those without.
    ("charms-reactive-tests-import", &["charms-reactive", "charms-reactive-import"]),
    // The roof: sees all, seen by none.
    (ROOF, &[]),
];

/// The tests may import everything.
const ROOF: &str = "charms-reactive-tests";

/// The judge shares no code with the accused, not even in tests of its own.
const JUDGE: (&str, &str) = ("charms-reactive-sim", "charms-reactive-runtime");

/// The outside crates that the runtime brings into every hook.
const RUNTIME_BRINGS: &[&str] = &[
    "equivalent",
    "hashbrown",
    "httparse",
    "indexmap",
    "itoa",
    "log",
    "memchr",
    "serde",
    "serde_core",
    "serde_json",
    "thiserror",
    "uuid",
    "zmij",
];

/// What has no business in a hook, and why.
const KEPT_OUT: &[(&str, &[&str])] = &[
    (
        "an async runtime: a hook has nothing to overlap",
        &["async-executor", "async-global-executor", "async-std", "futures-executor", "mio", "smol", "tokio"],
    ),
    (
        "SQLite: the state is Juju's",
        &["diesel", "libsqlite3-sys", "rusqlite", "sqlite", "sqlx", "sqlx-core", "turso"],
    ),
    (
        "TLS: a hook talks to its unit agent alone",
        &["aws-lc-rs", "native-tls", "openssl", "openssl-sys", "ring", "rustls", "schannel"],
    ),
    ("a YAML reader: metadata is read when the charm is compiled", YAML_READERS),
];

const YAML_READERS: &[&str] = &[
    "libyaml-rs",
    "libyml",
    "rust-yaml",
    "saphyr",
    "saphyr-parser",
    "serde-saphyr",
    "serde_norway",
    "serde_yaml",
    "serde_yaml_ng",
    "serde_yml",
    "unsafe-libyaml",
    "yaml-rust",
    "yaml-rust2",
    "yaml_serde",
];

#[test]
fn a_crate_imports_only_from_floors_below() {
    let mut found = Vec::new();
    let packages = manifests();
    let ours: BTreeSet<&str> = packages.iter().map(|package| text(package, "name")).collect();
    for package in &packages {
        let name = text(package, "name");
        let Some((_, allowed)) = FLOORS.iter().find(|(known, _)| *known == name) else {
            found.push(format!("{name} is not in the table"));
            continue;
        };
        let imports = list(package, "dependencies").iter().filter(|import| import["kind"] != "dev");
        for import in imports.map(|import| text(import, "name")).filter(|import| ours.contains(import)) {
            if import == ROOF || name != ROOF && !allowed.contains(&import) {
                found.push(format!("{name} imports {import}"));
            }
        }
    }
    expect_none(
        &found,
        "move the code that needs it a floor up, or change `FLOORS` here and the drawing of the floors in \
         docs/architecture.md together:",
    );
}

#[test]
fn the_table_of_floors_names_only_what_is_below() {
    for (position, (name, allowed)) in FLOORS.iter().enumerate() {
        let below: Vec<&str> = FLOORS[..position].iter().map(|(name, _)| *name).collect();
        let above: Vec<String> =
            allowed.iter().filter(|import| !below.contains(import)).map(ToString::to_string).collect();
        expect_none(&above, &format!("`FLOORS` lets `{name}` import what does not come before it:"));
    }
}

#[test]
fn the_simulator_never_imports_the_runtime() {
    let (judge, accused) = JUDGE;
    let packages = manifests();
    let judge = packages.iter().find(|package| text(package, "name") == judge).expect("in the workspace");
    let found = list(judge, "dependencies").iter().filter(|import| text(import, "name") == accused);
    let found: Vec<String> = found.map(|import| import["kind"].to_string()).collect();
    expect_none(&found, "test the simulator with charms in Python or in `sh`, not with our runtime:");
}

#[test]
fn the_runtime_brings_exactly_the_listed_crates() {
    let graph = Graph::new(&resolved());
    let ours: BTreeSet<&str> = FLOORS.iter().map(|(name, _)| *name).collect();
    let reached = graph.reached("charms-reactive-runtime", |_, _| true);
    let brought: BTreeSet<&str> =
        reached.keys().map(String::as_str).filter(|name| !ours.contains(name)).collect();
    let listed: BTreeSet<&str> = RUNTIME_BRINGS.iter().copied().collect();
    let mut found: Vec<String> = Vec::new();
    found.extend(brought.difference(&listed).map(|name| format!("new: {}", chain(&reached, name))));
    found.extend(listed.difference(&brought).map(|name| format!("gone: {name}")));
    expect_none(
        &found,
        "every charm carries these: do without the new ones, or change `RUNTIME_BRINGS` and say why in the commit:",
    );
}

#[test]
fn nothing_heavy_is_on_the_way_of_a_hook() {
    let metadata = resolved();
    let graph = Graph::new(&metadata);
    let packages = packages(&metadata);
    let is_charm = |package: &&Value| !package["metadata"]["charms"].is_null();
    let charms: Vec<&str> = packages.iter().filter(is_charm).map(|package| text(package, "name")).collect();
    assert!(charms.contains(&"prometheus-scrape-jobs"), "`package.metadata.charms` names charms: {charms:?}");
    // A charm may read YAML of its own, but nobody below may bring a reader.
    let is_own_yaml = |from: &str, to: &str| charms.contains(&from) && YAML_READERS.contains(&to);
    let mut found = Vec::new();
    for charm in &charms {
        let reached = graph.reached(charm, |from, to| !is_own_yaml(from, to));
        for (why, names) in KEPT_OUT {
            let brought = names.iter().filter(|name| reached.contains_key(**name));
            found.extend(brought.map(|name| format!("{} ({why})", chain(&reached, name))));
        }
    }
    expect_none(&found, "cut these chains; `cargo tree --edges normal --invert CRATE` shows them too:");
}

/// Normal edges between packages, by name; proc-macros left out, for nothing of them is in the binary.
struct Graph {
    edges: BTreeMap<String, Vec<String>>,
}

impl Graph {
    fn new(metadata: &Value) -> Self {
        let packages = packages(metadata);
        let is_macro = |package: &Value| {
            list(package, "targets").iter().any(|target| list(target, "kind").contains(&"proc-macro".into()))
        };
        let names: BTreeMap<&str, &str> = packages
            .iter()
            .filter(|package| !is_macro(package))
            .map(|package| (text(package, "id"), text(package, "name")))
            .collect();
        let mut edges: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"], "nodes") {
            let Some(from) = names.get(text(node, "id")) else { continue };
            let is_normal =
                |import: &&Value| list(import, "dep_kinds").iter().any(|kind| kind["kind"].is_null());
            let imports = list(node, "deps").iter().filter(is_normal);
            let imports = imports.filter_map(|import| names.get(text(import, "pkg")));
            edges.entry((*from).to_owned()).or_default().extend(imports.map(ToString::to_string));
        }
        Self { edges }
    }

    /// Every package on a way from `root` along edges that `may` be gone, with the one before it.
    fn reached(&self, root: &str, may: impl Fn(&str, &str) -> bool) -> BTreeMap<String, Option<String>> {
        assert!(self.edges.contains_key(root), "cargo does not know `{root}`");
        let mut reached = BTreeMap::from([(root.to_owned(), None)]);
        let mut queue = VecDeque::from([root.to_owned()]);
        while let Some(from) = queue.pop_front() {
            for to in self.edges.get(&from).into_iter().flatten() {
                if may(&from, to) && !reached.contains_key(to) {
                    reached.insert(to.clone(), Some(from.clone()));
                    queue.push_back(to.clone());
                }
            }
        }
        reached
    }
}

/// The way to `name`: `charm > front door > runtime > name`.
fn chain(reached: &BTreeMap<String, Option<String>>, name: &str) -> String {
    let before = |name: &String| reached.get(name).cloned().flatten();
    let mut chain: Vec<String> = std::iter::successors(Some(name.to_owned()), before).collect();
    chain.reverse();
    chain.join(" > ")
}
