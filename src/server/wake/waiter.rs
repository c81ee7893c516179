//! Waiters of the service: whether they have ended.

use serde_json::Value;

use crate::keeper::{Keeper, Reply};
use crate::runtimeconfig::{Call, Code, Incoming};

/// The call that asks about a waiter; None where that is no name of one.
pub(super) fn question(waiter: &str) -> Option<Call> {
    let path = format!("/v1beta1/{waiter}");
    let incoming = Incoming { method: "GET", path: &path, query: "", body: b"" };
    match Call::parse(incoming).1 {
        Ok(call @ Call::WaiterGet { .. }) => Some(call),
        _ => None,
    }
}

/// Whether a waiter has ended, or is not there; None where that cannot be told now.
pub(super) async fn has_ended(keeper: &Keeper, waiter: &str) -> Option<bool> {
    let Some(call) = question(waiter) else { return Some(true) };
    match keeper.call(call).await {
        Reply::Done(Ok(waiter)) => Some(waiter["done"] == Value::Bool(true)),
        Reply::Done(Err(error)) if error.code == Code::NotFound => Some(true),
        _ => None,
    }
}
