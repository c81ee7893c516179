//! The same kind of step, but less of it: for failures that people can read.

use std::time::Duration;

use super::Step;

impl Step {
    /// Steps that may do in place of this one, the simplest first.
    ///
    /// What is simpler never leads back, so that making a list of steps simpler comes to an end.
    pub(crate) fn simpler(&self) -> Vec<Self> {
        let fewer = |count: usize| 0..count;
        match self {
            Self::KillAt(at) => fewer(*at).map(Self::KillAt).collect(),
            Self::RefuseAt(at) => fewer(*at).map(Self::RefuseAt).collect(),
            Self::LoseLeadershipAt(at) => fewer(*at).map(Self::LoseLeadershipAt).collect(),
            Self::ChangeAddressAt(at) => fewer(*at).map(Self::ChangeAddressAt).collect(),
            Self::RevokeSecretAt(secret, at) => {
                let earlier = fewer(*at).map(|at| Self::RevokeSecretAt(secret.clone(), at));
                std::iter::once(Self::RevokeSecret(secret.clone())).chain(earlier).collect()
            }
            Self::Advance(time) => {
                let less = [Duration::from_secs(1), Duration::from_mins(1), Duration::from_mins(6)];
                let less = less.into_iter().filter(|less| less < time).map(Self::Advance);
                std::iter::once(Self::Settle).chain(less).collect()
            }
            Self::Configure(application, options) if options.len() > 1 => {
                options.iter().map(|(name, value)| Self::configure(application, name, value)).collect()
            }
            Self::ResetConfig(application, options) if options.len() > 1 => options
                .iter()
                .map(|name| Self::ResetConfig(application.clone(), vec![name.clone()]))
                .collect(),
            Self::RunAction(unit, action, parameters) if !parameters.is_empty() => {
                vec![Self::RunAction(unit.clone(), action.clone(), serde_json::Map::new())]
            }
            Self::EnqueueAction(unit, action, parameters) => {
                vec![Self::RunAction(unit.clone(), action.clone(), parameters.clone())]
            }
            Self::AddStorage(unit, name, count) if *count > 1 => {
                vec![Self::AddStorage(unit.clone(), name.clone(), 1)]
            }
            Self::LoseUnit(unit) => vec![Self::RemoveUnit(unit.clone())],
            Self::LosePod(unit) => vec![Self::ReplacePod(unit.clone())],
            Self::Scale(application, _) | Self::AddUnitBeside(application, _) => {
                vec![Self::AddUnit(application.clone())]
            }
            Self::UpgradeForced(application, charm) => {
                vec![Self::Upgrade(application.clone(), charm.clone())]
            }
            Self::Settle => vec![Self::Hook],
            _ => vec![],
        }
    }
}
