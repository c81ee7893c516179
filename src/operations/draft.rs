//! An operation about to be made.

use charms_reactive_core::operation::{Class, OperationId, Requestor};
use serde_json::Value;

use crate::operation::{Metadata, Resources, Sockets};
use crate::refused::Refused;

/// What to do where one with the same reference runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// Refuse.
    #[default]
    Fail,
    /// Take the one that runs.
    Join,
    /// Tell the one that runs to stop, and start when it has.
    Replace,
}

/// An operation about to be made.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its name, where the one who asks has chosen it: the same id is started once.
    pub id: Option<OperationId>,
    /// The registered kind of work.
    pub kind: String,
    /// What kind of work it is.
    pub class: Class,
    /// For a person.
    pub description: String,
    /// The project; None: that of the whole server.
    pub project: Option<String>,
    /// What it is about, as a URL.
    pub entity_url: Option<String>,
    /// What it touches: URLs by kind.
    pub resources: Resources,
    /// What can be seen of it from the beginning.
    pub metadata: Metadata,
    /// What the work is given; kept, and not shown.
    pub inputs: Value,
    /// Who asked; None: the server itself.
    pub requestor: Option<Requestor>,
    /// At most one operation of a project runs with this text.
    pub reference: Option<String>,
    /// What to do where one does.
    pub on_conflict: OnConflict,
    /// Whether it can be cancelled.
    pub may_cancel: bool,
    /// Whether its end is announced until somebody acknowledges it.
    pub in_outbox: bool,
    /// The sockets that clients connect to, with the secret of each; of the class websocket alone.
    pub sockets: Sockets,
    /// Of a child: it starts when all children of the stages before have succeeded.
    pub stage: u32,
    /// Of a child: it starts also when they have not, and cannot be cancelled before.
    pub must_run: bool,
    /// What it consists of; then it has no work of its own.
    pub children: Vec<Draft>,
}

impl Draft {
    /// One of a kind, without anything else.
    pub fn new(kind: &str, class: Class, description: &str) -> Self {
        Self {
            id: None,
            kind: kind.to_owned(),
            class,
            description: description.to_owned(),
            project: None,
            entity_url: None,
            resources: Resources::new(),
            metadata: Metadata::new(),
            inputs: Value::Null,
            requestor: None,
            reference: None,
            on_conflict: OnConflict::Fail,
            may_cancel: true,
            in_outbox: false,
            sockets: Sockets::new(),
            stage: 0,
            must_run: false,
            children: Vec::new(),
        }
    }

    /// The same, in a project.
    #[must_use]
    pub fn project(self, project: &str) -> Self {
        Self { project: Some(project.to_owned()), ..self }
    }

    /// The same, asked for by somebody.
    #[must_use]
    pub fn requestor(self, requestor: Requestor) -> Self {
        Self { requestor: Some(requestor), ..self }
    }

    /// The same, for whoever asked for another operation.
    pub fn requestor_of(self, other: Option<&Requestor>) -> Result<Self, Refused> {
        let requestor = other.ok_or_else(|| {
            Refused::Arguments(
                "Cannot create user operation: No requestor present in parent operation".to_owned(),
            )
        })?;
        Ok(self.requestor(requestor.clone()))
    }

    /// The same, of which one at a time runs.
    #[must_use]
    pub fn reference(self, reference: &str, on_conflict: OnConflict) -> Self {
        Self { reference: Some(reference.to_owned()), on_conflict, ..self }
    }

    /// The same, with one more child.
    #[must_use]
    pub fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// Whether its parts go together.
    pub(crate) fn check(&self) -> Result<(), Refused> {
        if self.stage > 0 || self.must_run {
            return Err(Refused::Arguments("Only child operations have stages".to_owned()));
        }
        self.check_parts()
    }

    fn check_parts(&self) -> Result<(), Refused> {
        let wrong = |text: String| Err(Refused::Arguments(text));
        if !self.children.is_empty() && !self.class.is_family() {
            return wrong(format!("Operations of class \"{}\" cannot have children", self.class.as_str()));
        }
        match (self.class, self.sockets.is_empty()) {
            (Class::Websocket, true) => {
                return wrong("Websocket operations must have a Connect hook".to_owned());
            }
            (Class::Websocket, false) | (_, true) => {}
            (_, false) => {
                return wrong("Only websocket operations can have a Connect hook".to_owned());
            }
        }
        for child in &self.children {
            if !child.children.is_empty() {
                return wrong("Bulk operations cannot have nested bulk operations".to_owned());
            }
            if !child.class.is_family() {
                let class = child.class.as_str();
                return wrong(format!("Operations of class \"{class}\" cannot have a parent operation"));
            }
            if child.project != self.project {
                return wrong(
                    "Child operations cannot have a different project to the parent operation".to_owned(),
                );
            }
            child.check_parts()?;
        }
        let mut stages: Vec<(u32, &str)> =
            self.children.iter().map(|child| (child.stage, child.kind.as_str())).collect();
        stages.sort_unstable();
        stages.dedup();
        if !stages.iter().map(|(stage, _)| *stage).is_sorted_by(|left, right| left < right) {
            return wrong("All children in a stage must have the same operation type".to_owned());
        }
        if !stages.iter().zip(0..).all(|((stage, _), wanted)| *stage == wanted) {
            return wrong("Child operation stages must be consecutive, starting at 0".to_owned());
        }
        if let Some(url) = &self.entity_url
            && !url.starts_with('/')
        {
            return wrong(format!("Invalid operation entity URL: {url}"));
        }
        Ok(())
    }
}
