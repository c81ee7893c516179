//! `charms-reactive runtime-config` against a running `charmd`.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use expect_test::expect;
use serde_json::{Value, json};

use crate::charm::{check, comes_true, text};
use crate::service::{Service, shown, timeless};

fn json_of(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap()
}

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
fn waiters_succeed_fail_and_time_out_with_the_exit_codes_of_gcloud() {
    let service = Service::start();
    service.fine("configs create c");
    service.fine("variables set good/1 x --config-name c");
    service.fine("variables set bad/1 x --config-name c");
    check(
        &service.lines(&[
            "waiters create good --config-name c --timeout 1h30m --success-cardinality-path /good",
            "waiters create bad --config-name c --timeout 60 --success-cardinality-path good/1 \
             --failure-cardinality-path bad --format value(name)",
            "waiters create late --config-name c --timeout 1.5s --success-cardinality-path /none",
            "waiters create good --config-name c --timeout 60 --success-cardinality-path /good",
            "waiters create slow --config-name c --timeout 12h --success-cardinality-path /none \
             --success-cardinality-number 2 --async",
            "waiters create slow2 --config-name c --timeout 12h --success-cardinality-path /none/x \
             --async --format value(name,timeout)",
            "waiters wait good --config-name c",
            "waiters wait bad --config-name c",
            "waiters wait late --config-name c",
            "waiters wait slow --config-name c --max-wait 1s",
            "waiters wait nobody --config-name c",
            "waiters list --config-name c",
            "configs waiters describe projects/default/configs/c/waiters/bad",
            "waiters delete slow --config-name c",
            "waiters delete slow --config-name c",
        ]),
        &expect![[r#"
            $ waiters create good --config-name c --timeout 1h30m --success-cardinality-path /good
            Created [http://charmd/v1beta1/projects/default/configs/c/waiters/good].
            Waiting for waiter [good] to finish...done.
            $ waiters create bad --config-name c --timeout 60 --success-cardinality-path good/1 --failure-cardinality-path bad --format value(name)
            Created [http://charmd/v1beta1/projects/default/configs/c/waiters/bad].
            Waiting for waiter [bad] to finish...failed.
            error: Waiter [bad] finished with an error: Failure condition satisfied.
            hint: `waiters describe` shows its conditions, `variables list` what there is
            [exit code 2]
            $ waiters create late --config-name c --timeout 1.5s --success-cardinality-path /none
            Created [http://charmd/v1beta1/projects/default/configs/c/waiters/late].
            Waiting for waiter [late] to finish...failed.
            error: Waiter [late] finished with an error: Timeout expired.
            hint: `waiters describe` shows its conditions, `variables list` what there is
            [exit code 2]
            $ waiters create good --config-name c --timeout 60 --success-cardinality-path /good
            error: ALREADY_EXISTS: Requested entity already exists
            hint: a waiter never changes, not even when it has ended: `waiters delete` it first, or take another name
            [exit code 1]
            $ waiters create slow --config-name c --timeout 12h --success-cardinality-path /none --success-cardinality-number 2 --async
            Created [http://charmd/v1beta1/projects/default/configs/c/waiters/slow].

            The wait command can be used to monitor the progress of waiter [slow].
            $ waiters create slow2 --config-name c --timeout 12h --success-cardinality-path /none/x --async --format value(name,timeout)
            Created [http://charmd/v1beta1/projects/default/configs/c/waiters/slow2].
            note: waiters `slow2` and `slow` count the same variables, below `/none/x` and `/none`: better give each waiter a path of its own

            The wait command can be used to monitor the progress of waiter [slow2].
            slow2	43200s
            $ waiters wait good --config-name c
            Waiting for waiter [good] to finish...done.
            atomicName: projects/default/configs/c/waiters/good
            createTime: "2016-04-12T18:02:13Z"
            done: true
            name: good
            success:
              cardinality:
                number: 1
                path: /good
            timeout: 5400s
            $ waiters wait bad --config-name c
            Waiting for waiter [bad] to finish...failed.
            error: Waiter [bad] finished with an error: Failure condition satisfied.
            hint: `waiters describe` shows its conditions, `variables list` what there is
            [exit code 2]
            $ waiters wait late --config-name c
            Waiting for waiter [late] to finish...failed.
            error: Waiter [late] finished with an error: Timeout expired.
            hint: `waiters describe` shows its conditions, `variables list` what there is
            [exit code 2]
            $ waiters wait slow --config-name c --max-wait 1s
            Waiting for waiter [slow] to finish...failed.
            error: Waiter [slow] did not finish within 1 seconds.
            hint: it waits on; `waiters wait` asks again
            [exit code 1]
            $ waiters wait nobody --config-name c
            Waiting for waiter [nobody] to finish...failed.
            error: NOT_FOUND: Requested entity was not found.
            hint: `waiters list` shows which there are
            [exit code 1]
            $ waiters list --config-name c
            NAME   CREATE_TIME          WAITER_STATUS  MESSAGE
            bad    2016-04-12T18:02:13  FAILURE        Failure condition satisfied.
            good   2016-04-12T18:02:13  SUCCESS
            late   2016-04-12T18:02:13  TIMEOUT        Timeout expired.
            slow   2016-04-12T18:02:13  WAITING
            slow2  2016-04-12T18:02:13  WAITING
            $ configs waiters describe projects/default/configs/c/waiters/bad
            atomicName: projects/default/configs/c/waiters/bad
            createTime: "2016-04-12T18:02:13Z"
            done: true
            error:
              code: 9
              message: Failure condition satisfied.
            failure:
              cardinality:
                number: 1
                path: bad
            name: bad
            success:
              cardinality:
                number: 1
                path: good/1
            timeout: 60s
            $ waiters delete slow --config-name c
            Deleted [http://charmd/v1beta1/projects/default/configs/c/waiters/slow].
            $ waiters delete slow --config-name c
            error: NOT_FOUND: Requested entity was not found.
            hint: `waiters list` shows which there are
            [exit code 1]
        "#]],
    );
    assert!(
        service.log().contains(
            "warn: waiters `slow2` and `slow` of `projects/default/configs/c` have overlapping paths"
        ),
        "{}",
        service.log()
    );
}

#[test]
fn what_is_mistyped_is_told_before_anything_is_sent() {
    let service = Service::start();
    service.fine("configs create c");
    let create = |more: &str| {
        service
            .line(&format!("waiters create w --config-name c --success-cardinality-path /a --async {more}"))
    };
    let least = "error: invalid value '{}' for '--timeout <TIME>': expected at least 1s\n";
    for time in ["-1s", "0", "0s", "0.0000000001s", "0.5s"] {
        let found = create(&format!("--timeout {time}"));
        assert!(
            found.starts_with(&least.replace("{}", time)) && found.ends_with("[exit code 2]\n"),
            "{found}"
        );
    }
    for (wrong, expected) in [
        ("--timeout 43201s", "expected at most 12h"),
        ("--timeout soon", "expected a time like `90s`, `1.5s`, `15m` or `1h30m`"),
        ("--timeout 5s --success-cardinality-number 0", "0 is not in 1..=2147483647"),
        ("--timeout 5s --success-cardinality-number -3", "-3 is not in 1..=2147483647"),
        ("--timeout 5s --success-cardinality-number 2147483648", "is not in 1..=2147483647"),
        ("--timeout 5s --failure-cardinality-number 2", "--failure-cardinality-path"),
        ("", "--timeout <TIME>"),
        ("--timeout 5s --format csv", "expected `json`, `yaml`, `table`, `value(FIELD,...)` or `none`"),
    ] {
        let found = create(wrong);
        assert!(found.contains(expected) && found.ends_with("[exit code 2]\n"), "{wrong}: {found}");
    }
    let found = service.line("waiters create w --config-name c --timeout 5s");
    assert!(
        found.contains("--success-cardinality-path <PATH>") && found.ends_with("[exit code 2]\n"),
        "{found}"
    );
    let found = service.line("variables set v x --config-name c --fail-if-present --fail-if-absent");
    assert!(found.contains("cannot be used with") && found.ends_with("[exit code 2]\n"), "{found}");
    let found = service.line("variables watch v --config-name c --newer-than yesterday");
    assert!(found.contains("expected RFC 3339") && found.ends_with("[exit code 2]\n"), "{found}");
    check(
        &service.line("waiters list --config-name c"),
        &expect![[r#"
        Listed 0 items.
    "#]],
    );
    assert!(create("--timeout 1.5s").contains("Created ["));
}

#[test]
fn what_the_service_refuses_is_told_with_the_field_and_what_to_do() {
    let service = Service::start();
    service.fine("configs create c");
    let long = "x".repeat(64);
    let longest = format!("{}x", "a/".repeat(127));
    check(
        &service
            .lines(&[
                &format!("configs create {long}"),
                &format!("variables set {longest}/y x --config-name c"),
                &format!("variables set {long}x x --config-name c"),
                "variables set a%20b x --config-name c",
                &format!("waiters create {long} --config-name c --timeout 5s --success-cardinality-path /a"),
                "waiters create w --config-name c --timeout 5s --success-cardinality-path a..%/b",
                "waiters create w --config-name nowhere --timeout 5s --success-cardinality-path /a",
                "variables get-value v --config-name c",
            ])
            .replace(&long, "LONG")
            .replace(&longest, "LONGEST"),
        &expect![[r#"
            $ configs create LONG
            error: INVALID_ARGUMENT: Request contains an invalid argument.
              because: name: name `LONG` is not valid, expected 1 to 63 letters, digits, `-`, `_` and `.`
            [exit code 1]
            $ variables set LONGEST/y x --config-name c
            error: INVALID_ARGUMENT: Request contains an invalid argument.
              because: variable.name: path of 257 bytes is too long, expected at most 255
            [exit code 1]
            $ variables set LONGx x --config-name c
            error: INVALID_ARGUMENT: Request contains an invalid argument.
              because: variable.name: segment `LONGx` is not valid, expected 1 to 64 letters, digits, `-`, `_` and `.`, with a letter or digit first and no `-` last
            [exit code 1]
            $ variables set a%20b x --config-name c
            error: INVALID_ARGUMENT: Request contains an invalid argument.
              because: variable.name: segment `a%20b` is not valid, expected 1 to 64 letters, digits, `-`, `_` and `.`, with a letter or digit first and no `-` last
            [exit code 1]
            $ waiters create LONG --config-name c --timeout 5s --success-cardinality-path /a
            error: INVALID_ARGUMENT: Request contains an invalid argument.
              because: name: name `LONG` is not valid, expected 1 to 63 letters, digits, `-`, `_` and `.`
            [exit code 1]
            $ waiters create w --config-name c --timeout 5s --success-cardinality-path a..%/b
            error: INVALID_ARGUMENT: Request contains an invalid argument.
              because: waiter.success.cardinality: segment `a..%` is not valid, expected 1 to 64 letters, digits, `-`, `_` and `.`, with a letter or digit first and no `-` last
            [exit code 1]
            $ waiters create w --config-name nowhere --timeout 5s --success-cardinality-path /a
            error: NOT_FOUND: Requested entity was not found.
            hint: `configs list` shows which configs there are, `configs create` makes one
            [exit code 1]
            $ variables get-value v --config-name c
            error: NOT_FOUND: Requested entity was not found.
            hint: `variables list` shows which there are
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

#[test]
fn a_wait_shows_a_dot_from_time_to_time_where_nobody_looks_and_ends_with_the_waiter() {
    let service = Service::start();
    service.fine("configs create c");
    let mut command = service.command(&[
        "waiters",
        "create",
        "w",
        "--config-name",
        "c",
        "--timeout",
        "60s",
        "--success-cardinality-path",
        "/a",
    ]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(comes_true(|| service.line("waiters list --config-name c").contains("WAITING")));
    // The pauses grow to a second after a second and a half.
    std::thread::sleep(Duration::from_millis(2500));
    let begin = Instant::now();
    service.fine("variables set a x --config-name c");
    let output = child.wait_with_output().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
    let found = text(&output.stderr);
    assert!(found.contains("Waiting for waiter [w] to finish....") && found.ends_with(".done.\n"), "{found}");
    assert_eq!(output.status.code(), Some(0));
}

const DEPLOYMENT: &str = "\
resources:
- name: go
  type: runtimeconfig.v1beta1.variable
  metadata: {dependsOn: [ready]}
  properties: {parent: $(ref.boot.name), variable: go, text: now}
- name: ready
  type: runtimeconfig.v1beta1.waiter
  metadata: {dependsOn: [first]}
  properties:
    parent: $(ref.boot.name)
    waiter: ready
    timeout: 120s
    success: {cardinality: {path: /ready, number: 1}}
    failure: {cardinality: {path: /ready/failed, number: 1.0}}
- name: first
  type: runtimeconfig.v1beta1.variable
  properties: {parent: $(ref.boot.name), variable: ready/first, value: aGkK}
- name: boot
  type: runtimeconfig.v1beta1.config
  properties: {config: boot, description: Boot}
";

#[test]
fn a_deployment_is_made_in_its_order_and_made_again_it_stays() {
    let service = Service::start();
    service.write("deployment.yaml", DEPLOYMENT);
    service.write("other.yaml", &DEPLOYMENT.replace("120s", "60s").replace("text: now", "text: then"));
    service.write(
        "waiter.yaml",
        "{name: one, type: runtimeconfig.v1beta1.waiter, properties: {parent: projects/default/configs/boot, \
         timeout: 1.5s, success: {cardinality: {path: nowhere, number: '2'}}}}",
    );
    service.write(
        "typo.yaml",
        "resources:\n- {name: x, type: runtimeconfig.v1beta1.waiter, properties: {parent: c}}\n",
    );
    let waiter = |timeout: &str| {
        let properties = format!("{{parent: boot, timeout: {timeout}}}");
        format!("{{name: x, type: runtimeconfig.v1beta1.waiter, properties: {properties}}}")
    };
    service.write("missing.yaml", &waiter("5s"));
    service.write("negative.yaml", &waiter("'-1s'"));
    service.write("finest.yaml", &waiter("0.0000000001s"));
    check(
        &service.lines(&[
            "apply deployment.yaml",
            "apply deployment.yaml",
            "apply other.yaml",
            "waiters create --file waiter.yaml",
            "waiters create other --file waiter.yaml --async --json",
            "waiters create --file deployment.yaml",
            "waiters create --file waiter.yaml --timeout 5s",
            "apply typo.yaml",
            "apply missing.yaml",
            "apply negative.yaml",
            "apply finest.yaml",
            "apply nowhere.yaml",
        ]),
        &expect![[r#"
            $ apply deployment.yaml
            Created [http://charmd/v1beta1/projects/default/configs/boot].
            Created [http://charmd/v1beta1/projects/default/configs/boot/variables/ready%2Ffirst].
            Created [http://charmd/v1beta1/projects/default/configs/boot/waiters/ready].
            note: success and failure of waiter `ready` count the same variables, below `/ready` and `/ready/failed`: failure comes first
            Waiting for waiter [ready] to finish...done.
            Created [http://charmd/v1beta1/projects/default/configs/boot/variables/go].
            $ apply deployment.yaml
            Unchanged [http://charmd/v1beta1/projects/default/configs/boot].
            Unchanged [http://charmd/v1beta1/projects/default/configs/boot/variables/ready%2Ffirst].
            Unchanged [http://charmd/v1beta1/projects/default/configs/boot/waiters/ready].
            Waiting for waiter [ready] to finish...done.
            Unchanged [http://charmd/v1beta1/projects/default/configs/boot/variables/go].
            $ apply other.yaml
            Unchanged [http://charmd/v1beta1/projects/default/configs/boot].
            Unchanged [http://charmd/v1beta1/projects/default/configs/boot/variables/ready%2Ffirst].
            error: Waiter [ready] exists, with another timeout or other conditions
            hint: a waiter never changes, not even when it has ended: `waiters delete` it first, or take another name
            [exit code 1]
            $ waiters create --file waiter.yaml
            Created [http://charmd/v1beta1/projects/default/configs/boot/waiters/one].
            Waiting for waiter [one] to finish...failed.
            error: Waiter [one] finished with an error: Timeout expired.
            hint: `waiters describe` shows its conditions, `variables list` what there is
            [exit code 2]
            $ waiters create other --file waiter.yaml --async --json
            Created [http://charmd/v1beta1/projects/default/configs/boot/waiters/other].

            The wait command can be used to monitor the progress of waiter [other].
            {
              "atomicName": "projects/default/configs/boot/waiters/other",
              "createTime": "2016-04-12T18:02:13Z",
              "name": "other",
              "success": {
                "cardinality": {
                  "number": 2,
                  "path": "nowhere"
                }
              },
              "timeout": "1.500s"
            }
            $ waiters create --file deployment.yaml
            error: deployment.yaml: expected one `runtimeconfig.v1beta1.waiter` and nothing else; `apply` makes the rest
            [exit code 1]
            $ waiters create --file waiter.yaml --timeout 5s
            error: the argument '--file <FILE>' cannot be used with '--timeout <TIME>'

            Usage: charms-reactive runtime-config waiters create --file <FILE> [NAME]

            For more information, try '--help'.
            [exit code 2]
            $ apply typo.yaml
            error: typo.yaml: resource `x`: missing field `timeout`
            [exit code 1]
            $ apply missing.yaml
            error: INVALID_ARGUMENT: Request contains an invalid argument.
              because: waiter.success: missing
            [exit code 1]
            $ apply negative.yaml
            error: INVALID_ARGUMENT: Request contains an invalid argument.
              because: waiter.timeout: timeout `-1s` is not valid, expected seconds with up to nine digits behind the point, for example `360s` or `2.5s`
            [exit code 1]
            $ apply finest.yaml
            error: INVALID_ARGUMENT: Request contains an invalid argument.
              because: waiter.timeout: timeout `0.0000000001s` is not valid, expected seconds with up to nine digits behind the point, for example `360s` or `2.5s`
            [exit code 1]
            $ apply nowhere.yaml
            error: cannot read `nowhere.yaml`
              because: No such file or directory (os error 2)
            [exit code 1]
        "#]],
    );
}

#[test]
fn the_service_is_found_by_flag_by_variable_and_told_where_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let service = Service::within(folder, &["--http", "127.0.0.1:0", "--token-file", "{}/token"]);
    let url = service.url();
    let address = url.replace("http://", "");
    service.write("wrong-token", "s3cres");
    service.write("empty", "\n");
    let bare = |args: &str, variables: &[(&str, &str)]| {
        let args: Vec<&str> = args.split_whitespace().collect();
        let output = service.bare(&args).envs(variables.iter().copied()).output().unwrap();
        shown(&output)
            .replace(&address, "ADDRESS")
            .replace(&service.path("").display().to_string(), "FOLDER/")
    };
    let socket = service.socket().display().to_string();
    let mut found = String::new();
    for (args, variables) in [
        (format!("configs create c --address {url} --token-file token"), vec![]),
        (format!("configs list --address {url}"), vec![]),
        (format!("configs list --address {url} --token-file wrong-token"), vec![]),
        (format!("configs list --address {url} --token-file empty"), vec![]),
        ("configs list".to_owned(), vec![("CHARMD_ADDRESS", url.as_str()), ("CHARMD_TOKEN_FILE", "token")]),
        ("configs list".to_owned(), vec![("CHARMD_SOCKET", socket.as_str()), ("CHARMD_PROJECT", "none")]),
        (format!("configs list --socket {socket}"), vec![("CHARMD_ADDRESS", "http://127.0.0.1:1")]),
        ("configs list --socket nowhere".to_owned(), vec![]),
        (format!("configs list --socket {socket} --address {url}"), vec![]),
        ("configs list --address 127.0.0.1".to_owned(), vec![]),
        (format!("configs list --address {}", url.replace("http", "https")), vec![]),
    ] {
        found.extend(["$ ", &args.replace(&address, "ADDRESS").replace(&socket, "SOCKET"), "\n"]);
        found.push_str(&bare(&args, &variables));
    }
    check(
        &found,
        &expect![[r#"
            $ configs create c --address http://ADDRESS --token-file token
            Created [http://ADDRESS/v1beta1/projects/default/configs/c].
            $ configs list --address http://ADDRESS
            error: UNAUTHENTICATED: Request is missing required authentication credential.
            hint: `--token-file FILE`, or CHARMD_TOKEN_FILE, has the token that `charmd` was started with
            [exit code 1]
            $ configs list --address http://ADDRESS --token-file wrong-token
            error: PERMISSION_DENIED: The caller does not have permission
            hint: `--token-file FILE`, or CHARMD_TOKEN_FILE, has the token that `charmd` was started with
            [exit code 1]
            $ configs list --address http://ADDRESS --token-file empty
            error: empty: expected a token on one line
            [exit code 1]
            $ configs list
            NAME  DESCRIPTION
            c
            $ configs list
            Listed 0 items.
            $ configs list --socket SOCKET
            NAME  DESCRIPTION
            c
            $ configs list --socket nowhere
            error: cannot reach `charmd` at `nowhere`
              because: No such file or directory (os error 2)
            hint: `charmd serve --socket PATH` starts it; `--socket` or `--address` tells this program where it is, or CHARMD_SOCKET or CHARMD_ADDRESS
            [exit code 1]
            $ configs list --socket SOCKET --address http://ADDRESS
            error: the argument '--socket <PATH>' cannot be used with '--address <URL>'

            Usage: charms-reactive runtime-config configs list --socket <PATH>

            For more information, try '--help'.
            [exit code 2]
            $ configs list --address 127.0.0.1
            error: address `127.0.0.1` has no `http://`, expected one like `http://127.0.0.1:8080`
            [exit code 2]
            $ configs list --address https://ADDRESS
            error: `https` needs `--ca-cert FILE`: which certificate to trust
            [exit code 2]
        "#]],
    );
}

#[test]
fn what_is_no_charmd_is_told_so() {
    use std::io::Read as _;

    let service = Service::start();
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n<html></h", "expected value at line 1 column 1"),
        ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 2\r\n\r\n{}", "status 502 without an error"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}", "the answer breaks off"),
        ("", "the answer breaks off"),
        ("220 mail.example ESMTP\r\n\r\n", "invalid HTTP version"),
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let other = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let found = shown(&service.bare(&["configs", "list", "--address", &url]).output().unwrap());
        other.join().unwrap();
        let head = format!("error: `{url}` does not answer as `charmd` does\n  because: {expected}");
        assert!(found.starts_with(&head) && found.ends_with("[exit code 1]\n"), "{found}");
    }
}

#[test]
fn times_are_blanked_out() {
    assert_eq!(timeless("ä 2026-11-21T18:13:16.781134021Z 2026"), "ä 2016-04-12T18:02:13Z 2026");
}
