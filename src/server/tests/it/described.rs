//! The descriptions of the interface: kept in `docs/api`, and held against the service with drawn requests.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use charms_reactive_core::waiter::{Moment, parse_span};
use charms_reactive_server::runtimeconfig::{Answer, Call, Incoming, Service, Snapshot, discovery, openapi};
use expect_test::expect_file;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::string::{RegexGeneratorStrategy, string_regex};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};

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

/// Draws requests from the description, from a seed.
struct Pencil {
    runner: TestRunner,
    forms: HashMap<String, RegexGeneratorStrategy<String>>,
    api: Value,
}

impl Pencil {
    fn new(seed: u8) -> Self {
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
        let runner = TestRunner::new_with_rng(Config::default(), random);
        Self { runner, forms: HashMap::new(), api: openapi() }
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        (0..end).new_tree(&mut self.runner).expect("drawn").current()
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// A text of a form, of at most `max` bytes.
    fn form(&mut self, pattern: &str, max: usize) -> String {
        let form = self.forms.entry(pattern.to_owned()).or_insert_with(|| {
            let bare = pattern.trim_start_matches('^').trim_end_matches('$');
            string_regex(bare).expect("a pattern")
        });
        loop {
            let text = form.new_tree(&mut self.runner).expect("drawn").current();
            if text.len() <= max {
                return text;
            }
        }
    }

    fn text(&mut self, max: usize) -> String {
        let long = self.one_in(20);
        let text = self.form(if long { r"\PC{0,1000}" } else { r"\PC{0,12}" }, 10_000);
        text.chars()
            .scan(0, |bytes, letter| {
                *bytes += letter.len_utf8();
                (*bytes <= max).then_some(letter)
            })
            .collect()
    }

    /// A value that fits a schema.
    fn value(&mut self, schema: &Value) -> Value {
        let schema = resolved(&self.api, schema);
        let max = schema["maxLength"].as_u64().map_or(10_000, |max| usize::try_from(max).expect("small"));
        if let Some(choices) = schema["enum"].as_array() {
            return self.one_of(choices).clone();
        }
        match schema["type"].as_str().expect("a type") {
            "boolean" => self.one_in(2).into(),
            "integer" => {
                let choices = [0, 1, 2, 3, 1000, schema["maximum"].as_u64().expect("a maximum")];
                (*self.one_of(&choices)).into()
            }
            "array" => {
                let count = self.below(3);
                (0..count).map(|_| self.value(&schema["items"])).collect()
            }
            "object" => self.object(&schema),
            _ if schema["format"] == "date-time" => {
                let nanoseconds = i128::try_from(self.below(usize::MAX)).expect("small");
                Moment::from_nanoseconds(nanoseconds).expect("a moment").to_string().into()
            }
            _ if schema["contentEncoding"] == "base64" => STANDARD.encode(self.text(100)).into(),
            _ => match schema["pattern"].as_str() {
                Some(pattern) if pattern.ends_with("s$") => loop {
                    // A span is longer than nothing.
                    let span = self.form(pattern, max);
                    if parse_span(&span).is_ok() {
                        return span.into();
                    }
                },
                Some(pattern) => self.form(pattern, max).into(),
                None => self.text(max).into(),
            },
        }
    }

    fn object(&mut self, schema: &Value) -> Value {
        let flat = Flat::of(&self.api, schema);
        let chosen = (!flat.one_of.is_empty()).then(|| self.one_of(&flat.one_of).clone());
        let mut object = Map::new();
        for (name, schema) in &flat.fields {
            let is_other = flat.one_of.contains(name) && chosen.as_ref() != Some(name);
            let is_needed = flat.required.contains(name) || chosen.as_ref() == Some(name);
            if !is_other && (is_needed || self.one_in(if schema["readOnly"] == true { 9 } else { 2 })) {
                object.insert(name.clone(), self.value(schema));
            }
        }
        object.into()
    }

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

/// An object's schema with all that it is made of.
#[derive(Default)]
struct Flat {
    fields: BTreeMap<String, Value>,
    required: Vec<String>,
    /// Exactly one of these.
    one_of: Vec<String>,
}

impl Flat {
    fn of(api: &Value, schema: &Value) -> Self {
        let schema = resolved(api, schema);
        let mut flat = Self::default();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            let part = Self::of(api, part);
            flat.fields.extend(part.fields);
            flat.required.extend(part.required);
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            flat.fields.insert(name.clone(), field.clone());
        }
        flat.required.extend(texts(&schema["required"]));
        for choice in schema["oneOf"].as_array().into_iter().flatten() {
            flat.one_of.extend(texts(&choice["required"]));
        }
        flat
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text_of).collect()
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn resolved(api: &Value, schema: &Value) -> Value {
    let mut found = match schema["$ref"].as_str() {
        Some(path) => api.pointer(path.trim_start_matches('#')).expect("it is there").clone(),
        None => schema.clone(),
    };
    if found.get("type").is_none() {
        found["type"] = "object".into();
    }
    found
}

fn encoded(text: &str, has_slashes: bool) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte) || has_slashes && byte == b'/';
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Where a value does not fit its schema, and how.
fn misfits(api: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let schema = resolved(api, schema);
    let mut wrong = |what: String| found.push(format!("{place}: {what}, found {value}"));
    if schema["enum"].as_array().is_some_and(|choices| !choices.contains(value)) {
        wrong("is none of the choices".to_owned());
    }
    match (schema["type"].as_str().expect("a type"), value) {
        ("object", Value::Object(object)) => {
            let flat = Flat::of(api, &schema);
            for name in flat.required.iter().filter(|name| !object.contains_key(*name)) {
                wrong(format!("has no `{name}`"));
            }
            let is_open = flat.fields.is_empty()
                && schema["additionalProperties"] != false
                && schema["allOf"].is_null();
            for (name, value) in object {
                match flat.fields.get(name) {
                    Some(schema) => misfits(api, schema, value, &format!("{place}.{name}"), found),
                    None if is_open => {}
                    None => found.push(format!("{place}: has `{name}`, which is not described")),
                }
            }
        }
        ("array", Value::Array(values)) => {
            for value in values {
                misfits(api, &schema["items"], value, &format!("{place}[]"), found);
            }
        }
        ("string", Value::String(text)) => {
            if schema["maxLength"]
                .as_u64()
                .is_some_and(|max| text.len() > usize::try_from(max).expect("small"))
            {
                wrong("is too long".to_owned());
            }
            if schema["format"] == "date-time" && Moment::parse(text).is_err() {
                wrong("is no moment".to_owned());
            }
            if schema["contentEncoding"] == "base64" && STANDARD.decode(text).is_err() {
                wrong("is no base64".to_owned());
            }
            if schema["pattern"].as_str().is_some_and(|form| form.ends_with("s$"))
                && parse_span(text).is_err()
            {
                wrong("is no span".to_owned());
            }
        }
        ("integer", Value::Number(number)) => {
            let bound = |key: &str| schema[key].as_i64();
            let number = number.as_i64();
            let is_fine = number.is_some_and(|number| {
                bound("minimum").is_none_or(|min| number >= min)
                    && bound("maximum").is_none_or(|max| number <= max)
            });
            if !is_fine {
                wrong("is out of bounds".to_owned());
            }
        }
        ("boolean", Value::Bool(_)) => {}
        (kind, _) => wrong(format!("is no {kind}")),
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
        let mut pencil = Pencil::new(seed);
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
    let mut pencil = Pencil::new(77);
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
