//! Paths and methods of `/1.0/wake-ups`.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Response;
use axum::routing::{get, put};
use charms_reactive_core::waiter::Moment;
use serde_json::{Value, json};

use super::{WakeUp, WakeUpError, WakeUps, When};
use crate::listen::BODY_BYTES_MAX;
use crate::operations::answer::{Answer, Problem, failed, sync};
use crate::operations::body;

/// Serves `/1.0/wake-ups`.
pub fn router(wake_ups: WakeUps) -> Router {
    Router::new()
        .route("/1.0/wake-ups", get(list).fallback(other))
        .route("/1.0/wake-ups/{name}", put(set).delete(clear).fallback(other))
        .with_state(wake_ups)
}

/// What a wake-up is to be.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    at: Option<Moment>,
    waiter: Option<String>,
}

impl From<WakeUpError> for Problem {
    fn from(error: WakeUpError) -> Self {
        let code = match error {
            WakeUpError::Name(_) | WakeUpError::Waiter(_) => 400,
            WakeUpError::TooMany => 429,
            WakeUpError::Store(_) => 503,
        };
        Self::new(code, error.to_string())
    }
}

async fn other() -> Response<Body> {
    failed(&Problem::not_implemented())
}

async fn list(State(wake_ups): State<WakeUps>) -> Response<Body> {
    let all: Vec<Value> = wake_ups.list().iter().map(shown).collect();
    sync(&Value::from(all).to_string())
}

fn shown(wake_up: &WakeUp) -> Value {
    match &wake_up.when {
        When::At(at) => json!({"name": wake_up.name, "due": wake_up.is_due, "at": at}),
        When::Ended(waiter) => json!({"name": wake_up.name, "due": wake_up.is_due, "waiter": waiter}),
    }
}

async fn set(State(wake_ups): State<WakeUps>, Path(name): Path<String>, request: Request) -> Response<Body> {
    let set = async {
        let bytes = body::read(request.into_body(), BODY_BYTES_MAX).await?;
        let when = parse(&bytes)?;
        blocking(move || wake_ups.set(&name, when)).await?;
        Answer::Ok(sync("{}"))
    };
    set.await.unwrap_or_else(|problem| failed(&problem))
}

async fn clear(State(wake_ups): State<WakeUps>, Path(name): Path<String>) -> Response<Body> {
    let clear = async {
        let was_there = blocking(move || wake_ups.clear(&name)).await?;
        if was_there { Answer::Ok(sync("{}")) } else { Err(Problem::not_found()) }
    };
    clear.await.unwrap_or_else(|problem| failed(&problem))
}

fn parse(bytes: &[u8]) -> Result<When, Problem> {
    let bytes = if bytes.trim_ascii().is_empty() { b"{}" } else { bytes };
    let wanted: Wanted = serde_json::from_slice(bytes)
        .map_err(|error| Problem::new(400, format!("the body is no wake-up: {error}")))?;
    match wanted {
        Wanted { at: None, waiter: None } => Ok(When::now()),
        Wanted { at: Some(at), waiter: None } => Ok(When::At(at)),
        Wanted { at: None, waiter: Some(waiter) } => Ok(When::Ended(waiter)),
        _ => Err(Problem::new(400, "the body has `at` and `waiter`, expected one of both")),
    }
}

/// What waits for the disk is done beside.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WakeUpError> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| Problem::new(500, error.to_string()))??)
}
