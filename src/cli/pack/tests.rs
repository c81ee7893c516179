//! From a workspace to its charms, with programs that nobody had to build.

use std::fs;
use std::io::Write as _;

use expect_test::expect;

use super::content::tests::{METADATA, put};
use super::executable::fake;
use super::*;

/// What `cargo metadata` says of a workspace in `root` with one package, `charms` in its metadata.
fn cargo_metadata(root: &Path, charms: &serde_json::Value) -> Vec<u8> {
    let metadata = serde_json::json!({
        "packages": [
            {
                "id": "path+file:///w#lib@0.1.0", "name": "lib", "metadata": null,
                "manifest_path": root.join("lib/Cargo.toml"),
                "targets": [{ "name": "lib", "kind": ["lib"], "src_path": "lib.rs" }],
            },
            {
                "id": "path+file:///w#two@0.1.0", "name": "two",
                "metadata": { "charms": charms, "docs": {} },
                "manifest_path": root.join("two/Cargo.toml"),
                "targets": [
                    { "name": "two", "kind": ["lib"] },
                    { "name": "db", "kind": ["bin"] },
                    { "name": "web", "kind": ["bin"] },
                ],
            },
        ],
        "target_directory": root.join("target"),
        "workspace_root": root,
        "version": 1,
    });
    metadata.to_string().into_bytes()
}

fn section(bin: &str, folder: &str) -> serde_json::Value {
    serde_json::json!({ "bin": bin, "folder": folder })
}

/// A workspace on disk with charms in these folders, called as the folders are.
fn workspace(folders: &[&str], charms: &serde_json::Value) -> (tempfile::TempDir, Workspace) {
    let root = tempfile::tempdir().unwrap();
    for folder in folders {
        let path = root.path().join("two").join(folder);
        fs::create_dir_all(&path).unwrap();
        put(&path, &[("metadata.yaml", &METADATA.replace("my-charm", folder))]);
    }
    let workspace = Workspace::parse(&cargo_metadata(root.path(), charms)).unwrap();
    (root, workspace)
}

fn names(charms: &[Charm]) -> Vec<&str> {
    charms.iter().map(|charm| charm.folder.name()).collect()
}

#[test]
fn charms_are_the_binaries_that_packages_declare() {
    let charms = serde_json::json!([section("db", "database"), section("web", "web")]);
    let (root, workspace) = workspace(&["database", "web"], &charms);
    assert_eq!(workspace.target_dir, root.path().join("target"));
    assert!(!workspace.has_pack_profile);
    let charms = read_folders(&workspace).unwrap();
    assert_eq!(names(&charms), ["database", "web"]);
    let found: Vec<_> = charms.iter().map(|charm| (charm.package.as_str(), charm.bin.as_str())).collect();
    assert_eq!(found, [("two", "db"), ("two", "web")]);
    assert_eq!(by_package(&charms).count(), 1, "both are built at once");
}

#[test]
fn the_workspaces_own_profile_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), &[("Cargo.toml", "[workspace]\n\n[profile.pack]\ninherits = \"release\"\n")]);
    let metadata = cargo_metadata(root.path(), &serde_json::json!([section("db", ".")]));
    assert!(Workspace::parse(&metadata).unwrap().has_pack_profile);
}

#[test]
fn charms_are_chosen_by_name() {
    let charms = serde_json::json!([section("db", "database"), section("web", "web")]);
    let (_root, workspace) = workspace(&["database", "web"], &charms);
    let choose = |wanted: &[&str]| {
        let wanted: Vec<_> = wanted.iter().map(|name| (*name).to_owned()).collect();
        chosen(read_folders(&workspace).unwrap(), &wanted)
    };
    assert_eq!(names(&choose(&[]).unwrap()), ["database", "web"]);
    assert_eq!(names(&choose(&["web", "web"]).unwrap()), ["web"]);
    let error = choose(&["web", "db"]).unwrap_err();
    assert_eq!(error.to_string(), "no charm `db` in this workspace");
    assert_eq!(error.hint().unwrap(), "there is `database`, `web`");
}

#[test]
fn two_charms_of_one_name_are_refused() {
    let charms = serde_json::json!([section("db", "web"), section("web", "web")]);
    let (root, workspace) = workspace(&["web"], &charms);
    let error = read_folders(&workspace).unwrap_err().to_string();
    let error = error.replace(&root.path().canonicalize().unwrap().display().to_string(), "ROOT");
    assert_eq!(error, "two charms are called `web`: in `ROOT/two/web` and in `ROOT/two/web`");
}

#[test]
fn a_wrong_declaration_is_explained() {
    let root = Path::new("/w");
    for (charms, error, hint) in [
        (
            serde_json::json!([]),
            expect!["no charm in workspace `/w`"],
            expect![[r#"
                name one in the Cargo.toml of its package:

                    [[package.metadata.charms]]
                    bin = "dispatch"
                    folder = "."      # where its metadata.yaml is
            "#]],
        ),
        (
            serde_json::json!([section("dispatch", ".")]),
            expect!["package `two` has no binary `dispatch`, which `package.metadata.charms` names"],
            expect!["it has `db`, `web`"],
        ),
        (
            section("db", "."),
            expect![
                "cannot read `package.metadata.charms` of package `two`: invalid type: map, expected a sequence"
            ],
            expect!["expected a list, `[[package.metadata.charms]]`, with `bin` and `folder`"],
        ),
        (
            serde_json::json!([{ "bin": "db", "folders": "." }]),
            expect![
                "cannot read `package.metadata.charms` of package `two`: unknown field `folders`, expected one of `bin`, `folder`, `daemon`"
            ],
            expect!["expected a list, `[[package.metadata.charms]]`, with `bin` and `folder`"],
        ),
    ] {
        let found = Workspace::parse(&cargo_metadata(root, &charms)).unwrap_err();
        let source = std::error::Error::source(&found).map(|source| format!(": {source}"));
        error.assert_eq(&format!("{found}{}", source.unwrap_or_default()));
        hint.assert_eq(&found.hint().unwrap());
    }
}

#[test]
fn a_charm_becomes_a_folder_and_a_file() {
    let (root, workspace) = workspace(&["web"], &serde_json::json!([section("web", "web")]));
    let program = root.path().join("program");
    fs::File::create(&program).unwrap().write_all(&fake(183, &[])).unwrap();
    let output_dir = root.path().join("charms");
    let charms = read_folders(&workspace).unwrap();

    let packed = pack(&charms[0], &program, None, &output_dir).unwrap();
    assert_eq!(packed.folder, output_dir.join("web"));
    assert_eq!(packed.file, output_dir.join("web_ubuntu-arm64.charm"));
    assert_eq!(fs::read(packed.folder.join("dispatch")).unwrap(), fake(183, &[]));
    let first = fs::read(&packed.file).unwrap();
    assert_eq!(pack(&charms[0], &program, None, &output_dir).unwrap(), packed);
    assert_eq!(fs::read(&packed.file).unwrap(), first, "the same again");
    assert!(!packed.folder.join("charmd").exists());
}

#[test]
fn a_charm_that_wants_the_daemon_has_it_beside_its_program() {
    use std::os::unix::fs::PermissionsExt as _;

    let mut wanted = section("web", "web");
    wanted["daemon"] = true.into();
    let (root, workspace) =
        workspace(&["web", "database"], &serde_json::json!([wanted, section("db", "database")]));
    let program = root.path().join("program");
    fs::File::create(&program).unwrap().write_all(&fake(62, &[])).unwrap();
    let charms = read_folders(&workspace).unwrap();
    assert_eq!(charms.iter().map(|charm| charm.has_daemon).collect::<Vec<_>>(), [true, false]);
    let daemon = Executable::parse(fake(62, &[1])).unwrap();
    let packed = pack(&charms[0], &program, Some(&daemon), &root.path().join("charms")).unwrap();
    assert_eq!(packed.daemon_bytes, Some(daemon.bytes.len()));
    let file = packed.folder.join("charmd");
    assert_eq!(fs::read(&file).unwrap(), daemon.bytes);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn the_table_tells_what_was_packed() {
    let rows = [packed("web", true, 1_363_149, 490_000), packed("database-router", false, 1023, 1024)];
    expect![[r"
        CHARM            ARCH   LINKED   PROGRAM  PACKED     FILE
        web              amd64  static   1.3 MiB  478.5 KiB  target/charms/web_ubuntu-amd64.charm
        database-router  amd64  dynamic  1023 B   1.0 KiB    target/charms/database-router_ubuntu-amd64.charm
    "]]
    .assert_eq(&table(&rows, Path::new("/w")));
}

/// A charm that was packed.
fn packed(name: &str, is_static: bool, program_bytes: usize, file_bytes: u64) -> Packed {
    Packed {
        name: name.to_owned(),
        architecture: "amd64",
        is_static,
        program_bytes,
        daemon_bytes: None,
        folder: format!("/w/target/charms/{name}").into(),
        file: format!("/w/target/charms/{name}_ubuntu-amd64.charm").into(),
        file_bytes,
    }
}

#[test]
fn a_program_may_not_be_larger_than_is_said() {
    let charms = [packed("web", true, 1000, 1), packed("db", true, 1001, 1)];
    assert!(check_sizes(&charms, None).is_ok());
    assert!(check_sizes(&charms, Some(1001)).is_ok());
    let error = check_sizes(&charms, Some(1000)).unwrap_err();
    assert_eq!(error.to_string(), "the program of charm `db` has 1001 bytes, expected at most 1000");
}
