//! Variables: what one of them holds, and the methods on them.

use std::ops::Bound;

use charms_reactive_core::waiter::{Moment, VariablePath};
use charms_reactive_waiters::{Conflict, Event};
use serde_json::{Value, json};

use super::body::encoded;
use super::call::{ConfigName, Content};
use super::config::Config;
use super::error::{ApiError, Code};
use super::page::Page;
use super::service::{Answer, Service};
use super::store::Change;
use super::undo::Inverse;

/// A variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub(super) content: Content,
    pub(super) created: Moment,
    pub(super) updated: Moment,
}

impl Variable {
    pub(super) fn to_json(&self, config: &ConfigName, path: &str, has_value: bool) -> Value {
        let mut body = json!({
            "name": format!("{}/variables/{path}", config.full()),
            "updateTime": self.updated.to_string(),
        });
        // An empty one is said, too: clients fail without it.
        match &self.content {
            _ if !has_value => {}
            Content::Text(text) => body["text"] = text.clone().into(),
            Content::Bytes(bytes) => body["value"] = encoded(bytes).into(),
        }
        body
    }
}

impl Config {
    pub(super) fn variable_list(
        &self,
        name: &ConfigName,
        filter: &VariablePath,
        has_values: bool,
        page: &Page,
    ) -> Result<Value, ApiError> {
        let list = format!("variables {} {} {has_values}", self.uid, filter.as_str());
        page.answer(&list, "variables", |last| {
            self.below(filter, last)
                .map(|(path, variable)| (path.clone(), variable.to_json(name, path, has_values)))
        })
    }

    /// The variables at `path` and below it, sorted, those behind `last`.
    fn below(&self, path: &VariablePath, last: Option<String>) -> impl Iterator<Item = (&String, &Variable)> {
        let own = path.as_str().to_owned();
        let exact = self.variables.get_key_value(&own);
        let exact = exact.filter(|(path, _)| last.as_ref().is_none_or(|last| last < *path));
        // A slash is followed by `0`: nothing else that begins with the path is in between.
        let (begin, end) = if path.is_root() {
            (String::new(), Bound::Unbounded)
        } else {
            (format!("{own}/"), Bound::Excluded(format!("{own}0")))
        };
        let begin = match last {
            Some(last) if last >= begin => Bound::Excluded(last),
            _ => Bound::Included(begin),
        };
        // A token of this list names one of its own, so that the range is never the wrong way round.
        let is_empty =
            matches!((&begin, &end), (Bound::Excluded(begin), Bound::Excluded(end)) if begin >= end);
        let range = (!is_empty).then(|| self.variables.range((begin, end)));
        exact.into_iter().chain(range.into_iter().flatten())
    }
}

impl Service {
    pub(super) fn variable_create(
        &mut self,
        name: &ConfigName,
        path: VariablePath,
        content: Content,
        request_id: Option<String>,
        now: Moment,
    ) -> Result<Value, ApiError> {
        let config = self.config(name)?;
        let list = format!("{} variables", config.uid);
        if let Some(made) = self.repeated(&list, request_id.as_deref())
            && let Some(variable) = config.variables.get(&made.name)
            && variable.created == made.at
        {
            return Ok(variable.to_json(name, &made.name, true));
        }
        match config.engine.tree().conflict(&path) {
            Some(Conflict::Exists) => return Err(Code::AlreadyExists.into()),
            Some(Conflict::Prefix) => return Err(Code::FailedPrecondition.into()),
            None => {}
        }
        let variable = Variable { content, created: now, updated: now };
        let body = variable.to_json(name, path.as_str(), true);
        self.made(list, request_id, path.as_str().to_owned(), now);
        self.put_variable(name, &path, variable)?;
        self.happen(name, Event::Write(path), now);
        Ok(body)
    }

    pub(super) fn variable_update(
        &mut self,
        name: &ConfigName,
        path: &VariablePath,
        content: Content,
        now: Moment,
    ) -> Result<Value, ApiError> {
        let old = self.config(name)?.variables.get(path.as_str()).ok_or(Code::NotFound)?;
        let variable = Variable { content, created: old.created, updated: now };
        let mut body = variable.to_json(name, path.as_str(), true);
        body["state"] = "UPDATED".into();
        self.put_variable(name, path, variable)?;
        self.happen(name, Event::Write(path.clone()), now);
        let watches = self.config_mut(name)?.take_watches(path.as_str());
        self.notify(name, path.as_str(), watches, &body);
        Ok(body)
    }

    fn put_variable(
        &mut self,
        name: &ConfigName,
        path: &VariablePath,
        variable: Variable,
    ) -> Result<(), ApiError> {
        let config = self.config_mut(name)?;
        let uid = config.uid;
        let was = config.variables.insert(path.as_str().to_owned(), variable.clone());
        self.record(
            Change::PutVariable { config: uid, path: path.clone(), variable },
            Inverse::Variables { name: name.clone(), were: vec![(path.clone(), was)] },
        );
        Ok(())
    }

    pub(super) fn variable_delete(
        &mut self,
        name: &ConfigName,
        path: &VariablePath,
        is_recursive: bool,
        now: Moment,
    ) -> Result<Value, ApiError> {
        let config = self.config(name)?;
        let (uid, tree) = (config.uid, config.engine.tree());
        let is_variable = tree.contains(path);
        if tree.count(path) == 0 {
            return Err(Code::NotFound.into());
        }
        if !is_variable && !is_recursive {
            return Err(Code::FailedPrecondition.into());
        }
        let were = self.remove_below(name, path);
        self.record(
            Change::DropVariable { config: uid, path: path.clone() },
            Inverse::Variables { name: name.clone(), were },
        );
        self.happen(name, Event::RemoveBelow(path.clone()), now);
        Ok(json!({}))
    }

    /// Takes away the variable at `path` and those below it, and answers their watches; gives what they were.
    pub(super) fn remove_below(
        &mut self,
        name: &ConfigName,
        path: &VariablePath,
    ) -> Vec<(VariablePath, Option<Variable>)> {
        let Some(config) = self.configs.get(name) else { return Vec::new() };
        let gone: Vec<String> = config.below(path, None).map(|(path, _)| path.clone()).collect();
        let mut were = Vec::new();
        for text in gone {
            self.tell_deleted(name, &text);
            let was = self.configs.get_mut(name).and_then(|config| config.variables.remove(&text));
            // What is a key was a path.
            were.extend(VariablePath::parse_variable(&text).ok().map(|path| (path, was)));
        }
        were
    }

    pub(super) fn variable_watch(
        &mut self,
        name: &ConfigName,
        path: &VariablePath,
        newer_than: Option<Moment>,
    ) -> Result<Answer, ApiError> {
        let variable = self.config(name)?.variables.get(path.as_str()).ok_or(Code::NotFound)?;
        if newer_than.is_some_and(|newer_than| variable.updated > newer_than) {
            let mut body = variable.to_json(name, path.as_str(), true);
            body["state"] = "UPDATED".into();
            return Ok(Answer::Done(body));
        }
        let id = self.new_watch(name.clone(), path.as_str());
        self.config_mut(name)?.watch(path.as_str(), id);
        Ok(Answer::Watching(id))
    }
}
