//! `prometheus.yml`.

use serde::Serialize;
use serde_json::Value;

/// What stands where a secret was.  Prometheus itself writes the same when asked for its configuration.
const SECRET: &str = "<secret>";

/// Keys of `scrape_configs` whose texts are secrets, at any depth.
const SECRET_KEYS: [&str; 8] = [
    "application_credential_secret",
    "bearer_token",
    "client_secret",
    "credentials",
    "key", // of `tls_config`, in PEM form
    "password",
    "secret_key",
    "token",
];

/// The configuration of Prometheus, as far as this charm uses it.
#[derive(Serialize)]
pub(crate) struct Configuration<'a> {
    global: Global<'a>,
    scrape_configs: Vec<Value>,
}

#[derive(Serialize)]
struct Global<'a> {
    scrape_interval: &'a str,
}

impl<'a> Configuration<'a> {
    pub(crate) fn new(scrape_interval: &'a str, scrape_configs: Vec<Value>) -> Self {
        Self { global: Global { scrape_interval }, scrape_configs }
    }

    pub(crate) fn to_yaml(&self) -> Result<String, serde_yaml::Error> {
        serde_yaml::to_string(self)
    }
}

/// A configuration for human eyes.
pub(crate) fn without_secrets(text: &str) -> Result<String, serde_yaml::Error> {
    let mut configuration: Value = serde_yaml::from_str(text)?;
    hide_secrets(&mut configuration);
    serde_yaml::to_string(&configuration)
}

fn hide_secrets(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if SECRET_KEYS.contains(&key.as_str()) {
                    *value = SECRET.into();
                } else {
                    hide_secrets(value);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(hide_secrets),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let job = json!({
            "job_name": "a",
            "basic_auth": {"username": "u", "password": "p"},
            "authorization": {"credentials": "c"},
            "consul_sd_configs": [{"token": "t"}],
            "tls_config": {"key": "k", "key_file": "/k"},
        });
        let text = Configuration::new("1m", vec![job]).to_yaml().expect("YAML");
        let shown: Value =
            serde_yaml::from_str(&without_secrets(&text).expect("YAML")).expect("what we wrote");
        assert_eq!(
            shown["scrape_configs"][0],
            json!({
                "job_name": "a",
                "basic_auth": {"username": "u", "password": SECRET},
                "authorization": {"credentials": SECRET},
                "consul_sd_configs": [{"token": SECRET}],
                "tls_config": {"key": SECRET, "key_file": "/k"},
            })
        );
    }

    #[test]
    fn texts_stay_texts() {
        let texts = ["1m", "yes", "null", "5", "0x1f", "a: b", "- a", "#", "", "multi\nline\n", "${1}"];
        let job = json!({ "params": { "texts": texts } });
        let text = Configuration::new("1m", vec![job.clone()]).to_yaml().expect("YAML");
        let read: Value = serde_yaml::from_str(&text).expect("what we wrote");
        assert_eq!(read["scrape_configs"][0], job);
    }
}
