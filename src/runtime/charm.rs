//! A charm: what it is to Juju, what it does and when.

use std::rc::Rc;
use std::time::Duration;

use charms_reactive_core::{EndpointName, Flag, Metadata};
use charms_reactive_hookcmd::Backend;
use serde_json::{Map, Value};

use crate::Hook;
use crate::condition::Condition;
use crate::context::Context;
use crate::daemon::{self, Daemon, OpenDaemon};
use crate::endpoint::{Endpoint, EndpointKey};
use crate::handler::{Handler, HandlerError, Work, short_name};
use crate::import::Import;
use crate::interface::{Interface, Manage};
use crate::operation::{self, Doing, Engines, OperationKey, Operations};
use crate::store::Store;
use crate::trigger::Trigger;

/// The options of a charm, typed; `charm!` makes one from `config.yaml`.
pub trait FromConfig: Sized {
    /// Takes the options from what `config-get` answered.
    fn from_config(config: &Map<String, Value>) -> Result<Self, ValueError>;
}

/// The parameters of an action, typed; `charm!` makes one for each action of `actions.yaml`.
pub trait FromParameters: Sized {
    /// Takes the parameters from what `action-get` answered.
    fn from_parameters(parameters: &Map<String, Value>) -> Result<Self, ValueError>;
}

/// An option or a parameter is not of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is `{found}`, expected {expected}")]
pub struct ValueError {
    /// The name of the option or the parameter.
    pub name: String,
    /// What was found, as JSON.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

/// The value of option or parameter `name` as a `T`; null and a missing one are None.
///
/// # Errors
///
/// [`ValueError`] with `expected` when it has another type, or is missing and `T` is not an `Option`.
pub fn typed_value<T: serde::de::DeserializeOwned>(
    values: &Map<String, Value>,
    name: &str,
    expected: &str,
) -> Result<T, ValueError> {
    let value = values.get(name).unwrap_or(&Value::Null);
    T::deserialize(value).map_err(|_| ValueError {
        name: name.to_owned(),
        found: value.to_string(),
        expected: expected.to_owned(),
    })
}

/// An action of a charm as a constant, with the type of its parameters.
pub struct ActionKey<P> {
    name: &'static str,
    parameters: std::marker::PhantomData<fn() -> P>,
}

impl<P> Clone for ActionKey<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for ActionKey<P> {}

impl<P: FromParameters> ActionKey<P> {
    /// The action of this name.
    pub const fn new(name: &'static str) -> Self {
        Self { name, parameters: std::marker::PhantomData }
    }
}

/// An option of a charm as a constant: the names of its automatic flags.
///
/// | Flag | Set | Cleared |
/// |---|---|---|
/// | `config.changed.OPTION` | the value differs from that of the last dispatch that ended well | at the end of the dispatch |
/// | `config.set.OPTION` | the value is neither empty, nor zero, nor false | otherwise |
/// | `config.default.OPTION` | the value is the default | otherwise |
#[derive(Clone, Copy, Debug)]
pub struct OptionKey(&'static str);

impl OptionKey {
    /// The option of this name.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name of the option.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// Set in the dispatch in which the value changed.
    pub fn changed(self) -> charms_reactive_core::Flag {
        format!("config.changed.{}", self.0).into()
    }

    /// Set while the option has a value that is neither empty, nor zero, nor false.
    pub fn set(self) -> charms_reactive_core::Flag {
        format!("config.set.{}", self.0).into()
    }

    /// Set while the option has its default value.
    pub fn default(self) -> charms_reactive_core::Flag {
        format!("config.default.{}", self.0).into()
    }
}

/// What implements the interface of an endpoint.
#[derive(Clone)]
pub(crate) struct Binding {
    pub(crate) name: EndpointName,
    pub(crate) make: fn(Endpoint) -> Rc<dyn Manage>,
}

/// What a charm is to Juju, and which types implement its interfaces; `charm!` makes it.
#[derive(Clone, Default)]
pub struct Charm {
    metadata: Metadata,
    bindings: Vec<Binding>,
}

impl Charm {
    /// A charm with these options and actions, and no endpoints yet.
    pub fn new(metadata: Metadata) -> Self {
        Self { metadata: Metadata { endpoints: Vec::new(), ..metadata }, bindings: Vec::new() }
    }

    /// The same with one more endpoint.
    #[must_use]
    pub fn endpoint<T: Interface>(mut self, key: EndpointKey<T>) -> Self {
        self.metadata.endpoints.push(key.spec());
        self.bindings.push(Binding { name: key.name(), make: |endpoint| Rc::new(T::new(endpoint)) });
        self
    }
}

/// The whole charm: what runs, and when.
///
/// ```
/// use charms_reactive_runtime::prelude::*;
///
/// const INSTALLED: Flag = Flag::new("web.installed");
///
/// fn app() -> App {
///     App::new(Charm::default())
///         .handler(install, none([INSTALLED]))
///         .handler(ready, when(INSTALLED))
/// }
///
/// fn install(hook: &mut Hook) -> Result<(), HandlerError> {
///     hook.set(INSTALLED);
///     Ok(())
/// }
///
/// fn ready(hook: &mut Hook) -> Result<(), HandlerError> {
///     hook.status(Active("ready"));
///     Ok(())
/// }
/// ```
pub struct App {
    pub(crate) metadata: Rc<Metadata>,
    /// Sorted by the name of the endpoint: the order of their automatic flags.
    pub(crate) bindings: Vec<Binding>,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) actions: Vec<(&'static str, Work)>,
    pub(crate) store: Store,
    pub(crate) backend: Backend,
    pub(crate) has_programs: bool,
    pub(crate) keeps_options: bool,
    pub(crate) import: Option<Rc<dyn Import>>,
    pub(crate) daemon: Option<OpenDaemon>,
    pub(crate) engine: Engines,
    pub(crate) has_waiter_service: bool,
}

impl App {
    /// A charm that does nothing yet.
    pub fn new(charm: Charm) -> Self {
        let mut bindings = charm.bindings;
        bindings.sort_by(|left, right| left.name.cmp(&right.name));
        Self {
            metadata: Rc::new(charm.metadata),
            bindings,
            handlers: Vec::new(),
            triggers: Vec::new(),
            actions: Vec::new(),
            store: Store::default(),
            backend: Backend::default(),
            has_programs: false,
            keeps_options: false,
            import: None,
            daemon: None,
            engine: None,
            has_waiter_service: false,
        }
    }

    /// Runs `run` whenever `condition` holds.  Handlers run in the order in which they are given.
    ///
    /// In each dispatch a handler runs once if its condition holds, and again when a flag that it looks
    /// at has changed since.  A handler whose condition always holds after `start`, say, therefore runs
    /// in every hook from then on; one that should run once clears the flag it waits for.
    #[must_use]
    pub fn handler<F>(mut self, run: F, condition: impl Into<Condition>) -> Self
    where
        F: Fn(&mut Hook) -> Result<(), HandlerError> + 'static,
    {
        let name = short_name(&run);
        let namesakes = self.handlers.iter().filter(|handler| handler.name == name).count();
        let key = if namesakes == 0 { name.to_owned() } else { format!("{name}/{}", namesakes + 1) };
        self.handlers.push(Handler { name, key, condition: condition.into(), run: Box::new(run) });
        self
    }

    /// The names of all flags that the charm looks at, in handlers and triggers, sorted.
    pub fn flags(&self) -> std::collections::BTreeSet<&str> {
        let handled = self.handlers.iter().flat_map(|handler| handler.condition.flags());
        handled.chain(self.triggers.iter().map(Trigger::watched)).map(Flag::as_str).collect()
    }

    /// Changes flags when a flag changes, before any handler is considered.
    ///
    /// # Panics
    ///
    /// When the trigger has no effect: that is a mistake, found the first time the charm is made.
    #[must_use]
    pub fn trigger(mut self, trigger: Trigger) -> Self {
        assert!(trigger.has_effect(), "the trigger on flag `{}` has no effect", trigger.watched());
        self.triggers.push(trigger);
        self
    }

    /// Runs `run` for an action.
    ///
    /// Then the handlers run whose flags the action changed.  An error makes the action fail with its
    /// message; nothing of its plan is done then, and the unit is not in error.
    #[must_use]
    pub fn action<P, F>(mut self, key: ActionKey<P>, run: F) -> Self
    where
        P: FromParameters,
        F: Fn(&mut Hook, P) -> Result<(), HandlerError> + 'static,
    {
        let run = move |hook: &mut Hook| {
            let parameters = P::from_parameters(&*hook.dispatch.model.action()?)?;
            run(hook, parameters)
        };
        self.actions.push((key.name, Box::new(run)));
        self
    }

    /// Runs programs of the charm as handlers too: executable files in `reactive/`, in bash or whatever.
    ///
    /// They have the protocol of charms.reactive, `--test` and `--invoke`, and its commands on their
    /// `PATH`: see the page on migrating from Python.
    #[must_use]
    pub fn external_handlers(mut self) -> Self {
        self.has_programs = true;
        self
    }

    /// Keeps the values of the options, for [`Hook::config_before`].
    ///
    /// They are in the unit state then, passwords among them; without this, only their digests are.
    #[must_use]
    pub fn keep_options(mut self) -> Self {
        self.keeps_options = true;
        self
    }

    /// Takes over what the unit's charm kept in another framework: once, in `upgrade-charm`.
    ///
    /// To be left in the charm while there may be units of that charm.
    #[must_use]
    pub fn import(mut self, import: impl Import + 'static) -> Self {
        self.import = Some(Rc::new(import));
        self
    }

    /// Has a daemon on the unit, `charmd`, which can wake it and work between its hooks.
    ///
    /// It is installed at `install`, `start` and `upgrade-charm`, from the program `charmd` beside `dispatch`
    /// (which `cargo pack` puts there where the charm says `daemon = true`), and removed after the handlers of
    /// `remove`.  Without it the charm goes on: what would have woken the unit waits for `update-status`.
    #[must_use]
    pub fn daemon(self) -> Self {
        self.daemon_with(daemon::of_unit)
    }

    /// Has the daemon keep the [waiters](crate::waiter) of the charm, rather than the peer relation: units check in
    /// there, so no unit runs a hook for it, and are woken when a waiter ends.
    ///
    /// The daemons of all units have to be one, on one etcd: see [`Hook::daemon_options`].
    #[must_use]
    pub fn waiters_in_service(self) -> Self {
        let this = if self.daemon.is_none() { self.daemon() } else { self };
        Self { has_waiter_service: true, ..this }
    }

    /// A daemon as of [`App::daemon`], with another way to it: a test may stand in for it.
    #[must_use]
    pub fn daemon_with(mut self, open: impl Fn(&Context) -> Box<dyn Daemon> + 'static) -> Self {
        self.daemon = Some(Rc::new(open));
        self
    }

    /// Has a function that works for an [operation]: in a process of its own, when hooks have
    /// ended.
    ///
    /// The charm has a daemon then, as with [`App::daemon`].
    #[must_use]
    pub fn work<T, F>(self, key: OperationKey, run: F) -> Self
    where
        T: serde::Serialize,
        F: Fn(&mut operation::Work) -> Result<T, HandlerError> + 'static,
    {
        let run = move |work: &mut operation::Work| {
            let result = run(work)?;
            Ok(serde_json::to_value(result)?)
        };
        self.does(key, Doing::Function(Box::new(run)))
    }

    /// Has a program that works for an [operation]: its absolute path, then its arguments.
    ///
    /// It is told its input on stdin, may say how far it is on stdout, and succeeds with exit code 0; the page on
    /// operations says how.
    #[must_use]
    pub fn command<A: Into<String>>(self, key: OperationKey, command: impl IntoIterator<Item = A>) -> Self {
        self.does(key, Doing::Command(command.into_iter().map(Into::into).collect()))
    }

    /// Has the unit woken when an operation says how far it is, so that handlers can show it; at most so often, in
    /// whole seconds, at least one.
    ///
    /// Without this, whichever hook runs next sees it: mostly `update-status`.
    #[must_use]
    pub fn wake_for_progress(mut self, key: OperationKey, every: Duration) -> Self {
        self.engine.get_or_insert_with(|| Rc::new(Operations::default())).wake_for_progress(key, every);
        self
    }

    fn does(mut self, key: OperationKey, doing: Doing) -> Self {
        self.engine.get_or_insert_with(|| Rc::new(Operations::default())).add(key, doing);
        if self.daemon.is_some() { self } else { self.daemon() }
    }

    /// Keeps the state elsewhere than in Juju's unit state.
    #[must_use]
    pub fn store(mut self, store: Store) -> Self {
        self.store = store;
        self
    }
    /// Has hook commands run in another way than as programs; [`Backend::VARIABLE`] overrules it.
    #[must_use]
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }
}
