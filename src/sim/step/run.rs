//! What a step does to a model.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use charms_reactive_core::{ApplicationName, UnitName};
use charms_reactive_hookcmd::commands::Party;
use serde_json::Value;

use super::Step;
use crate::action::{ActionResult, ExecResult};
use crate::charm::CharmSource;
use crate::dispatch::{HookRun, Settled};
use crate::error::{ModelError, SimError};
use crate::model::Network;
use crate::rule::{Change, Command, Fate, Verdict};
use crate::sim::Sim;

/// What steps call by names that the model does not know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    charms: BTreeMap<String, CharmSource>,
    /// The ids of secrets of the operator.
    secrets: BTreeMap<String, String>,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Done {
    /// The model is another one; no hook was run.
    Changed,
    /// Hooks were run until none was due.
    Settled(Settled),
    /// One hook was run, if one was due.
    Hook(Option<HookRun>),
    /// An action was run.
    Action(ActionResult),
    /// A script was run.
    Script(ExecResult),
}

impl Step {
    /// Has it happen to a model, where that takes it.
    ///
    /// A step that the model refuses (the unit is not there, the endpoints are related already) does
    /// nothing: so a list of steps stays one when some are left out.
    ///
    /// # Errors
    ///
    /// What keeps the simulation from going on: [`SimError::Run`].
    pub fn apply(&self, sim: &mut Sim) -> Result<(), SimError> {
        match self.run(sim) {
            Err(SimError::Model(_)) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Has it happen to a model, and tells what came of it.
    ///
    /// # Errors
    ///
    /// What the model refuses, in Juju's words: [`SimError::Model`]; and as for [`Step::apply`].
    pub fn run(&self, sim: &mut Sim) -> Result<Done, SimError> {
        match self {
            Self::Hook => return Ok(Done::Hook(sim.step()?)),
            Self::Settle => return Ok(Done::Settled(sim.settle()?)),
            Self::Advance(time) => return Ok(Done::Settled(sim.advance(*time)?)),
            Self::Resolved(unit) => return Ok(Done::Hook(sim.resolve(unit, true)?)),
            Self::ResolvedNoRetry(unit) => return Ok(Done::Hook(sim.resolve(unit, false)?)),
            Self::CollectMetrics(unit) => return Ok(Done::Hook(sim.collect_metrics(unit)?)),
            Self::RunAction(unit, action, parameters) => {
                return Ok(Done::Action(sim.run_action(unit, action, Value::Object(parameters.clone()))?));
            }
            Self::Exec(unit, script) => return Ok(Done::Script(sim.exec(unit, script)?)),
            _ => {}
        }
        self.change(sim).map(|()| Done::Changed)
    }

    /// The steps that change the model, and leave hooks for later.
    fn change(&self, sim: &mut Sim) -> Result<(), SimError> {
        match self {
            Self::Deploy { application, charm, units } => {
                let charm = sim.named_charm(charm)?;
                sim.deploy(application, charm, *units)
            }
            Self::RemoveApplication(application) => sim.remove_application(application),
            Self::AddUnit(application) => sim.add_unit(application).map(drop),
            Self::AddUnitBeside(application, unit) => sim.add_unit_beside(application, unit).map(drop),
            Self::RemoveUnit(unit) => sim.remove_unit(unit),
            Self::LoseUnit(unit) => sim.lose_unit(unit),
            Self::Scale(application, units) => sim.scale(application, *units),
            Self::Relate(one, other) => sim.relate(one, other).map(drop),
            Self::Unrelate(one, other) => sim.related(&[one, other]).and_then(|it| sim.remove_relation(it)),
            Self::SuspendRelation(one, other) => {
                sim.related(&[one, other]).and_then(|it| sim.suspend_relation(it))
            }
            Self::ResumeRelation(one, other) => {
                sim.related(&[one, other]).and_then(|it| sim.resume_relation(it))
            }
            Self::WriteDatabag { relation, of, key, value } => {
                let ends: Vec<&str> = relation.iter().map(String::as_str).collect();
                let number = sim.related(&ends)?;
                let owner = if of.contains('/') {
                    Party::Unit(UnitName::parse(of)?)
                } else {
                    Party::Application(ApplicationName::parse(of)?)
                };
                sim.operator().write_databag(number, &owner, key, value)
            }
            Self::Configure(application, options) => {
                let options: Vec<(&str, String)> =
                    options.iter().map(|(name, value)| (name.as_str(), sim.with_secret(value))).collect();
                let options: Vec<(&str, &str)> =
                    options.iter().map(|(name, value)| (*name, value.as_str())).collect();
                sim.configure(application, &options)
            }
            Self::ResetConfig(application, options) => {
                sim.reset(application, &options.iter().map(String::as_str).collect::<Vec<_>>())
            }
            Self::Trust(application, is_trusted) => sim.set_trust(application, *is_trusted),
            Self::AttachResource(application, contents) => contents
                .iter()
                .try_for_each(|(name, text)| sim.attach_resource(application, name, text.as_bytes())),
            Self::Upgrade(application, charm) => {
                let charm = sim.named_charm(charm)?;
                sim.upgrade(application, charm)
            }
            Self::UpgradeForced(application, charm) => {
                let charm = sim.named_charm(charm)?;
                sim.upgrade_forced(application, charm)
            }
            Self::SetLeader(unit) => sim.set_leader(unit),
            Self::LoseLeadership(unit) => {
                let unit = sim.known(unit)?;
                sim.operator().lose_leadership(&unit);
                Ok(())
            }
            Self::UpdateStatus(unit) => sim.update_status(unit),
            Self::Reboot(unit) => sim.reboot(unit),
            Self::StopAgent(unit) => sim.stop_agent(unit),
            Self::StartAgent(unit) => sim.start_agent(unit),
            Self::EnqueueAction(unit, action, parameters) => {
                sim.enqueue_action(unit, action, Value::Object(parameters.clone())).map(drop)
            }
            Self::CancelAction(id) => sim.cancel_action(*id),
            other => other.change_more(sim),
        }
    }

    /// The same for what fewer models have, and for faults.
    fn change_more(&self, sim: &mut Sim) -> Result<(), SimError> {
        match self {
            Self::HoldStorage(is_held) => sim.hold_storage(*is_held),
            Self::ProvideStorage(id) => sim.provide_storage(id)?,
            Self::AddStorage(unit, name, count) => sim.add_storage(unit, name, *count)?,
            Self::DetachStorage(id) => sim.detach_storage(id)?,
            Self::AttachStorage(unit, id) => sim.attach_storage(unit, id)?,
            Self::RemoveStorage(id) => sim.remove_storage(id)?,
            Self::AddSecret(name, content) => {
                let id = sim.add_secret(&pairs(content))?;
                sim.names.secrets.insert(name.clone(), id);
            }
            Self::UpdateSecret(name, content) => sim.update_secret(&sim.secret(name)?, &pairs(content))?,
            Self::GrantSecret(name, application) => sim.grant_secret(&sim.secret(name)?, application)?,
            Self::RemoveSecret(name) => sim.remove_secret(&sim.secret(name)?)?,
            Self::RevokeSecret(name) => {
                let id = sim.secret(name)?;
                sim.operator().revoke_secret(&id);
            }
            Self::RotateSecret(name) => sim.rotate_secret(&sim.secret(name)?)?,
            Self::ExpireSecret(name) => sim.expire_secret(&sim.secret(name)?)?,
            Self::ChangeAddress(unit) => {
                let unit = sim.known(unit)?;
                sim.operator().change_address(&unit);
            }
            Self::SetAddress(unit, address) => sim.set_address(unit, *address)?,
            Self::SetNetwork(unit, binding, address) => {
                sim.set_network(unit, binding, Network::of(*address))?;
            }
            Self::SetMeterStatus(colour, text) => sim.set_meter_status(colour, text).map(drop)?,
            Self::PrepareSeriesUpgrade(unit, series) => sim.prepare_series_upgrade(unit, series)?,
            Self::CompleteSeriesUpgrade(unit) => sim.complete_series_upgrade(unit)?,
            Self::ReplacePod(unit) => sim.replace_pod(unit)?,
            Self::LosePod(unit) => sim.lose_pod(unit)?,
            Self::RestartContainer(unit, container) => sim.restart_container(unit, container)?,
            Self::Notify(unit, container, key) => sim.notify(unit, container, key)?,
            Self::FailCheck(unit, container, check) => sim.fail_check(unit, container, check)?,
            Self::RecoverCheck(unit, container, check) => sim.recover_check(unit, container, check)?,
            other => other.arm(sim)?,
        }
        Ok(())
    }

    /// Lays a fault in the way of what comes next.
    fn arm(&self, sim: &mut Sim) -> Result<(), SimError> {
        match self {
            Self::KillAt(after) => sim.once_at(*after, Verdict::Kill),
            Self::RefuseAt(after) => sim.once_at(*after, Verdict::refuse(REFUSAL)),
            Self::Refuse(name) => {
                let wanted = name.clone();
                sim.once(move |command| command.name == wanted, Verdict::refuse(REFUSAL));
            }
            Self::LoseLeadershipAt(after) => sim.once_at(*after, Verdict::lose_leadership()),
            Self::ChangeAddressAt(after) => sim.once_at(*after, Verdict::Change(Change::ChangeAddress)),
            Self::RevokeSecretAt(name, after) => {
                let id = sim.secret(name)?;
                sim.once_at(*after, Verdict::Change(Change::RevokeSecret(id)));
            }
            Self::FailCommit(reason) => sim.once_hook(Fate::FailCommit(reason.clone())),
            Self::LoseCommit => sim.once_hook(Fate::LoseCommit),
            other => unreachable!("`{other}` is run elsewhere"),
        }
        Ok(())
    }
}

/// What a step has Juju say when it refuses a hook command.
const REFUSAL: &str = "refused by the scenario";

fn pairs(content: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    content.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect()
}

impl Sim {
    /// Gives a charm a name, by which steps deploy it and upgrade to it.
    pub fn name_charm(&mut self, name: impl Into<String>, charm: impl Into<CharmSource>) {
        self.names.charms.insert(name.into(), charm.into());
    }

    fn named_charm(&self, name: &str) -> Result<CharmSource, ModelError> {
        let charm = self.names.charms.get(name).cloned();
        charm.ok_or_else(|| ModelError::NoCharm {
            name: name.to_owned(),
            known: self.names.charms.keys().cloned().collect(),
        })
    }

    /// The relation between two endpoints, each `application:endpoint`.
    pub fn relation_between(&self, one: &str, other: &str) -> Option<u32> {
        self.relation_of(&[one, other])
    }

    /// The relation with these endpoints, each `application:endpoint`: two, or one for peers.
    ///
    /// An application alone stands for any endpoint of it, when there is only one such relation.
    pub fn relation_of(&self, ends: &[&str]) -> Option<u32> {
        let is_meant = |relation: &&crate::model::Relation| {
            let names: Vec<String> = relation.ends.iter().map(ToString::to_string).collect();
            let is = |end: &str, name: &str| {
                name == end || !end.contains(':') && name.split(':').next() == Some(end)
            };
            match (ends, names.as_slice()) {
                ([one], [name]) => is(one, name),
                ([one, other], [name, next]) => {
                    is(one, name) && is(other, next) || is(one, next) && is(other, name)
                }
                _ => false,
            }
        };
        let mut meant = self.model.relations.values().filter(is_meant);
        let first = meant.next()?;
        meant.next().is_none().then_some(first.number)
    }

    fn related(&self, ends: &[&str]) -> Result<u32, SimError> {
        self.relation_of(ends).ok_or_else(|| {
            let ends = ends.join(" ");
            ModelError::NotRelated { ends }.into()
        })
    }

    /// The names of the units of an application, by number.
    pub fn units(&self, application: &str) -> Vec<UnitName> {
        let of_it = self.model.units.keys().filter(|name| name.application().as_str() == application);
        of_it.cloned().collect()
    }

    fn known(&self, unit: &str) -> Result<UnitName, SimError> {
        Ok(self.model.unit(&UnitName::parse(unit)?)?.name.clone())
    }

    /// The id of a secret: of one that a step made under a name, of one with this label, or the id itself.
    fn secret(&self, name: &str) -> Result<String, ModelError> {
        let name = name.strip_prefix("secret:").unwrap_or(name);
        if let Some(id) = self.names.secrets.get(name) {
            return Ok(id.clone());
        }
        let is_meant = |(id, secret): &(&String, &crate::secret::Secret)| {
            *id == name || secret.label.as_deref() == Some(name)
        };
        let found = self.model.secrets.iter().find(is_meant);
        found.map(|(id, _)| id.clone()).ok_or_else(|| ModelError::NoSecret { id: name.to_owned() })
    }

    /// The value of an option, with the id in place of the name of a secret.
    fn with_secret(&self, value: &str) -> String {
        let named = value.strip_prefix("secret:").and_then(|name| self.names.secrets.get(name));
        named.cloned().unwrap_or_else(|| value.to_owned())
    }

    /// Has something become of the hook command that comes after `after` more; once.
    fn once_at(&mut self, after: usize, verdict: Verdict) {
        let at = self.commands_asked() + after;
        self.once(move |command| command.total == at, verdict);
    }

    /// Has something become of the first hook command that is meant.
    fn once(&mut self, is_meant: impl Fn(&Command<'_>) -> bool + 'static, verdict: Verdict) {
        let guard = Rc::new(Cell::new(None));
        let own = Rc::clone(&guard);
        guard.set(Some(self.rule(move |command| {
            if !is_meant(command) {
                return Verdict::Run;
            }
            // The rule takes itself away.
            own.take();
            verdict.clone()
        })));
    }

    /// Has something become of the next hook.
    fn once_hook(&mut self, fate: Fate) {
        let guard = Rc::new(Cell::new(None));
        let own = Rc::clone(&guard);
        guard.set(Some(self.hook_rule(move |_| {
            own.take();
            fate.clone()
        })));
    }
}
