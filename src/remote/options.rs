//! Everything that can be said of a client, by hand or by variables of the environment.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use charms_reactive_client::{ANSWER_LIMIT, Client};

use crate::address::Address;
use crate::proxy::Proxy;
use crate::tcp::{Tcp, Tls};
use crate::tls::{Trust, config};

/// Where `charmd` listens if nobody says otherwise.
const SOCKET: &str = "/run/charmd.socket";

/// Variables of the environment, one an option, and what each says.
pub const VARIABLES: &[(&str, &str)] = &[
    ("CHARMD_SOCKET", "the unix socket of the server"),
    ("CHARMD_ADDRESS", "its address instead: https://HOST:PORT"),
    ("CHARMD_CLIENT_CERT", "a file with our certificate"),
    ("CHARMD_CLIENT_KEY", "a file with its key"),
    ("CHARMD_CA_CERT", "a file with the certificates that are trusted"),
    ("CHARMD_SERVER_CERT", "a file with the one certificate that the server has"),
    ("CHARMD_FINGERPRINT", "the SHA-256 of that certificate"),
    ("CHARMD_VERIFY", "`false`: the server is not verified"),
    ("CHARMD_PROXY", "a proxy: http://USER:PASSWORD@HOST:PORT"),
    ("CHARMD_USER_AGENT", "how the client calls itself"),
    ("CHARMD_MEDIA_TYPE", "which answers it wants"),
    ("CHARMD_TOKEN_FILE", "a file with the token that the server asks for"),
    ("CHARMD_PROJECT", "the project that requests are about"),
    ("CHARMD_AUTO_SYNC", "`false`: what is started is not waited for"),
    ("CHARMD_TIMEOUT", "how many seconds an answer may take"),
];

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// On a unix socket.
    Socket(PathBuf),
    /// At `http://HOST:PORT` or `https://HOST:PORT`.
    Url(String),
}

/// Everything that can be said of a client; two that are equal make the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where the server is.
    pub server: Server,
    /// A file with our certificate, in PEM.
    pub client_cert: Option<PathBuf>,
    /// A file with its key, in PEM.
    pub client_key: Option<PathBuf>,
    /// A file with the certificates that are trusted; without, and without a pin, those of the system are.
    pub ca_cert: Option<PathBuf>,
    /// A file with the one certificate that the server has, whoever vouches for it.
    pub server_cert: Option<PathBuf>,
    /// The SHA-256 of that certificate instead, in hexadecimal digits.
    pub fingerprint: Option<String>,
    /// Whether the server is verified at all.
    pub verify: bool,
    /// A proxy that leads connections through.
    pub proxy: Option<String>,
    /// How the client calls itself.
    pub user_agent: Option<String>,
    /// Which answers it wants.
    pub media_type: Option<String>,
    /// A file with the token that the server asks for.
    pub token_file: Option<PathBuf>,
    /// The project that requests are about.
    pub project: Option<String>,
    /// Whether what is started is waited for.
    pub auto_sync: bool,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// Why options make no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// A file cannot be used.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// An address is none.
    #[error("{what} `{text}` {reason}, expected one like `{expected}`")]
    Address {
        /// Whose.
        what: &'static str,
        /// What was found.
        text: String,
        /// What is wrong with it.
        reason: String,
        /// What it could be.
        expected: &'static str,
    },
    /// A variable of the environment says something else than it can.
    #[error("variable {name} is `{text}`, expected {expected}")]
    Variable {
        /// Which.
        name: &'static str,
        /// What was found.
        text: String,
        /// What it could be.
        expected: &'static str,
    },
    /// TLS cannot be spoken so.
    #[error("{0}")]
    Tls(String),
}

impl Default for Options {
    /// `charmd` on this machine.
    fn default() -> Self {
        Self {
            server: Server::Socket(SOCKET.into()),
            client_cert: None,
            client_key: None,
            ca_cert: None,
            server_cert: None,
            fingerprint: None,
            verify: true,
            proxy: None,
            user_agent: None,
            media_type: None,
            token_file: None,
            project: None,
            auto_sync: true,
            timeout: ANSWER_LIMIT,
        }
    }
}

impl Options {
    /// What the environment says; `variable` reads it, so that a test can pass a map.
    ///
    /// # Errors
    ///
    /// [`OptionsError::Variable`] when one says something else than it can.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, OptionsError> {
        // What is empty says nothing.
        let text = |name: &str| variable(name).filter(|text| !text.is_empty());
        let file = |name: &str| text(name).map(PathBuf::from);
        let switch = |name: &'static str| match text(name) {
            None => Ok(true),
            Some(text) => match text.to_ascii_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => Ok(true),
                "0" | "false" | "no" | "off" => Ok(false),
                _ => Err(OptionsError::Variable { name, text, expected: "`true` or `false`" }),
            },
        };
        let server = match (text("CHARMD_ADDRESS"), file("CHARMD_SOCKET")) {
            (Some(url), _) => Server::Url(url),
            (None, Some(path)) => Server::Socket(path),
            (None, None) => Self::default().server,
        };
        let timeout = text("CHARMD_TIMEOUT").map(|text| {
            let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            seconds.filter(|limit| !limit.is_zero()).ok_or(OptionsError::Variable {
                name: "CHARMD_TIMEOUT",
                text,
                expected: "a number of seconds",
            })
        });
        Ok(Self {
            server,
            client_cert: file("CHARMD_CLIENT_CERT"),
            client_key: file("CHARMD_CLIENT_KEY"),
            ca_cert: file("CHARMD_CA_CERT"),
            server_cert: file("CHARMD_SERVER_CERT"),
            fingerprint: text("CHARMD_FINGERPRINT"),
            verify: switch("CHARMD_VERIFY")?,
            proxy: text("CHARMD_PROXY"),
            user_agent: text("CHARMD_USER_AGENT"),
            media_type: text("CHARMD_MEDIA_TYPE"),
            token_file: file("CHARMD_TOKEN_FILE"),
            project: text("CHARMD_PROJECT"),
            auto_sync: switch("CHARMD_AUTO_SYNC")?,
            timeout: timeout.transpose()?.unwrap_or(ANSWER_LIMIT),
        })
    }

    /// A client with these options; nothing is connected before its first request.
    ///
    /// # Errors
    ///
    /// [`OptionsError`] when an address is none, or a file cannot be used.
    pub fn client(&self) -> Result<Client, OptionsError> {
        let mut client = match &self.server {
            Server::Socket(path) => Client::unix(path),
            Server::Url(url) => Client::at(Arc::new(self.tcp(url)?)),
        };
        client = client.timeout(self.timeout).auto_sync(self.auto_sync);
        if let Some(name) = &self.user_agent {
            client = client.user_agent(name);
        }
        if let Some(media_type) = &self.media_type {
            client = client.media_type(media_type);
        }
        if let Some(project) = &self.project {
            client = client.project(project);
        }
        if let Some(path) = &self.token_file {
            client = client.token(&token(path)?);
        }
        Ok(client)
    }

    fn tcp(&self, url: &str) -> Result<Tcp, OptionsError> {
        let address = Address::parse(url).map_err(|reason| OptionsError::Address {
            what: "address",
            text: url.to_owned(),
            reason,
            expected: "http://127.0.0.1:8080",
        })?;
        let proxy = self.proxy.as_deref().map(|text| {
            Proxy::parse(text).map_err(|reason| OptionsError::Address {
                what: "proxy",
                // Whatever it is, there may be a password in it.
                text: text.rsplit('@').next().unwrap_or_default().to_owned(),
                reason,
                expected: "http://proxy.example.org:3128",
            })
        });
        let tls = if address.is_tls { Some(self.tls()?) } else { None };
        Ok(Tcp { address, tls, proxy: proxy.transpose()? })
    }

    fn tls(&self) -> Result<Tls, OptionsError> {
        let trust = match (&self.fingerprint, &self.server_cert, &self.ca_cert) {
            _ if !self.verify => Trust::Anybody,
            (Some(fingerprint), _, _) => Trust::Fingerprint(fingerprint.clone()),
            (None, Some(path), _) => Trust::Certificate(path.clone()),
            (None, None, Some(path)) => Trust::Authorities(path.clone()),
            (None, None, None) => Trust::System,
        };
        let identity = match (&self.client_cert, &self.client_key) {
            (Some(certificate), Some(key)) => Some((certificate.as_path(), key.as_path())),
            (None, None) => None,
            _ => {
                let text = "a client certificate and its key go together: both, or neither";
                return Err(OptionsError::Tls(text.to_owned()));
            }
        };
        Ok(Tls { config: config(&trust, identity)?, elsewhere: config(&trust, None)? })
    }
}

/// The token in a file.
fn token(path: &Path) -> Result<String, OptionsError> {
    let wrong = |reason: String| OptionsError::File { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_control) {
        return Err(wrong("expected a token on one line".to_owned()));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Options, OptionsError> {
        Options::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn every_option_has_a_variable() {
        let every: Vec<(&str, &str)> = VARIABLES
            .iter()
            .map(|(name, _)| {
                let text = match *name {
                    "CHARMD_VERIFY" => "off",
                    "CHARMD_AUTO_SYNC" => "False",
                    "CHARMD_TIMEOUT" => "2.5",
                    _ => "x",
                };
                (*name, text)
            })
            .collect();
        let file = || Some(PathBuf::from("x"));
        let text = || Some("x".to_owned());
        let expected = Options {
            server: Server::Url("x".to_owned()),
            client_cert: file(),
            client_key: file(),
            ca_cert: file(),
            server_cert: file(),
            fingerprint: text(),
            verify: false,
            proxy: text(),
            user_agent: text(),
            media_type: text(),
            token_file: file(),
            project: text(),
            auto_sync: false,
            timeout: Duration::from_millis(2500),
        };
        assert_eq!(read(&every).expect("options"), expected);
        assert_eq!(read(&[("CHARMD_SOCKET", "/s")]).expect("options").server, Server::Socket("/s".into()));
        assert_eq!(
            read(&[("CHARMD_PROXY", ""), ("CHARMD_VERIFY", "")]).expect("options"),
            Options::default()
        );
    }

    #[test]
    fn a_variable_that_says_something_else_is_told() {
        for (name, text, expected) in [
            ("CHARMD_VERIFY", "nope", "variable CHARMD_VERIFY is `nope`, expected `true` or `false`"),
            ("CHARMD_AUTO_SYNC", "2", "variable CHARMD_AUTO_SYNC is `2`, expected `true` or `false`"),
            ("CHARMD_TIMEOUT", "-1", "variable CHARMD_TIMEOUT is `-1`, expected a number of seconds"),
            ("CHARMD_TIMEOUT", "0", "variable CHARMD_TIMEOUT is `0`, expected a number of seconds"),
            ("CHARMD_TIMEOUT", "NaN", "variable CHARMD_TIMEOUT is `NaN`, expected a number of seconds"),
        ] {
            assert_eq!(read(&[(name, text)]).expect_err(text).to_string(), expected);
        }
    }

    #[test]
    fn options_that_make_no_client_say_why() {
        let url = |url: &str| Options { server: Server::Url(url.to_owned()), ..Options::default() };
        let error = |options: Options| options.client().expect_err("no client").to_string();
        assert_eq!(
            error(url("localhost:80")),
            "address `localhost:80` has no `http://`, expected one like `http://127.0.0.1:8080`"
        );
        let proxy = Options { proxy: Some("ftp://u:pass@x".to_owned()), ..url("http://x") };
        let told = error(proxy);
        assert!(told.starts_with("proxy `x` is not `http`") && !told.contains("pass"), "{told}");
        let half = Options { client_cert: Some("x".into()), ..url("https://x") };
        assert!(error(half).contains("go together"));
        let missing = Options { ca_cert: Some("/nowhere".into()), ..url("https://x") };
        assert!(error(missing).starts_with("/nowhere: "));
        let token = Options { token_file: Some("/dev/null".into()), ..Options::default() };
        assert_eq!(error(token), "/dev/null: expected a token on one line");
    }
}
