//! Command lines of hook commands, and all that they say.

use expect_test::{Expect, expect};

use crate::charm::{Charms, ask, builder};
use charms_reactive_sim::Sim;

/// Two related applications, `web` with two units of which `web/0` leads, and a third one alone.
fn model(charms: &mut Charms) -> Sim {
    let config = "options: {port: {type: int, default: 80}, ratio: {type: float, default: 1.0}, name: {type: string}, debug: {type: boolean, default: true}, text: {type: string, default: ''}}";
    let web = charms.files(&[
        ("metadata.yaml", "name: web\nrequires: {db: sql}\npeers: {ring: ring}\nextra-bindings: {admin: }"),
        ("config.yaml", config),
    ]);
    let mysql = charms.files(&[("metadata.yaml", "name: mysql\nprovides: {server: sql}")]);
    let mut sim = builder().build().expect("a simulation");
    sim.deploy("web", web, 2).expect("a charm");
    sim.deploy("mysql", mysql, 1).expect("a charm");
    sim.relate("web", "mysql").expect("two endpoints");
    sim.settle().expect("an end");
    sim
}

#[track_caller]
fn check(unit: &str, lines: &[&str], expected: &Expect) {
    let mut charms = Charms::new();
    let mut sim = model(&mut charms);
    expected.assert_eq(&ask(&mut sim, unit, lines));
}

#[test]
fn relations() {
    check(
        "web/0",
        &[
            "relation-ids db",
            "relation-ids none",
            "relation-ids none --format=json",
            "relation-ids",
            "relation-list",
            "relation-list -r 1",
            "relation-list -r db:1 --app",
            "relation-list -r wrong:1 --format json",
            "relation-list -r 99",
            "relation-list --relation db",
            "relation-list -r 1 x",
            "relation-get -r 1",
            "relation-get -r 1 - mysql/0",
            "relation-get -r 1 - mysql/0 --format=json",
            "relation-get -r 1 private-address mysql/0 --format=yaml",
            "relation-get -r 1 none mysql/0",
            "relation-get -r 1 none mysql/0 --format=json",
            "relation-get -r 1 - mysql",
            "relation-get -r 1 - mysql//",
            "relation-get -r 1 --app - mysql",
            "relation-get -r 1 --app - mysql/0 --format=json",
            "relation-get -r 1 --app - other",
            "relation-get -r 1 - mysql/0 x",
            "relation-get -r 1 - web/1 ingress-address",
            "relation-get -r 1 ingress-address web/1",
            "relation-set -r 1 --app a=1; relation-get -r 1 --app a web",
            "relation-set -r 1 a='x=y\nz<' b=; relation-get -r 1 - web/0 --format=json; relation-get -r 1 a web/0",
            "relation-get -r 1 - web/0 --format=yaml",
            "relation-set -r 1 --file - a=9 <<< $'a: 1\\nport: 3306\\nyes: no\\nhex: 0x10\\nratio: 1.10\\nnull: ~\\nlong: |\\n  one\\n  two'; relation-get -r 1 - web/0 --format=json",
            "relation-set -r 1 --file - < /dev/null",
            "relation-set -r 1 --file - <<< 'a: [1]' 2>&1 | head -1",
            "relation-set -r 1 --file none.yaml 2>&1 | sed 's/open .*charm/open CHARM/'",
            "relation-set -r 1",
            "relation-set -r 1 a",
            "relation-set -r 1 a=1 a=2",
            "relation-set a=1",
            "relation-set -r 1 --format=json a=1",
            "relation-get --nope",
            "relation-get -r",
            "relation-get -r 1 --format=xml - mysql/0",
            "relation-set --help",
            "relation-model-get -r 1 | sed 's/[0-9a-f]/x/g'",
        ],
        &expect![[r#"
            $ relation-ids db
            db:1
            $ relation-ids none
            $ relation-ids none --format=json
            []
            $ relation-ids
            ERROR no endpoint name specified
            [2]
            $ relation-list
            ERROR no relation id specified
            [2]
            $ relation-list -r 1
            mysql/0
            $ relation-list -r db:1 --app
            mysql
            $ relation-list -r wrong:1 --format json
            ["mysql/0"]
            $ relation-list -r 99
            ERROR invalid value "99" for option -r: relation not found
            [2]
            $ relation-list --relation db
            ERROR invalid value "db" for option --relation: invalid relation id
            [2]
            $ relation-list -r 1 x
            ERROR unrecognized args: ["x"]
            [2]
            $ relation-get -r 1
            ERROR no unit or application specified
            [2]
            $ relation-get -r 1 - mysql/0
            egress-subnets: 10.1.0.3/32
            ingress-address: 10.1.0.3
            private-address: 10.1.0.3
            $ relation-get -r 1 - mysql/0 --format=json
            {"egress-subnets":"10.1.0.3/32","ingress-address":"10.1.0.3","private-address":"10.1.0.3"}
            $ relation-get -r 1 private-address mysql/0 --format=yaml
            10.1.0.3
            $ relation-get -r 1 none mysql/0
            $ relation-get -r 1 none mysql/0 --format=json
            null
            $ relation-get -r 1 - mysql
            ERROR expected unit name, got application name "mysql"
            [2]
            $ relation-get -r 1 - mysql//
            ERROR invalid unit name "mysql//"
            [2]
            $ relation-get -r 1 --app - mysql
            {}
            $ relation-get -r 1 --app - mysql/0 --format=json
            {}
            $ relation-get -r 1 --app - other
            ERROR permission denied
            [1]
            $ relation-get -r 1 - mysql/0 x
            ERROR unrecognized args: ["x"]
            [2]
            $ relation-get -r 1 - web/1 ingress-address
            ERROR unrecognized args: ["ingress-address"]
            [2]
            $ relation-get -r 1 ingress-address web/1
            10.1.0.2
            $ relation-set -r 1 --app a=1; relation-get -r 1 --app a web
            1
            $ relation-set -r 1 a='x=y
            z<' b=; relation-get -r 1 - web/0 --format=json; relation-get -r 1 a web/0
            {"a":"x=y\nz\u003c","egress-subnets":"10.1.0.1/32","ingress-address":"10.1.0.1","private-address":"10.1.0.1"}
            x=y
            z<
            $ relation-get -r 1 - web/0 --format=yaml
            a: |-
              x=y
              z<
            egress-subnets: 10.1.0.1/32
            ingress-address: 10.1.0.1
            private-address: 10.1.0.1
            $ relation-set -r 1 --file - a=9 <<< $'a: 1\nport: 3306\nyes: no\nhex: 0x10\nratio: 1.10\nnull: ~\nlong: |\n  one\n  two'; relation-get -r 1 - web/0 --format=json
            {"a":"9","egress-subnets":"10.1.0.1/32","hex":"0x10","ingress-address":"10.1.0.1","long":"one\ntwo\n","port":"3306","private-address":"10.1.0.1","ratio":"1.10","yes":"no"}
            $ relation-set -r 1 --file - < /dev/null
            $ relation-set -r 1 --file - <<< 'a: [1]' 2>&1 | head -1
            ERROR yaml: unmarshal errors:
            $ relation-set -r 1 --file none.yaml 2>&1 | sed 's/open .*charm/open CHARM/'
            ERROR open CHARM/none.yaml: no such file or directory
            $ relation-set -r 1
            $ relation-set -r 1 a
            ERROR expected "key=value", got "a"
            [2]
            $ relation-set -r 1 a=1 a=2
            ERROR key "a" specified more than once
            [2]
            $ relation-set a=1
            ERROR no relation id specified
            [2]
            $ relation-set -r 1 --format=json a=1
            --format flag deprecated for command "relation-set"$ relation-get --nope
            ERROR option provided but not defined: --nope
            [2]
            $ relation-get -r
            ERROR option needs an argument: -r
            [2]
            $ relation-get -r 1 --format=xml - mysql/0
            ERROR invalid value "xml" for option --format: unknown format "xml"
            [2]
            $ relation-set --help
            Usage: relation-set [options] <key>=<value> [<key>=<value> ...]

            Options:
                -r, --relation
                --app
                --file
                --format
            $ relation-model-get -r 1 | sed 's/[0-9a-f]/x/g'
            uuix: xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
        "#]],
    );
}

#[test]
fn what_a_unit_that_does_not_lead_may_not() {
    check(
        "web/1",
        &[
            "is-leader",
            "is-leader --format=json",
            "relation-get -r 1 --app - web",
            "relation-get -r 0 --app - web",
            "relation-set -r 1 --app a=1",
            "leader-set a=1",
            "leader-get",
            "status-set --application active",
            "status-get --application",
        ],
        &expect![[r#"
            $ is-leader
            False
            $ is-leader --format=json
            false
            $ relation-get -r 1 --app - web
            ERROR permission denied
            [1]
            $ relation-get -r 0 --app - web
            {}
            $ relation-set -r 1 --app a=1
            ERROR cannot write relation settings
            [1]
            $ leader-set a=1
            ERROR cannot write leadership settings: cannot write settings: not the leader
            [1]
            $ leader-get
            {}
            $ status-set --application active
            ERROR this unit is not the leader
            [1]
            $ status-get --application
            ERROR finding application status: this unit is not the leader
            [1]
        "#]],
    );
}

#[test]
fn configuration() {
    check(
        "web/0",
        &[
            "config-get",
            "config-get --format=json",
            "config-get --all --format=json",
            "config-get port",
            "config-get ratio --format=json",
            "config-get debug",
            "config-get name",
            "config-get name --format=json",
            "config-get none --format=json",
            "config-get text",
            "config-get --all port",
            "config-get -o made port; cat made",
            "config-get a b",
        ],
        &expect![[r#"
            $ config-get
            debug: true
            port: 80
            ratio: 1
            text: ""
            $ config-get --format=json
            {"debug":true,"port":80,"ratio":1,"text":""}
            $ config-get --all --format=json
            {"debug":true,"name":null,"port":80,"ratio":1,"text":""}
            $ config-get port
            80
            $ config-get ratio --format=json
            1
            $ config-get debug
            True
            $ config-get name
            $ config-get name --format=json
            null
            $ config-get none --format=json
            null
            $ config-get text
            $ config-get --all port
            ERROR cannot use argument --all together with key "port"
            [2]
            $ config-get -o made port; cat made
            80
            $ config-get a b
            ERROR unrecognized args: ["b"]
            [2]
        "#]],
    );
}

#[test]
fn status_log_leader_and_version() {
    check(
        "web/0",
        &[
            "status-set",
            "status-set up",
            "status-set active 'all well' more",
            "status-set waiting 'for <db>'",
            "status-get",
            "status-get --format=json",
            "status-get --include-data",
            "status-set --application active whole",
            "status-get --application --include-data --format=json",
            "application-version-set",
            "application-version-set 1.2",
            "juju-log",
            "juju-log -l WARNING one two",
            "juju-log -l LOUD x",
            "leader-set a=1 'b=<2>'",
            "leader-get",
            "leader-get a",
            "leader-get none --format=json",
            "leader-get a=1",
            "leader-set a=",
            "leader-get --format=json",
            "action-get",
            "action-set a=1",
            "action-set stdout=1",
            "action-set A=1",
            "action-set a",
            "credential-get",
        ],
        &expect![[r#"
            $ status-set
            ERROR invalid args, require <status> [message]
            [2]
            $ status-set up
            ERROR invalid status "up", expected one of [maintenance blocked waiting active]
            [2]
            $ status-set active 'all well' more
            ERROR unrecognized args: ["more"]
            [2]
            $ status-set waiting 'for <db>'
            $ status-get
            waiting
            $ status-get --format=json
            {"status":"waiting"}
            $ status-get --include-data
            message: for <db>
            status: waiting
            status-data: {}
            $ status-set --application active whole
            $ status-get --application --include-data --format=json
            {"application-status":{"message":"whole","status":"active","status-data":{},"units":{"web/0":{"message":"for \u003cdb\u003e","status":"waiting","status-data":{}},"web/1":{"message":"","status":"unknown","status-data":{}}}}}
            $ application-version-set
            ERROR no version specified
            [2]
            $ application-version-set 1.2
            $ juju-log
            ERROR no message specified
            [2]
            $ juju-log -l WARNING one two
            $ juju-log -l LOUD x
            $ leader-set a=1 'b=<2>'
            $ leader-get
            a: "1"
            b: <2>
            $ leader-get a
            1
            $ leader-get none --format=json
            null
            $ leader-get a=1
            ERROR invalid key "a=1"
            [2]
            $ leader-set a=
            $ leader-get --format=json
            {"b":"\u003c2\u003e"}
            $ action-get
            ERROR not running an action
            [1]
            $ action-set a=1
            ERROR not running an action
            [1]
            $ action-set stdout=1
            ERROR cannot set reserved action key "stdout"
            [2]
            $ action-set A=1
            ERROR key "A" must start and end with lowercase alphanumeric, and contain only lowercase alphanumeric and hyphens
            [2]
            $ action-set a
            ERROR argument "a" must be of the form key...=value
            [2]
            $ credential-get
            ERROR cannot access cloud credentials: permission denied
            [1]
        "#]],
    );
}

#[test]
fn state_ports_and_network() {
    check(
        "web/0",
        &[
            "state-get",
            "state-get --format=json",
            "state-set a=1 b='two words'; state-get",
            "state-get b",
            "state-get none",
            "state-get none --strict",
            "state-delete a; state-get --format=json",
            "state-delete",
            "state-set --file - <<< 'n: 3306'; state-get n --format=json",
            "state-set \"$(printf '%257s' x | tr ' ' k)=1\"",
            "printf 'a: %65537s' x | tr ' ' y | sed 's/^a:y/a: /' | state-set --file -",
            "open-port 80 --endpoints db; open-port 443/tcp; open-port icmp; open-port 8000-8010/udp; opened-ports",
            "opened-ports --format=json",
            "opened-ports --endpoints",
            "open-port 8005-8020/udp",
            "close-port 80; close-port 81; opened-ports --format=json",
            "open-port",
            "open-port 80/sctp",
            "open-port 80 --endpoints none",
            "unit-get private-address",
            "unit-get",
            "unit-get name",
            "network-get db --format=json",
            "network-get admin --ingress-address",
            "network-get db --bind-address --egress-subnets --format=json",
            "network-get db",
            "network-get none",
            "network-get",
            "network-get db --primary-address --bind-address",
            "goal-state --format=json",
            "storage-list --format=json",
            "storage-get",
            "storage-get -s data/0",
            "storage-add",
            "resource-get",
            "resource-get file",
            "payload-register a b c",
        ],
        &expect![[r#"
            $ state-get
            $ state-get --format=json
            null
            $ state-set a=1 b='two words'; state-get
            a: "1"
            b: two words
            $ state-get b
            two words
            $ state-get none
            $ state-get none --strict
            ERROR "none" not found
            [1]
            $ state-delete a; state-get --format=json
            {"b":"two words"}
            $ state-delete
            ERROR missing required key name
            [2]
            $ state-set --file - <<< 'n: 3306'; state-get n --format=json
            "3306"
            $ state-set "$(printf '%257s' x | tr ' ' k)=1"
            ERROR max allowed key length (256) exceeded
            [1]
            $ printf 'a: %65537s' x | tr ' ' y | sed 's/^a:y/a: /' | state-set --file -
            ERROR max allowed value length (65536) exceeded
            [1]
            $ open-port 80 --endpoints db; open-port 443/tcp; open-port icmp; open-port 8000-8010/udp; opened-ports
            80/tcp
            443/tcp
            8000-8010/udp
            icmp
            $ opened-ports --format=json
            ["80/tcp","443/tcp","8000-8010/udp","icmp"]
            $ opened-ports --endpoints
            80/tcp (db)
            443/tcp (*)
            8000-8010/udp (*)
            icmp (*)
            $ open-port 8005-8020/udp
            ERROR cannot open 8005-8020/udp (unit "web/0"): port range conflicts with 8000-8010/udp (unit "web/0")
            [1]
            $ close-port 80; close-port 81; opened-ports --format=json
            ["443/tcp","8000-8010/udp","icmp"]
            $ open-port
            ERROR no port or range specified
            [2]
            $ open-port 80/sctp
            ERROR invalid protocol "sctp", expected "tcp", "udp", or "icmp"
            [2]
            $ open-port 80 --endpoints none
            ERROR unknown endpoint "none"
            [1]
            $ unit-get private-address
            10.1.0.1
            $ unit-get
            ERROR no setting specified
            [2]
            $ unit-get name
            ERROR unknown setting "name"
            [2]
            $ network-get db --format=json
            {"bind-addresses":[{"addresses":[{"cidr":"10.0.0.0/8","hostname":"","value":"10.1.0.1"}],"interface-name":"eth0","mac-address":"00:16:3e:00:00:00"}],"egress-subnets":["10.1.0.1/32"],"ingress-addresses":["10.1.0.1"]}
            $ network-get admin --ingress-address
            10.1.0.1
            $ network-get db --bind-address --egress-subnets --format=json
            {"bind-address":"10.1.0.1","egress-subnets":["10.1.0.1/32"]}
            $ network-get db
            bind-addresses:
            - addresses:
              - address: 10.1.0.1
                cidr: 10.0.0.0/8
                hostname: ""
                value: 10.1.0.1
              interface-name: eth0
              interfacename: eth0
              mac-address: 00:16:3e:00:00:00
              macaddress: 00:16:3e:00:00:00
            egress-subnets:
            - 10.1.0.1/32
            ingress-addresses:
            - 10.1.0.1
            $ network-get none
            ERROR no network config found for binding "none"
            [1]
            $ network-get
            ERROR no arguments specified
            [2]
            $ network-get db --primary-address --bind-address
            ERROR --primary-address must be the only flag specified
            [1]
            $ goal-state --format=json
            {"relations":{"db":{"mysql":{"since":"2024-05-01 10:00:00Z","status":"joined"},"mysql/0":{"since":"2024-05-01 10:00:00Z","status":"unknown"}}},"units":{"web/0":{"since":"2024-05-01 10:00:00Z","status":"unknown"},"web/1":{"since":"2024-05-01 10:00:00Z","status":"unknown"}}}
            $ storage-list --format=json
            []
            $ storage-get
            ERROR no storage instance specified
            [2]
            $ storage-get -s data/0
            ERROR invalid value "data/0" for option -s: storage not found
            [2]
            $ storage-add
            ERROR storage add requires a storage directive
            [2]
            $ resource-get
            ERROR missing required resource name
            [2]
            $ resource-get file
            ERROR could not download resource: resource "file" not found
            [1]
            $ payload-register a b c
            ERROR payload "b" not found in metadata.yaml
            [1]
        "#]],
    );
}

#[test]
fn numbers_above_nine_are_sorted_as_texts() {
    let mut charms = Charms::new();
    let web = charms.files(&[("metadata.yaml", "name: web\nrequires: {db: sql}")]);
    let mysql = charms.files(&[("metadata.yaml", "name: mysql\nprovides: {server: sql}")]);
    let mut sim = builder().build().expect("a simulation");
    sim.deploy("web", web, 1).expect("a charm");
    for number in 0..11 {
        let name = format!("m{number}");
        sim.deploy(&name, &mysql, if number == 10 { 11 } else { 0 }).expect("a charm");
        sim.relate("web", &name).expect("two endpoints");
    }
    sim.settle().expect("an end");
    expect![[r#"
        $ relation-ids db --format=json
        ["db:0","db:1","db:10","db:2","db:3","db:4","db:5","db:6","db:7","db:8","db:9"]
        $ relation-list -r db:10 --format=json
        ["m10/0","m10/1","m10/10","m10/2","m10/3","m10/4","m10/5","m10/6","m10/7","m10/8","m10/9"]
        $ relation-list -r 10 --app
        m10
    "#]]
    .assert_eq(&ask(
        &mut sim,
        "web/0",
        &[
            "relation-ids db --format=json",
            "relation-list -r db:10 --format=json",
            "relation-list -r 10 --app",
        ],
    ));
}
