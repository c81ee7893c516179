//! The recordings as values.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// Texts by key.
pub(crate) type Texts = BTreeMap<String, String>;

/// One unit, hook after hook.
#[derive(Deserialize)]
pub(crate) struct Recording {
    /// The name of the file, without its ending.
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) side: String,
    pub(crate) unit: String,
    pub(crate) steps: Vec<Step>,
}

/// One hook.
#[derive(Deserialize)]
pub(crate) struct Step {
    pub(crate) hook: String,
    pub(crate) relation: Option<String>,
    pub(crate) remote_unit: Option<String>,
    /// By relation, then by remote unit.
    pub(crate) received: BTreeMap<String, BTreeMap<String, Texts>>,
    pub(crate) calls: Calls,
    /// None where the hook failed.
    pub(crate) seen: Option<Seen>,
    /// By relation.
    pub(crate) published: BTreeMap<String, Texts>,
}

/// What the charm called.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Calls {
    pub(crate) register_job: Vec<RegisterJob>,
    pub(crate) create: Vec<BTreeMap<String, Value>>,
    /// By request.
    pub(crate) respond: BTreeMap<String, Respond>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterJob {
    pub(crate) job_name: String,
    pub(crate) job_data: Value,
    pub(crate) ca_cert: Option<String>,
    pub(crate) client_cert: Option<String>,
    pub(crate) client_key: Option<String>,
    pub(crate) relation: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Respond {
    pub(crate) success: bool,
    pub(crate) reason: Option<String>,
}

/// What the interface said.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Seen {
    pub(crate) flags: Vec<String>,
    pub(crate) requests: Vec<Value>,
    pub(crate) responses: Vec<Value>,
    pub(crate) jobs: Vec<Value>,
    /// Their ids.
    pub(crate) new_jobs: Vec<Value>,
    pub(crate) new_jobs_after: Vec<Value>,
}

/// The recordings of one side, `provides` or `requires`, sorted by name.
pub(crate) fn recordings(side: &str) -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wire");
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder of the recordings") {
        let path = entry.expect("an entry of the folder").path();
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        if !name.starts_with(&format!("{side}-")) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a recording");
        // The made-up certificates and keys of the recordings are too short to be any.
        let text = ["MIIBca==", "MIIBclient==", "MIIEkey=="]
            .iter()
            .fold(text, |text, body| text.replace(body, &format!("MIIBszCCAVmgAwIB{}==", &body[4..6])));
        let recording: Recording =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(recording.side, side, "{name}");
        all.push(Recording { name, ..recording });
    }
    assert!(all.len() > 10, "only {} recordings of side `{side}`", all.len());
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

impl Step {
    /// A hook `-relation-changed` of relation 1, for a remote unit with this databag.
    pub(crate) fn changed(endpoint: &str, unit: &str, databag: Texts) -> Self {
        let relation = format!("{endpoint}:1");
        let units = BTreeMap::from([(unit.to_owned(), databag)]);
        Self {
            hook: format!("{endpoint}-relation-changed"),
            remote_unit: Some(unit.to_owned()),
            received: BTreeMap::from([(relation.clone(), units)]),
            relation: Some(relation),
            calls: Calls::default(),
            seen: None,
            published: BTreeMap::new(),
        }
    }
}
