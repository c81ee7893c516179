//! `runtime-config variables`.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use expect_test::expect;
use serde_json::Value;

use crate::charm::{check, text};
use crate::service::{Service, shown};

fn json_of(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap()
}

#[test]
fn variables_are_set_shown_and_unset() {
    let service = Service::start();
    service.fine("configs create c");
    check(
        &service.lines(&[
            "variables set /status//n1/ up --config-name c --is-text",
            "variables set status/n1 down --config-name c",
            "variables set status/n1 x --config-name c --fail-if-present",
            "variables set status/n2 x --config-name c --fail-if-absent",
            "variables set status x --config-name c",
            "variables describe status/n1 --config-name c",
            "variables get-value status/n1 --config-name c",
            "variables set projects/default/configs/c/variables/flag --config-name c -1 --is-text --json",
            "variables list --config-name c",
            "variables list --config-name c --values",
            "variables list --config-name c --limit 1 --format value(name)",
            "configs variables list --config-name c --format none",
            "variables unset status --config-name c",
            "variables unset nothing --config-name c",
            "variables unset nothing --config-name c --fail-if-absent",
            "variables unset status --config-name c --recursive",
            "variables list --config-name d",
            "variables list",
        ]),
        &expect![[r#"
            $ variables set /status//n1/ up --config-name c --is-text
            Created [http://charmd/v1beta1/projects/default/configs/c/variables/status%2Fn1].
            $ variables set status/n1 down --config-name c
            Updated [http://charmd/v1beta1/projects/default/configs/c/variables/status%2Fn1].
            $ variables set status/n1 x --config-name c --fail-if-present
            error: ALREADY_EXISTS: Requested entity already exists
            hint: without `--fail-if-present` it is replaced
            [exit code 1]
            $ variables set status/n2 x --config-name c --fail-if-absent
            error: NOT_FOUND: Requested entity was not found.
            hint: `variables list` shows which there are
            [exit code 1]
            $ variables set status x --config-name c
            error: FAILED_PRECONDITION: Precondition check failed.
            hint: a variable cannot stand above another one: take another name, or `variables unset --recursive` those below
            [exit code 1]
            $ variables describe status/n1 --config-name c
            atomicName: projects/default/configs/c/variables/status/n1
            name: status/n1
            updateTime: "2016-04-12T18:02:13Z"
            value: down
            $ variables get-value status/n1 --config-name c
            down
            $ variables set projects/default/configs/c/variables/flag --config-name c -1 --is-text --json
            Created [http://charmd/v1beta1/projects/default/configs/c/variables/flag].
            {
              "atomicName": "projects/default/configs/c/variables/flag",
              "name": "flag",
              "text": "-1",
              "updateTime": "2016-04-12T18:02:13Z",
              "value": "-1"
            }
            $ variables list --config-name c
            NAME       UPDATE_TIME
            flag       2016-04-12T18:02:13
            status/n1  2016-04-12T18:02:13
            $ variables list --config-name c --values
            NAME       UPDATE_TIME          VALUE
            flag       2016-04-12T18:02:13  -1
            status/n1  2016-04-12T18:02:13  down
            $ variables list --config-name c --limit 1 --format value(name)
            flag
            $ configs variables list --config-name c --format none
            $ variables unset status --config-name c
            error: FAILED_PRECONDITION: Precondition check failed.
            hint: there are variables below it, none of that name: `--recursive` removes them
            [exit code 1]
            $ variables unset nothing --config-name c
            $ variables unset nothing --config-name c --fail-if-absent
            error: NOT_FOUND: Requested entity was not found.
            hint: `variables list` shows which there are
            [exit code 1]
            $ variables unset status --config-name c --recursive
            Deleted [http://charmd/v1beta1/projects/default/configs/c/variables/status].
            $ variables list --config-name d
            error: NOT_FOUND: Requested entity was not found.
            hint: `configs list` shows which configs there are, `configs create` makes one
            [exit code 1]
            $ variables list
            error: which config? expected `--config-name CONFIG`
            [exit code 2]
        "#]],
    );
}

#[test]
fn a_value_comes_from_standard_input_and_goes_out_to_the_byte() {
    let service = Service::start();
    service.fine("configs create c");
    let set = |bytes: &[u8], more: &[&str]| {
        let args = [&["variables", "set", "v", "--config-name", "c"], more].concat();
        let mut child = service
            .command(&args)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        child.wait_with_output().unwrap()
    };
    let get = || service.output(&["variables", "get-value", "v", "--config-name", "c"]).stdout;
    for bytes in [&b"\xff\x00\n\xfe"[..], b"", b"line\n"] {
        let output = set(bytes, &[]);
        assert!(output.status.success(), "{}", shown(&output));
        assert!(text(&output.stderr).starts_with("No value argument specified; reading value from stdin.\n"));
        assert_eq!(get(), bytes);
    }
    check(
        &shown(&set(b"\xff", &["--is-text"])),
        &expect![[r#"
        No value argument specified; reading value from stdin.
        error: this value is no text in UTF-8: set it without `--is-text`
        [exit code 2]
    "#]],
    );
    assert!(set(&[b'x'; 4095], &["--is-text"]).status.success());
    assert_eq!(get(), [b'x'; 4095]);
    check(
        &shown(&set(&[b'x'; 4096], &[])),
        &expect![[r#"
        No value argument specified; reading value from stdin.
        error: INVALID_ARGUMENT: Request contains an invalid argument.
          because: variable: 4096 bytes, expected less than 4096
        [exit code 1]
    "#]],
    );
}

#[test]
fn a_watch_ends_with_the_change_or_with_exit_code_two() {
    let service = Service::start();
    service.fine("configs create c");
    let made = json_of(&service.fine("variables set v one --config-name c --is-text --json"));
    let watch = || {
        let mut command = service.command(&["variables", "watch", "v", "--config-name", "c"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It waits: nothing tells from outside when it has begun to.
        std::thread::sleep(Duration::from_millis(500));
        child
    };
    let child = watch();
    service.fine("variables set v two --config-name c --is-text");
    check(
        &shown(&child.wait_with_output().unwrap()),
        &expect![[r#"
        Waiting for variable [v] to change...done.
        atomicName: projects/default/configs/c/variables/v
        name: v
        state: UPDATED
        text: two
        updateTime: "2016-04-12T18:02:13Z"
        value: two
    "#]],
    );
    let child = watch();
    service.fine("variables unset v --config-name c");
    let ended = shown(&child.wait_with_output().unwrap());
    assert!(ended.contains("state: DELETED\n") && ended.contains("text: two\n"), "{ended}");
    service.fine("variables set v three --config-name c");
    let since = made["updateTime"].as_str().unwrap();
    let newer = service.line(&format!("variables watch v --config-name c --newer-than {since}"));
    assert!(newer.contains("value: three\n") && newer.contains("state: UPDATED\n"), "{newer}");
    check(
        &service.line("variables watch v --config-name c --max-wait 1s"),
        &expect![[r#"
        Waiting for variable [v] to change...failed.
        error: Variable did not change prior to timeout.
        hint: watch again; `--newer-than TIME` tells from when on a change counts
        [exit code 2]
    "#]],
    );
}
