//! What Juju gives to a unit besides options and relations: addresses, storage, resources, a credential, the
//! restart of its machine.

use std::path::PathBuf;
use std::rc::Rc;

use charms_reactive_core::{EndpointName, RelationId};
use charms_reactive_hookcmd::commands::{CloudSpec, GoalState, Network, Storage};
use charms_reactive_hookcmd::{CommandError, Commands as _};

use crate::Hook;
use crate::charm::FromConfig;
use crate::handler::HandlerError;
use crate::obstacle::{AskError, Obstacle};
use crate::plan::Blocked;
use crate::relation::Relation;

impl Hook {
    /// The options as the last dispatch that ended well had them, typed; None before the first one, and
    /// where they do not fit the type, because an option is new, say.
    ///
    /// For charms with [`App::keep_options`](crate::App::keep_options).  While a handler is stalled that
    /// looks at `config.changed.*`, they are those before the change that it waits to see.
    pub fn config_before<C: FromConfig>(&self) -> Option<C> {
        let options = self.dispatch.options_before.borrow();
        options.as_ref().and_then(|options| C::from_config(options).ok())
    }

    /// How this unit is reached over an endpoint or an extra binding.
    ///
    /// Juju runs `config-changed` when an address changes: give the network to [`Hook::data_changed`].
    pub fn network(&self, binding: &str) -> Result<Rc<Network>, CommandError> {
        self.dispatch.model.network(binding, None)
    }

    /// The storage of one name that is attached, in order of the ids: `hook.storage("data")?`.
    pub fn storage(&self, name: &str) -> Result<Rc<[Storage]>, CommandError> {
        self.dispatch.model.storage(name)
    }

    /// Asks for more instances of a storage when the dispatch ends well.
    ///
    /// `NAME-storage-attached` follows for each when it is there.
    pub fn add_storage(&mut self, name: &str, count: u32) {
        *self.dispatch.plan.borrow_mut().storage.entry(name.to_owned()).or_default() += count;
    }

    /// The file that an operator gave for a resource.
    ///
    /// # Errors
    ///
    /// [`AskError::Obstacle`] where there is none: the unit is blocked with the command to run, and
    /// the handler is tried again.
    pub fn resource(&self, name: &str) -> Result<PathBuf, AskError> {
        match self.dispatch.model.resource(name) {
            Err(error) if error.is_not_found() => {
                let application = self.context().unit.application();
                let what = format!("attach resource: juju attach-resource {application} {name}=FILE");
                Err(Obstacle::new(Blocked(what)).into())
            }
            answer => Ok(answer?),
        }
    }

    /// The units and relations that are there or coming, and how they are.
    pub fn goal_state(&self) -> Result<Rc<GoalState>, CommandError> {
        self.dispatch.model.goal_state()
    }

    /// The cloud and a credential for it.
    ///
    /// # Errors
    ///
    /// [`AskError::Obstacle`] for an application without trust: the unit is blocked with the command to run,
    /// and the handler is tried again.
    pub fn credential(&self) -> Result<Rc<CloudSpec>, AskError> {
        match self.dispatch.model.credential() {
            Err(error) if error.is_permission_denied() => {
                let application = self.context().unit.application();
                let scope = if self.context().is_kubernetes { " --scope=cluster" } else { "" };
                let what = format!("trust this application: juju trust {application}{scope}");
                Err(Obstacle::new(Blocked(what)).into())
            }
            answer => Ok(answer?),
        }
    }

    /// The UUID of the model that the other side of a relation is in.  Juju tells it from 3.6.2 on.
    pub fn model_of(&self, relation: &RelationId) -> Result<String, CommandError> {
        self.dispatch.model.model_of(relation)
    }

    /// Has the machine restarted when the dispatch has ended well; `start` is the next hook.
    ///
    /// Set a flag with it that says so, or the next hook asks for it again.
    pub fn reboot(&mut self) {
        self.dispatch.plan.borrow_mut().is_reboot_due = true;
    }

    /// Has the machine restarted at once.
    ///
    /// Juju kills this process, so this returns nothing that matters.  Nothing of the dispatch is kept, and
    /// the hook is run again after the restart: what says that it was done has to be outside, a file that
    /// the restart brings, say.
    pub fn reboot_now(&mut self) -> Result<(), HandlerError> {
        self.dispatch.model.commands().juju_reboot_now()?;
        Err("the machine is about to restart".into())
    }

    /// Opens a port for some endpoints only, when the dispatch ends well.
    pub fn open_port_for(&mut self, port: &str, endpoints: &[EndpointName]) {
        self.plan_port_for(port, endpoints, true);
    }

    /// Closes a port for some endpoints, when the dispatch ends well.
    pub fn close_port_for(&mut self, port: &str, endpoints: &[EndpointName]) {
        self.plan_port_for(port, endpoints, false);
    }

    fn plan_port_for(&mut self, port: &str, endpoints: &[EndpointName], is_open: bool) {
        let mut plan = self.dispatch.plan.borrow_mut();
        for endpoint in endpoints {
            plan.ports.insert((port.to_owned(), Some(endpoint.clone())), is_open);
        }
    }
}

impl Relation {
    /// How this unit is reached over this relation: from another model, perhaps otherwise than from its own.
    pub fn network(&self) -> Result<Rc<Network>, CommandError> {
        self.dispatch.model.network(self.endpoint_name().as_str(), Some(self.relation_id()))
    }
}
