//! A charm of ours in a model: as a function, or as its program.

use std::path::{Path, PathBuf};

use charms_reactive::{App, Context};
use charms_reactive_sim::hookcmd::HookCommands;
use charms_reactive_sim::{CharmSource, Environment, InProcess};

use crate::daemon::Daemons;
use crate::mode::Mode;

/// A charm, given as the function that makes its [`App`].
#[derive(Clone, Debug)]
#[must_use]
pub struct AppCharm {
    app: fn() -> App,
    daemons: Option<Daemons>,
}

/// The charm that `app` makes, to be run in process.
///
/// The app is made anew for each dispatch, as a process would.
pub fn in_process(app: fn() -> App) -> AppCharm {
    AppCharm { app, daemons: None }
}

impl AppCharm {
    /// With these as the daemons of its units.
    pub fn daemons(self, daemons: &Daemons) -> Self {
        Self { daemons: Some(daemons.clone()), ..self }
    }

    /// With `metadata.yaml`, `config.yaml` and `actions.yaml` from a folder: usually
    /// `env!("CARGO_MANIFEST_DIR")`.
    pub fn folder(self, folder: impl Into<PathBuf>) -> InProcess {
        InProcess::from_folder(folder, move |commands, environment| self.dispatch(commands, environment))
    }

    /// With this text as `metadata.yaml`.
    pub fn metadata(self, text: impl Into<String>) -> InProcess {
        InProcess::from_yaml(text, move |commands, environment| self.dispatch(commands, environment))
    }

    /// In either mode: its YAML files are in `yaml`; `program` is the folder of the packed charm.
    pub fn source(self, mode: Mode, yaml: impl AsRef<Path>, packed: impl AsRef<Path>) -> CharmSource {
        match mode {
            Mode::InProcess => self.folder(yaml.as_ref()).into(),
            Mode::Program => packed.as_ref().into(),
        }
    }

    /// One dispatch, as the charm's `main` would run it.
    fn dispatch(&self, commands: Box<dyn HookCommands>, environment: &Environment) -> i32 {
        let variable = |name: &str| environment.var(name).map(str::to_owned);
        let Ok(context) = Context::read(variable, environment.seed()) else { return 1 };
        let app = (self.app)();
        let app = self.daemons.iter().fold(app, |app, daemons| daemons.of(app));
        i32::from(charms_reactive::dispatch(&app, commands, context.at(environment.now())).is_err())
    }
}
