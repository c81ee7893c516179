//! `runtime-config apply`, and waiters in files.

use expect_test::expect;

use crate::charm::check;
use crate::service::Service;

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

const WAITER: &str = "{name: one, type: runtimeconfig.v1beta1.waiter, properties: {parent: projects/default/configs/boot, \
         timeout: 1.5s, success: {cardinality: {path: nowhere, number: '2'}}}}";

#[test]
fn a_deployment_is_made_in_its_order_and_made_again_it_stays() {
    let service = Service::start();
    service.write("deployment.yaml", DEPLOYMENT);
    service.write("other.yaml", &DEPLOYMENT.replace("120s", "60s").replace("text: now", "text: then"));
    service.write("waiter.yaml", WAITER);
    check(
        &service.lines(&[
            "apply deployment.yaml",
            "apply deployment.yaml",
            "apply other.yaml",
            "waiters create --file waiter.yaml",
            "waiters create other --file waiter.yaml --async --json",
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
        "#]],
    );
}

#[test]
fn what_is_wrong_in_a_file_is_told() {
    let service = Service::start();
    service.fine("configs create boot");
    service.write("deployment.yaml", DEPLOYMENT);
    service.write("waiter.yaml", WAITER);
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
            "waiters create --file deployment.yaml",
            "waiters create --file waiter.yaml --timeout 5s",
            "apply typo.yaml",
            "apply missing.yaml",
            "apply negative.yaml",
            "apply finest.yaml",
            "apply nowhere.yaml",
        ]),
        &expect![[r#"
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
