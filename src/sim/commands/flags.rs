//! Reads the command lines of hook commands.

/// What follows a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing; `--flag=false` is taken as well.
    Nothing,
    /// A value.
    Value,
}

/// A flag of a hook command: its spellings without dashes, the first one names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    pub(crate) names: &'static [&'static str],
    pub(crate) takes: Takes,
}

impl Flag {
    /// A flag that is there or not.
    pub(crate) const fn switch(names: &'static [&'static str]) -> Self {
        Self { names, takes: Takes::Nothing }
    }

    /// A flag with a value.
    pub(crate) const fn value(names: &'static [&'static str]) -> Self {
        Self { names, takes: Takes::Value }
    }
}

/// A flag found on a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The first spelling of the flag.
    pub(crate) name: &'static str,
    /// As it was written, with its dashes, for messages.
    pub(crate) spelling: String,
    pub(crate) value: String,
}

/// A command line, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) flags: Vec<Found>,
    pub(crate) positional: Vec<String>,
}

impl Line {
    /// Reads `args`.
    ///
    /// # Errors
    ///
    /// What Juju says, without `ERROR`; the exit code is 2.
    ///
    /// # Source
    ///
    /// `juju/gnuflag:flag.go`.
    pub(crate) fn parse(args: &[String], flags: &[Flag]) -> Result<Self, String> {
        let mut line = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                line.positional.extend(args.by_ref().cloned());
            } else if let Some(long) = arg.strip_prefix("--") {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                line.long(name, value, flags, &mut args)?;
            } else if arg.len() > 1 && arg.starts_with('-') {
                line.short(&arg[1..], flags, &mut args)?;
            } else {
                line.positional.push(arg.clone());
            }
        }
        Ok(line)
    }

    fn long<'a>(
        &mut self,
        name: &str,
        value: Option<String>,
        flags: &[Flag],
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        let spelling = format!("--{name}");
        // Two dashes before one letter are not that flag.
        let flag = find(flags, name).filter(|_| name.chars().count() > 1);
        let flag = flag.ok_or_else(|| format!("option provided but not defined: {spelling}"))?;
        let value = match (flag.takes, value) {
            (Takes::Nothing, None) => "true".to_owned(),
            (Takes::Nothing, Some(value)) => match value.as_str() {
                "true" | "True" | "TRUE" | "t" | "T" | "1" => "true".to_owned(),
                "false" | "False" | "FALSE" | "f" | "F" | "0" => "false".to_owned(),
                _ => {
                    return Err(format!(
                        "invalid value \"{value}\" for option {spelling}: strconv.ParseBool: parsing \"{value}\": invalid syntax"
                    ));
                }
            },
            (Takes::Value, Some(value)) => value,
            (Takes::Value, None) => rest.next().cloned().ok_or_else(|| needs_argument(&spelling))?,
        };
        self.flags.push(Found { name: flag.names[0], spelling, value });
        Ok(())
    }

    fn short<'a>(
        &mut self,
        letters: &str,
        flags: &[Flag],
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            let spelling = format!("-{letter}");
            let flag = find(flags, letter.encode_utf8(&mut [0; 4]))
                .ok_or_else(|| format!("option provided but not defined: {spelling}"))?;
            if flag.takes == Takes::Value {
                let joined = &letters[at + letter.len_utf8()..];
                let value = match joined {
                    "" => rest.next().cloned().ok_or_else(|| needs_argument(&spelling))?,
                    joined => joined.to_owned(),
                };
                self.flags.push(Found { name: flag.names[0], spelling, value });
                return Ok(());
            }
            self.flags.push(Found { name: flag.names[0], spelling, value: "true".to_owned() });
        }
        Ok(())
    }

    /// The last value given to a flag.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.found(name).map(|found| found.value.as_str())
    }

    /// A flag as it was found last.
    pub(crate) fn found(&self, name: &str) -> Option<&Found> {
        self.flags.iter().rfind(|found| found.name == name)
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.value(name) == Some("true")
    }

    /// Refuses positional arguments from the `at`-th on.
    pub(crate) fn refuse_from(&self, at: usize) -> Result<(), String> {
        match self.positional.get(at..) {
            None | Some([]) => Ok(()),
            Some(rest) => {
                let quoted: Vec<_> = rest.iter().map(|arg| format!("{arg:?}")).collect();
                Err(format!("unrecognized args: [{}]", quoted.join(" ")))
            }
        }
    }

    /// The positional arguments as keys and values.
    ///
    /// # Source
    ///
    /// `juju/utils:keyvalues`: split at the first `=`; a key may not come twice.
    pub(crate) fn pairs(&self) -> Result<Vec<(String, String)>, String> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for arg in &self.positional {
            let Some((key, value)) = arg.split_once('=').filter(|(key, _)| !key.is_empty()) else {
                return Err(format!("expected \"key=value\", got {arg:?}"));
            };
            if pairs.iter().any(|(known, _)| known == key) {
                return Err(format!("key {key:?} specified more than once"));
            }
            pairs.push((key.to_owned(), value.to_owned()));
        }
        Ok(pairs)
    }
}

fn find<'a>(flags: &'a [Flag], name: &str) -> Option<&'a Flag> {
    flags.iter().find(|flag| flag.names.contains(&name))
}

fn needs_argument(spelling: &str) -> String {
    format!("option needs an argument: {spelling}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] =
        &[Flag::value(&["r", "relation"]), Flag::switch(&["app"]), Flag::switch(&["a", "all"])];

    /// Flags, a bar, positional arguments; or the refusal.
    #[track_caller]
    fn check(line: &str, expected: &str) {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let found = match Line::parse(&args, FLAGS) {
            Ok(line) => {
                let flags = line.flags.iter().map(|found| format!("{}={} ", found.name, found.value));
                format!("{}| {}", flags.collect::<String>(), line.positional.join(" "))
            }
            Err(error) => error,
        };
        assert_eq!(found.trim_end(), expected, "`{line}`");
    }

    #[test]
    fn flags_are_read_as_gnuflag_reads_them() {
        check("-r db:1 x", "r=db:1 | x");
        check("-rdb:1", "r=db:1 |");
        check("--relation=db:1 x --app", "r=db:1 app=true | x");
        check("--relation db:1", "r=db:1 |");
        check("x - y", "| x - y");
        check("-- --app -r", "| --app -r");
        check("-ar 3", "a=true r=3 |");
        check("--app=false", "app=false |");
        check("--ap", "option provided but not defined: --ap");
        check("--r 3", "option provided but not defined: --r");
        check("-x", "option provided but not defined: -x");
        check("x -r", "option needs an argument: -r");
        check("--relation", "option needs an argument: --relation");
    }

    #[test]
    fn pairs_split_at_the_first_equals_sign() {
        let pairs = |args: &[&str]| {
            let positional = args.iter().map(|arg| (*arg).to_owned()).collect();
            Line { positional, ..Line::default() }.pairs()
        };
        assert_eq!(pairs(&["a=1=2"]), Ok(vec![("a".to_owned(), "1=2".to_owned())]));
        assert_eq!(pairs(&["a="]), Ok(vec![("a".to_owned(), String::new())]));
        assert_eq!(pairs(&["a"]), Err("expected \"key=value\", got \"a\"".to_owned()));
        assert_eq!(pairs(&["=1"]), Err("expected \"key=value\", got \"=1\"".to_owned()));
        assert_eq!(pairs(&["a=1", "a=2"]), Err("key \"a\" specified more than once".to_owned()));
    }
}
