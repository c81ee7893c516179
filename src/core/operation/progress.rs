//! How far work has come, and how LXD's clients want to be told.

use serde_json::{Map, Value, json};

/// How far work has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What it is at: `download`, `unpack`; lower case, with underscores.
    pub stage: String,
    /// The same for a person; may be empty.
    pub text: String,
    /// How much is done.
    pub done: u64,
    /// Of how much, where that is known.
    pub total: Option<u64>,
    /// How much a second; 0: not known.
    pub rate: u64,
}

impl Progress {
    /// How much of a hundred; None where nobody knows.
    pub fn percent(&self) -> Option<u64> {
        let total = self.total.filter(|total| *total > 0)?;
        let percent = u128::from(self.done.min(total)) * 100 / u128::from(total);
        Some(u64::try_from(percent).expect("at most a hundred"))
    }

    /// Writes it into metadata, in place of what was said before: a map `progress` of texts, and a line
    /// `STAGE_progress`, which `lxc` shows.
    pub fn write_to(&self, metadata: &mut Map<String, Value>) {
        metadata.retain(|key, _| !key.ends_with("progress"));
        let mut parts = Map::new();
        let numbers = [
            ("percent", self.percent().unwrap_or(0)),
            ("processed", if self.total.is_some() { 0 } else { self.done }),
            ("speed", self.rate),
        ];
        for (key, number) in numbers.into_iter().filter(|(_, number)| *number > 0) {
            parts.insert(key.to_owned(), json!(number.to_string()));
        }
        if !self.stage.is_empty() {
            parts.insert("stage".to_owned(), json!(self.stage));
        }
        metadata.insert("progress".to_owned(), Value::Object(parts));
        metadata.insert(format!("{}_progress", self.stage), json!(self.line()));
    }

    /// `Unpack: 40% (2/s)`
    fn line(&self) -> String {
        let amount = match self.percent() {
            Some(percent) => format!("{percent}%"),
            None => self.done.to_string(),
        };
        let text = if self.text.is_empty() { String::new() } else { format!("{}: ", self.text) };
        let rate = if self.rate == 0 { String::new() } else { format!(" ({}/s)", self.rate) };
        format!("{text}{amount}{rate}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_lxd_are_told_in_two_ways() {
        let progress =
            Progress { stage: "unpack".into(), text: "Unpack".into(), done: 2, total: Some(5), rate: 3 };
        let mut metadata = Map::new();
        metadata.insert("fingerprint".into(), json!("ff"));
        metadata.insert("download_progress".into(), json!("100%"));
        progress.write_to(&mut metadata);
        let expected = json!({
            "fingerprint": "ff",
            "unpack_progress": "Unpack: 40% (3/s)",
            "progress": {"percent": "40", "speed": "3", "stage": "unpack"},
        });
        assert_eq!(Value::Object(metadata), expected);
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        let mut metadata = Map::new();
        Progress { stage: "copy".into(), done: 7, ..Progress::default() }.write_to(&mut metadata);
        let expected = json!({"copy_progress": "7", "progress": {"processed": "7", "stage": "copy"}});
        assert_eq!(Value::Object(metadata), expected);
        let whole = Progress { done: u64::MAX, total: Some(u64::MAX - 1), ..Progress::default() };
        assert_eq!(whole.percent(), Some(100));
        assert_eq!(Progress { total: Some(0), ..Progress::default() }.percent(), None);
    }
}
