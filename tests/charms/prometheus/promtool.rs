//! Which jobs Prometheus can take, according to its own checker.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use charms_reactive::{FileEffect, HandlerError};
use prometheus_manual::Job;
use prometheus_manual::render::Rendered;
use serde_json::{Value, json};

use crate::configuration::Configuration;
use crate::obstacle::Obstacle;

/// The name of a job that is only there to be checked.
const JOB: &str = "certificates";

/// What promtool says before the reason why a certificate cannot be used.
const UNUSABLE: &str = "Could not create new discoverer";

/// Why no configuration could be checked.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    /// The program could not be started.
    #[error("cannot start `promtool`")]
    Start(#[source] io::Error),
    /// There is no room for a candidate.
    #[error("cannot make a folder for a candidate configuration")]
    Folder(#[source] io::Error),
}

/// Renders `jobs`, with certificate files in `certificates`, and refuses those that promtool does.
///
/// The candidates lie in a temporary folder, with certificate files of their own: promtool wants them
/// to exist, and nothing is to be written yet where Prometheus looks.
pub(crate) fn sift(jobs: Vec<Job>, interval: &str, certificates: &Path) -> Result<Rendered, HandlerError> {
    let folder = tempfile::tempdir().map_err(CheckError::Folder)?;
    let candidate = Rendered::new(jobs.clone(), folder.path());
    for (path, content, mode) in candidate.files() {
        FileEffect::Write { content: content.into(), mode }.apply(path)?;
    }
    let mut sieve = Sieve { interval, folder: folder.path(), passed: Vec::new(), refused: BTreeMap::new() };
    let named: Vec<(String, Value)> =
        candidate.accepted.iter().map(|(job, item)| (job.final_name(), item.clone().into())).collect();
    if let Some(reason) = sieve.check(&[])? {
        return Err(Obstacle::Interval { reason }.into());
    }
    sieve.sift(&named)?;
    let mut rendered = Rendered::new(jobs, certificates);
    rendered.refuse(|job| sieve.refused.get(&job.final_name()).cloned());
    Ok(rendered)
}

/// The jobs sifted so far.
struct Sieve<'a> {
    interval: &'a str,
    folder: &'a Path,
    /// Fine, all together.
    passed: Vec<Value>,
    /// Names and reasons.
    refused: BTreeMap<String, String>,
}

impl Sieve<'_> {
    /// Adds to `passed` what can be taken besides it, and the others to `refused`.
    ///
    /// Costs one check, of one or two runs of promtool, where all is well, and for each bad job two for each halving on the way to it.
    fn sift(&mut self, jobs: &[(String, Value)]) -> Result<(), HandlerError> {
        match (self.check(jobs)?, jobs) {
            (None, _) => self.passed.extend(jobs.iter().map(|(_, item)| item.clone())),
            (Some(reason), [(name, _)]) => {
                self.refused.insert(name.clone(), reason);
            }
            (Some(_), jobs) => {
                let (left, right) = jobs.split_at(jobs.len() / 2);
                self.sift(left)?;
                self.sift(right)?;
            }
        }
        Ok(())
    }

    /// Asks promtool about what passed and `jobs`; the reason when it refuses them.
    fn check(&self, jobs: &[(String, Value)]) -> Result<Option<String>, HandlerError> {
        let items = self.passed.iter().chain(jobs.iter().map(|(_, item)| item)).cloned().collect();
        let path = self.write(items)?;
        let output = promtool(&["check", "config"], &[&path])?;
        if output.status.success() {
            return self.check_certificates(jobs);
        }
        Ok(Some(short(&String::from_utf8_lossy(&output.stderr), &path)))
    }

    /// Asks promtool whether the certificates of `jobs` can be used; the reason when they cannot.
    ///
    /// `check config` only looks whether the files are there, and a Prometheus that cannot use them goes
    /// on without the job and without a word to us.  Where promtool does read them is service discovery
    /// over HTTP; a time limit of nothing keeps it from asking anybody.
    fn check_certificates(&self, jobs: &[(String, Value)]) -> Result<Option<String>, HandlerError> {
        let configs: Vec<&Value> = jobs.iter().filter_map(|(_, item)| item.get("tls_config")).collect();
        if configs.is_empty() {
            return Ok(None);
        }
        let discovery = |config: &&Value| json!({ "url": "http://127.0.0.1:1/", "tls_config": config });
        let discoveries: Vec<Value> = configs.iter().map(discovery).collect();
        let path = self.write(vec![json!({ "job_name": JOB, "http_sd_configs": discoveries })])?;
        let output = promtool(&["check", "service-discovery", "--timeout=0s"], &[&path, Path::new(JOB)])?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Before 2.34, promtool could not do this, and says something else.
        Ok(said.split_once(UNUSABLE).map(|(_, reason)| without_paths(reason.trim(), &configs)))
    }

    /// Writes a candidate with these items of `scrape_configs`.
    fn write(&self, items: Vec<Value>) -> Result<PathBuf, HandlerError> {
        let path = self.folder.join("prometheus.yml");
        let content = Configuration::new(self.interval, items).to_yaml()?.into();
        FileEffect::Write { content, mode: 0o600 }.apply(&path)?;
        Ok(path)
    }
}

fn promtool(command: &[&str], arguments: &[&Path]) -> Result<Output, HandlerError> {
    #[expect(clippy::disallowed_methods, reason = "promtool is the judge of what Prometheus takes")]
    let output = Command::new("promtool").args(command).args(arguments).stdin(Stdio::null()).output();
    output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Obstacle::Missing { program: "promtool" }.into(),
        _ => CheckError::Start(error).into(),
    })
}

/// What promtool said, in one line that makes sense to whoever wrote the job.
fn short(said: &str, path: &Path) -> String {
    let said = said.split_once("FAILED: ").map_or(said, |(_, reason)| reason);
    let said = said.replace(&format!("parsing YAML file {}: ", path.display()), "");
    let said = said.replace("yaml: unmarshal errors:", "");
    let lines = said.lines().map(|line| without_place(line.trim())).filter(|line| !line.is_empty());
    let reasons: Vec<String> = lines.map(without_value).collect();
    if reasons.is_empty() { "promtool gives no reason".to_owned() } else { reasons.join("; ") }
}

/// Names the fields of the request rather than files that nobody else sees.
fn without_paths(reason: &str, configs: &[&Value]) -> String {
    let fields = [("ca_file", "`ca_cert`"), ("cert_file", "`client_cert`"), ("key_file", "`client_key`")];
    let mut reason = reason.to_owned();
    for config in configs {
        for (key, field) in fields {
            if let Some(path) = config.get(key).and_then(Value::as_str).filter(|path| !path.is_empty()) {
                reason = reason.replace(path, field);
            }
        }
    }
    reason
}

/// The number of a line is that of a file that nobody sees.
fn without_place(line: &str) -> &str {
    let is_place =
        |place: &str| place.strip_prefix("line ").is_some_and(|number| number.parse::<u32>().is_ok());
    match line.split_once(": ") {
        Some((place, reason)) if is_place(place) => reason,
        _ => line,
    }
}

/// Leaves out a value of a wrong type, which may be half of a password:
/// ``cannot unmarshal !!str `hunter2` into config.BasicAuth``.
fn without_value(line: &str) -> String {
    let quoted = line.starts_with("cannot unmarshal ").then(|| Some((line.find(" `")?, line.rfind('`')?)));
    match quoted.flatten() {
        Some((start, end)) => format!("{}{}", &line[..start], &line[end + 1..]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(said: &str, expected: &str) {
        assert_eq!(short(said, Path::new("/tmp/x/prometheus.yml")), expected);
    }

    #[test]
    fn what_promtool_says_is_made_short() {
        check(
            "  FAILED: parsing YAML file /tmp/x/prometheus.yml: not a valid duration string: \"abc\"\n\n",
            "not a valid duration string: \"abc\"",
        );
        check(
            "  FAILED: parsing YAML file /tmp/x/prometheus.yml: yaml: unmarshal errors:\n  \
             line 3: field foo not found in type config.ScrapeConfig\n  \
             line 4: cannot unmarshal !!seq into string\n\n",
            "field foo not found in type config.ScrapeConfig; cannot unmarshal !!seq into string",
        );
        check("", "promtool gives no reason");
    }

    #[test]
    fn a_value_of_a_wrong_type_is_not_repeated() {
        check(
            "  FAILED: parsing YAML file /tmp/x/prometheus.yml: yaml: unmarshal errors:\n  \
             line 8: cannot unmarshal !!str `hunter2` into config.BasicAuth\n",
            "cannot unmarshal !!str into config.BasicAuth",
        );
    }

    #[test]
    fn certificates_are_called_by_the_fields_they_came_in() {
        let config =
            json!({ "ca_file": "/tmp/x/a.ca.crt", "cert_file": "/tmp/x/a.crt", "key_file": "/tmp/x/a.key" });
        let reason = "unable to use specified client cert (/tmp/x/a.crt) & key (/tmp/x/a.key): tls: no match";
        assert_eq!(
            without_paths(reason, &[&config]),
            "unable to use specified client cert (`client_cert`) & key (`client_key`): tls: no match"
        );
    }

    #[test]
    fn a_bad_expression_is_shown_as_it_is() {
        check(
            "  FAILED: parsing YAML file /tmp/x/prometheus.yml: error parsing regexp: missing closing ): `^(?:()$`\n",
            "error parsing regexp: missing closing ): `^(?:()$`",
        );
    }
}
