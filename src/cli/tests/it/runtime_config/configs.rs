//! `runtime-config configs`, and lists in pages.

use expect_test::expect;
use serde_json::{Value, json};

use crate::charm::{check, text};
use crate::service::Service;

#[test]
fn configs_are_made_listed_changed_and_removed() {
    let service = Service::start();
    check(
        &service.lines(&[
            "configs list",
            "configs create boot --description Bootstrap",
            "configs create boot",
            "configs create projects/other/configs/c --format json",
            "configs list",
            "configs list --project other --format value(name,atomicName)",
            "configs describe boot",
            "configs update boot --description Other",
            "configs update boot",
            "configs describe boot --json",
            "configs delete boot",
            "configs delete boot",
        ]),
        &expect![[r#"
            $ configs list
            Listed 0 items.
            $ configs create boot --description Bootstrap
            Created [http://charmd/v1beta1/projects/default/configs/boot].
            $ configs create boot
            error: Resource in projects [default] is the subject of a conflict: Requested entity already exists
            hint: `configs update` changes its description, `configs delete` removes it
            [exit code 1]
            $ configs create projects/other/configs/c --format json
            Created [http://charmd/v1beta1/projects/other/configs/c].
            {
              "atomicName": "projects/other/configs/c",
              "name": "c"
            }
            $ configs list
            NAME  DESCRIPTION
            boot  Bootstrap
            $ configs list --project other --format value(name,atomicName)
            c	projects/other/configs/c
            $ configs describe boot
            atomicName: projects/default/configs/boot
            description: Bootstrap
            name: boot
            $ configs update boot --description Other
            Updated [http://charmd/v1beta1/projects/default/configs/boot].
            $ configs update boot
            Updated [http://charmd/v1beta1/projects/default/configs/boot].
            $ configs describe boot --json
            {
              "atomicName": "projects/default/configs/boot",
              "name": "boot"
            }
            $ configs delete boot
            Deleted [http://charmd/v1beta1/projects/default/configs/boot].
            $ configs delete boot
            error: NOT_FOUND: Requested entity was not found.
            hint: `configs list` shows which configs there are, `configs create` makes one
            [exit code 1]
        "#]],
    );
}

#[test]
fn a_thousand_variables_come_in_pages_of_seven() {
    let service = Service::start();
    service.fine("configs create c");
    let variables: Vec<Value> = (0..1000)
        .map(|number| {
            json!({"name": format!("v{number}"), "type": "runtimeconfig.v1beta1.variable",
                   "properties": {"parent": "c", "variable": format!("a/v{number}"), "text": "x"}})
        })
        .collect();
    service.write("many.yaml", &json!({ "resources": variables }).to_string());
    let made = text(&service.output(&["apply", "many.yaml"]).stderr);
    assert_eq!(made.matches("Created [").count(), 1000);
    let list =
        |more: &str| service.fine(&format!("variables list --config-name c --format value(name) {more}"));
    let pages = list("--page-size 7");
    let mut expected: Vec<String> = (0..1000).map(|number| format!("a/v{number}")).collect();
    expected.sort();
    assert_eq!(pages.lines().collect::<Vec<_>>(), expected);
    assert_eq!(pages, list(""));
    let some = list("--page-size 7 --limit 10");
    assert_eq!(some.lines().collect::<Vec<_>>(), expected[..10]);
    let wrong = service.line("variables list --config-name c --page-size 0");
    assert!(wrong.contains("0 is not in 1..=1000"), "{wrong}");
}
