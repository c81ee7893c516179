//! A folder with charms in bash and scenarios, and the program run in it.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect_test::Expect;
use zip::write::SimpleFileOptions;

/// A client of a database.
const WEB: &str = r#"#!/bin/bash
set -eu
hook=${JUJU_DISPATCH_PATH##*/}
case $hook in
install) state-set flags='["web.installed"]' ;;
config-changed)
    port=$(config-get port)
    if [ "$port" = 0 ]; then echo "port 0 is none" >&2; exit 1; fi
    open-port "$port/tcp"
    status-set blocked "no database" ;;
db-relation-joined) relation-set name="$JUJU_UNIT_NAME" ;;
db-relation-changed)
    host=$(relation-get host)
    if [ -n "$host" ]; then status-set active "uses $host"; fi ;;
db-relation-broken) status-set blocked "no database" ;;
backup) action-set size=7 where="$(action-get to)" ;;
esac
"#;

/// A database, of which the leader tells how many clients there are.
const DB: &str = r#"#!/bin/bash
set -eu
hook=${JUJU_DISPATCH_PATH##*/}
case $hook in
start) status-set active "0 clients" ;;
server-relation-created) relation-set host="$(unit-get private-address)" ;;
server-relation-changed) status-set active "$(relation-list | wc -l) clients" ;;
esac
"#;

/// A charm that believes for ever that it leads, once it did.
const RING: &str = r#"#!/bin/bash
set -eu
hook=${JUJU_DISPATCH_PATH##*/}
case $hook in
leader-elected) touch leads ;;
config-changed) if [ -e leads ]; then relation-set -r ring:0 primary=yes; fi ;;
esac
"#;

/// A folder with charms, in which the program is run.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// The charms `web`, `db`, `ring` in folders, `db.charm` as an archive.
    pub(crate) fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        desk.charm(
            "web",
            "name: web\nrequires: {db: sql}",
            &[
                ("config.yaml", "options: {port: {type: int, default: 80}}"),
                ("actions.yaml", "backup: {params: {to: {type: string, default: here}}}"),
            ],
            WEB,
        );
        desk.charm("db", "name: db\nprovides: {server: sql}", &[], DB);
        desk.charm(
            "ring",
            "name: ring\npeers: {ring: ring}",
            &[("config.yaml", "options: {port: {type: int, default: 80}}")],
            RING,
        );
        desk.archive("db.charm", &[("metadata.yaml", "name: db\nprovides: {server: sql}"), ("dispatch", DB)]);
        desk
    }

    pub(crate) fn charm(&self, name: &str, metadata: &str, files: &[(&str, &str)], dispatch: &str) {
        self.write(&format!("{name}/metadata.yaml"), metadata);
        for (file, text) in files {
            self.write(&format!("{name}/{file}"), text);
        }
        let program = self.write(&format!("{name}/dispatch"), dispatch);
        fs::set_permissions(program, Permissions::from_mode(0o755)).unwrap();
    }

    fn archive(&self, name: &str, files: &[(&str, &str)]) {
        let mut archive = zip::ZipWriter::new(File::create(self.path(name)).unwrap());
        for (file, text) in files {
            let mode = if *file == "dispatch" { 0o755 } else { 0o644 };
            archive.start_file(*file, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        archive.finish().unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The program, to be started in the folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_charms-reactive"));
        command.args(args).current_dir(self.folder.path());
        command
    }

    /// Runs the program, and tells what it printed where, and how it ended.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let code = output.status.code().unwrap_or(-1);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        format!("{stderr}---- exit code {code}\n{stdout}")
    }

    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Writes a scenario of the two charms, and runs it.
    pub(crate) fn simulate(&self, steps: &str, args: &[&str]) -> String {
        self.write("scenario.yaml", &format!("{SHOP}{steps}"));
        self.run(&[&["simulate", "scenario.yaml"], args].concat())
    }
}

/// The bundle of most tests.
pub(crate) const SHOP: &str = "\
applications:
  web: {charm: ./web, num_units: 2}
  db: {charm: db.charm}
relations:
- [web:db, db:server]
";

#[track_caller]
pub(crate) fn check(found: &str, expected: &Expect) {
    expected.assert_eq(found);
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Whether something comes true within half a minute.
pub(crate) fn comes_true(mut is: impl FnMut() -> bool) -> bool {
    (0..300).any(|_| {
        let is = is();
        if !is {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        is
    })
}

/// A file in a folder, as text; empty while it is not there.
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
