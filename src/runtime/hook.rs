//! What a handler may do: everything hangs on one argument.

use std::path::PathBuf;
use std::rc::Rc;

use charms_reactive_core::{Flag, HookEvent};
use charms_reactive_hookcmd::{CommandError, Commands as _};
use serde::Serialize;

use crate::charm::FromConfig;
use crate::context::Context;
use crate::daemon;
use crate::dispatch::Dispatch;
use crate::endpoint::{Endpoint, EndpointKey};
use crate::file::FileEffect;
use crate::handler::HandlerError;
use crate::interface::Interface;
use crate::leader::{self, LeaderError};
use crate::memory::{DataError, as_json};
use crate::owner::Owner;
use crate::plan::Status;
use crate::shown::Shown;

/// What a handler may do.
///
/// A handler reads a snapshot of the model and adds to a plan; nothing is done before all handlers have
/// settled.  A handler that fails therefore leaves no trace, and Juju's retry sees the world as before.
pub struct Hook {
    pub(crate) dispatch: Rc<Dispatch>,
    /// For a handler that runs late: the context of the hook that it is for.
    pub(crate) late: Option<Box<Context>>,
}

impl Hook {
    /// What Juju told this dispatch about itself.
    ///
    /// To a handler that met an [obstacle](crate::obstacle) and runs late: of the hook that it is for.
    pub fn context(&self) -> &Context {
        self.late.as_deref().unwrap_or(&self.dispatch.context)
    }

    /// Why Juju runs the charm; to a handler that runs late, why it should have run.
    pub fn event(&self) -> &HookEvent {
        &self.context().event
    }

    /// Sets a flag.
    pub fn set(&mut self, flag: impl Into<Flag>) {
        self.dispatch.change_flag(&flag.into(), true);
    }

    /// Clears a flag.
    pub fn clear(&mut self, flag: impl Into<Flag>) {
        self.dispatch.change_flag(&flag.into(), false);
    }

    /// Sets or clears a flag.
    pub fn toggle(&mut self, flag: impl Into<Flag>, is_set: bool) {
        self.dispatch.change_flag(&flag.into(), is_set);
    }

    /// Whether a flag is set.
    pub fn is_set(&self, flag: &Flag) -> bool {
        self.dispatch.flags.borrow().is_set(flag)
    }

    /// The names of all set flags, sorted.
    pub fn flags(&self) -> Vec<String> {
        self.dispatch.flags.borrow().names().map(str::to_owned).collect()
    }

    /// The names of those of `flags` that are not set, sorted.
    pub fn unset_flags(&self, flags: &[Flag]) -> Vec<String> {
        let unset = flags.iter().filter(|flag| !self.is_set(flag)).map(|flag| flag.as_str().to_owned());
        unset.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    /// Warns in the log when one of `flags` is not set, and tells whether all are.
    ///
    /// For functions that others call: `what` says which.
    pub fn warn_unless(&self, what: &str, flags: &[Flag]) -> bool {
        let unset = self.unset_flags(flags);
        if !unset.is_empty() {
            let plural = if unset.len() == 1 { "" } else { "s" };
            log::warn!("{what} called before flag{plural}: {}", unset.join(", "));
        }
        unset.is_empty()
    }

    /// Whether `data` is other than at the last call with this name, in any dispatch that ended well.
    ///
    /// Compared as JSON: the order of a map's keys does not matter.  Of the data, only a digest is kept.
    pub fn data_changed(&mut self, name: &str, data: &impl Serialize) -> Result<bool, DataError> {
        let data = as_json(name, data)?;
        let is_changed = self.dispatch.is_data_changed(name, &data);
        self.dispatch.remember_data(name, &data);
        Ok(is_changed)
    }

    /// What [`Hook::data_changed`] would say, without remembering.
    pub fn is_data_changed(&self, name: &str, data: &impl Serialize) -> Result<bool, DataError> {
        Ok(self.dispatch.is_data_changed(name, &as_json(name, data)?))
    }

    /// Whether something was marked as done, in this dispatch or an earlier one.
    ///
    /// Handlers under the condition [`once`](crate::condition::once) are marked by the name of their function.
    pub fn is_done(&self, name: &str) -> bool {
        self.dispatch.memory.borrow().done.contains(name)
    }

    /// Marks something as done.
    pub fn mark_done(&mut self, name: &str) {
        self.dispatch.memory.borrow_mut().done.insert(name.to_owned());
    }

    /// Takes the mark away: what runs once may run again.
    pub fn mark_undone(&mut self, name: &str) {
        self.dispatch.memory.borrow_mut().done.remove(name);
    }

    /// The options of the charm, typed: `let config: Config = hook.config()?`.
    pub fn config<C: FromConfig>(&self) -> Result<C, HandlerError> {
        Ok(C::from_config(&*self.dispatch.model.config()?)?)
    }

    /// Whether this unit leads; true is a promise of Juju for thirty seconds.
    pub fn is_leader(&self) -> Result<bool, CommandError> {
        self.dispatch.model.is_leader()
    }

    /// What the leader set under `key` for all units.  Nothing in Juju 4, which has no such settings.
    pub fn leader_setting(&self, key: &str) -> Result<Option<String>, CommandError> {
        if !leader::has_settings(self.context()) {
            return Ok(None);
        }
        Ok(self.dispatch.model.leader_settings()?.remove(key))
    }

    /// Sets `key` for all units when the dispatch ends well; an empty text removes it.
    ///
    /// Its flags change at once, on the leader too.  Juju does not take a setting back when the hook fails
    /// after the commit: it is then set again.
    pub fn set_leader_setting(&mut self, key: &str, text: &str) -> Result<(), LeaderError> {
        leader::plan(&self.dispatch, key, text)
    }

    /// An endpoint of the charm, as the type that implements its interface.
    pub fn endpoint<T: Interface>(&self, key: EndpointKey<T>) -> T {
        T::new(Endpoint::new(self.dispatch.clone(), key.name()))
    }

    /// Says how the unit is: `hook.status(Active("ready"))`.
    ///
    /// Of several statuses in one dispatch the most severe is shown, of equals the last.
    pub fn status(&mut self, status: impl Into<Status>) {
        self.dispatch.plan.borrow_mut().statuses.push(status.into());
    }

    /// Says how the whole application is; only the leader may.
    pub fn application_status(&mut self, status: impl Into<Status>) {
        self.dispatch.plan.borrow_mut().application_status = Some(status.into());
    }

    /// Shows a status at once, before work that takes long.
    ///
    /// The one effect that is not planned: it is seen even when this dispatch fails later.
    pub fn status_now(&mut self, status: impl Into<Status>) -> Result<(), CommandError> {
        let mut shown = Shown::read(self.context());
        shown.show_unit(&mut **self.dispatch.model.commands(), &status.into())?;
        Ok(())
    }

    /// Writes a file when the dispatch ends well: beside and renamed, only when it differs.
    ///
    /// `mode` says who may read it, for example `0o600` for a key.  A relative path is taken from the
    /// charm directory.
    pub fn write_file(&mut self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>, mode: u32) {
        self.plan_file(path.into(), FileEffect::Write { content: content.into(), mode });
    }

    /// Writes a file that belongs to a user and a group, for example the key of a service.
    pub fn write_file_for(
        &mut self,
        path: impl Into<PathBuf>,
        content: impl Into<Vec<u8>>,
        mode: u32,
        owner: Owner,
    ) {
        self.plan_file(path.into(), FileEffect::WriteFor { content: content.into(), mode, owner });
    }

    /// Removes a file when the dispatch ends well; one that is not there is fine.
    pub fn remove_file(&mut self, path: impl Into<PathBuf>) {
        self.plan_file(path.into(), FileEffect::Remove);
    }

    fn plan_file(&mut self, path: PathBuf, effect: FileEffect) {
        let path = self.dispatch.context.charm_dir.join(path);
        self.dispatch.plan.borrow_mut().files.insert(path, effect);
    }

    /// Has the [daemon](crate::App::daemon) of the unit run with these arguments of `charmd serve` besides its own, for
    /// example `["--etcd", "http://10.0.0.1:2379"]`; with others than before, it is started anew.
    pub fn daemon_options<'o>(&mut self, options: impl IntoIterator<Item = &'o str>) {
        let path = daemon::options(&self.dispatch.context.charm_dir);
        let lines: String = options.into_iter().flat_map(|option| [option, "\n"]).collect();
        self.plan_file(path, FileEffect::Write { content: lines.into_bytes(), mode: 0o600 });
    }

    /// Does `work` once the files of this dispatch are written, for example a reload.
    ///
    /// It must bear to be done again: when it fails, or the machine stops in the middle, Juju runs the
    /// hook again, and the files are then as they should be already.
    pub fn after_files(&mut self, name: &str, work: impl FnOnce() -> Result<(), HandlerError> + 'static) {
        self.dispatch.plan.borrow_mut().after_files.push((name.to_owned(), Box::new(work)));
    }

    /// Opens a port, for example `9090/tcp`, `8000-8100/udp`, `icmp`, when the dispatch ends well.
    pub fn open_port(&mut self, port: &str) {
        self.dispatch.plan.borrow_mut().ports.insert((port.to_owned(), None), true);
    }

    /// Closes a port, for example `9090/tcp`, for whatever endpoints it is open, when the dispatch ends well.
    pub fn close_port(&mut self, port: &str) {
        self.dispatch.plan.borrow_mut().ports.insert((port.to_owned(), None), false);
    }

    /// Tells the version of the workload, for `juju status`.
    pub fn workload_version(&mut self, version: &str) {
        self.dispatch.plan.borrow_mut().workload_version = Some(version.to_owned());
    }

    /// A text that [`Hook::keep`] kept, in this dispatch or an earlier one.
    pub fn kept(&self, key: &str) -> Option<String> {
        self.dispatch.kept.borrow().get(key).cloned()
    }

    /// Keeps a text for later dispatches, with the flags; None forgets it.
    ///
    /// For what cannot be worked out again.  Juju takes 64 KiB a text.
    pub fn keep(&mut self, key: &str, text: Option<&str>) {
        let mut kept = self.dispatch.kept.borrow_mut();
        match text {
            Some(text) => kept.insert(key.to_owned(), text.to_owned()),
            None => kept.remove(key),
        };
    }

    /// Adds to the result of the running action; dots in `key` make maps.
    ///
    /// Keys are lower-case letters, digits, dashes and dots.
    pub fn action_result(&mut self, key: &str, value: impl Into<String>) {
        self.dispatch.plan.borrow_mut().results.insert(key.to_owned(), value.into());
    }

    /// Shows progress of the running action, at once.
    pub fn action_log(&mut self, message: &str) -> Result<(), CommandError> {
        self.dispatch.model.commands().action_log(message)
    }
}
