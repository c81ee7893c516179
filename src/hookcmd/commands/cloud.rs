//! The cloud that a model is on, and the credential for it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::text::or_default;

/// A cloud and a credential for it, as an application with trust is told.
///
/// # Source
///
/// `juju/juju:rpc/params/cloud.go`: what is empty is left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CloudSpec {
    /// For example `lxd`, `kubernetes`, `ec2`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name by which Juju knows it.
    pub name: String,
    /// Where in the cloud.
    #[serde(default)]
    pub region: String,
    /// Its API.
    #[serde(default)]
    pub endpoint: String,
    /// Its API for identities.
    #[serde(default)]
    pub identity_endpoint: String,
    /// Its API for storage.
    #[serde(default)]
    pub storage_endpoint: String,
    /// How to log in.
    pub credential: Option<CloudCredential>,
    /// Certificates that its API is signed with, as PEM.
    #[serde(default, rename = "cacertificates", deserialize_with = "or_default")]
    pub ca_certificates: Vec<String>,
    /// Whether the certificate of its API is not to be checked.
    #[serde(default)]
    pub skip_tls_verify: bool,
    /// Whether the controller is on it too.
    #[serde(default)]
    pub is_controller_cloud: bool,
}

/// How to log in to a cloud.  `Debug` shows no value.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CloudCredential {
    /// For example `certificate`, `oauth2`.
    pub auth_type: String,
    /// What the kind of cloud wants.
    #[serde(default, rename = "attrs", deserialize_with = "or_default")]
    pub attributes: BTreeMap<String, String>,
    /// The names of attributes that are not told.
    #[serde(default, deserialize_with = "or_default")]
    pub redacted: Vec<String>,
}

impl fmt::Debug for CloudCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.attributes.keys().collect();
        f.debug_struct("CloudCredential")
            .field("auth_type", &self.auth_type)
            .field("attributes", &names)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_read_in_full_and_shown_without_values() {
        let text = r#"{"type":"lxd","name":"localhost","endpoint":"https://10.0.0.1:8443","cacertificates":["PEM"],
            "credential":{"auth-type":"certificate","attrs":{"client-key":"hunter2"},"redacted":null}}"#;
        let cloud: CloudSpec = serde_json::from_str(text).unwrap();
        assert_eq!(cloud.ca_certificates, ["PEM"]);
        let credential = cloud.credential.as_ref().unwrap();
        assert_eq!(credential.attributes["client-key"], "hunter2");
        let shown = format!("{cloud:?}");
        assert!(shown.contains("client-key") && !shown.contains("hunter2"), "{shown}");
    }
}
