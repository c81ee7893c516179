//! Requests and responses, from both sides.

use charms_reactive_core::{Databag, Role};
use charms_reactive_runtime::exchange::{
    RequestId, Requester, Responder, Response, note_request, note_response, request_problem,
};
use charms_reactive_runtime::prelude::*;
use charms_reactive_runtime::{Endpoint, EndpointKey, Interface, Manage};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::juju::Juju;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Question {
    topic: String,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reply {
    text: String,
}

impl Response for Reply {
    fn summary(&self) -> Option<String> {
        Some(self.text.clone())
    }
}

struct Asking(Endpoint);

impl Requester for Asking {
    type Request = Question;
    type Response = Reply;

    fn endpoint(&self) -> &Endpoint {
        &self.0
    }
}

impl Interface for Asking {
    const INTERFACE: &'static str = "questions";
    const ROLE: Option<Role> = Some(Role::Requires);

    fn new(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }
}

impl Manage for Asking {
    fn manage_flags(&self) -> Result<(), HandlerError> {
        Ok(self.manage_requester_flags()?)
    }

    fn note(&self, key: &str, text: &str) -> Option<String> {
        note_response::<Reply>(key, text)
    }
}

struct Answering(Endpoint);

impl Responder for Answering {
    type Request = Question;
    type Response = Reply;

    fn endpoint(&self) -> &Endpoint {
        &self.0
    }
}

impl Interface for Answering {
    const INTERFACE: &'static str = "questions";
    const ROLE: Option<Role> = Some(Role::Provides);

    fn new(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }
}

impl Manage for Answering {
    fn manage_flags(&self) -> Result<(), HandlerError> {
        Ok(self.manage_responder_flags()?)
    }

    fn note(&self, key: &str, text: &str) -> Option<String> {
        note_request::<Question>(key, text)
    }

    fn problem(&self, key: &str, text: &str) -> Option<String> {
        request_problem::<Question>(key, text)
    }

    fn forget_secrets(&self, databag: &mut Databag) {
        databag.set("password", "");
    }
}

const ASK: EndpointKey<Asking> = EndpointKey::new("db", Role::Requires, "questions");
const OTHER: EndpointKey<Asking> = EndpointKey::new("other", Role::Requires, "questions");
const ANSWER: EndpointKey<Answering> = EndpointKey::new("db", Role::Provides, "questions");

fn question(topic: &str, text: &str) -> Question {
    Question { topic: topic.to_owned(), text: text.to_owned() }
}

/// A charm that in `config-changed` does `work` with the asking side.
fn asking(work: impl Fn(&Asking) -> Result<(), HandlerError> + 'static) -> App {
    let charm = Charm::default().endpoint(ASK).endpoint(OTHER);
    App::new(charm).handler(move |hook: &mut Hook| work(&hook.endpoint(ASK)), on(HookEvent::ConfigChanged))
}

/// A charm that asks one question, on every relation.
fn asks(text: &'static str) -> App {
    asking(move |side| {
        for relation in &side.endpoint().relations()? {
            side.create_or_update(relation, question("price", text), |known| known.topic == "price")?;
        }
        Ok(())
    })
}

/// A charm that in `config-changed` does `work` with the answering side.
fn answering(work: impl Fn(&Answering) -> Result<(), HandlerError> + 'static) -> App {
    let charm = Charm::default().endpoint(ANSWER);
    App::new(charm).handler(move |hook: &mut Hook| work(&hook.endpoint(ANSWER)), on(HookEvent::ConfigChanged))
}

/// A charm that answers everything that is new.
fn answers() -> App {
    answering(|side| {
        for request in side.new_requests()? {
            side.respond(&request, &Reply { text: format!("re: {}", request.text) })?;
        }
        Ok(())
    })
}

fn nothing() -> App {
    asking(|_| Ok(()))
}

/// The ids of the requests in a databag.
fn ids(databag: &Value) -> Vec<String> {
    let keys = databag.as_object().into_iter().flatten().map(|(key, _)| key);
    keys.filter_map(|key| key.strip_prefix("request_")).map(str::to_owned).collect()
}

fn related() -> Juju {
    let mut juju = Juju::default();
    juju.relate("db:1", &["mysql/0"]);
    juju.run(&nothing(), "db-relation-joined mysql/0").expect("good");
    juju
}

fn has(juju: &Juju, name: &str) -> bool {
    juju.flags().contains(&format!("endpoint.db.{name}"))
}

#[test]
fn a_request_keeps_its_uuid_when_it_is_updated() {
    let mut juju = related();
    juju.run(&asks("how much?"), "config-changed").expect("good");
    let first = ids(&juju.databag("db:1", "web/0"));
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    juju.run(&asks("how much now?"), "config-changed").expect("good");
    assert_eq!(ids(&juju.databag("db:1", "web/0")), first);
    juju.run(&asks("how much now?"), "config-changed").expect("good");
    assert!(!juju.commands.iter().any(|line| line.starts_with("relation-set")), "{:?}", juju.commands);
}

#[test]
fn every_relation_gets_its_own_request() {
    let mut juju = related();
    juju.relate("db:2", &["other/0"]);
    juju.run(&asks("how much?"), "config-changed").expect("good");
    let (one, two) = (ids(&juju.databag("db:1", "web/0")), ids(&juju.databag("db:2", "web/0")));
    assert_eq!((one.len(), two.len()), (1, 1));
    assert_ne!(one, two);
}

#[test]
fn another_endpoint_of_the_interface_is_independent() {
    let mut juju = related();
    juju.relate("other:7", &["thing/0"]);
    juju.run_on(&nothing(), "other-relation-joined thing/0", "other:7").expect("good");
    juju.run(&asks("how much?"), "config-changed").expect("good");
    assert_eq!(ids(&juju.databag("other:7", "web/0")).len(), 0);
    juju.run(&asks("how much?"), "config-changed").expect("good");
    assert_eq!(ids(&juju.databag("db:1", "web/0")).len(), 1, "found again, not asked again");
}

#[test]
fn a_withdrawn_request_is_gone_from_the_wire() {
    let mut juju = related();
    juju.run(&asks("how much?"), "config-changed").expect("good");
    let withdraw = asking(|side| {
        for request in side.find_all(|known| known.topic == "price")? {
            side.withdraw(&request)?;
        }
        Ok(())
    });
    juju.run(&withdraw, "config-changed").expect("good");
    assert_eq!(juju.databag("db:1", "web/0"), json!({}));
}

#[test]
fn flags_say_whether_the_answers_are_there() {
    let mut juju = related();
    assert!(!has(&juju, "all_responses"), "without a request there is nothing to wait for");
    juju.run(&asks("how much?"), "config-changed").expect("good");
    let id = ids(&juju.databag("db:1", "web/0")).remove(0);
    juju.write("db:1", "mysql/0", &format!("response_{id}"), r#"{"text": "7"}"#);
    juju.run(&nothing(), "db-relation-changed mysql/0").expect("good");
    assert!(has(&juju, "has_responses") && has(&juju, "all_responses"));
    // Both are remembered: elsewhere they cost nothing.
    juju.run(&nothing(), "update-status").expect("good");
    assert_eq!(juju.commands, ["state-get --format=json"]);
    assert!(has(&juju, "all_responses"));
    // A unit that leaves takes its answer along.
    juju.relate("db:1", &[]);
    juju.run(&nothing(), "db-relation-departed mysql/0").expect("good");
    assert!(!has(&juju, "has_responses"));
}

#[test]
fn flags_that_follow_hold_back_only_those_who_look_at_them() {
    const A: Flag = Flag::new("a");
    let ask = |hook: &mut Hook| {
        let side: Asking = hook.endpoint(ASK);
        for relation in &side.endpoint().relations()? {
            let id = RequestId::parse("another")?;
            side.create_with_id(relation, id, question("price", "how much?"))?;
        }
        hook.set(A);
        Ok(())
    };
    let kept = |name: &'static str| {
        move |hook: &mut Hook| {
            hook.keep(name, Some("ran"));
            Ok(())
        }
    };
    let app = || {
        App::new(Charm::default().endpoint(ASK).endpoint(OTHER))
            .handler(ask, none([A]))
            .handler(kept("bystander"), none([A]))
            .handler(kept("answered"), none([A]).and(ASK.flag("all_responses")))
    };
    // Nothing is cleared: whoever was due in the round runs, although `a` has been set.
    let mut juju = related();
    juju.run(&app(), "update-status").expect("a good dispatch");
    assert!(juju.kept.state.contains_key("charm/bystander"));

    // `all_responses` is cleared, as there is a new request: whoever waits for it is held back.
    let mut juju = related();
    juju.run(&asks("how much?"), "config-changed").expect("a good dispatch");
    let id = ids(&juju.databag("db:1", "web/0")).remove(0);
    juju.write("db:1", "mysql/0", &format!("response_{id}"), r#"{"text": "7"}"#);
    juju.run(&nothing(), "db-relation-changed mysql/0").expect("a good dispatch");
    assert!(has(&juju, "all_responses"));
    juju.run(&app(), "update-status").expect("a good dispatch");
    assert!(juju.kept.state.contains_key("charm/bystander"));
    assert!(!juju.kept.state.contains_key("charm/answered"));
}

#[test]
fn an_answer_to_what_was_asked_before_is_not_current() {
    let mut juju = related();
    juju.run(&asks("how much?"), "config-changed").expect("good");
    let id = ids(&juju.databag("db:1", "web/0")).remove(0);
    juju.write("db:1", "mysql/0", &format!("response_{id}"), r#"{"answers": ["000000000000"], "text": "7"}"#);
    juju.run(&nothing(), "db-relation-changed mysql/0").expect("good");
    assert!(!has(&juju, "has_responses"));
    let look = asking(|side| {
        assert_eq!(side.responses()?.len(), 0);
        assert_eq!(side.answers()?.iter().filter(|answer| !answer.is_current).count(), 1);
        Ok(())
    });
    juju.run(&look, "config-changed").expect("good");
}

#[test]
fn responses_are_found_by_what_was_asked() {
    let mut juju = related();
    juju.relate("db:1", &["mysql/0", "mysql/1"]);
    juju.run(&asks("how much?"), "config-changed").expect("good");
    let id = ids(&juju.databag("db:1", "web/0")).remove(0);
    juju.write("db:1", "mysql/1", &format!("response_{id}"), r#"{"text": "7"}"#);
    juju.write("db:1", "mysql/0", &format!("response_{id}"), "[]");
    let look = asking(|side| {
        let relation = &side.endpoint().relations()?[0];
        let reply = side.response_by(relation, |known| known.topic == "price")?.expect("an answer");
        assert_eq!((reply.text.as_str(), reply.unit.number()), ("7", 1));
        assert!(side.response_by(relation, |known| known.topic == "size")?.is_none());
        Ok(())
    });
    juju.run(&look, "config-changed").expect("good");
    assert!(
        juju.log.join("\n").contains("of `mysql/0`: found a list, expected a JSON object"),
        "{:?}",
        juju.log
    );
}

#[test]
fn the_answers_of_all_units_are_there() {
    // D7: in Python the first unit in order of texts, the tenth, answers for all.
    let mut juju = related();
    juju.relate("db:1", &["mysql/2", "mysql/10"]);
    juju.run(&asks("how much?"), "config-changed").expect("good");
    let id = ids(&juju.databag("db:1", "web/0")).remove(0);
    juju.write("db:1", "mysql/10", &format!("response_{id}"), r#"{"text": "yes"}"#);
    juju.write("db:1", "mysql/2", &format!("response_{id}"), r#"{"text": "no"}"#);
    let look = asking(|side| {
        let all: Vec<String> =
            side.responses()?.iter().map(|reply| format!("{} {}", reply.unit, reply.text)).collect();
        assert_eq!(all, ["mysql/2 no", "mysql/10 yes"]);
        Ok(())
    });
    juju.run(&look, "config-changed").expect("good");
}

/// A Juju in which `mysql/0` asked request `x`.
fn asked(text: &str) -> Juju {
    let mut juju = Juju::default();
    juju.relate("db:1", &["mysql/0"]);
    juju.write("db:1", "mysql/0", "request_x", text);
    juju.run(&answering(|_| Ok(())), "db-relation-changed mysql/0").expect("good");
    juju
}

const ONE: &str = r#"{"request_id":"x","text":"one","topic":"t"}"#;
const TWO: &str = r#"{"request_id":"x","text":"two","topic":"t"}"#;

#[test]
fn a_request_is_new_until_it_is_answered_and_again_when_it_changes() {
    let mut juju = asked(ONE);
    assert!(has(&juju, "has_requests") && has(&juju, "new_requests"));
    juju.run(&answers(), "config-changed").expect("good");
    assert!(!has(&juju, "new_requests"), "answered in this dispatch");
    let reply: Value =
        serde_json::from_str(juju.databag("db:1", "web/0")["response_x"].as_str().expect("a text"))
            .expect("JSON");
    assert_eq!(reply["text"], "re: one");
    juju.write("db:1", "mysql/0", "request_x", TWO);
    juju.run(&answers(), "db-relation-changed mysql/0").expect("good");
    assert!(has(&juju, "new_requests"), "it changed");
    juju.run(&answers(), "config-changed").expect("good");
    assert!(juju.databag("db:1", "web/0")["response_x"].as_str().expect("a text").contains("re: two"));
    juju.run(&answering(|_| Ok(())), "update-status").expect("good");
    assert_eq!(juju.commands, ["state-get --format=json"]);
}

#[test]
fn the_answer_goes_when_the_request_goes() {
    let mut juju = asked(ONE);
    juju.run(&answers(), "config-changed").expect("good");
    juju.write("db:1", "mysql/0", "request_x", "");
    juju.run(&answering(|_| Ok(())), "db-relation-changed mysql/0").expect("good");
    assert_eq!(juju.databag("db:1", "web/0"), json!({}));
    assert!(has(&juju, "removed_requests") && !has(&juju, "has_requests"));
}

#[test]
fn the_answer_goes_when_the_unit_goes() {
    let mut juju = asked(ONE);
    juju.run(&answers(), "config-changed").expect("good");
    juju.relate("db:1", &[]);
    juju.write("db:1", "mysql/0", "password", "hunter2");
    juju.run(&answering(|_| Ok(())), "db-relation-departed mysql/0").expect("good");
    assert_eq!(juju.databag("db:1", "web/0"), json!({}));
    assert!(has(&juju, "removed_requests"));
    assert!(!juju.kept.state["relation/db:1"].contains("hunter2"), "secrets are not kept");
}

#[test]
fn what_is_no_request_fails_nothing_and_is_told() {
    for text in ["null", "[]", "7", "text", "\"text\"", "{}", r#"{"request_id": "y"}"#] {
        let mut juju = asked(text);
        assert!(!has(&juju, "has_requests"), "`{text}`");
        juju.write("db:1", "mysql/0", "request_count", "3");
        juju.write("db:1", "mysql/0", "request_y", &ONE.replace("\"x\"", "\"y\""));
        juju.run(&answers(), "db-relation-changed mysql/0").expect("good");
        juju.run(&answers(), "config-changed").expect("good");
        let keys = juju.databag("db:1", "web/0");
        assert_eq!(keys.as_object().expect("a map").keys().collect::<Vec<_>>(), ["response_y"], "`{text}`");
        assert!(juju.log.join("\n").contains("skipping key `request_x` of `mysql/0`"), "{:?}", juju.log);
    }
}

#[test]
fn what_is_no_request_is_told_once_when_it_comes() {
    let mut juju = asked("null");
    let warning = "skipping key `request_x` of `mysql/0`: found null, expected a JSON object";
    assert_eq!(juju.log.join("\n").matches(warning).count(), 1, "nobody asked for the requests");
    juju.run(&answering(|_| Ok(())), "db-relation-changed mysql/0").expect("good");
    assert_eq!(juju.log, [""; 0], "the text is the same");
    let asks_twice = answering(|side| {
        side.requests()?;
        side.new_requests()?;
        Ok(())
    });
    juju.run(&asks_twice, "config-changed").expect("good");
    assert_eq!(juju.log.join("\n").matches(warning).count(), 1, "both of them met it");
}

#[test]
fn one_id_from_two_units_is_one_request_and_the_first_unit_counts() {
    let mut juju = Juju::default();
    juju.relate("db:1", &["mysql/10", "mysql/9"]);
    juju.write("db:1", "mysql/10", "request_x", TWO);
    juju.write("db:1", "mysql/9", "request_x", ONE);
    juju.run(&answers(), "upgrade-charm").expect("good");
    juju.run(&answers(), "config-changed").expect("good");
    assert!(juju.databag("db:1", "web/0")["response_x"].as_str().expect("a text").contains("re: one"));
    assert!(!has(&juju, "new_requests"));
    // The answer stays while one of them asks.
    juju.relate("db:1", &["mysql/10"]);
    juju.run(&answering(|_| Ok(())), "db-relation-departed mysql/9").expect("good");
    assert!(has(&juju, "new_requests"), "what the other unit says is another thing");
}

#[test]
fn more_answers_than_can_be_remembered_are_read_again() {
    let mut juju = Juju::default();
    juju.relate("db:1", &["mysql/0", "mysql/1"]);
    for number in 0..1500 {
        let id = format!("3f2a6b1c-0000-4000-8000-{number:012}");
        let text = ONE.replace("\"x\"", &format!("\"{id}\""));
        juju.write("db:1", &format!("mysql/{}", number % 2), &format!("request_{id}"), &text);
    }
    juju.run(&answers(), "upgrade-charm").expect("good");
    juju.run(&answers(), "config-changed").expect("good");
    assert_eq!(juju.databag("db:1", "web/0").as_object().map(serde_json::Map::len), Some(1500));
    assert!(!has(&juju, "new_requests"));
    juju.write("db:1", "mysql/0", "request_x", ONE);
    juju.run(&answering(|_| Ok(())), "db-relation-changed mysql/0").expect("good");
    assert!(has(&juju, "new_requests"), "one is new");
    juju.run(&answers(), "config-changed").expect("good");
    let written = juju.commands.iter().filter(|line| line.starts_with("relation-set")).count();
    assert_eq!(written, 1);
    assert_eq!(juju.databag("db:1", "web/0").as_object().map(serde_json::Map::len), Some(1501));
    assert!(!has(&juju, "new_requests"));
}

#[test]
fn an_answer_of_an_earlier_revision_counts() {
    let mut juju = asked(ONE);
    juju.write("db:1", "web/0", "response_x", r#"{"text": "from Python"}"#);
    juju.kept.state.clear();
    juju.run(&answering(|_| Ok(())), "upgrade-charm").expect("good");
    assert!(has(&juju, "has_requests") && !has(&juju, "new_requests"));
}

#[test]
fn requests_are_found_by_id_and_by_what_they_say() {
    let mut juju = related();
    let app = asking(|side| {
        let relation = &side.endpoint().relations()?[0];
        let first = side.create(relation, question("price", "how much?"))?;
        side.create(relation, question("size", "how big?"))?;
        assert_eq!(side.get(&first.id)?.expect("there").text, "how much?");
        assert!(side.get(&RequestId::parse("unknown")?)?.is_none());
        assert_eq!(side.find_all(|known| known.text.starts_with("how"))?.len(), 2);
        assert_eq!(side.find_all(|known| known.topic == "size")?[0].text, "how big?");
        side.create_with_id(relation, first.id.clone(), question("price", "how many?"))?;
        assert_eq!(side.requests()?.len(), 2, "worked out anew at each access");
        assert_eq!(side.get(&first.id)?.expect("there").text, "how many?");
        side.withdraw(&first)?;
        assert_eq!(side.requests()?.len(), 1);
        Ok(())
    });
    juju.run(&app, "config-changed").expect("good");
    let mut juju = asked(ONE);
    let app = answering(|side| {
        assert_eq!(side.get(&RequestId::parse("x")?)?.expect("there").text, "one");
        assert_eq!(side.find_all(|known| known.topic == "t")?.len(), 1);
        assert!(side.find_all(|known| known.topic == "u")?.is_empty());
        Ok(())
    });
    juju.run(&app, "config-changed").expect("good");
}

#[test]
fn a_request_is_a_map_of_all_its_fields() {
    #[derive(Serialize, Deserialize)]
    struct Optional {
        text: String,
        port: Option<u16>,
    }
    struct Side(Endpoint);
    impl Requester for Side {
        type Request = Optional;
        type Response = Reply;
        fn endpoint(&self) -> &Endpoint {
            &self.0
        }
    }
    let mut juju = related();
    let app = asking(|side| {
        let relation = &side.endpoint().relations()?[0];
        let side = Side(side.endpoint().clone());
        let entry = side.create(relation, Optional { text: "t".to_owned(), port: None })?;
        assert_eq!(json!(entry.to_map()?).to_string(), r#"{"port":null,"text":"t"}"#);
        Ok(())
    });
    juju.run(&app, "config-changed").expect("good");
}

#[test]
fn an_entry_tells_whose_it_is_and_where_that_unit_is() {
    let mut juju = related();
    juju.write("db:1", "web/0", "ingress-address", "10.0.0.9");
    juju.write("db:1", "web/0", "egress-subnets", "10.0.0.9/32,10.1.0.0/16");
    let app = asking(|side| {
        let entry = side.create(&side.endpoint().relations()?[0], question("a", "b"))?;
        assert!(entry.is_created() && !entry.is_received());
        assert_eq!(entry.ingress_address()?.as_deref(), Some("10.0.0.9"));
        assert_eq!(entry.egress_subnets()?.as_deref(), Some("10.0.0.9/32,10.1.0.0/16"));
        Ok(())
    });
    juju.run(&app, "config-changed").expect("good");
    let mut juju = asked(ONE);
    juju.write("db:1", "mysql/0", "ingress-address", "10.0.0.1");
    let app = answering(|side| {
        let entry = &side.requests()?[0];
        assert!(entry.is_received() && !entry.is_created());
        assert_eq!(entry.ingress_address()?.as_deref(), Some("10.0.0.1"));
        assert_eq!(entry.egress_subnets()?, None, "Juju did not put any there");
        Ok(())
    });
    juju.run(&app, "config-changed").expect("good");
}

#[test]
fn a_responder_finds_its_own_answer_on_the_relation_of_the_request() {
    let mut juju = asked(ONE);
    juju.relate("db:2", &["mysql/0"]);
    juju.write("db:2", "mysql/0", "request_x", TWO);
    let app = answering(|side| {
        let requests = side.requests()?;
        assert!(side.response(&requests[0])?.is_none());
        side.respond(&requests[0], &Reply { text: "first".to_owned() })?;
        assert_eq!(side.response(&requests[0])?.expect("answered").text, "first");
        assert!(side.response(&requests[1])?.is_none(), "the same id on another relation");
        side.respond(&requests[0], &Reply { text: "second".to_owned() })?;
        assert_eq!(side.response(&requests[0])?.expect("answered").text, "second");
        Ok(())
    });
    juju.run(&app, "config-changed").expect("good");
    assert_eq!(juju.databag("db:2", "web/0"), json!({}));
}

#[test]
fn an_id_may_be_chosen() {
    let mut juju = related();
    let app = asking(|side| {
        let relation = &side.endpoint().relations()?[0];
        side.create_with_id(relation, RequestId::of(&["model", "app"]), question("a", "b"))?;
        Ok(())
    });
    juju.run(&app, "config-changed").expect("good");
    let expected = RequestId::of(&["model", "app"]);
    assert_eq!(ids(&juju.databag("db:1", "web/0")), [expected.as_str()]);
}
