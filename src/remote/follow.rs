//! To follow one operation to its end, or all of them: by events, or by asking where there are none.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use charms_reactive_client::{Client, ClientError, List, Operation, RefusalKind};
use serde_json::Value;

use crate::events::{Events, Happening, Topic, now};

/// After how long without events an operation is looked at: one may have been lost.
const LOOK: Duration = Duration::from_secs(15);

/// How often an operation is looked at where there are no events.
const ASK: Duration = Duration::from_secs(1);

/// Waits until an operation is over, for ever or for this time; `each` is shown every change that is told.
///
/// Where the server tells no events, or stops to, it is asked instead: nothing is lost but some changes on
/// the way.
///
/// # Errors
///
/// Those of [`Client::wait_for_operation`].
pub fn follow(
    client: &Client,
    id: &str,
    limit: Option<Duration>,
    mut each: impl FnMut(&Operation),
) -> Result<Operation, ClientError> {
    let begin = now();
    let left = || limit.map(|limit| limit.saturating_sub(begin.elapsed()));
    let mut is_known = false;
    // First listened, then looked: nothing happens in between.
    if let Some(mut events) = listen(client)? {
        let mut operation = client.operation(id)?;
        is_known = true;
        loop {
            if operation.is_final() {
                return operation.or_error();
            }
            each(&operation);
            if let (Some(limit), Some(Duration::ZERO)) = (limit, left()) {
                return Err(ClientError::TimedOut { operation: Box::new(operation), limit });
            }
            match next(&mut events, &operation.id.clone(), left().map_or(LOOK, |left| left.min(LOOK))) {
                Ok(Some(changed)) => operation = changed,
                Ok(None) => match client.operation(id) {
                    Ok(found) => operation = found,
                    Err(error) if error.is_connection() => break,
                    Err(error) => return Err(error),
                },
                // Gone: whoever asks hears of the end all the same.
                Err(_) => break,
            }
        }
    }
    let mut tried = 0;
    loop {
        let error = match client.wait(id, left(), ASK, &mut each) {
            Ok(operation) => return Ok(operation),
            Err(error) => error,
        };
        // A server that has just gone may come back.
        if is_known && tried < RETURNS && error.is_connection() && left() != Some(Duration::ZERO) {
            tried += 1;
            std::thread::sleep(left().map_or(ASK, |left| left.min(ASK)));
            continue;
        }
        return Err(match (error, limit) {
            (ClientError::TimedOut { operation, .. }, Some(limit)) => {
                ClientError::TimedOut { operation, limit }
            }
            (error, _) => error,
        });
    }
}

/// The next change of an operation; None when there is none within this time.
fn next(events: &mut Events, id: &str, limit: Duration) -> Result<Option<Operation>, ClientError> {
    let begin = now();
    loop {
        let Some(event) = events.next(Some(limit.saturating_sub(begin.elapsed())))? else { return Ok(None) };
        match event.happening {
            Happening::Operation(operation) if operation.id == id => return Ok(Some(*operation)),
            // Others may change all the time.
            _ if begin.elapsed() >= limit => return Ok(None),
            _ => {}
        }
    }
}

/// Events of all projects, or of the client's where it may not hear others; None where there are none.
fn listen(client: &Client) -> Result<Option<Events>, ClientError> {
    for all_projects in [true, false] {
        match Events::listen(client, &[Topic::Operation], all_projects) {
            Ok(events) => return Ok(Some(events)),
            Err(error) if no_events(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether the server answers, but tells no events: an old one, or something in between that knows no
/// websockets.
fn no_events(error: &ClientError) -> bool {
    match error {
        ClientError::Refused(refusal) => refusal.kind() != RefusalKind::Unauthorized,
        ClientError::Strange { .. } => !error.is_connection(),
        _ => false,
    }
}

/// How often a server that has gone is looked for.
const RETURNS: u32 = 60;

/// Shows every operation that is not over, and then every change of any, until `each` says that it is enough.
///
/// # Errors
///
/// [`ClientError`] when the server cannot be reached, or has been away for a minute.
pub fn watch(
    client: &Client,
    all_projects: bool,
    mut each: impl FnMut(&Operation) -> ControlFlow<()>,
) -> Result<(), ClientError> {
    let mut seen = Seen::default();
    let mut away = 0;
    loop {
        match watch_once(client, all_projects, &mut seen, &mut each) {
            Ok(ControlFlow::Break(())) => return Ok(()),
            Ok(ControlFlow::Continue(())) => away = 0,
            Err(error) if seen.is_begun && error.is_connection() && away < RETURNS => away += 1,
            Err(error) => return Err(error),
        }
        std::thread::sleep(ASK);
    }
}

/// What was shown of each operation.
#[derive(Default)]
struct Seen {
    operations: BTreeMap<String, Value>,
    is_begun: bool,
}

impl Seen {
    /// Whether this is not what was shown last.
    fn is_news(&mut self, operation: &Operation) -> bool {
        let before = self.operations.insert(operation.id.clone(), operation.raw.clone());
        match before {
            Some(before) => before != operation.raw,
            // What was over before we came is no news.
            None => self.is_begun || !operation.is_final(),
        }
    }
}

/// Watches until it is enough, or there are no more events; without events it looks once.
fn watch_once(
    client: &Client,
    all_projects: bool,
    seen: &mut Seen,
    each: &mut impl FnMut(&Operation) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, ClientError> {
    let events = match Events::listen(client, &[Topic::Operation], all_projects) {
        Ok(events) => Some(events),
        Err(error) if no_events(&error) => None,
        Err(error) => return Err(error),
    };
    let listed = client.list(&List { all_projects, ..List::default() })?;
    // Forgotten here, too, as far as it is over there.
    let ids: Vec<&str> = listed.iter().map(|operation| operation.id.as_str()).collect();
    seen.operations.retain(|id, _| ids.contains(&id.as_str()));
    for operation in listed.iter().filter(|operation| seen.is_news(operation)).collect::<Vec<_>>() {
        if each(operation).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    seen.is_begun = true;
    let Some(mut events) = events else { return Ok(ControlFlow::Continue(())) };
    loop {
        match events.next(None) {
            Ok(Some(event)) => {
                if let Happening::Operation(operation) = event.happening
                    && seen.is_news(&operation)
                    && each(&operation).is_break()
                {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(None) => {}
            // What was missed is in the next list.
            Err(_) => return Ok(ControlFlow::Continue(())),
        }
    }
}
