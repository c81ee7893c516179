//! Names as they are typed: short, or in full as the service has them.

use super::error::RuntimeConfigError;

/// A config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) project: String,
    pub(super) id: String,
}

impl Config {
    /// `ID`, or `projects/PROJECT/configs/ID`.
    pub(super) fn parse(text: &str, project: &str) -> Self {
        let full = text.trim_start_matches('/').strip_prefix("projects/");
        match full.and_then(|rest| rest.split_once("/configs/")) {
            Some((project, id)) => Self { project: project.to_owned(), id: id.to_owned() },
            None => Self { project: project.to_owned(), id: text.to_owned() },
        }
    }

    pub(super) fn full(&self) -> String {
        format!("projects/{}/configs/{}", self.project, self.id)
    }

    /// The path of its requests.
    pub(super) fn path(&self) -> String {
        format!("projects/{}/configs/{}", encoded(&self.project, false), encoded(&self.id, false))
    }
}

/// Something in a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) config: Config,
    /// `variables` or `waiters`.
    list: &'static str,
    /// As it was typed.
    pub(super) id: String,
}

impl Name {
    /// `ID` of the config that is named beside it, or the full name.
    pub(super) fn parse(
        text: &str,
        list: &'static str,
        config: Option<&str>,
        project: &str,
    ) -> Result<Self, RuntimeConfigError> {
        let full = text.trim_start_matches('/').strip_prefix("projects/");
        if let Some((config, id)) = full.and_then(|rest| rest.split_once(&format!("/{list}/"))) {
            let config = Config::parse(&format!("projects/{config}"), project);
            return Ok(Self { config, list, id: id.to_owned() });
        }
        let config = config.ok_or_else(|| {
            RuntimeConfigError::Setting(format!("`{text}` is of no config, expected `--config-name CONFIG`"))
        })?;
        Ok(Self { config: Config::parse(config, project), list, id: text.to_owned() })
    }

    pub(super) fn of(config: &Config, list: &'static str, id: &str) -> Self {
        Self { config: config.clone(), list, id: id.to_owned() }
    }

    pub(super) fn full(&self) -> String {
        format!("{}/{}/{}", self.config.full(), self.list, self.id)
    }

    /// The path of its list.
    pub(super) fn list_path(&self) -> String {
        format!("{}/{}", self.config.path(), self.list)
    }

    /// The path of its requests; slashes are part of it.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.list_path(), encoded(&self.id, true))
    }

    /// The path that is shown: slashes of the name itself are encoded, as gcloud shows them.
    pub(super) fn shown_path(&self) -> String {
        format!("{}/{}", self.list_path(), encoded(&self.normal_id(), false))
    }

    /// Without outer and repeated slashes.
    pub(super) fn normal_id(&self) -> String {
        let segments: Vec<&str> = self.id.split('/').filter(|segment| !segment.is_empty()).collect();
        segments.join("/")
    }
}

/// Text as it may stand in a URL.
pub(super) fn encoded(text: &str, has_slashes: bool) -> String {
    let mut url = String::with_capacity(text.len());
    for byte in text.bytes() {
        // A colon would begin the name of a method; in projects the service takes it encoded, too.
        let is_plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || has_slashes && byte == b'/';
        if is_plain {
            url.push(char::from(byte));
        } else {
            url.push('%');
            url.extend(
                [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])),
            );
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_or_full() {
        let short = Name::parse("/a//b/", "variables", Some("c"), "p").expect("a name");
        assert_eq!(short.full(), "projects/p/configs/c/variables//a//b/");
        assert_eq!(short.shown_path(), "projects/p/configs/c/variables/a%2Fb");
        let full = "projects/google.com:x/configs/d/variables/a/b";
        let name = Name::parse(full, "variables", None, "p").expect("a name");
        assert_eq!((name.full(), name.id.as_str()), (full.to_owned(), "a/b"));
        assert_eq!(name.path(), "projects/google.com%3Ax/configs/d/variables/a/b");
        let error = Name::parse("w", "waiters", None, "p").expect_err("no config");
        assert_eq!(error.to_string(), "`w` is of no config, expected `--config-name CONFIG`");
        assert_eq!(Config::parse("projects/q/configs/c", "p").full(), "projects/q/configs/c");
        assert_eq!(encoded("a b?ü/", true), "a%20b%3F%C3%BC/");
    }
}
