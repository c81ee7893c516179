//! All jobs at once: what goes into `scrape_configs`, which certificate files there are to be, and who
//! is refused.
//!
//! The half that both sides can use: a Prometheus renders what it was sent; a charm that runs a
//! scraper of its own renders its own jobs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use charms_reactive_core::digest::digest;
use charms_reactive_runtime::Hook;
use serde_json::{Map, Value};

use crate::Job;
use crate::job::CertificatePaths;

/// What the names of our files end with; others in the folder are not ours.
const ENDINGS: [&str; 3] = [".ca.crt", ".client.crt", ".client.key"];

/// Who may read a certificate.
const CERTIFICATE_MODE: u32 = 0o644;

/// Who may read a key.
const KEY_MODE: u32 = 0o600;

/// How much of a job's name is in the names of its files.
const NAME_CHARS_MAX: usize = 40;

/// All jobs, ready to be written.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// The jobs that are fine, each with its item of `scrape_configs`.
    pub accepted: Vec<(Job, Map<String, Value>)>,
    /// The jobs that would harm, each with a reason for its operator.
    pub refused: Vec<(Job, String)>,
    /// The certificate files: path, content, mode.
    files: Vec<(PathBuf, String, u32)>,
    folder: PathBuf,
}

impl Rendered {
    /// Renders `jobs`, with certificate files in `folder`, which is for them alone.
    pub fn new(jobs: Vec<Job>, folder: &Path) -> Self {
        let mut rendered = Self { folder: folder.to_owned(), ..Self::default() };
        let mut names = BTreeSet::new();
        for job in jobs {
            if let Err(error) = job.check() {
                // Whoever reads the reason knows which job it is about.
                let text = error.to_string();
                let reason = text.split_once("`: ").map_or(&*text, |(_, reason)| reason).to_owned();
                rendered.refused.push((job, reason));
            } else if !names.insert(job.final_name()) {
                let reason = format!("job `{}` is there already, from another relation", job.final_name());
                rendered.refused.push((job, reason));
            } else {
                rendered.accept(job);
            }
        }
        rendered
    }

    fn accept(&mut self, job: Job) {
        let request = &job.request;
        let name = file_name(&job);
        let mut path_of = |content: &Option<String>, ending: &str, mode: u32| {
            let path = self.folder.join(format!("{name}{ending}"));
            let content = content.as_ref()?;
            self.files.push((path.clone(), format!("{}\n", content.trim_end()), mode));
            Some(path.to_string_lossy().into_owned())
        };
        let ca = path_of(&request.ca_cert, ENDINGS[0], CERTIFICATE_MODE);
        let certificate = path_of(&request.client_cert, ENDINGS[1], CERTIFICATE_MODE);
        let key = path_of(&request.client_key, ENDINGS[2], KEY_MODE);
        let item = job.render(&CertificatePaths {
            ca_file: ca.as_deref(),
            cert_file: certificate.as_deref(),
            key_file: key.as_deref(),
        });
        self.accepted.push((job, item));
    }

    /// Refuses jobs of `accepted` after all, for example because promtool does; their files go too.
    pub fn refuse(&mut self, is_bad: impl Fn(&Job) -> Option<String>) {
        for (job, item) in std::mem::take(&mut self.accepted) {
            match is_bad(&job) {
                None => self.accepted.push((job, item)),
                Some(reason) => {
                    let name = file_name(&job);
                    self.files.retain(|(path, ..)| !is_file_of(path, &name));
                    self.refused.push((job, reason));
                }
            }
        }
    }

    /// The items of `scrape_configs`.
    pub fn scrape_configs(&self) -> Vec<Value> {
        self.accepted.iter().map(|(_, item)| Value::Object(item.clone())).collect()
    }

    /// The certificate files: path, content, and who may read it.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &str, u32)> {
        self.files.iter().map(|(path, content, mode)| (path.as_path(), content.as_str(), *mode))
    }

    /// Plans the certificate files: writes those that differ, removes those of jobs that went.
    pub fn plan_files(&self, hook: &mut Hook) {
        for (path, content, mode) in self.files() {
            hook.write_file(path, content, mode);
        }
        // A folder that cannot be read has nothing in it that could be removed.
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_ours = ENDINGS.iter().any(|ending| path.to_string_lossy().ends_with(ending));
            if is_ours && !self.files.iter().any(|(wanted, ..)| *wanted == path) {
                hook.remove_file(path);
            }
        }
    }
}

/// The beginning of the names of a job's files: readable, and unlike that of any other job.
fn file_name(job: &Job) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let name = job.request.job_name.chars().take(NAME_CHARS_MAX);
    let name: String = name.map(|character| if is_plain(character) { character } else { '-' }).collect();
    let whole = format!("{} {}", job.request.relation.relation_id(), job.final_name());
    format!("{name}-{}", digest(&whole))
}

fn is_file_of(path: &Path, name: &str) -> bool {
    let found = path.file_name().map(|found| found.to_string_lossy().into_owned()).unwrap_or_default();
    ENDINGS.iter().any(|ending| found.strip_suffix(ending) == Some(name))
}
