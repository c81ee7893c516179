//! What operations are asked: lists, one of them, its end; and to cancel it.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use charms_reactive_core::operation::Status;
use serde_json::{Value, json};

use crate::Client;
use crate::error::{ClientError, Refusal, RefusalKind};
use crate::operation::Operation;
use crate::request::{Pauses, Repeat};
use crate::response::Response;
use crate::url::{id_of, operation_path, operations_path, with_query};
use crate::wire::Deadline;

/// How long one request waits; then the next one does.  A way that is dead is found out then.
const WAIT_SLICE: Duration = Duration::from_secs(30);

/// How long a server may be away while somebody waits: time for it to be started again.
const AWAY_MAX: Duration = Duration::from_secs(30);

/// Which operations a list has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// Of all projects, rather than of the client's.
    pub all_projects: bool,
    /// With their children.
    pub children: bool,
    /// `FIELD eq VALUE and ...`: `charmd` alone; others list all.
    pub filter: String,
    /// Only so many, the youngest: `charmd` alone; others list all.
    pub limit: Option<usize>,
    /// Only those older than this one: `charmd` alone; others list all.
    pub before: Option<String>,
}

impl Client {
    /// The ids of all operations.
    pub fn operations(&self) -> Result<Vec<String>, ClientError> {
        let response = self.get(&self.list_path(&List::default(), "0"))?;
        let items = self.items(&response)?;
        let id = |item: &Value| match item {
            Value::String(path) => id_of(path).to_owned(),
            other => other["id"].as_str().unwrap_or_default().to_owned(),
        };
        Ok(items.into_iter().map(id).filter(|id| !id.is_empty()).collect())
    }

    /// All operations of a list, the oldest first.
    pub fn list(&self, list: &List) -> Result<Vec<Operation>, ClientError> {
        let response = self.get(&self.list_path(list, if list.children { "2" } else { "1" }))?;
        let items = self.items(&response)?.into_iter().map(Operation::parse);
        let mut operations = items.collect::<Result<Vec<_>, _>>().map_err(|reason| self.strange(reason))?;
        operations.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        Ok(operations)
    }

    /// What was, the youngest first, in pages of this many operations, which are asked for when they are due.
    ///
    /// `charmd` keeps what is over; LXD and Incus forget it after seconds, and have one page.
    pub fn history(&self, list: List, page: usize) -> History<'_> {
        let list = List { limit: Some(page.max(1)), ..list };
        History { client: self, list, page: VecDeque::new(), seen: BTreeSet::new(), is_over: false }
    }

    fn list_path(&self, list: &List, recursion: &str) -> String {
        let limit = list.limit.map(|limit| limit.to_string());
        let mut parameters = vec![("recursion", recursion)];
        parameters.extend(self.project_parameter(list.all_projects));
        parameters.extend(limit.as_deref().map(|limit| ("limit", limit)));
        parameters.extend(list.before.as_deref().map(|before| ("before", before)));
        parameters.extend((!list.filter.is_empty()).then_some(("filter", list.filter.as_str())));
        with_query(operations_path(), &parameters)
    }

    /// What says which project a request is about; nothing for the default one.
    pub fn project_parameter(&self, all: bool) -> Option<(&str, &str)> {
        if all {
            return Some(("all-projects", "true"));
        }
        self.project.as_deref().map(|project| ("project", project))
    }

    /// The items of all lists of an answer; nothing where there are none.
    fn items<'a>(&self, response: &'a Response) -> Result<Vec<&'a Value>, ClientError> {
        let lists = match response.metadata() {
            Value::Object(lists) => lists,
            Value::Null => return Ok(Vec::new()),
            _ => return Err(self.strange("operations are no lists by status".to_owned())),
        };
        let mut items = Vec::new();
        for list in lists.values() {
            match list {
                Value::Array(list) => items.extend(list),
                Value::Null => {}
                _ => return Err(self.strange("operations are no lists by status".to_owned())),
            }
        }
        Ok(items)
    }

    fn strange(&self, reason: String) -> ClientError {
        ClientError::Strange { place: self.place.shown(), source: reason.into() }
    }

    /// One operation as it is; that it failed is no error.
    pub fn operation(&self, id: &str) -> Result<Operation, ClientError> {
        self.read(&self.get(&operation_path(id))?)
    }

    /// The same with its children, where the server has such.
    pub fn operation_with_children(&self, id: &str) -> Result<Operation, ClientError> {
        self.read(&self.get(&with_query(&operation_path(id), &[("recursion", "1")]))?)
    }

    /// The operation in an answer.
    pub(crate) fn read(&self, response: &Response) -> Result<Operation, ClientError> {
        response.operation().map_err(|reason| self.strange(reason))
    }

    /// Has `charmd` start a registered kind of work: `{"kind": "demo", "input": {...}}`; gives the operation
    /// as it begins.
    ///
    /// With an `id`, a UUID of the caller's choice, the request is sent again where nobody answers: it
    /// starts nothing twice.
    pub fn start(&self, body: &Value) -> Result<Operation, ClientError> {
        let repeat = if body["id"].is_string() { Repeat::Safe } else { Repeat::Unheard };
        let parameters: Vec<_> = self.project_parameter(false).into_iter().collect();
        let path = with_query(operations_path(), &parameters);
        self.read(&self.ask(self.limit, repeat, ("POST", &path), Some(body))?)
    }

    /// Tells an operation to stop; `charmd` keeps the reason.  It may go on for a while, and may succeed.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] when it is over, or cannot be cancelled.
    pub fn cancel_operation(&self, id: &str, reason: Option<&str>) -> Result<(), ClientError> {
        let body = reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
        match self.delete(&operation_path(id), Some(&body)) {
            Ok(_) => Ok(()),
            // From 6.7 on LXD answers when it is over: that it was told is all that is asked here.
            Err(ClientError::Silent { place, limit }) => match self.operation(id)?.status {
                Status::Pending | Status::Running => Err(ClientError::Silent { place, limit }),
                _ => Ok(()),
            },
            Err(error) => Err(error),
        }
    }

    /// Waits until an operation is over: for ever, or for this time.
    ///
    /// Servers count whole seconds, so it may be up to one more.  One that is started again meanwhile is asked
    /// again, for half a minute.
    ///
    /// # Errors
    ///
    /// [`ClientError::Failed`], [`ClientError::Cancelled`] and [`ClientError::TimedOut`], each with the
    /// operation; others where nobody can tell.
    pub fn wait_for_operation(&self, id: &str, limit: Option<Duration>) -> Result<Operation, ClientError> {
        self.wait(id, limit, WAIT_SLICE, |_| {})
    }

    /// The same; `each` is shown the operation at once, and then about `every` so often while it is not over.
    pub fn wait(
        &self,
        id: &str,
        limit: Option<Duration>,
        every: Duration,
        mut each: impl FnMut(&Operation),
    ) -> Result<Operation, ClientError> {
        let deadline = limit.map(Deadline::after);
        let (mut away, mut pauses, mut is_known) = (None::<Deadline>, Pauses::new(), false);
        loop {
            let left = deadline.map_or(every, Deadline::left);
            // The first one comes back at once: then it is known that there is something to wait for.
            let slice = if is_known { left.min(every) } else { Duration::ZERO };
            let until = Deadline::after(slice);
            match self.wait_once(id, slice) {
                Ok(operation) if operation.is_final() => return operation.or_error(),
                Ok(operation) => {
                    each(&operation);
                    if let Some(limit) = limit.filter(|_| deadline.is_some_and(|end| end.left().is_zero())) {
                        return Err(ClientError::TimedOut { operation: Box::new(operation), limit });
                    }
                    // A server that does not wait as long as it was asked to is not asked all the time.
                    if until.left().is_zero() {
                        pauses = Pauses::new();
                    } else {
                        std::thread::sleep(pauses.next(until.left()));
                    }
                    (away, is_known) = (None, true);
                }
                // What never was there is not waited for.
                Err(error) if is_known && (error.is_connection() || is_unavailable(&error)) => {
                    let since = *away.get_or_insert_with(|| Deadline::after(AWAY_MAX));
                    let left = deadline.map_or(since.left(), |end| end.left().min(since.left()));
                    if left.is_zero() {
                        return Err(error);
                    }
                    std::thread::sleep(pauses.next(left));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One request that waits at most this long; servers count whole seconds.
    fn wait_once(&self, id: &str, limit: Duration) -> Result<Operation, ClientError> {
        let seconds = limit.as_millis().div_ceil(1000).to_string();
        let path = with_query(&format!("{}/wait", operation_path(id)), &[("timeout", &seconds)]);
        let asked = self.request_within(limit.saturating_add(self.limit), "GET", &path, None);
        // From 5.21 on LXD tells with an error that an operation failed, and that its time is over.
        match asked?.checked("GET", &path) {
            Ok(response) => self.read(&response),
            Err(ClientError::Refused(refusal)) if refusal.response.status == 200 => {
                let is_late = refusal.text == "context deadline exceeded";
                match self.operation(id) {
                    Ok(operation) if operation.is_final() || is_late => Ok(operation),
                    Err(error) if is_late || error.refusal().is_none() => Err(error),
                    // It is over: forgotten, or about to be written down.
                    _ if refusal.text == "context canceled" => Ok(told(id, Status::Cancelled, &refusal)),
                    _ => Ok(told(id, Status::Failure, &refusal)),
                }
            }
            Err(error) => Err(error),
        }
    }
}

/// An operation of which only its end is known.
fn told(id: &str, status: Status, refusal: &Refusal) -> Operation {
    let value = json!({
        "id": id, "status_code": status.code(), "status": status.as_str(),
        "err": refusal.text, "err_code": refusal.code,
    });
    Operation::parse(&value).expect("it has an id")
}

fn is_unavailable(error: &ClientError) -> bool {
    error
        .refusal()
        .is_some_and(|refusal| matches!(refusal.kind(), RefusalKind::BadGateway | RefusalKind::Unavailable))
}

/// What was, the youngest first.
#[derive(Debug)]
pub struct History<'a> {
    client: &'a Client,
    list: List,
    page: VecDeque<Operation>,
    /// Servers that know no pages give the same list again.
    seen: BTreeSet<String>,
    is_over: bool,
}

impl Iterator for History<'_> {
    type Item = Result<Operation, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() && !self.is_over {
            match self.client.list(&self.list) {
                Ok(mut page) => {
                    let is_last = self.list.limit.is_some_and(|limit| page.len() < limit);
                    page.reverse();
                    page.retain(|operation| self.seen.insert(operation.id.clone()));
                    self.is_over = page.is_empty() || is_last;
                    self.list.before = page.last().map(|operation| operation.id.clone());
                    self.page = page.into();
                }
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
        }
        self.page.pop_front().map(Ok)
    }
}
