//! The descriptions of the interface: kept in `docs/api`, and held against the service with drawn requests.

use std::collections::BTreeMap;

use charms_reactive_core::waiter::Moment;
use charms_reactive_server::runtimeconfig::{Answer, Call, Incoming, Service, Snapshot, discovery, openapi};
use expect_test::expect_file;
use serde_json::{Value, json};

use crate::drawn::{Flat, Pencil, encoded, misfits, resolved, text_of};
use crate::http::{Charmd, status};

#[test]
fn the_description_in_docs_is_that_of_the_service() {
    // UPDATE_EXPECT=1 cargo test -p charms-reactive-server --test it described
    let text = format!("{:#}\n", openapi());
    expect_file!["../../../../docs/api/runtimeconfig.openapi.json"].assert_eq(&text);
}

#[test]
fn both_descriptions_have_the_same_methods() {
    let described = openapi();
    let mut found: Vec<String> = Vec::new();
    for path in described["paths"].as_object().expect("paths").values() {
        let ids =
            path.as_object().expect("methods").values().filter_map(|method| method["operationId"].as_str());
        found.extend(ids.map(str::to_owned));
    }
    found.sort();
    let document = discovery("http://x/");
    let configs = &document["resources"]["projects"]["resources"]["configs"];
    let lists = configs["resources"].as_object().expect("lists").values();
    let methods =
        lists.chain([configs]).flat_map(|list| list["methods"].as_object().expect("methods").values());
    let mut expected: Vec<&str> =
        methods.filter_map(|method| method["id"].as_str()?.strip_prefix("runtimeconfig.")).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(found.len(), 22);
}

/// A request that was drawn, and whether it is one.
#[derive(Debug)]
struct Drawn {
    method: String,
    path: String,
    query: String,
    body: String,
    /// The schema of the answer.
    answer: Value,
    /// What was made wrong about it.
    fault: Option<String>,
}

impl Pencil {
    /// A request; one in three is none.
    fn request(&mut self) -> Drawn {
        let paths = self.api["paths"].as_object().expect("paths").clone();
        let paths: Vec<(&String, &Value)> = paths.iter().collect();
        let (template, item) = *self.one_of(&paths);
        let methods: Vec<(&String, &Value)> =
            item.as_object().expect("methods").iter().filter(|(name, _)| *name != "parameters").collect();
        let (method, operation) = *self.one_of(&methods);
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for parameter in item["parameters"].as_array().expect("parameters") {
            let name = parameter["name"].as_str().expect("a name");
            names.insert(name.to_owned(), self.name(name, &parameter["schema"]));
        }
        let mut query: Vec<(String, String)> = Vec::new();
        for parameter in operation["parameters"].as_array().expect("parameters") {
            let name = parameter["name"].as_str().expect("a name");
            // A token comes from an answer only.
            if name != "pageToken" && self.one_in(2) {
                let value = match name {
                    "filter" => self.name("variablesId", &json!({"type": "string", "pattern": "[a-c]{1,3}"})),
                    _ => text_of(&self.value(&parameter["schema"])),
                };
                query.push((name.to_owned(), value));
            }
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let mut body = if schema.is_null() { Value::Null } else { self.value(schema) };
        self.set_name(template, method, &names, &mut body);
        let mut text = None;
        let fault = if self.one_in(3) {
            self.spoil(schema, &mut names, &mut query, &mut body, &mut text)
        } else {
            None
        };
        let path = names.iter().fold(template.clone(), |path, (name, value)| {
            path.replace(&format!("{{{name}}}"), &encoded(value, true))
        });
        let query = query.iter().map(|(name, value)| format!("{name}={}", encoded(value, false)));
        Drawn {
            method: method.to_uppercase(),
            path,
            query: query.collect::<Vec<_>>().join("&"),
            body: text.unwrap_or_else(|| if body.is_null() { String::new() } else { body.to_string() }),
            answer: operation["responses"]["200"]["content"]["application/json"]["schema"].clone(),
            fault,
        }
    }

    /// A name, mostly one of few, so that things meet.
    fn name(&mut self, parameter: &str, schema: &Value) -> String {
        if self.one_in(8) {
            return text_of(&self.value(schema));
        }
        let few: &[&str] = match parameter {
            "projectsId" => &["p", "p", "p", "google.com:q"],
            "variablesId" => &["a", "a/b", "a/b/c", "d", "e/f"],
            "operationsId" => &["waiters/w", "waiters/x"],
            "waitersId" => &["w", "x"],
            _ => &["c", "c", "c", "d"],
        };
        (*self.one_of(few)).to_owned()
    }

    /// Has the name in a body be that of the path, or below it.
    fn set_name(&mut self, template: &str, method: &str, names: &BTreeMap<String, String>, body: &mut Value) {
        let full = names.iter().fold(template.replace("/v1beta1/", ""), |path, (name, value)| {
            path.replace(&format!("{{{name}}}"), value)
        });
        if body.get("name").is_none() {
            return;
        }
        let parameter = template.rsplit('/').next().expect("a list");
        body["name"] = match (method, parameter) {
            ("post", "configs" | "variables" | "waiters") => {
                let schema = json!({"type": "string", "pattern": "[a-z]{1,3}"});
                format!("{full}/{}", self.name(&format!("{parameter}Id"), &schema)).into()
            }
            _ => full.into(),
        };
    }

    /// Makes one thing wrong; None where there is nothing to be made so.
    fn spoil(
        &mut self,
        schema: &Value,
        names: &mut BTreeMap<String, String>,
        query: &mut [(String, String)],
        body: &mut Value,
        text: &mut Option<String>,
    ) -> Option<String> {
        match self.below(if schema.is_null() { 2 } else { 6 }) {
            0 => {
                let (name, value) = names.iter_mut().next_back().expect("a name");
                let long = "x".repeat(101);
                // Projects have hardly any form.
                let wrong: &[&str] = match name.as_str() {
                    "projectsId" => &["a b", &long],
                    _ => &["-a", "a-", "_", "a b", "ü", "a%", "x!", &long],
                };
                (*self.one_of(wrong)).clone_into(value);
                Some(format!("{name}: {value}"))
            }
            1 => {
                let long = "x".repeat(65);
                let wrong = query.iter_mut().find_map(|(name, value)| match name.as_str() {
                    "pageSize" => Some((value, "-1")),
                    "returnValues" | "recursive" => Some((value, "maybe")),
                    "requestId" => Some((value, long.as_str())),
                    "filter" => Some((value, "projects/p/configs/other/variables/a")),
                    _ => None,
                });
                let (value, wrong) = wrong?;
                wrong.clone_into(value);
                Some(format!("a parameter is {wrong}"))
            }
            2 => {
                *text = Some((*self.one_of(&["{", "[]", "7", "nil", "\u{0}", "{\"name\": }"])).to_owned());
                Some("the body is none".to_owned())
            }
            3 => {
                body[self.one_of(&["Name", "nmae", "x-y", ""])] = "x".into();
                Some("a field that nobody knows".to_owned())
            }
            4 => {
                let flat = Flat::of(&self.api, schema);
                let needed = if flat.one_of.is_empty() { &flat.required } else { &flat.one_of };
                if needed.is_empty() {
                    return None;
                }
                let name = self.one_of(needed).clone();
                // Of two, it was one or the other.
                let gone = if flat.one_of.is_empty() { vec![name] } else { flat.one_of.clone() };
                let object = body.as_object_mut().expect("an object");
                for name in &gone {
                    object.remove(name);
                }
                Some(format!("no {gone:?}"))
            }
            _ => {
                let flat = Flat::of(&self.api, schema);
                let fields = flat.fields.iter().filter(|(_, schema)| schema["readOnly"] != true);
                let fields: Vec<(&String, &Value)> = fields.collect();
                let (name, schema) = *self.one_of(&fields);
                let schema = resolved(&self.api, schema);
                body[name] = match schema["type"].as_str().expect("a type") {
                    "string" if schema["maxLength"].is_u64() && self.one_in(2) => "x".repeat(5000).into(),
                    "string" => 5.into(),
                    "integer" => (-1).into(),
                    "array" => json!([5]),
                    _ => "x".into(),
                };
                Some(format!("{name}: {}", body[name]))
            }
        }
    }
}

/// Sends a request, and gives the status and the body of its answer; a watch is ended at once.
fn send(service: &mut Service, drawn: &Drawn, now: Moment) -> (u16, Value) {
    let Drawn { method, path, query, body, .. } = drawn;
    let incoming = Incoming { method, path, query, body: body.as_bytes() };
    let (presentation, call) = Call::parse(incoming);
    match call.and_then(|call| service.call(call, now)) {
        Ok(Answer::Done(value)) => (200, value),
        Ok(Answer::Watching(id)) => (200, service.end_watch(id).expect("it waits")),
        Err(error) => (error.code.status(), error.to_json(presentation.has_errors)),
    }
}

#[test]
fn requests_drawn_from_the_description_are_answered_as_it_says() {
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    let mut faults = 0;
    for seed in 0..40 {
        let mut pencil = Pencil::new(seed, openapi());
        let mut service = Service::load(Snapshot::default());
        let mut now = Moment::from_nanoseconds(1_460_000_000_000_000_000).expect("a moment");
        for _ in 0..100 {
            // One config is always there again, so that much is found.
            let create = Incoming {
                method: "POST",
                path: "/v1beta1/projects/p/configs",
                query: "",
                body: br#"{"name": "projects/p/configs/c"}"#,
            };
            now = now.next();
            let _ = service.call(Call::parse(create).1.expect("a call"), now);
            now = now.next();
            let drawn = pencil.request();
            let (status, answer) = send(&mut service, &drawn, now);
            *statuses.entry(status).or_default() += 1;
            let schema = match status {
                200 => drawn.answer.clone(),
                _ => json!({"$ref": "#/components/schemas/Error"}),
            };
            let mut found = Vec::new();
            misfits(&pencil.api, &schema, &answer, "answer", &mut found);
            assert_eq!(found, Vec::<String>::new(), "seed {seed}: {drawn:?}\n{answer:#}");
            if status != 200 {
                assert_eq!(answer["error"]["code"], status, "seed {seed}: {drawn:?}");
            }
            let is_refused = answer["error"]["status"] == "INVALID_ARGUMENT";
            faults += usize::from(drawn.fault.is_some());
            assert_eq!(is_refused, drawn.fault.is_some(), "seed {seed}: {drawn:?}\n{answer:#}");
        }
    }
    assert!(faults > 500, "{faults}");
    for status in [200, 400, 404, 409] {
        assert!(statuses.get(&status).is_some_and(|count| *count > 50), "{statuses:?}");
    }
    assert!(statuses.keys().all(|status| *status < 500), "{statuses:?}");
}

#[test]
fn requests_drawn_from_the_description_are_answered_over_a_connection_too() {
    let charmd = Charmd::start(&[]);
    let mut pencil = Pencil::new(77, openapi());
    let body = r#"{"name": "projects/p/configs/c"}"#;
    for number in 0..300 {
        charmd.ask("POST", "/v1beta1/projects/p/configs", "", body);
        let drawn = pencil.request();
        // A watch takes its time.
        if drawn.path.ends_with(":watch") {
            continue;
        }
        let target = format!("{}?{}", drawn.path, drawn.query);
        let (head, answer) = charmd.ask(&drawn.method, &target, "", &drawn.body);
        let status = status(&head);
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        let is_refused = answer["error"]["status"] == "INVALID_ARGUMENT";
        assert_eq!(is_refused, drawn.fault.is_some(), "{number}: {drawn:?}\n{answer:#}");
        assert!(
            status < 500 && (status == 200) == answer.get("error").is_none(),
            "{number}: {drawn:?}\n{answer:#}"
        );
    }
}
