//! Where in a job a value stands.

use std::fmt;

/// How much of a key a message shows: keys come from outside too.
const KEY_CHARS_MAX: usize = 40;

/// The way from the job to one of its values, kept on the stack: it is written out only when
/// something is wrong.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Job,
    Key(&'a str),
    Item(usize),
}

impl<'a> Place<'a> {
    /// The job itself.
    pub(super) const JOB: Place<'static> = Place { parent: None, step: Step::Job };

    /// The value of `key` in the map that stands here.
    pub(super) fn key(&'a self, key: &'a str) -> Place<'a> {
        Place { parent: Some(self), step: Step::Key(key) }
    }

    /// An item of the list that stands here.
    pub(super) fn item(&'a self, index: usize) -> Place<'a> {
        Place { parent: Some(self), step: Step::Item(index) }
    }

    /// Whether a key on the way says that a secret may stand here.
    pub(super) fn may_be_secret(&self) -> bool {
        let is_secret_here = match self.step {
            // An address, also below `oauth2`, is what an operator needs to see.
            Step::Key(key) if key.ends_with("_url") => return false,
            Step::Key(key) => is_secret_key(&key.to_ascii_lowercase()),
            Step::Job | Step::Item(_) => false,
        };
        is_secret_here || self.parent.is_some_and(Place::may_be_secret)
    }
}

/// Guesses on the safe side: a hidden number is a small loss.
fn is_secret_key(key: &str) -> bool {
    const WORDS: [&str; 9] = [
        "password",
        "passwd",
        "secret",
        "token",
        "credential",
        "auth",
        "header",
        "claims",
        "endpoint_params",
    ];
    if key.ends_with("_file") {
        return false;
    }
    key == "key"
        || key.ends_with("_key")
        || key.ends_with("apikey")
        || WORDS.iter().any(|word| key.contains(word))
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}")?;
        }
        match self.step {
            Step::Job => Ok(()),
            Step::Item(index) => write!(f, "[{index}]"),
            Step::Key(key) => {
                if self.parent.is_some_and(|parent| !matches!(parent.step, Step::Job)) {
                    f.write_str(".")?;
                }
                match key.char_indices().nth(KEY_CHARS_MAX) {
                    None => write!(f, "{}", key.escape_debug()),
                    Some((end, _)) => write!(f, "{}...", key[..end].escape_debug()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_like_a_path() {
        let job = Place::JOB;
        let list = job.key("static_configs");
        let group = list.item(0);
        let targets = group.key("targets");
        assert_eq!(targets.item(1).to_string(), "static_configs[0].targets[1]");
    }

    #[test]
    fn a_key_from_outside_is_clipped_and_escaped() {
        let key = format!("a\u{1b}[31m\n{}", "x".repeat(100));
        let text = Place::JOB.key(&key).to_string();
        assert_eq!(text, format!("a\\u{{1b}}[31m\\n{}...", "x".repeat(KEY_CHARS_MAX - 7)));
    }

    #[test]
    fn everything_below_a_secret_key_may_be_secret() {
        let job = Place::JOB;
        for key in ["basic_auth", "bearer_token", "client_secret", "key", "api_key", "http_headers"] {
            let place = job.key(key);
            assert!(place.may_be_secret() && place.key("x").may_be_secret(), "`{key}`");
        }
        for key in ["scrape_interval", "key_file", "token_url", "metrics_path", "keep_dropped_targets"] {
            assert!(!job.key(key).may_be_secret(), "`{key}`");
        }
    }
}
