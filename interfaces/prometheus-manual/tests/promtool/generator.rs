//! Random jobs: right ones, most of them spoilt a little.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// A small generator of random numbers: the same numbers for the same seed, everywhere.
///
/// # Source
///
/// `SplitMix64`, Sebastiano Vigna, in the public domain.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        let bits = self.next() % u64::try_from(end).expect("64 bits are enough");
        usize::try_from(bits).expect("it is below a usize")
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

type Make = fn(&mut Rng) -> Value;

/// A name, and how a value for it is made.
pub(crate) type Field = (&'static str, Make);

/// The fields of a job, and how each is made.
const FIELDS: &[Field] = &[
    ("job_name", |rng| scalar(rng)),
    ("honor_labels", flag),
    ("honor_timestamps", flag),
    ("track_timestamps_staleness", flag),
    ("params", |rng| map(rng, |rng| list(rng, text))),
    ("scrape_interval", duration),
    ("scrape_timeout", duration),
    ("scrape_protocols", |_| json!(["PrometheusText0.0.4", "OpenMetricsText1.0.0"])),
    ("fallback_scrape_protocol", |_| json!("PrometheusText0.0.4")),
    ("scrape_native_histograms", flag),
    ("scrape_classic_histograms", flag),
    ("always_scrape_classic_histograms", flag),
    ("convert_classic_histograms_to_nhcb", flag),
    ("scrape_failure_log_file", text),
    ("metrics_path", |rng| of(rng, &["/metrics", "metrics", "", "/a b", "/é", "/%zz", "//"])),
    ("scheme", |rng| of(rng, &["http", "https"])),
    ("enable_compression", flag),
    ("body_size_limit", |rng| of(rng, &["10MB", "1KiB", "0", "7EB", "512B", "0B"])),
    ("sample_limit", number),
    ("target_limit", number),
    ("label_limit", number),
    ("label_name_length_limit", number),
    ("label_value_length_limit", number),
    ("native_histogram_bucket_limit", number),
    ("native_histogram_min_bucket_factor", number),
    ("keep_dropped_targets", number),
    ("metric_name_validation_scheme", |rng| of(rng, &["legacy", "utf8"])),
    ("metric_name_escaping_scheme", |rng| of(rng, &["dots", "values", "underscores", "allow-utf-8"])),
    ("extra_scrape_metrics", flag),
    ("static_configs", |rng| list(rng, group)),
    ("relabel_configs", |rng| list(rng, rule)),
    ("metric_relabel_configs", |rng| list(rng, rule)),
    ("basic_auth", |rng| {
        some_of(
            rng,
            &[("username", text), ("username_file", text), ("password", text), ("password_file", text)],
        )
    }),
    ("authorization", |rng| {
        some_of(rng, &[("type", text), ("credentials", text), ("credentials_file", text)])
    }),
    ("oauth2", oauth2),
    ("bearer_token", text),
    ("bearer_token_file", text),
    ("tls_config", tls),
    ("follow_redirects", flag),
    ("enable_http2", flag),
    ("http_headers", |rng| {
        map(rng, |rng| some_of(rng, &[("values", |rng| list(rng, text)), ("files", |rng| list(rng, text))]))
    }),
    ("proxy_url", url),
    ("no_proxy", text),
    ("proxy_from_environment", flag),
    ("proxy_connect_header", |rng| map(rng, |rng| list(rng, text))),
    ("file_sd_configs", |rng| {
        list(rng, |rng| some_of(rng, &[("files", files), ("files", files), ("refresh_interval", duration)]))
    }),
    ("dns_sd_configs", |rng| list(rng, dns)),
    ("http_sd_configs", |rng| list(rng, http)),
];

/// The fields of a job whose names are not among the `unknown` ones.
///
/// Those that have much to say about each other come more often.
pub(crate) fn fields(unknown: &BTreeSet<&str>) -> Vec<&'static Field> {
    let related = FIELDS.iter().filter(|(key, _)| ["static_configs", "relabel_configs"].contains(key));
    let related = related.flat_map(|field| [field; 3]);
    FIELDS.iter().filter(|(key, _)| !unknown.contains(key)).chain(related).collect()
}

/// A job: a few of the `fields`, and up to two things done to it that may be wrong.
pub(crate) fn job(rng: &mut Rng, fields: &[&Field]) -> Map<String, Value> {
    let mut job = Value::Object(Map::new());
    for _ in 0..rng.below(7) {
        let (key, make) = rng.pick(fields);
        job[*key] = make(rng);
    }
    for _ in 0..rng.below(3) {
        spoil(rng, &mut job);
    }
    match job {
        Value::Object(job) => job,
        // It was replaced as a whole.
        _ => Map::new(),
    }
}

/// A text that may be misread by something that reads YAML.
pub(crate) fn odd_text(rng: &mut Rng) -> String {
    const PARTS: &[&str] = &[
        "",
        " ",
        "a",
        "A_1",
        "é",
        "😀",
        "0",
        "5s",
        "012",
        "1e3",
        "0x10",
        "1_000",
        "2001-01-01",
        ".inf",
        "~",
        "null",
        "true",
        "yes",
        "y",
        "no",
        "on",
        "=",
        "<<",
        "!!binary",
        "!a",
        "&a",
        "*a",
        "- ",
        "-",
        "? ",
        ": ",
        ":",
        "#",
        " #c",
        "%",
        "%41",
        "@",
        "`",
        "\"",
        "'",
        "\\",
        "\\u0000",
        "/",
        "[",
        "]",
        "{",
        "}",
        ",",
        "|",
        ">",
        "---",
        "...",
        "\n",
        "\t",
        "\r",
        "$1",
        "${1}",
        "$",
        "$(x)",
        "\u{7f}",
        "\u{80}",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{feff}",
        "\u{fffe}",
        "\u{ffff}",
        "\u{fffd}",
        "\u{e000}",
        "\u{d7ff}",
        "\u{10ffff}",
        "\u{1fffe}",
        "\u{0}",
        "\u{1b}",
        "\u{200b}",
        "\u{202e}",
        "http",
        "https://a",
        "a:1",
        "[::1]:1",
    ];
    (0..=rng.below(3)).map(|_| *rng.pick(PARTS)).collect()
}

/// A text that may be misread, or too long for a key: YAML reads 1024 characters and gives up.
fn odd_key(rng: &mut Rng) -> String {
    let repeat = *rng.pick(&[1, 1, 1, 200, 1100]);
    odd_text(rng).repeat(repeat)
}

/// Does one thing to one value somewhere in `job`.
fn spoil(rng: &mut Rng, job: &mut Value) {
    let mut index = rng.below(count(job));
    let value = nth(job, &mut index).expect("the index is below the count");
    match (rng.below(7), &mut *value) {
        (0 | 1, _) => *value = scalar(rng),
        (2, Value::Object(map)) => {
            let key = map.keys().nth(rng.below(map.len().max(1))).cloned();
            key.map(|key| map.remove(&key));
        }
        (3, Value::Object(map)) => {
            let key = if rng.chance(50) { rng.pick(FIELDS).0.to_owned() } else { odd_text(rng) };
            map.insert(key, scalar(rng));
        }
        (2 | 3, Value::Array(items)) => items.push(scalar(rng)),
        (4, Value::String(text)) => *text += &odd_text(rng),
        (5, _) => *value = Value::Null,
        (6, _) => *value = if rng.chance(50) { json!([value.take()]) } else { json!({ "a": value.take() }) },
        _ => {}
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// The value with this number, counted from the outside in.
fn nth<'a>(value: &'a mut Value, index: &mut usize) -> Option<&'a mut Value> {
    if *index == 0 {
        return Some(value);
    }
    *index -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, index)),
        Value::Object(map) => map.values_mut().find_map(|value| nth(value, index)),
        _ => None,
    }
}

fn scalar(rng: &mut Rng) -> Value {
    match rng.below(8) {
        0 => Value::Null,
        1 => flag(rng),
        2 => number(rng),
        3 => rng.pick(&[json!(-1), json!(1.5), json!(1e3), json!(1e300), json!([]), json!({})]).clone(),
        4 => duration(rng),
        _ => Value::String(odd_text(rng)),
    }
}

fn flag(rng: &mut Rng) -> Value {
    Value::Bool(rng.chance(50))
}

fn text(rng: &mut Rng) -> Value {
    if rng.chance(70) { of(rng, &["a", "b c", "/etc/x", "web", "1"]) } else { Value::String(odd_text(rng)) }
}

fn number(rng: &mut Rng) -> Value {
    rng.pick(&[json!(0), json!(1), json!(100), json!(1e3), json!(u64::MAX), json!(i64::MAX), json!(4.0)])
        .clone()
}

fn duration(rng: &mut Rng) -> Value {
    const DURATIONS: &[&str] = &[
        "0",
        "0s",
        "1s",
        "5s",
        "10s",
        "10s",
        "30s",
        "30s",
        "1m",
        "1m",
        "1m30s",
        "1h",
        "1y2w3d4h5m6s7ms",
        "1ms",
        "292y",
        "293y",
        "007s",
        "5",
        "",
        "1m1h",
        "1s1s",
        "1.5s",
    ];
    of(rng, DURATIONS)
}

fn of(rng: &mut Rng, texts: &[&str]) -> Value {
    Value::from(*rng.pick(texts))
}

fn list(rng: &mut Rng, make: Make) -> Value {
    (0..rng.below(4)).map(|_| make(rng)).collect()
}

fn map(rng: &mut Rng, make: Make) -> Value {
    let members = (0..rng.below(4)).map(|_| {
        let key = if rng.chance(70) {
            (*rng.pick(&["a", "B_1", "module", "X-A"])).to_owned()
        } else {
            odd_key(rng)
        };
        (key, make(rng))
    });
    Value::Object(members.collect())
}

fn some_of(rng: &mut Rng, fields: &[(&str, Make)]) -> Value {
    let mut map = Map::new();
    for (key, make) in fields {
        if rng.chance(50) {
            map.insert((*key).to_owned(), make(rng));
        }
    }
    Value::Object(map)
}

/// The members of both maps.
fn with(mut one: Value, other: &Value) -> Value {
    for (key, value) in other.as_object().into_iter().flatten() {
        one[key] = value.clone();
    }
    one
}

fn group(rng: &mut Rng) -> Value {
    const TARGETS: &[&str] =
        &["a:1", "web", "10.0.0.1:9100", "[::1]:80", "[::1]", "é.b:65535", "a_b:1", "1.a", "https://a/b"];
    const LABELS: &[&str] = &[
        "a",
        "b_1",
        "job",
        "instance",
        "__name__",
        "__scheme__",
        "__scrape_interval__",
        "__scrape_timeout__",
        "__address__",
        "__metrics_path__",
        "__param_a",
        "__meta_x",
        "__tmp",
        "é",
    ];
    let labels = (0..rng.below(4)).map(|_| {
        let value = if rng.chance(60) { text(rng) } else { duration(rng) };
        ((*rng.pick(LABELS)).to_owned(), value)
    });
    let labels = Value::Object(labels.collect());
    let targets = list(rng, |rng| of(rng, TARGETS));
    json!({"targets": targets, "labels": labels})
}

fn rule(rng: &mut Rng) -> Value {
    const ACTIONS: &[&str] = &[
        "replace",
        "replace",
        "keep",
        "drop",
        "hashmod",
        "labelmap",
        "labeldrop",
        "labelkeep",
        "lowercase",
        "uppercase",
        "keepequal",
        "dropequal",
        "KEEP",
    ];
    let fields: &[(&str, Make)] = &[
        ("source_labels", |rng| list(rng, |rng| of(rng, &["a", "b_1", "__address__", "__name__"]))),
        ("separator", |rng| of(rng, &[";", "", ",", "\n"])),
        ("modulus", |rng| number(rng)),
        ("replacement", |rng| of(rng, &["$1", "a", "${1}_x", "", "$$", "a/b", "b_1"])),
        ("action", |rng| of(rng, ACTIONS)),
    ];
    let mut rule = some_of(rng, fields);
    if rng.chance(85) {
        rule["target_label"] =
            of(rng, &["a", "b_1", "__tmp_a", "__metrics_path__", "instance", "$1", "a-b", "__address__"]);
    }
    if rule["action"] == "labeldrop" || rule["action"] == "labelkeep" {
        rule = json!({"action": rule["action"].take()});
    }
    // What does not go with most actions is there less often.
    for (key, percent) in [("separator", 60), ("modulus", 60), ("replacement", 30)] {
        if rng.chance(percent) {
            rule.as_object_mut().and_then(|rule| rule.remove(key));
        }
    }
    rule
}

fn tls(rng: &mut Rng) -> Value {
    let mut tls = some_of(
        rng,
        &[
            ("ca_file", text),
            ("server_name", text),
            ("insecure_skip_verify", flag),
            ("min_version", |rng| of(rng, &["TLS10", "TLS12"])),
            ("max_version", |rng| of(rng, &["TLS11", "TLS13"])),
        ],
    );
    if rng.chance(30) {
        tls = with(tls, &json!({"cert_file": "/c", "key_file": "/k"}));
    }
    if rng.chance(5) {
        tls = with(tls, &json!({"cert": "PEM", "key": "PEM"}));
    }
    tls
}

fn url(rng: &mut Rng) -> Value {
    const URLS: &[&str] = &[
        "http://a",
        "https://a:1/b?c=%zz#d",
        "HTTP://a",
        "http://u:p@[::1]:1/",
        "socks5://a:1080",
        "http://a/%41",
        "http://a/%4",
        "http://a/?%4",
        "a:1",
        "http://é/é",
        "",
    ];
    of(rng, URLS)
}

fn oauth2(rng: &mut Rng) -> Value {
    let required = json!({"client_id": "c", "client_secret": "s", "token_url": url(rng)});
    let more = some_of(
        rng,
        &[
            ("scopes", |rng| list(rng, text)),
            ("endpoint_params", |rng| map(rng, text)),
            ("tls_config", tls),
            ("proxy_url", url),
        ],
    );
    with(required, &more)
}

fn files(rng: &mut Rng) -> Value {
    const FILES: &[&str] = &[
        "a.json",
        "/etc/*.yml",
        "a/b-*-c.yaml",
        ".JSON",
        "*.json",
        "**.yml",
        "a.txt",
        "*/a.json",
        "[.json",
        "é.yml",
    ];
    list(rng, |rng| of(rng, FILES))
}

fn dns(rng: &mut Rng) -> Value {
    let entry = some_of(
        rng,
        &[
            ("type", |rng| of(rng, &["SRV", "srv", "A", "AAAA", "mx", "NS"])),
            ("port", |rng| rng.pick(&[json!(0), json!(1), json!(65535), json!(1e3), json!(70000)]).clone()),
            ("refresh_interval", duration),
        ],
    );
    with(json!({"names": list(rng, text)}), &entry)
}

fn http(rng: &mut Rng) -> Value {
    let entry =
        some_of(rng, &[("refresh_interval", duration), ("tls_config", tls), ("follow_redirects", flag)]);
    let client =
        if rng.chance(30) { some_of(rng, &[("oauth2", oauth2), ("proxy_url", url)]) } else { json!({}) };
    with(with(json!({"url": url(rng)}), &entry), &client)
}
