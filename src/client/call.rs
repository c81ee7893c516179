//! Any request, and the wait for the operation that it starts.

use std::time::Duration;

use charms_reactive_core::operation::Class;
use serde_json::Value;

use crate::Client;
use crate::error::ClientError;
use crate::operation::Operation;
use crate::request::Repeat;
use crate::url::id_of;

/// A request about to be sent.
#[derive(Clone, Debug)]
#[must_use = "`send` sends it"]
pub struct Call<'a> {
    client: &'a Client,
    method: &'a str,
    path: &'a str,
    body: Option<&'a Value>,
    sync: Option<bool>,
    limit: Option<Duration>,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is done; what was asked for.
    Done(Value),
    /// It went on in an operation, which is as it was last seen: over, if that was waited for.
    Operation(Box<Operation>),
}

impl Answer {
    /// The operation; None where the server was done at once.
    pub fn operation(self) -> Option<Operation> {
        match self {
            Self::Operation(operation) => Some(*operation),
            Self::Done(_) => None,
        }
    }
}

impl Client {
    /// Any request; what the server starts for it is waited for, unless somebody says otherwise.
    pub fn call<'a>(&'a self, method: &'a str, path: &'a str) -> Call<'a> {
        Call { client: self, method, path, body: None, sync: None, limit: None }
    }
}

impl<'a> Call<'a> {
    /// The same with a body.
    pub fn body(self, body: &'a Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// The same; whether the operation is waited for, whatever the client does otherwise.
    pub fn sync(self, sync: bool) -> Self {
        Self { sync: Some(sync), ..self }
    }

    /// The same; how long the operation is waited for.
    pub fn limit(self, limit: Duration) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Sends it.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; where it waits, also what became of the operation, as
    /// [`Client::wait_for_operation`] says it.
    pub fn send(self) -> Result<Answer, ClientError> {
        let client = self.client;
        let request = (self.method, self.path);
        let response = client.ask(client.limit, Repeat::of(self.method), request, self.body)?;
        if !response.is_async() {
            // What is told at once may be an operation that is over.
            if response.code() >= 400 {
                client.read(&response)?.or_error()?;
            }
            return Ok(Answer::Done(response.metadata().clone()));
        }
        let operation = match response.metadata() {
            // Servers that say where it is, and not what.
            Value::Null => {
                let place = response.header("location").or_else(|| response.body["operation"].as_str());
                client.operation(id_of(place.unwrap_or_default()))?
            }
            _ => client.read(&response)?,
        };
        // A token stands until it is used, and a websocket until somebody connects: only who says so waits.
        let stands = matches!(operation.class, Some(Class::Token | Class::Websocket));
        let operation = if !self.sync.unwrap_or(client.auto_sync && !stands) {
            operation
        } else if operation.is_final() {
            operation.or_error()?
        } else {
            client.wait_for_operation(&operation.id, self.limit)?
        };
        Ok(Answer::Operation(Box::new(operation)))
    }
}
