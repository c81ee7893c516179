//! `runtime-config waiters`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use expect_test::expect;

use crate::charm::{check, comes_true, text};
use crate::service::{Service, at_terminal};

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
fn waiters_are_waited_for_listed_shown_and_removed() {
    let service = Service::start();
    service.fine("configs create c");
    service.fine("variables set good/1 x --config-name c");
    service.fine("variables set bad/1 x --config-name c");
    let create = "waiters create --config-name c --async --timeout";
    service.fine(&format!("{create} 60s good --success-cardinality-path good"));
    service.fine(&format!("{create} 60s bad --success-cardinality-path none --failure-cardinality-path bad"));
    service.fine(&format!("{create} 1s late --success-cardinality-path late"));
    service.fine(&format!("{create} 12h slow --success-cardinality-path slow"));
    check(
        &service.lines(&[
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
            $ waiters wait good --config-name c
            Waiting for waiter [good] to finish...done.
            atomicName: projects/default/configs/c/waiters/good
            createTime: "2016-04-12T18:02:13Z"
            done: true
            name: good
            success:
              cardinality:
                number: 1
                path: good
            timeout: 60s
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
            NAME  CREATE_TIME          WAITER_STATUS  MESSAGE
            bad   2016-04-12T18:02:13  FAILURE        Failure condition satisfied.
            good  2016-04-12T18:02:13  SUCCESS
            late  2016-04-12T18:02:13  TIMEOUT        Timeout expired.
            slow  2016-04-12T18:02:13  WAITING
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
                path: none
            timeout: 60s
            $ waiters delete slow --config-name c
            Deleted [http://charmd/v1beta1/projects/default/configs/c/waiters/slow].
            $ waiters delete slow --config-name c
            error: NOT_FOUND: Requested entity was not found.
            hint: `waiters list` shows which there are
            [exit code 1]
        "#]],
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
fn at_a_terminal_a_line_shows_how_a_wait_goes() {
    let service = Service::start();
    service.fine("configs create c");
    let create = "waiters create w --config-name c --timeout 60s --success-cardinality-path /a";
    let command = service.command(&create.split_whitespace().collect::<Vec<_>>());
    let (status, shown) = at_terminal(command, || {
        assert!(comes_true(|| service.line("waiters list --config-name c").contains("WAITING")));
        std::thread::sleep(Duration::from_millis(2500));
        service.fine("variables set a x --config-name c");
    });
    assert!(status.success());
    let seconds =
        |seconds: &u32| shown.contains(&format!("for waiter [w] to finish, {seconds}s: 1 under /a, of 60s"));
    assert!((0..60).filter(seconds).count() >= 2, "{shown:?}");
    let end = "\r\x1b[2KWaiting for waiter [w] to finish...done.\r\n";
    assert!(shown.ends_with(end) && !shown.contains("finish...."), "{shown:?}");
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
