//! Requests that nobody should send: an answer each, never a panic.

use charms_reactive_core::waiter::Moment;
use charms_reactive_server::runtimeconfig::{Call, Incoming, Service, Snapshot};
use proptest::prelude::*;

/// Texts that are nearly right.
fn path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![
            "/", "v1beta1", "v1", "projects", "p", "configs", "c", "variables", "waiters", "operations", "w", ":",
            ":watch", ":getIamPolicy", ":setIamPolicy", ":testIamPermissions", ":cancel", "%2F", "%", "%zz", "+", "a",
        ]).prop_map(str::to_owned),
        1 => r"\PC{0,6}",
    ];
    prop_oneof![
        1 => prop::collection::vec(piece.clone(), 0..20).prop_map(|pieces| pieces.concat()),
        3 => prop::collection::vec(piece, 0..8)
            .prop_map(|pieces| format!("/v1beta1/projects/p/configs/{}", pieces.concat())),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            "&", "=", "pageSize", "pageToken", "filter", "returnValues", "recursive", "requestId", "fields", "alt",
            "json", "true", "-1", "7", "name", "(", ")", ",", "*", "%20", "projects/p/configs/c/variables",
        ]).prop_map(str::to_owned),
        1 => r"\PC{0,6}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(|float| serde_json::json!(float)),
        prop::sample::select(vec![
            "projects/p/configs/c",
            "projects/p/configs/c/variables/a",
            "projects/p/configs/c/waiters/w",
            "60s",
            "0.1s",
            "/a",
            "",
            "aGkK",
            "1",
        ])
        .prop_map(Into::into),
        r"\PC{0,8}".prop_map(Into::into),
    ];
    let key = prop::sample::select(vec![
        "name",
        "description",
        "text",
        "value",
        "timeout",
        "success",
        "failure",
        "cardinality",
        "path",
        "number",
        "newerThan",
        "policy",
        "bindings",
        "etag",
        "permissions",
        "update_time",
        "x",
    ]);
    let value = leaf.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Into::into),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    prop_oneof![8 => value.prop_map(|value| value.to_string()), 1 => r"\PC{0,20}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_request_makes_the_service_panic(
        requests in prop::collection::vec(
            (prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "PATCH", ""]), path(), query(), json()),
            1..30,
        ),
    ) {
        let mut service = Service::load(Snapshot::default());
        let mut now = Moment::MIN;
        let create = Incoming {
            method: "POST",
            path: "/v1beta1/projects/p/configs",
            query: "",
            body: br#"{"name": "projects/p/configs/c"}"#,
        };
        let made = service.call(Call::parse(create).1.expect("a call"), now);
        prop_assert!(made.is_ok());
        for (method, path, query, body) in requests {
            now = now.next();
            let incoming = Incoming { method, path: &path, query: &query, body: body.as_bytes() };
            let (presentation, call) = Call::parse(incoming);
            let status = match call.and_then(|call| service.call(call, now)) {
                Ok(_) => 200,
                Err(error) => {
                    let body = error.to_json(presentation.has_errors);
                    prop_assert_eq!(&body["error"]["code"], &serde_json::json!(error.code.status()));
                    error.code.status()
                }
            };
            prop_assert!([200, 400, 404, 409, 501].contains(&status), "{status}");
        }
    }
}
