//! A job as it goes into `scrape_configs`.

use serde_json::{Map, Value};

use super::value::{as_text, given};

/// Where the responder wrote the certificates that came with a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CertificatePaths<'a> {
    /// The certificate authority that signed the targets' certificates.
    pub ca_file: Option<&'a str>,
    /// The client certificate; used only together with its key.
    pub cert_file: Option<&'a str>,
    /// The key of the client certificate.
    pub key_file: Option<&'a str>,
}

/// One path, the field it goes to, and the field that must make room for it: Prometheus refuses a
/// `tls_config` that has both.
struct Material<'a> {
    field: &'static str,
    inline: &'static str,
    path: &'a str,
}

/// Renders a job that [`check`](super::check) accepted as an item of `scrape_configs`.
///
/// # Guarantees
///
/// - The name is `<job_name>-<request_id>`, whatever `job_name` the job has inside.
/// - A `tls_config` of the job, even an empty one, gets every path there is.
/// - Without one, and with `scheme` `https`, the job gets a `tls_config`.
/// - A `tls_config` in an entry of `*_sd_configs` gets a path only where it has a placeholder: `ca_file`,
///   or any of `cert_file` and `key_file` for the two.
/// - A client certificate without its key, or a key without its certificate, is not used.
/// - A certificate that stood in the job itself (`ca`, `cert`, `key`) makes room for the file.
/// - Fields that are null are left out, at every depth: Prometheus would read some as empty, not as
///   absent (`honor_timestamps: null` is false, its default is true).
/// - Everything else stays as it is, also a `tls_config` deeper inside, as in `oauth2`.
///
/// # Source
///
/// `to_json` of the Python interface, whose tests are the same except for what `docs/differences.md`
/// lists: there certificates without a `tls_config` are lost, and placeholders in `*_sd_configs` are
/// only half replaced.
pub fn render(
    job_name: &str,
    request_id: &str,
    job: &Map<String, Value>,
    paths: &CertificatePaths<'_>,
) -> Map<String, Value> {
    let authority: Vec<Material<'_>> = path(paths.ca_file)
        .map(|path| Material { field: "ca_file", inline: "ca", path })
        .into_iter()
        .collect();
    let client = match (path(paths.cert_file), path(paths.key_file)) {
        (Some(cert), Some(key)) => vec![
            Material { field: "cert_file", inline: "cert", path: cert },
            Material { field: "key_file", inline: "key", path: key },
        ],
        _ => Vec::new(),
    };
    let sets = [authority, client];

    let mut rendered = job.clone();
    let is_https = given(job, "scheme").and_then(as_text).is_some_and(|scheme| scheme == "https");
    let has_material = sets.iter().any(|set| !set.is_empty());
    if is_https && has_material && given(job, "tls_config").is_none() {
        rendered.insert("tls_config".to_owned(), Value::Object(Map::new()));
    }
    if let Some(tls) = rendered.get_mut("tls_config").and_then(Value::as_object_mut) {
        for set in &sets {
            put(tls, set);
        }
    }
    let entries = rendered
        .iter_mut()
        .filter(|(key, _)| key.ends_with("_sd_configs"))
        .filter_map(|(_, entries)| entries.as_array_mut())
        .flatten();
    for tls in entries.filter_map(|entry| entry.get_mut("tls_config")?.as_object_mut()) {
        for set in &sets {
            if set.iter().any(|material| tls.contains_key(material.field)) {
                put(tls, set);
            }
        }
    }
    rendered.insert("job_name".to_owned(), Value::String(format!("{job_name}-{request_id}")));
    without_nulls(rendered)
}

/// An empty path is none, as in Python.
fn path(path: Option<&str>) -> Option<&str> {
    path.filter(|path| !path.is_empty())
}

fn put(tls: &mut Map<String, Value>, materials: &[Material<'_>]) {
    for material in materials {
        tls.remove(material.inline);
        tls.insert(material.field.to_owned(), Value::String(material.path.to_owned()));
    }
}

fn without_nulls(map: Map<String, Value>) -> Map<String, Value> {
    let given = map.into_iter().filter(|(_, value)| !value.is_null());
    given.map(|(key, value)| (key, without_nulls_inside(value))).collect()
}

fn without_nulls_inside(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(without_nulls(map)),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls_inside).collect()),
        scalar => scalar,
    }
}
