//! Whom the server trusts over TLS: a file each, and tokens by which clients add themselves.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use charms_reactive_core::operation::{Class, OperationId, Requestor, Status};
use charms_reactive_core::waiter::Moment;
use charms_reactive_operations::{Draft, Metadata, Operation};
use serde_json::{Value, json};

use super::answer::Problem;
use super::desk::{Operations, Turn};
use crate::certificate::Certificate;
use crate::file;

/// What tokens are a kind of; nobody can start one by its name.
const KIND: &str = "trust-token";
/// How many clients are trusted at most.
const TRUSTED_MAX: usize = 1000;
/// How long their names may be.
const NAME_BYTES_MAX: usize = 255;

/// A client that is trusted, as it is kept and shown.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Trusted {
    /// For a person.
    pub name: String,
    /// Always `client`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Always false: whoever is trusted may do everything.
    pub restricted: bool,
    /// Always empty.
    pub projects: Vec<String>,
    /// PEM.
    pub certificate: String,
    /// The name of the certificate.
    pub fingerprint: String,
}

/// Where the server itself can be found over TLS.
#[derive(Clone, Debug)]
pub struct Own {
    /// What it shows.
    pub certificate: Certificate,
    /// Where it listens: `127.0.0.1:8443`.
    pub addresses: Vec<String>,
    /// For how long a token is good.
    pub token_age: Duration,
}

impl Own {
    /// Where a server can be found that listens there: by the name of the machine where that is everywhere.
    pub fn new(certificate: Certificate, listens: SocketAddr, token_age: Duration) -> Self {
        let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        let address = match (listens.ip().is_unspecified(), host.trim()) {
            (true, host) if !host.is_empty() => format!("{host}:{}", listens.port()),
            _ => listens.to_string(),
        };
        Self { certificate, addresses: vec![address], token_age }
    }
}

/// Whom the server trusts.
#[derive(Clone, Debug)]
pub struct Trust {
    directory: Option<PathBuf>,
    trusted: Arc<RwLock<BTreeMap<String, Trusted>>>,
    own: Option<Own>,
}

/// Why the trust store cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use `{path}` of the trust store")]
pub struct TrustError {
    path: String,
    source: io::Error,
}

/// What a client sends to be trusted, or to have somebody trusted; LXD's names.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    certificate: String,
    restricted: bool,
    projects: Option<Vec<String>>,
    /// Whether a token is wanted.
    pub(super) token: bool,
    /// Older clients send a token as a password.
    password: String,
    trust_token: String,
}

impl Trust {
    /// Nobody, and nothing is kept.
    pub fn nobody() -> Self {
        Self { directory: None, trusted: Arc::default(), own: None }
    }

    /// Those who are kept in `trust` of a directory, `FINGERPRINT.json` each.
    pub fn open(directory: &Path) -> Result<Self, TrustError> {
        let directory = directory.join("trust");
        let wrong = |path: &Path, source| TrustError { path: path.display().to_string(), source };
        file::make_private(&directory).map_err(|error| wrong(&directory, error))?;
        let mut trusted = BTreeMap::new();
        for entry in std::fs::read_dir(&directory).map_err(|error| wrong(&directory, error))? {
            let path = entry.map_err(|error| wrong(&directory, error))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = std::fs::read(&path).map_err(|error| wrong(&path, error))?;
            let one: Trusted =
                serde_json::from_slice(&text).map_err(|error| wrong(&path, io::Error::other(error)))?;
            trusted.insert(one.fingerprint.clone(), one);
        }
        Ok(Self { directory: Some(directory), trusted: Arc::new(RwLock::new(trusted)), own: None })
    }

    /// The same, on a server that can be found over TLS.
    #[must_use]
    pub fn own(self, own: Own) -> Self {
        Self { own: Some(own), ..self }
    }

    /// Where the server can be found over TLS; None: nowhere.
    pub(super) fn server(&self) -> Option<&Own> {
        self.own.as_ref()
    }

    /// Whether a client is trusted now.
    pub fn has(&self, certificate: &Certificate) -> bool {
        let trusted = self.trusted.read().unwrap_or_else(PoisonError::into_inner);
        trusted.contains_key(&certificate.fingerprint())
    }

    /// All, by fingerprint.
    pub(super) fn all(&self) -> Vec<Trusted> {
        self.trusted.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The one whose fingerprint begins so.
    pub(super) fn find(&self, begin: &str) -> Result<Trusted, Problem> {
        let begin = begin.to_ascii_lowercase();
        let mut found = self.all().into_iter().filter(|one| one.fingerprint.starts_with(&begin));
        match (found.next(), found.next()) {
            (Some(one), None) if !begin.is_empty() => Ok(one),
            (Some(_), Some(_)) => {
                Err(Problem::new(400, format!("More than one certificate has a fingerprint like `{begin}`")))
            }
            _ => Err(Problem::new(404, "Certificate not found")),
        }
    }

    /// Trusts somebody from now on.
    pub(super) async fn add(&self, asked: &Asked, certificate: &Certificate) -> Result<String, Problem> {
        let fingerprint = certificate.fingerprint();
        let name =
            if asked.name.trim().is_empty() { fingerprint[..12].to_owned() } else { asked.name.clone() };
        let one = Trusted {
            name,
            kind: "client".to_owned(),
            restricted: false,
            projects: Vec::new(),
            certificate: certificate.to_pem(),
            fingerprint: fingerprint.clone(),
        };
        let text = serde_json::to_vec_pretty(&one).expect("texts");
        if let Some(path) = self.path(&fingerprint) {
            in_background(move || file::write_private(&path, &text)).await?;
        }
        self.trusted.write().unwrap_or_else(PoisonError::into_inner).insert(fingerprint.clone(), one);
        Ok(fingerprint)
    }

    /// Trusts somebody no longer.
    pub(super) async fn remove(&self, begin: &str) -> Result<(), Problem> {
        let Trusted { fingerprint, .. } = self.find(begin)?;
        // First in memory: from now on, whatever becomes of the file.
        self.trusted.write().unwrap_or_else(PoisonError::into_inner).remove(&fingerprint);
        match self.path(&fingerprint) {
            Some(path) => in_background(move || file::remove(&path)).await,
            None => Ok(()),
        }
    }

    fn path(&self, fingerprint: &str) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.join(format!("{fingerprint}.json")))
    }

    /// The certificate that is meant: the one in the request, or the one that the client shows.
    pub(super) fn certificate(
        &self,
        asked: &Asked,
        shown: Option<&Certificate>,
    ) -> Result<Certificate, Problem> {
        let given = (!asked.certificate.trim().is_empty()).then(|| Certificate::parse(&asked.certificate));
        let certificate = match given {
            Some(Some(certificate)) => certificate,
            Some(None) => {
                let text = "certificate is not valid, expected PEM, or base64 of what stands in it";
                return Err(Problem::new(400, text));
            }
            None => shown.cloned().ok_or_else(|| {
                Problem::new(400, "No client certificate provided, neither in the request nor over TLS")
            })?,
        };
        if self.has(&certificate) {
            return Err(Problem::new(409, "Certificate already in trust store"));
        }
        if self.all().len() >= TRUSTED_MAX {
            return Err(Problem::new(
                400,
                format!("{TRUSTED_MAX} certificates are trusted, expected no more"),
            ));
        }
        Ok(certificate)
    }
}

/// Files are written where nobody else waits for them.
async fn in_background(deed: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<(), Problem> {
    let done = tokio::task::spawn_blocking(deed).await.map_err(io::Error::other);
    done.and_then(|done| done).map_err(|error| {
        log::error!("cannot write to the trust store: {error}");
        Problem::new(503, "charmd cannot keep anything at the moment")
    })
}

impl Asked {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        // Of a list, the fields would be taken one by one.
        let asked = serde_json::from_slice::<Metadata>(body).map(Value::Object);
        let asked: Self = asked.and_then(serde_json::from_value).map_err(|error| {
            Problem::new(400, format!("body is not valid, expected JSON like {{\"token\": true}}: {error}"))
        })?;
        if !matches!(asked.kind.as_str(), "" | "client") {
            let text = format!("certificates of type `{}` are not supported, expected `client`", asked.kind);
            return Err(Problem::new(400, text));
        }
        if asked.restricted || asked.projects.as_ref().is_some_and(|projects| !projects.is_empty()) {
            // Nobody may get more than was meant.
            return Err(Problem::new(400, "restricted certificates are not supported"));
        }
        if asked.name.len() > NAME_BYTES_MAX || asked.name.contains(char::is_control) {
            let text = format!("name is not valid, expected up to {NAME_BYTES_MAX} bytes");
            return Err(Problem::new(400, text));
        }
        Ok(asked)
    }

    /// What the client says to be let in, if anything.
    pub(super) fn secret(&self) -> Option<String> {
        let said = [&self.trust_token, &self.password].into_iter().find(|said| !said.is_empty())?;
        // What `lxc config trust add` prints has the secret in it.
        let token = STANDARD.decode(said).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        let secret = token.as_ref().and_then(|token| token["secret"].as_str()).unwrap_or(said);
        Some(secret.to_owned())
    }

    /// The token that is asked for: an operation that stands until it is used.
    pub(super) fn draft(&self, own: &Own, secret: &str, by: Requestor, now: Moment) -> Draft {
        let mut draft = Draft::new(KIND, Class::Token, "Trust token").requestor(by);
        draft.metadata = Metadata::from_iter([
            ("secret".to_owned(), json!(secret)),
            ("fingerprint".to_owned(), json!(own.certificate.fingerprint())),
            ("addresses".to_owned(), json!(own.addresses)),
            ("request".to_owned(), json!({"name": self.name, "type": "client"})),
            (EXPIRES_AT.to_owned(), json!(now.after(own.token_age).to_string())),
        ]);
        draft
    }

    /// The same, with the name that the token was made for.
    pub(super) fn of_token(mut self, name: String) -> Self {
        if !name.is_empty() {
            self.name = name;
        }
        self
    }
}

const EXPIRES_AT: &str = "expiresAt";
/// Why a token is over.
const USED: &str = "it was used";
const EXPIRED: &str = "it has expired";

/// When a token is no longer good; None: it is no token of ours, or over.
fn expiry(operation: &Operation) -> Option<Moment> {
    let is_open = operation.record().kind == KIND && operation.status() == Status::Running;
    Moment::parse(operation.metadata().get(EXPIRES_AT).filter(|_| is_open)?.as_str()?).ok()
}

/// Uses up the token with this secret; gives the name that it was made for.
pub(super) fn use_up(turn: &mut Turn<'_>, secret: &str, by: &Requestor) -> Result<String, Problem> {
    let token = turn
        .registry
        .operations()
        .find(|operation| operation.record().kind == KIND && operation.is_opened_by(secret))
        .ok_or_else(|| Problem::new(403, "The trust token is not known"))?;
    let id = token.id();
    match expiry(token) {
        None => {
            let why = token.record().life.fault.as_ref().map_or("", |fault| &fault.text);
            // Who has used it is nothing for strangers.
            let why =
                [USED, EXPIRED].into_iter().find(|known| why.ends_with(known)).unwrap_or("it was withdrawn");
            Err(Problem::new(403, format!("The trust token is no longer good: {why}")))
        }
        Some(at) if at < turn.now => {
            end(turn, id);
            Err(Problem::new(403, format!("The trust token is no longer good: {EXPIRED}")))
        }
        Some(_) => {
            let name = token.metadata().get("request").and_then(|request| request["name"].as_str());
            let name = name.unwrap_or_default().to_owned();
            turn.registry.cancel(id, Some(by), Some(USED), turn.now)?;
            Ok(name)
        }
    }
}

fn end(turn: &mut Turn<'_>, id: OperationId) {
    // It may have been used meanwhile.
    drop(turn.registry.cancel(id, None, Some(EXPIRED), turn.now));
}

/// Ends tokens when they expire, those that a former process has made, too.
pub(super) async fn end_expired(operations: Operations) {
    let open = operations.act(|turn| {
        let tokens = turn.registry.operations();
        let tokens = tokens.filter_map(|token| Some((token.id(), expiry(token)?.since(turn.now))));
        tokens.collect::<Vec<_>>()
    });
    for (id, left) in open.await.unwrap_or_default() {
        tokio::spawn(end_later(operations.clone(), id, left));
    }
}

pub(super) async fn end_later(operations: Operations, id: OperationId, left: Duration) {
    tokio::time::sleep(left).await;
    operations.post(move |turn| end(turn, id));
}
