//! Which tools there are, and what the arguments ask for.

use super::{Found, Output, Session, ToolError, change, look};

/// A tool.
pub(super) struct Command {
    pub(super) name: &'static str,
    argument: Argument,
    /// One line.
    about: &'static str,
    /// What `--help` says besides.
    details: &'static str,
    pub(super) run: fn(&Session<'_>, Option<&str>) -> Result<Found, ToolError>,
}

/// What follows the name of a tool.
#[derive(Clone, Copy)]
enum Argument {
    None,
    Optional(&'static str),
    Needed(&'static str),
}

/// What was asked of a tool.
pub(super) struct Asked {
    pub(super) argument: Option<String>,
    pub(super) is_json: bool,
}

/// All tools, in the order of the help.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "flags",
        argument: Argument::None,
        about: "the flags that are set",
        details: "Prints the flags that the last dispatch kept, sorted, one a line.",
        run: look::flags,
    },
    Command {
        name: "set-flag",
        argument: Argument::Needed("FLAG"),
        about: "sets a flag, and does what triggers make of it",
        details: CHANGE,
        run: change::set,
    },
    Command {
        name: "clear-flag",
        argument: Argument::Needed("FLAG"),
        about: "clears a flag, and does what triggers make of it",
        details: CHANGE,
        run: change::clear,
    },
    Command {
        name: "explain",
        argument: Argument::Optional("HANDLER"),
        about: "which handlers would run now, and what the others wait for",
        details: "Tests each handler, or the one of this name, against the flags that the last dispatch kept.\n\
                  Flags that say that an option changed are set only in the dispatch that sees the change.",
        run: look::explain,
    },
    Command {
        name: "relations",
        argument: Argument::None,
        about: "the relations of each endpoint, and the units on them",
        details: "Asks Juju for relations and units; units that left are those the charm is not done with.",
        run: look::relations,
    },
    Command {
        name: "requests",
        argument: Argument::None,
        about: "requests and answers on each endpoint, without secrets",
        details: "Reads the data of every related unit.  Fields that may hold a secret are shown as `(hidden)`.",
        run: look::requests,
    },
    Command {
        name: "operations",
        argument: Argument::None,
        about: "what runs between hooks, and how it ended",
        details: "Asks the daemon of the unit how far they are.",
        run: look::operations,
    },
];

const CHANGE: &str = "Prints each flag that changes, with + or -.  No handler runs: the next hook runs those that the\n\
                      flags wake.  Juju keeps the change when the context ends (a hook that is being debugged: when\n\
                      it ends well).";

/// What the arguments ask for; or what is to be said at once.
pub(super) fn parse(arguments: &[String]) -> Result<(&'static Command, Asked), Output> {
    let mut words = Vec::new();
    let (mut is_json, mut is_help, mut is_over) = (false, false, false);
    for argument in arguments {
        match argument.as_str() {
            "--" if !is_over => is_over = true,
            "--json" if !is_over => is_json = true,
            "--help" | "-h" if !is_over => is_help = true,
            option if option.starts_with('-') && !is_over => {
                return Err(misunderstood(&format!("no option `{option}`")));
            }
            _ => words.push(argument.clone()),
        }
    }
    let mut words = words.into_iter();
    let name = match words.next() {
        Some(name) if name != "help" => name,
        _ if is_help || arguments.iter().any(|argument| argument == "help") => return Err(said(overview())),
        _ => return Err(misunderstood("no command")),
    };
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return Err(misunderstood(&format!("no command `{name}`")));
    };
    if is_help {
        return Err(said(command.help()));
    }
    let argument = words.next();
    let extra = match command.argument {
        Argument::None => argument.clone().or_else(|| words.next()),
        Argument::Optional(_) | Argument::Needed(_) => words.next(),
    };
    match (command.argument, &argument, extra) {
        (Argument::Needed(what), None, _) => Err(misunderstood(&format!("`{name}` needs a {what}"))),
        (_, _, Some(extra)) => Err(misunderstood(&format!("`{name}` does not take `{extra}`"))),
        _ => Ok((command, Asked { argument, is_json })),
    }
}

impl Command {
    fn usage(&self) -> String {
        match self.argument {
            Argument::None => self.name.to_owned(),
            Argument::Optional(what) => format!("{} [{what}]", self.name),
            Argument::Needed(what) => format!("{} {what}", self.name),
        }
    }

    fn help(&self) -> String {
        let (first, rest) = self.about.split_at(1);
        let (usage, details) = (self.usage(), self.details);
        let first = first.to_uppercase();
        format!("Usage: dispatch {usage} [--json]\n\n{first}{rest}.\n\n{details}\n\nOptions:\n{OPTIONS}")
    }
}

const OPTIONS: &str = "  --json  one line of JSON, for programs\n  --help  help, also after a command\n";

/// The help of all.
fn overview() -> String {
    let lines = COMMANDS.iter().map(|command| format!("  {:<17}  {}\n", command.usage(), command.about));
    let lines: String = lines.collect();
    format!(
        "Usage: dispatch [COMMAND] [OPTIONS]\n\n\
         Without a command, runs the hook or the action that Juju asks for.  With one, shows or changes what\n\
         the charm remembers of this unit:\n\n{lines}\n\
         Options:\n{OPTIONS}\n\
         In a hook context, in the directory of the charm:\n  \
         juju exec --unit web/0 -- ./dispatch flags\n  \
         juju debug-hooks web/0, and there ./dispatch flags\n"
    )
}

fn said(stdout: String) -> Output {
    Output { stdout, ..Output::default() }
}

fn misunderstood(problem: &str) -> Output {
    let names: Vec<String> = COMMANDS.iter().map(Command::usage).collect();
    let stderr = format!(
        "{problem}, expected `dispatch [COMMAND] [--json]` with one of: {}\nhint: `dispatch --help` says more\n",
        names.join(", ")
    );
    Output { code: 2, stdout: String::new(), stderr }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_may_stand_anywhere() {
        for line in ["set-flag a --json", "--json set-flag a", "set-flag --json -- a"] {
            let Ok((command, asked)) = parse(&words(line)) else { panic!("`{line}`") };
            assert_eq!(
                (command.name, asked.argument.as_deref(), asked.is_json),
                ("set-flag", Some("a"), true)
            );
        }
        let Ok((_, asked)) = parse(&words("set-flag -- --odd")) else { panic!("a flag may be named so") };
        assert_eq!(asked.argument.as_deref(), Some("--odd"));
    }

    #[test]
    fn what_is_not_understood_is_told_with_what_would_be() {
        for (line, problem) in [
            ("", "no command"),
            ("--json", "no command"),
            ("flag", "no command `flag`"),
            ("flags web", "`flags` does not take `web`"),
            ("explain a b", "`explain` does not take `b`"),
            ("set-flag", "`set-flag` needs a FLAG"),
            ("flags --yaml", "no option `--yaml`"),
        ] {
            let Err(output) = parse(&words(line)) else { panic!("`{line}`") };
            assert_eq!(output.code, 2, "`{line}`");
            assert!(
                output.stderr.starts_with(&format!("{problem}, expected `dispatch")),
                "{}",
                output.stderr
            );
            assert!(output.stdout.is_empty());
        }
    }

    #[test]
    fn help_is_no_mistake() {
        for line in ["--help", "-h", "help", "help flags"] {
            let Err(output) = parse(&words(line)) else { panic!("`{line}`") };
            assert_eq!(output.code, 0, "`{line}`");
            for command in COMMANDS {
                assert!(output.stdout.contains(&format!("  {} ", command.usage())), "{}", output.stdout);
            }
        }
    }

    #[test]
    fn each_command_has_a_help_of_its_own() {
        for command in COMMANDS {
            let Err(output) = parse(&words(&format!("{} --help", command.name))) else { panic!("no help") };
            assert_eq!(output.code, 0);
            assert!(
                output.stdout.starts_with(&format!("Usage: dispatch {}", command.usage())),
                "{}",
                output.stdout
            );
        }
    }
}
