//! Endpoints: relations, the units on their other sides, and their flags.

use std::cell::RefCell;
use std::rc::Rc;

use charms_reactive_core::Role;
use charms_reactive_runtime::prelude::*;
use charms_reactive_runtime::trigger::Triggers;
use charms_reactive_runtime::{Endpoint, EndpointKey, Interface, Manage};
use serde_json::json;

use crate::juju::{Juju, unit};

pub(crate) const DB: EndpointKey<Endpoint> = EndpointKey::new("db", Role::Requires, "mysql");
const PEERS: EndpointKey<Endpoint> = EndpointKey::new("peers", Role::Peer, "web-peers");

pub(crate) fn charm() -> Charm {
    Charm::default().endpoint(DB).endpoint(PEERS)
}

/// A charm whose only handler, in every hook, is `look`.
pub(crate) fn looking(look: impl Fn(&mut Hook, Endpoint) -> Result<(), HandlerError> + 'static) -> App {
    App::new(charm()).handler(
        move |hook: &mut Hook| {
            let endpoint = hook.endpoint(DB);
            look(hook, endpoint)
        },
        none([Flag::new("never")]),
    )
}

/// Runs a hook and gives what `look` answered in it.
pub(crate) fn see<T: Default + 'static>(
    juju: &mut Juju,
    hook: &str,
    look: impl Fn(&mut Hook, Endpoint) -> Result<T, HandlerError> + 'static,
) -> T {
    let seen = Rc::new(RefCell::new(T::default()));
    let kept = seen.clone();
    let app = looking(move |hook, endpoint| {
        *kept.borrow_mut() = look(hook, endpoint)?;
        Ok(())
    });
    juju.run(&app, hook).expect("a good dispatch");
    seen.take()
}

/// A Juju in which `mysql/0` joined `db:1`.
pub(crate) fn joined() -> Juju {
    let mut juju = Juju::default();
    juju.relate("db:1", &[]);
    juju.run(&App::new(charm()), "db-relation-created").expect("a good dispatch");
    juju.relate("db:1", &["mysql/0"]);
    juju.write("db:1", "mysql/0", "ingress-address", "10.0.0.1");
    juju.run(&App::new(charm()), "db-relation-joined mysql/0").expect("a good dispatch");
    juju
}

#[test]
fn a_unit_that_joins_sets_joined_and_changed() {
    let juju = joined();
    let expected = ["endpoint.db.changed", "endpoint.db.changed.ingress-address", "endpoint.db.joined"];
    assert_eq!(juju.flags(), expected);
}

#[test]
fn only_the_keys_that_changed_are_told() {
    let mut juju = joined();
    let clear = App::new(charm()).handler(
        |hook: &mut Hook| {
            hook.endpoint(DB).clear_changed();
            Ok(())
        },
        on(HookEvent::ConfigChanged),
    );
    juju.run(&clear, "config-changed").expect("good");
    assert_eq!(juju.flags(), ["endpoint.db.joined"]);
    juju.write("db:1", "mysql/0", "port", "3306");
    juju.run(&App::new(charm()), "db-relation-changed mysql/0").expect("good");
    assert_eq!(juju.flags(), ["endpoint.db.changed", "endpoint.db.changed.port", "endpoint.db.joined"]);
    juju.run(&clear, "config-changed").expect("good");
    juju.run(&App::new(charm()), "db-relation-changed mysql/0").expect("good");
    assert_eq!(juju.flags(), ["endpoint.db.joined"], "nothing changed");
    juju.write("db:1", "mysql/0", "port", "");
    juju.run(&App::new(charm()), "db-relation-changed mysql/0").expect("good");
    assert!(juju.flags().contains(&"endpoint.db.changed.port".to_owned()), "a removed key has changed");
}

#[test]
fn the_data_of_the_application_counts_too() {
    let mut juju = joined();
    juju.write("db:1", "mysql", "password", "secret");
    juju.run(&App::new(charm()), "db-relation-changed").expect("good");
    assert!(juju.flags().contains(&"endpoint.db.changed.password".to_owned()));
    let text = see(&mut juju, "config-changed", |_, endpoint| {
        Ok(endpoint.relations()?[0].received_app()?.text("password").map(str::to_owned))
    });
    assert_eq!(text.as_deref(), Some("secret"));
    assert!(!juju.kept.state["relation/db:1"].contains("secret"), "texts are not kept, only digests");
}

#[test]
fn a_unit_has_departed_as_soon_as_its_hook_is_entered() {
    let mut juju = joined();
    juju.write("db:1", "mysql/0", "port", "3306");
    juju.relate("db:1", &[]);
    let seen = see(&mut juju, "db-relation-departed mysql/0", |hook, endpoint| {
        let departed = endpoint.all_departed_units().list();
        let port = departed["mysql/0"].received()?.get("port");
        let is_flagged = hook.is_set(&DB.departed()) && !hook.is_set(&DB.joined());
        Ok((endpoint.all_joined_units()?.len(), port, is_flagged, endpoint.is_joined()))
    });
    assert_eq!(seen, (0, Some(json!(3306)), true, false));
    // It is kept, with its last data, until it is removed.
    juju.kept.relations.get_mut("db:1").expect("there").databags.clear();
    let later = see(&mut juju, "update-status", |_, endpoint| {
        let departed = endpoint.all_departed_units();
        let list = departed.list();
        let text = list[0].received()?.text("port").map(str::to_owned);
        departed.remove(&list[0]);
        Ok((text, departed.is_empty()))
    });
    assert_eq!(later, (Some("3306".to_owned()), true));
    assert!(!juju.flags().contains(&"endpoint.db.departed".to_owned()), "the list is empty");
}

#[test]
fn departed_units_outlive_their_relation() {
    let mut juju = joined();
    juju.relate("db:1", &[]);
    juju.run(&App::new(charm()), "db-relation-departed mysql/0").expect("good");
    juju.run(&App::new(charm()), "db-relation-broken").expect("good");
    juju.kept.relations.clear();
    assert_eq!(juju.flags(), ["endpoint.db.departed"], "with the relation go its changes");
    let units = see(&mut juju, "update-status", |_, endpoint| {
        let units: Vec<String> =
            endpoint.all_departed_units().list().keys().map(ToString::to_string).collect();
        endpoint.all_departed_units().clear();
        Ok(units)
    });
    assert_eq!(units, ["mysql/0"]);
    assert_eq!(juju.kept.state.keys().collect::<Vec<_>>(), ["flags"], "nothing is left of it");
}

#[test]
fn a_unit_that_comes_back_with_the_same_data_has_changed() {
    let mut juju = joined();
    juju.relate("db:1", &[]);
    juju.run(&App::new(charm()), "db-relation-departed mysql/0").expect("good");
    let forget = looking(|_, endpoint| {
        endpoint.clear_changed();
        endpoint.all_departed_units().clear();
        Ok(())
    });
    juju.run(&forget, "update-status").expect("good");
    juju.relate("db:1", &["mysql/0"]);
    juju.run(&App::new(charm()), "db-relation-joined mysql/0").expect("good");
    assert!(juju.flags().contains(&"endpoint.db.changed".to_owned()));
}

#[test]
fn units_are_ordered_by_relation_then_by_unit_as_numbers() {
    let mut juju = Juju::default();
    for (id, units) in [("db:10", ["a/10", "a/9"]), ("db:9", ["b/2", "a/9"])] {
        juju.relate(id, &units);
    }
    let (relations, units) = see(&mut juju, "config-changed", |_, endpoint| {
        let relations: Vec<String> = endpoint.relations()?.keys().map(ToString::to_string).collect();
        let units = endpoint.all_joined_units()?;
        let names: Vec<String> = units.keys().map(ToString::to_string).collect();
        // A unit that is related twice is found by its first occurrence.
        assert_eq!(units["a/9"].relation().relation_id().to_string(), "db:9");
        assert_eq!(units[3].unit_name(), &unit("a/10"));
        Ok((relations, names))
    });
    assert_eq!(relations, ["db:9", "db:10"]);
    assert_eq!(units, ["a/9", "b/2", "a/9", "a/10"]);
}

#[test]
fn merged_data_takes_the_first_unit_that_has_the_key() {
    let mut juju = Juju::default();
    juju.relate("db:1", &["u/2", "u/10"]);
    juju.write("db:1", "u/10", "host", "ten");
    juju.write("db:1", "u/10", "port", "10");
    juju.write("db:1", "u/2", "host", "two");
    let (host, port, raw) = see(&mut juju, "config-changed", |_, endpoint| {
        let units = endpoint.all_joined_units()?;
        let received = units.received()?;
        let raw = units.received_raw()?.text("port").map(str::to_owned);
        Ok((received.get("host"), received.get("port"), raw))
    });
    assert_eq!((host, port, raw), (Some(json!("two")), Some(json!(10)), Some("10".to_owned())));
}

#[test]
fn only_what_changed_is_published() {
    let mut juju = joined();
    juju.write("db:1", "web/0", "ingress-address", "10.0.0.9");
    juju.write("db:1", "web/0", "gone", "x");
    let publish = || {
        looking(|_, endpoint| {
            let bag = endpoint.relations()?["db:1"].to_publish();
            bag.set("wanted", json!({"b": 1.0, "a": ["é", null]}))?;
            bag.set_text("raw", "text")?;
            bag.remove("gone")?;
            Ok(())
        })
    };
    juju.run(&publish(), "config-changed").expect("good");
    let expected = json!({
        "ingress-address": "10.0.0.9", "raw": "text", "wanted": r#"{"a": ["\u00e9", null], "b": 1.0}"#,
    });
    assert_eq!(juju.databag("db:1", "web/0"), expected);
    juju.run(&publish(), "config-changed").expect("good");
    assert!(!juju.commands.iter().any(|line| line.starts_with("relation-set")), "{:?}", juju.commands);
}

#[test]
fn the_application_has_a_databag_of_its_own() {
    let mut juju = joined();
    let app =
        looking(|_, endpoint| Ok(endpoint.relations()?[0].to_publish_app().set_text("vip", "10.0.0.100")?));
    juju.run(&app, "config-changed").expect_err("only the leader may");
    assert!(juju.log.join("\n").contains("permission denied"), "{:?}", juju.log);
    juju.kept.is_leader = true;
    juju.run(&app, "config-changed").expect("good");
    assert_eq!(juju.databag("db:1", "web"), json!({"vip": "10.0.0.100"}));
}

#[test]
fn in_broken_the_relation_is_not_there_any_more() {
    let mut juju = joined();
    juju.relate("db:1", &[]);
    juju.run(&App::new(charm()), "db-relation-departed mysql/0").expect("good");
    let count = see(&mut juju, "db-relation-broken", |_, endpoint| Ok(endpoint.relations()?.len()));
    assert_eq!(count, 0, "Juju 2.9 still lists it");
}

#[test]
fn a_changed_hook_costs_the_same_with_a_thousand_units() {
    let cost = |count: usize| {
        let mut juju = Juju::default();
        let names: Vec<String> = (0..count).map(|number| format!("mysql/{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        juju.relate("db:1", &names);
        for name in &names {
            for key in 0..10 {
                juju.write("db:1", name, &format!("key-{key}"), "value");
            }
        }
        juju.run(&App::new(charm()), "upgrade-charm").expect("good");
        juju.write("db:1", "mysql/0", "key-3", "other");
        juju.run(&App::new(charm()), "db-relation-changed mysql/0").expect("good");
        juju.commands.iter().map(|line| line.split(' ').next().unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    let expected = ["state-get", "relation-list", "relation-get", "state-set"];
    assert_eq!(cost(1), expected);
    assert_eq!(cost(1000), expected);
}

#[test]
fn a_lost_state_is_found_again() {
    let mut juju = joined();
    juju.kept.state.clear();
    juju.run(&App::new(charm()), "config-changed").expect("good");
    assert!(juju.flags().contains(&"endpoint.db.joined".to_owned()));
}

#[test]
fn a_relation_that_juju_does_not_know_fails_nothing() {
    let mut juju = Juju::default();
    juju.run(&App::new(charm()), "db-relation-departed mysql/0").expect("good");
    juju.run(&App::new(charm()), "db-relation-changed mysql/0").expect("good");
}

#[test]
fn a_relation_that_vanishes_in_the_middle_is_not_written_to() {
    let mut juju = joined();
    let app = looking(|_, endpoint| {
        let relation = &endpoint.relations()?[0];
        Ok(relation.to_publish().set_text("key", "text")?)
    });
    juju.vanishing = Some("db:1".to_owned());
    juju.run(&app, "config-changed").expect("good");
    assert!(juju.log.join("\n").contains("relation `db:1` is gone"), "{:?}", juju.log);
    assert!(!juju.commands.iter().any(|line| line.starts_with("relation-set")), "{:?}", juju.commands);
}

#[test]
fn a_databag_that_cannot_be_read_is_not_an_empty_one() {
    let mut juju = joined();
    let before = juju.kept.state.clone();
    juju.write("db:1", "mysql/0", "port", "3306");
    juju.failing = Some("relation-get");
    juju.run(&App::new(charm()), "db-relation-changed mysql/0").expect_err("Juju did not answer");
    assert_eq!(juju.kept.state, before);
    juju.run(&App::new(charm()), "db-relation-changed mysql/0").expect("good");
    assert!(juju.flags().contains(&"endpoint.db.changed.port".to_owned()), "the retry sees it");
}

#[test]
fn peers_are_units_of_the_own_application() {
    let mut juju = Juju::default();
    juju.relate("peers:4", &[]);
    let alone = App::new(charm()).handler(
        |hook: &mut Hook| {
            assert!(!hook.endpoint(PEERS).is_joined());
            Ok(hook.endpoint(PEERS).relations()?[0].to_publish().set_text("alone", "yes")?)
        },
        on(HookEvent::Install),
    );
    juju.run(&alone, "install").expect("it can be written to from the start");
    assert_eq!(juju.databag("peers:4", "web/0"), json!({"alone": "yes"}));
    juju.write("peers:4", "web/0", "alone", "");
    juju.relate("peers:4", &["web/1"]);
    juju.write("peers:4", "web/1", "state", "ready");
    juju.run_on(&App::new(charm()), "peers-relation-joined web/1", "peers:4").expect("good");
    assert!(juju.flags().contains(&"endpoint.peers.joined".to_owned()));
    let app = App::new(charm()).handler(
        |hook: &mut Hook| {
            let relation = &hook.endpoint(PEERS).relations()?[0];
            assert_eq!(relation.application_name()?.expect("known").as_str(), "web");
            Ok(relation.to_publish().set_text("state", "waiting")?)
        },
        on(HookEvent::ConfigChanged),
    );
    juju.run(&app, "config-changed").expect("good");
    assert_eq!(juju.databag("peers:4", "web/0"), json!({"state": "waiting"}));
}

/// An interface with a trigger and a flag of its own.
struct Counting(Endpoint);

impl Interface for Counting {
    const INTERFACE: &'static str = "mysql";
    const ROLE: Option<Role> = Some(Role::Requires);

    fn new(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }
}

impl Manage for Counting {
    fn register_triggers(&self, triggers: &mut Triggers) {
        triggers.add(set(self.0.flag("joined")).sets(self.0.flag("greeted")));
    }

    fn manage_flags(&self) -> Result<(), HandlerError> {
        // The automatic flags are up to date by now.
        self.0.toggle_flag("alone", !self.0.is_flag_set("joined"));
        Ok(())
    }
}

#[test]
fn an_interface_manages_its_flags_after_the_automatic_ones() {
    const KEY: EndpointKey<Counting> = EndpointKey::new("db", Role::Requires, "mysql");
    let app = App::new(Charm::default().endpoint(KEY));
    let mut juju = Juju::default();
    juju.run(&app, "install").expect("good");
    assert_eq!(juju.flags(), ["endpoint.db.alone"]);
    juju.relate("db:1", &["mysql/0"]);
    juju.run(&app, "db-relation-joined mysql/0").expect("good");
    assert_eq!(juju.flags(), ["endpoint.db.greeted", "endpoint.db.joined"]);
}

/// An interface that panics where it is asked for its flags.
struct Broken(#[expect(dead_code, reason = "as every interface has one")] Endpoint);

impl Interface for Broken {
    const INTERFACE: &'static str = "mysql";
    const ROLE: Option<Role> = Some(Role::Requires);

    fn new(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }
}

impl Manage for Broken {
    fn manage_flags(&self) -> Result<(), HandlerError> {
        panic!("no such field");
    }
}

#[test]
fn a_panic_of_an_interface_is_a_failed_hook_that_is_told() {
    const KEY: EndpointKey<Broken> = EndpointKey::new("db", Role::Requires, "mysql");
    let mut juju = Juju::default();
    let error = juju.run(&App::new(Charm::default().endpoint(KEY)), "install").expect_err("a panic");
    assert_eq!(error.to_string(), "`the framework, or an interface` panicked: no such field");
    assert!(juju.log.join("\n").contains("no such field"), "{:?}", juju.log);
}

#[test]
fn names_expand_as_they_do_in_python() {
    let names = see(&mut Juju::default(), "install", |_, endpoint| {
        Ok(["ready", "{endpoint_name}.ready", "a.{endpoint_name}.{b}"].map(|name| endpoint.expand_name(name)))
    });
    assert_eq!(names, ["endpoint.db.ready", "db.ready", "a.db.{b}"]);
}

#[test]
fn an_endpoint_is_found_by_name_and_by_flag() {
    let mut juju = joined();
    let found = see(&mut juju, "config-changed", |hook, _| {
        hook.set(Flag::new("db.ready"));
        let by_flag = |name: &'static str| Endpoint::from_flag(hook, &Flag::new(name)).is_some();
        Ok([
            by_flag("endpoint.db.joined"),
            by_flag("db.ready"),
            by_flag("endpoint.db.unset"),
            Endpoint::from_name(hook, "db").is_some(),
            Endpoint::from_name(hook, "unknown").is_some(),
        ])
    });
    assert_eq!(found, [true, true, false, true, false]);
}

#[test]
fn the_changed_flags_of_an_endpoint_are_bounded() {
    let mut juju = joined();
    for key in 0..1000 {
        juju.write("db:1", "mysql/0", &format!("{}-{key}", "k".repeat(300)), "x");
    }
    juju.run(&App::new(charm()), "db-relation-changed mysql/0").expect("good");
    let flags = juju.flags();
    let names = flags.iter().filter(|name| name.starts_with("endpoint.db.changed."));
    let bytes: usize = names.map(String::len).sum();
    let most = charms_reactive_runtime::CHANGED_FLAGS_BYTES_MAX;
    assert!((most - 500..=most).contains(&bytes), "{bytes}");
}
