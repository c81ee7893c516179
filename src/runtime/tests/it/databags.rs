//! Databags as handlers read and write them; relations that are odd but legal.

use charms_reactive_core::Role;
use charms_reactive_runtime::prelude::*;
use charms_reactive_runtime::{Endpoint, EndpointKey, Interface, Manage};
use serde_json::{Value, json};

use crate::endpoints::{DB, charm, joined, looking, see};
use crate::juju::Juju;

#[test]
fn a_missing_key_is_none_and_a_null_is_a_value() {
    let mut juju = joined();
    juju.write("db:1", "mysql/0", "null", "null");
    juju.write("db:1", "mysql/0", "text", "[1,");
    let seen = see(&mut juju, "config-changed", |_, endpoint| {
        let received = endpoint.relations()?[0].joined_units()?[0].received()?;
        assert_eq!(received.parse::<u16>("missing")?, None);
        let or = |key: &str| received.get(key).unwrap_or(json!("default"));
        Ok(["missing", "null", "text"].map(or).to_vec())
    });
    assert_eq!(seen, [json!("default"), Value::Null, json!("[1,")]);
}

#[test]
fn the_reader_says_of_which_type_a_value_is() {
    // D27: in Python a version is a number, a password of digits too, and `null` is nothing.
    let mut juju = joined();
    juju.write("db:1", "mysql/0", "version", "1.10");
    juju.write("db:1", "mysql/0", "password", "123456");
    let seen = see(&mut juju, "config-changed", |_, endpoint| {
        let received = endpoint.relations()?[0].joined_units()?[0].received()?;
        assert_eq!(received.get("version"), Some(json!(1.1)), "the blind way is there too");
        assert_eq!(received.parse::<u32>("password")?, Some(123_456));
        let wrong = received.parse::<String>("password").expect_err("no text of JSON");
        assert_eq!(wrong.to_string(), "cannot read key `password` of `mysql/0` on relation `db:1`");
        let text = |key: &str| received.text(key).unwrap_or_default().to_owned();
        Ok((text("version"), text("password")))
    });
    assert_eq!(seen, ("1.10".to_owned(), "123456".to_owned()));
}

#[test]
fn what_a_skipped_hook_was_about_is_noticed_by_the_next_sweep() {
    // D23: in Python by the next hook of the endpoint, whichever that is.
    let mut juju = joined();
    let clear = looking(|_, endpoint| {
        endpoint.clear_changed();
        Ok(())
    });
    juju.run(&clear, "update-status").expect("good");
    juju.write("db:1", "mysql/0", "port", "3306");
    juju.run(&App::new(charm()), "config-changed").expect("good");
    assert!(!juju.flags().contains(&DB.changed().to_string()), "Juju tells of it with a hook of its own");
    juju.run(&App::new(charm()), "upgrade-charm").expect("good");
    assert!(juju.flags().contains(&DB.changed_key("port").to_string()));
}

#[test]
fn own_data_reads_as_a_map() {
    let mut juju = joined();
    juju.write("db:1", "web/0", "port", "80");
    let keys = see(&mut juju, "config-changed", |_, endpoint| {
        let bag = endpoint.relations()?[0].to_publish();
        bag.set_default("port", 443)?;
        bag.set_default("tls", false)?;
        bag.update([("a", json!([1])), ("b", json!("x"))])?;
        let read = bag.read()?;
        assert_eq!((read.get("port"), read.get("a")), (Some(json!(80)), Some(json!([1]))));
        Ok(read.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>())
    });
    assert_eq!(keys, ["a=[1]", "b=\"x\"", "port=80", "tls=false"]);
    assert_eq!(
        juju.databag("db:1", "web/0"),
        json!({"a": "[1]", "b": "\"x\"", "port": "80", "tls": "false"})
    );
}

#[test]
fn none_is_null_and_an_empty_text_removes_the_key() {
    let mut juju = joined();
    juju.write("db:1", "web/0", "gone", "x");
    see(&mut juju, "config-changed", |_, endpoint| {
        let bag = endpoint.relations()?[0].to_publish();
        bag.set("none", None::<u8>)?;
        bag.set_text("gone", "")?;
        Ok(())
    });
    assert_eq!(juju.databag("db:1", "web/0"), json!({"none": "null"}));
}

#[test]
fn what_is_no_json_fails_the_hook() {
    let mut juju = joined();
    let odd = std::collections::BTreeMap::from([((1, 2), 3)]);
    let app = looking(move |_, endpoint| Ok(endpoint.relations()?[0].to_publish().set("odd", &odd)?));
    juju.run(&app, "config-changed").expect_err("no key of a map");
    assert_eq!(juju.databag("db:1", "web/0"), json!({}));
}

#[test]
fn changing_what_was_read_changes_nothing() {
    let mut juju = joined();
    juju.write("db:1", "mysql/0", "hosts", "[1]");
    let again = see(&mut juju, "config-changed", |_, endpoint| {
        let received = endpoint.relations()?[0].joined_units()?[0].received()?;
        let mut hosts = received.get("hosts").unwrap_or_default();
        hosts.as_array_mut().expect("a list").push(json!(2));
        Ok(received.get("hosts"))
    });
    assert_eq!(again, Some(json!([1])));
}

#[test]
fn each_databag_is_read_once() {
    let mut juju = joined();
    see(&mut juju, "config-changed", |_, endpoint| {
        for _ in 0..3 {
            endpoint.all_joined_units()?.received()?;
            endpoint.relations()?[0].to_publish().read()?;
            endpoint.relations()?[0].received_app()?;
        }
        Ok(())
    });
    let reads = juju.commands.iter().filter(|line| line.starts_with("relation-get")).count();
    assert_eq!(reads, 3, "the remote unit's, the own, the application's: {:?}", juju.commands);
    let others = juju.commands.iter().filter(|line| line.starts_with("relation-ids")).count();
    assert_eq!(others, 1);
}

#[test]
fn a_relation_without_units_can_be_written_to() {
    let mut juju = Juju::default();
    juju.relate("db:1", &[]);
    juju.run(&App::new(charm()), "db-relation-created").expect("good");
    let application = see(&mut juju, "config-changed", |_, endpoint| {
        let relation = &endpoint.relations()?[0];
        relation.to_publish().set_text("port", "80")?;
        assert!(!endpoint.is_joined() && relation.joined_units()?.is_empty());
        Ok(relation.application_name()?.map(|name| name.to_string()))
    });
    assert_eq!(application.as_deref(), Some("mysql"), "not the local one (D34)");
    assert_eq!(juju.databag("db:1", "web/0"), json!({"port": "80"}));
    assert_eq!(juju.flags(), [""; 0]);
}

#[test]
fn what_is_written_when_the_last_unit_left_is_published() {
    let mut juju = joined();
    juju.relate("db:1", &[]);
    see(&mut juju, "db-relation-departed mysql/0", |_, endpoint| {
        Ok(endpoint.relations()?[0].to_publish().set_text("state", "alone")?)
    });
    assert_eq!(juju.databag("db:1", "web/0"), json!({"state": "alone"}));
}

#[test]
fn who_leaves_twice_is_twice_among_the_departed() {
    let mut juju = joined();
    for port in ["1", "2"] {
        juju.relate("db:1", &["mysql/0"]);
        juju.write("db:1", "mysql/0", "port", port);
        juju.run(&App::new(charm()), "db-relation-joined mysql/0").expect("good");
        juju.relate("db:1", &[]);
        juju.run(&App::new(charm()), "db-relation-departed mysql/0").expect("good");
    }
    let ports = see(&mut juju, "update-status", |_, endpoint| {
        let departed = endpoint.all_departed_units().list();
        departed.iter().map(|unit| Ok(unit.received()?.get("port"))).collect::<Result<Vec<_>, HandlerError>>()
    });
    assert_eq!(ports, [Some(json!(1)), Some(json!(2))]);
}

#[test]
fn when_the_own_unit_leaves_all_others_have_departed() {
    let mut juju = joined();
    juju.relate("db:1", &["mysql/0", "mysql/1"]);
    juju.run(&App::new(charm()), "db-relation-joined mysql/1").expect("good");
    for (left, unit) in [(&["mysql/1"][..], "mysql/0"), (&[], "mysql/1")] {
        juju.relate("db:1", left);
        juju.run(&App::new(charm()), &format!("db-relation-departed {unit}")).expect("good");
    }
    let names = see(&mut juju, "stop", |_, endpoint| {
        Ok(endpoint.all_departed_units().list().keys().map(ToString::to_string).collect::<Vec<_>>())
    });
    assert_eq!(names, ["mysql/0", "mysql/1"]);
}

#[test]
#[expect(deprecated, reason = "the older names are there for charms that come from Python")]
fn the_older_names_say_the_same() {
    let seen = see(&mut joined(), "config-changed", |_, endpoint| {
        Ok((endpoint.joined(), endpoint.all_units()?.len() == endpoint.all_joined_units()?.len()))
    });
    assert_eq!(seen, (true, true));
}

/// An interface that says when it is asked for its flags.
struct Telling(Endpoint);

impl Interface for Telling {
    const INTERFACE: &'static str = "any";
    const ROLE: Option<Role> = None;

    fn new(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }
}

impl Manage for Telling {
    fn manage_flags(&self) -> Result<(), HandlerError> {
        log::info!("managing {}", self.0.endpoint_name());
        Ok(())
    }
}

#[test]
fn endpoints_start_in_order_of_their_names() {
    const LAST: EndpointKey<Telling> = EndpointKey::new("z", Role::Requires, "any");
    const FIRST: EndpointKey<Telling> = EndpointKey::new("a", Role::Provides, "any");
    let mut juju = Juju::default();
    juju.run(&App::new(Charm::default().endpoint(LAST).endpoint(FIRST)), "install").expect("good");
    assert!(juju.log.join("\n").contains("managing a\nmanaging z"), "{:?}", juju.log);
}

#[test]
fn an_endpoint_without_an_interface_type_has_its_flags_and_no_error() {
    let juju = joined();
    assert!(juju.flags().contains(&DB.joined().to_string()));
    assert!(!juju.log.join("\n").contains("ERROR"), "{:?}", juju.log);
}
