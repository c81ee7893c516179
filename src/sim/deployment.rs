//! How an application is deployed, beyond its charm and its number of units.

use std::rc::Rc;

use charms_reactive_core::{ApplicationName, UnitName};
use serde_json::Value;

use crate::charm::CharmSource;
use crate::error::{ModelError, SimError};
use crate::event::Event;
use crate::metadata::{Charm, ResourceKind};
use crate::model::{Application, Home, Model, Resource, Substrate, new_uuid};
use crate::operator::acted;
use crate::sim::{Sim, counted};
use crate::version::JujuVersion;

/// What `juju deploy` is told beside the charm.
///
/// ```
/// use charms_reactive_sim::Deployment;
///
/// let deployment = Deployment::units(2).storage("data", 3).config("port", "8080").trust();
/// # let _ = deployment;
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Deployment {
    units: u32,
    config: Vec<(String, String)>,
    storage: Vec<(String, u32)>,
    resources: Vec<(String, Vec<u8>)>,
    is_trusted: bool,
    model: Option<String>,
}

impl Deployment {
    /// So many units; none for a subordinate, whose units come with their principals.
    pub fn units(units: u32) -> Self {
        Self { units, ..Self::default() }
    }

    /// An option from the start, as `--config` gives it.
    pub fn config(mut self, option: impl Into<String>, text: impl Into<String>) -> Self {
        self.config.push((option.into(), text.into()));
        self
    }

    /// How many instances of a storage each unit gets, as `--storage` gives it; as few as the charm
    /// takes without this.
    pub fn storage(mut self, name: impl Into<String>, count: u32) -> Self {
        self.storage.push((name.into(), count));
        self
    }

    /// The content of a resource, as `--resource` gives it; for an image, its registry path.
    pub fn resource(mut self, name: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        self.resources.push((name.into(), content.into()));
        self
    }

    /// Units may ask for the cloud's credential.
    pub fn trust(mut self) -> Self {
        self.is_trusted = true;
        self
    }

    /// The application is in another model, which consumes offers of this one, or offers to it.
    pub fn in_model(mut self, name: impl Into<String>) -> Self {
        self.model = Some(name.into());
        self
    }
}

impl Sim {
    /// Deploys a charm under a name, with all that `deployment` says.
    ///
    /// # Errors
    ///
    /// As for [`Sim::deploy`]; [`ModelError::StorageCount`], [`ModelError::NoResource`] and what
    /// [`Sim::configure`] gives for what the charm does not take.  Nothing is deployed then.
    pub fn deploy_with(
        &mut self,
        name: &str,
        charm: impl Into<CharmSource>,
        deployment: &Deployment,
    ) -> Result<(), SimError> {
        let name = ApplicationName::parse(name)?;
        let charm = self.read(charm.into())?;
        if charm.is_subordinate && deployment.units > 0 {
            return Err(ModelError::Subordinate { name }.into());
        }
        self.act(format!("deploy {name}, {}", counted(deployment.units)), |sim| {
            sim.model.add_application(&name, charm)?;
            if let Err(error) = sim.model.equip(&name, deployment) {
                sim.model.forget_application(&name);
                return Err(error.into());
            }
            sim.warn_of(&name);
            (0..deployment.units).try_for_each(|_| sim.place_unit(&name).map(drop))
        })
    }

    /// Adds a unit on the machine of another one, as `--to` does.
    pub fn add_unit_beside(&mut self, application: &str, unit: &str) -> Result<UnitName, SimError> {
        let machine = self.model.unit(&UnitName::parse(unit)?)?.machine;
        self.model.act(format!("add a unit to {application}, beside {unit}"), |model| {
            Ok(model.add_unit_to(&ApplicationName::parse(application)?, machine)?)
        })
    }

    /// Has an application have so many units: new ones are added, those with the highest numbers go.
    ///
    /// # Source
    ///
    /// `juju scale-application`, the only way on Kubernetes.
    pub fn scale(&mut self, application: &str, units: usize) -> Result<(), SimError> {
        let name = ApplicationName::parse(application)?;
        self.model.application(&name)?;
        let is_staying = |unit: &&crate::model::Unit| unit.life == crate::model::Life::Alive;
        let there: Vec<UnitName> =
            self.model.units_of(&name).filter(is_staying).map(|unit| unit.name.clone()).collect();
        self.act(format!("scale {application} to {units}"), |sim| {
            (there.len()..units).try_for_each(|_| sim.place_unit(&name).map(drop))?;
            for unit in there.iter().skip(units).rev() {
                sim.model.end_unit(unit);
            }
            Ok(())
        })
    }

    /// Gives an application another file for a resource: its units get `upgrade-charm`.
    ///
    /// # Source
    ///
    /// `juju attach-resource`; `juju/juju:state/resources.go` counts `CharmModifiedVersion` up.
    pub fn attach_resource(
        &mut self,
        application: &str,
        resource: &str,
        content: impl Into<Vec<u8>>,
    ) -> Result<(), SimError> {
        let name = ApplicationName::parse(application)?;
        self.model.act(format!("attach {resource} to {name}"), |model| {
            let application = model.application_mut(&name)?;
            application.give_resource(resource, content.into())?;
            application.charm_modified += 1;
            model.roll_pods(&name);
            Ok(())
        })
    }

    /// Has an application be trusted with the cloud's credential, or not any more.
    ///
    /// # Source
    ///
    /// `juju trust`; `U/resolver.go` takes the change for one of the configuration.
    pub fn set_trust(&mut self, application: &str, is_trusted: bool) -> Result<(), SimError> {
        let verb = if is_trusted { "trust" } else { "trust no more" };
        self.model.act(format!("{verb} {application}"), |model| {
            model.application_mut(&ApplicationName::parse(application)?)?.is_trusted = is_trusted;
            Ok(())
        })
    }

    /// What `credential-get` answers to applications that are trusted; a made-up cloud without this.
    pub fn set_credential(&mut self, credential: Value) {
        self.model.journal.record(acted("change the cloud's credential".to_owned()));
        self.model.credential = Some(credential);
    }

    /// Gives an application another charm, as `juju refresh --force-units` does: units in error take
    /// over its files, too, and go back to the hook that failed.
    ///
    /// # Errors
    ///
    /// As for [`Sim::upgrade`].
    ///
    /// # Source
    ///
    /// `U/resolver.go`, `nextOpHookError`; there is no `upgrade-charm` for such a unit.
    pub fn upgrade_forced(
        &mut self,
        application: &str,
        charm: impl Into<CharmSource>,
    ) -> Result<(), SimError> {
        self.upgrade(application, charm)?;
        let name = ApplicationName::parse(application)?;
        self.model.application_mut(&name)?.is_upgrade_forced = true;
        let units: Vec<UnitName> = self.model.units_of(&name).map(|unit| unit.name.clone()).collect();
        for unit in units {
            self.replace_failed_charm(&unit)?;
        }
        Ok(())
    }

    /// Puts the files of a forced upgrade under a hook that has failed.
    pub(crate) fn replace_failed_charm(&mut self, name: &UnitName) -> Result<(), SimError> {
        let unit = self.model.unit(name)?;
        let application = self.model.application(name.application())?;
        let is_meant = unit.failed.is_some()
            && application.is_upgrade_forced
            && !unit.is_upgrade_held
            && unit.charm_modified != application.charm_modified;
        if !is_meant {
            return Ok(());
        }
        let (new, old) = (Rc::clone(&application.charm), Rc::clone(&unit.charm));
        let (revision, modified) = (application.charm_revision, application.charm_modified);
        self.agents.deploy(name, &new, Some(&old))?;
        let unit = self.model.unit_mut(name)?;
        unit.charm = new;
        (unit.charm_revision, unit.charm_modified) = (revision, modified);
        self.model.journal.record(Event::CharmReplaced { unit: name.clone() });
        Ok(())
    }
}

impl Model {
    /// Gives a new application what its deployment says.
    fn equip(&mut self, name: &ApplicationName, deployment: &Deployment) -> Result<(), ModelError> {
        let home = deployment.model.as_deref().map(|model| self.home(model));
        let application = self.application_mut(name)?;
        let options: Vec<(&str, &str)> =
            deployment.config.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        application.configure(&options)?;
        for (storage, count) in &deployment.storage {
            let wrong = |reason| Err(ModelError::StorageCount { name: storage.clone(), reason });
            match application.charm.storage.get(storage) {
                None => return wrong("charm has no store of this name".to_owned()),
                Some(spec) => {
                    if let Some(reason) = spec.refusal(*count) {
                        return wrong(reason);
                    }
                }
            }
            application.storage.insert(storage.clone(), *count);
        }
        for (resource, content) in &deployment.resources {
            application.give_resource(resource, content.clone())?;
        }
        application.is_trusted = deployment.is_trusted;
        application.home = home;
        Ok(())
    }

    /// The other model of this name.
    fn home(&mut self, name: &str) -> Rc<Home> {
        let known = self.applications.values().filter_map(|application| application.home.as_ref());
        if let Some(home) = known.into_iter().find(|home| home.name == name) {
            return Rc::clone(home);
        }
        Rc::new(Home { name: name.to_owned(), uuid: new_uuid(&mut self.ids) })
    }

    /// Takes an application out that has no unit and was never in use.
    fn forget_application(&mut self, name: &ApplicationName) {
        self.applications.remove(name);
        self.relations.retain(|_, relation| relation.end(name).is_none());
    }
}

impl Application {
    fn give_resource(&mut self, name: &str, content: Vec<u8>) -> Result<(), ModelError> {
        let Some(spec) = self.charm.resources.get(name) else {
            return Err(ModelError::NoResource { name: name.to_owned(), application: self.name.clone() });
        };
        let content = match spec.kind {
            ResourceKind::File { .. } => content,
            ResourceKind::Image => image(&content),
        };
        self.resources.insert(name.to_owned(), Resource { content });
        Ok(())
    }
}

/// The file that tells a charm where an image is.
///
/// # Source
///
/// `juju/juju:core/resource`, `DockerImageDetails`.
fn image(path: &[u8]) -> Vec<u8> {
    let path = String::from_utf8_lossy(path);
    format!("registrypath: {}\nusername: \"\"\npassword: \"\"\n", path.trim()).into_bytes()
}

/// The first thing that a charm assumes and this Juju does not have.
///
/// # Source
///
/// `juju/juju:core/assumes/sat_checker.go`.
pub(crate) fn missing_feature(charm: &Charm, juju: JujuVersion, substrate: Substrate) -> Option<String> {
    charm.assumes.iter().find(|assumed| !has_feature(assumed, juju, substrate)).map(shown)
}

fn shown(assumed: &Value) -> String {
    assumed.as_str().map_or_else(|| assumed.to_string(), str::to_owned)
}

fn has_feature(assumed: &Value, juju: JujuVersion, substrate: Substrate) -> bool {
    match assumed {
        Value::String(text) => {
            let words: Vec<&str> = text.split_whitespace().collect();
            let (name, bound) = match words.as_slice() {
                [name] => (*name, None),
                [name, order, version] => (*name, Some((*order, *version))),
                _ => return false,
            };
            let found = match (name, substrate) {
                ("juju", _) => juju,
                ("k8s-api", Substrate::Kubernetes) => JujuVersion::new(1, 29, 0),
                _ => return false,
            };
            let bound = bound.map(|(order, version)| (order, JujuVersion::bound(version)));
            match bound {
                None => true,
                Some((">=", Some(version))) => found >= version,
                Some(("<", Some(version))) => found < version,
                Some(_) => false,
            }
        }
        Value::Object(map) => map.iter().all(|(key, list)| {
            let mut features = list.as_array().into_iter().flatten();
            match key.as_str() {
                "any-of" => features.any(|feature| has_feature(feature, juju, substrate)),
                "all-of" => features.all(|feature| has_feature(feature, juju, substrate)),
                _ => false,
            }
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_charm_assumes_is_held_against_the_model() {
        let check = |assumed: Value, substrate, expected: bool| {
            let found = has_feature(&assumed, JujuVersion::V3_6, substrate);
            assert_eq!(found, expected, "{assumed} {substrate:?}");
        };
        let (machine, cluster) = (Substrate::Machine, Substrate::Kubernetes);
        check(json!("juju"), machine, true);
        check(json!("juju >= 3.1"), machine, true);
        check(json!("juju >= 3.6.9"), machine, false);
        check(json!("juju < 4"), machine, true);
        check(json!("juju < 3.6"), machine, false);
        check(json!("juju <= 3.6"), machine, false);
        check(json!("k8s-api"), machine, false);
        check(json!("k8s-api >= 1.20"), cluster, true);
        check(json!("gpu"), cluster, false);
        check(json!({"any-of": ["k8s-api", "juju >= 3"]}), machine, true);
        check(json!({"all-of": ["k8s-api", "juju >= 3"]}), machine, false);
    }
}
