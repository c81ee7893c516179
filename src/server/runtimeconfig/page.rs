//! Pages of lists, and the tokens that lead from one to the next.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charms_reactive_core::digest::digest;
use serde_json::{Map, Value};

use super::error::ApiError;

/// Which page is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub(super) size: usize,
    pub(super) token: Option<String>,
}

impl Page {
    /// The name that the page begins behind; `list` names the list with its incarnation and filter.
    fn begin(&self, list: &str) -> Result<Option<String>, ApiError> {
        let Some(token) = &self.token else { return Ok(None) };
        let wrong = || ApiError::invalid("page_token", "not a token of this list");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        let (sum, behind) = text.split_once(' ').ok_or_else(wrong)?;
        if sum == digest(&format!("{list} {behind}")) { Ok(Some(behind.to_owned())) } else { Err(wrong()) }
    }

    /// One page of a sorted list as the body of an answer; `behind` gives the items behind a name.
    ///
    /// A page that is full has a token, even if nothing follows: some clients take a page without one for
    /// the first of a new round.
    pub(super) fn answer<I: Iterator<Item = (String, Value)>>(
        &self,
        list: &str,
        key: &str,
        behind: impl FnOnce(Option<String>) -> I,
    ) -> Result<Value, ApiError> {
        let mut items = Vec::new();
        let mut end = String::new();
        for (name, item) in behind(self.begin(list)?).take(self.size) {
            end = name;
            items.push(item);
        }
        let mut body = Map::new();
        if items.len() == self.size {
            let sum = digest(&format!("{list} {end}"));
            body.insert("nextPageToken".to_owned(), URL_SAFE_NO_PAD.encode(format!("{sum} {end}")).into());
        }
        if !items.is_empty() {
            body.insert(key.to_owned(), items.into());
        }
        Ok(Value::Object(body))
    }
}
