//! What the author of an interface implements.

use charms_reactive_core::{Databag, Role};

use crate::endpoint::Endpoint;
use crate::exchange::Overview;
use crate::handler::HandlerError;
use crate::trigger::Triggers;

/// A type that speaks one side of an interface, on top of an [`Endpoint`].
///
/// Add flags and triggers through [`Manage`], and methods for the charm as inherent ones.
pub trait Interface: Manage + 'static {
    /// The interface's name in `metadata.yaml`; empty for any.
    const INTERFACE: &'static str;

    /// The side it speaks; None for any.
    const ROLE: Option<Role>;

    /// Makes one for an endpoint.
    fn new(endpoint: Endpoint) -> Self
    where
        Self: Sized;
}

/// What the framework asks of an interface in each dispatch.  Every method does nothing by itself.
///
/// None of them may set a flag that the endpoint has by itself.
pub trait Manage {
    /// Registers triggers; called before any flag of the dispatch changes.
    fn register_triggers(&self, triggers: &mut Triggers) {
        let _ = triggers;
    }

    /// Sets and clears the interface's own flags; called after the automatic flags, in every dispatch
    /// but actions and restricted hooks.
    ///
    /// To keep a dispatch cheap, it goes by what is remembered rather than reads every unit.
    fn manage_flags(&self) -> Result<(), HandlerError> {
        Ok(())
    }

    /// Does outside Juju what the dispatch has decided, when it is committed; what cannot be done is kept for the
    /// next one.  What is done may be done again: the dispatch can still fail.
    fn commit(&self) {}

    /// What to remember of a key's text, besides that it changed: a short text, never a secret.
    fn note(&self, key: &str, text: &str) -> Option<String> {
        let _ = (key, text);
        None
    }

    /// What is wrong with a key's text, when the interface cannot read it: for the log.
    ///
    /// Asked for each text that is new or other than before.
    fn problem(&self, key: &str, text: &str) -> Option<String> {
        let _ = (key, text);
        None
    }

    /// The requests and answers on this endpoint, for whoever debugs the unit; None without such.
    ///
    /// What is in it is printed, so it holds no secrets: see [`crate::exchange::HIDDEN`].
    fn overview(&self) -> Result<Option<Overview>, HandlerError> {
        Ok(None)
    }

    /// Takes secrets out of the last data of a unit that left, before that is kept in the unit state.
    fn forget_secrets(&self, databag: &mut Databag) {
        let _ = databag;
    }
}
