//! Who one is to an etcd that has users.

use std::path::Path;

use serde_json::{Value, json};

use super::gateway::Trouble;
use crate::runtimeconfig::store::StoreError;

/// A user of etcd, with the password.
#[derive(Clone)]
pub struct EtcdUser {
    name: String,
    password: String,
}

impl std::fmt::Debug for EtcdUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("EtcdUser").field(&self.name).finish()
    }
}

impl EtcdUser {
    /// A user whose password is the one line of a file.
    ///
    /// # Errors
    ///
    /// [`StoreError::Password`] where nothing is in it, or it cannot be read.
    pub fn read(name: &str, password: &Path) -> Result<Self, StoreError> {
        let text = std::fs::read_to_string(password).unwrap_or_default();
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return Err(StoreError::Password(password.display().to_string()));
        }
        Ok(Self { name: name.to_owned(), password: text.to_owned() })
    }
}

/// A user, and what etcd gave for the password.
#[derive(Debug, Default)]
pub(super) struct Session {
    user: Option<EtcdUser>,
    token: Option<Token>,
}

struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Session {
    /// Nobody has signed in yet.
    pub(super) fn new(user: Option<EtcdUser>) -> Self {
        Self { user, token: None }
    }

    /// The same user, once more.
    pub(super) fn another(&self) -> Self {
        Self::new(self.user.clone())
    }

    /// Where to sign in and what to say there, if that has to be done.
    pub(super) fn sign_in(&self) -> Option<(&'static str, Value)> {
        let user = self.user.as_ref().filter(|_| self.token.is_none())?;
        Some(("/v3/auth/authenticate", json!({"name": user.name, "password": user.password})))
    }

    /// Takes what was answered there.
    pub(super) fn signed_in(&mut self, answer: &Value) {
        self.token = answer["token"].as_str().map(|token| Token(token.to_owned()));
    }

    /// What every other request says, as `Authorization`.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.0.as_str())
    }

    /// Whether this refusal means that one has to sign in again, which is then to be done.
    ///
    /// # Source
    ///
    /// etcd 3.4 forgets a token after five minutes without use, and when it restarts: `etcdserver: invalid auth
    /// token`, code 16.  Who has changed users meanwhile makes it `etcdserver: revision of auth store is old`,
    /// code 3.
    pub(super) fn is_over(&mut self, trouble: &Trouble) -> bool {
        let is_about_it = match trouble {
            Trouble::Refused { code: 16, .. } => true,
            Trouble::Refused { code: 3, message } => message.contains("auth store is old"),
            _ => false,
        };
        is_about_it && self.token.take().is_some()
    }
}
