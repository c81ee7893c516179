//! Which handlers would run now, and what the others wait for, in words.

mod flag;

use charms_reactive_core::Flag;
use serde::Serialize;

use crate::charm::App;
use crate::condition::Unmet;
use crate::dispatch::Dispatch;
use crate::handler::Handler;

use flag::Words;

/// What a handler waits for.
#[derive(Debug, Serialize)]
pub(crate) struct Explained {
    handler: &'static str,
    condition: String,
    /// Whether its flags are as it wants them, and, for a handler of hooks, this is one of them.
    would_run: bool,
    /// The hooks it runs in; empty for a handler that looks at flags alone.
    hooks: Vec<String>,
    /// Whether this is one of them, or it runs late.
    #[serde(skip)]
    is_its_hook: bool,
    /// What keeps it from running, besides the hook.
    waits_for: Vec<Wait>,
    /// What keeps it from running besides hook and flags, in words.
    waits_besides: Vec<String>,
    /// What kept it from going on in the last dispatch.
    #[serde(skip_serializing_if = "Option::is_none")]
    obstacle: Option<String>,
}

/// One thing that keeps a handler from running.
#[derive(Debug, Serialize)]
struct Wait {
    wants: Wants,
    flags: Vec<FlagWords>,
}

/// How many of the flags would have to be set.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Wants {
    All,
    Any,
    None,
    NotAll,
}

#[derive(Debug, Serialize)]
struct FlagWords {
    flag: String,
    because: String,
}

/// Explains the handlers of a charm, as the flags in `dispatch` are.
pub(crate) fn explain(app: &App, dispatch: &Dispatch) -> Vec<Explained> {
    let words = Words::new(dispatch);
    app.handlers.iter().map(|handler| Explained::new(handler, dispatch, &words)).collect()
}

impl Explained {
    fn new(handler: &Handler, dispatch: &Dispatch, words: &Words<'_>) -> Self {
        let hooks = handler.condition.hooks();
        let obstacle = dispatch.stalled.obstacle_before(handler);
        let is_its_hook = hooks.contains(&dispatch.context.event) || obstacle.is_some();
        let flags = dispatch.flags.borrow();
        let waits_for: Vec<Wait> =
            handler.condition.unmet(&flags).iter().map(|unmet| Wait::new(unmet, words)).collect();
        let waits_besides = dispatch.missing_besides_flags(handler);
        Self {
            handler: handler.name,
            condition: handler.condition.to_string(),
            would_run: waits_for.is_empty() && waits_besides.is_empty() && (hooks.is_empty() || is_its_hook),
            hooks: hooks.iter().map(ToString::to_string).collect(),
            is_its_hook,
            waits_for,
            waits_besides,
            obstacle,
        }
    }

    /// The name of the handler.
    pub(crate) fn handler(&self) -> &str {
        self.handler
    }
}

impl Wait {
    fn new(unmet: &Unmet<'_>, words: &Words<'_>) -> Self {
        let wants = match unmet {
            Unmet::NotSet(_) => Wants::All,
            Unmet::NoneSet(_) => Wants::Any,
            Unmet::Set(_) => Wants::None,
            Unmet::AllSet(_) => Wants::NotAll,
        };
        let told = |flag: &Flag, is_set| FlagWords {
            flag: flag.to_string(),
            because: if is_set { words.why_set(flag) } else { words.why_not_set(flag) },
        };
        let flags = unmet.flags().into_iter().map(|(flag, is_set)| told(flag, is_set)).collect();
        Self { wants, flags }
    }
}

impl std::fmt::Display for Explained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}: {}", self.handler, self.condition)?;
        let hooks = self.hooks.iter().map(|hook| format!("`{hook}`")).collect::<Vec<_>>().join(" or ");
        match (self.would_run, self.hooks.is_empty()) {
            (true, _) if self.obstacle.is_some() => {
                writeln!(f, "  would run in the next hook, whichever it is")?;
            }
            (true, true) => writeln!(f, "  would run in the next hook")?,
            (true, false) => writeln!(f, "  would run in this hook")?,
            (false, false) if !self.is_its_hook => writeln!(f, "  waiting for hook {hooks}")?,
            (false, _) => {}
        }
        if let Some(obstacle) = &self.obstacle {
            writeln!(f, "  met an obstacle in the last one: {obstacle}")?;
        }
        self.waits_for.iter().try_for_each(|wait| wait.fmt(f))?;
        self.waits_besides.iter().try_for_each(|wait| writeln!(f, "  waiting: {wait}"))
    }
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = |f: &mut std::fmt::Formatter<'_>, before: &str| {
            let mut flags = self.flags.iter();
            flags.try_for_each(|told| writeln!(f, "  {before}`{}`: {}", told.flag, told.because))
        };
        match self.wants {
            Wants::All => told(f, "waiting for "),
            Wants::None => told(f, "held back by "),
            Wants::Any => {
                writeln!(f, "  waiting for one of these:")?;
                told(f, "  ")
            }
            Wants::NotAll => {
                writeln!(f, "  held back while all of these are set:")?;
                told(f, "  ")
            }
        }
    }
}
