//! Why a scenario could not be run, and what may help.

use std::io;
use std::path::PathBuf;

use charms_reactive_sim::SimError;

/// Why a scenario could not be run.  What goes wrong *in* a run is a [`Problem`](super::play::Problem).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulateError {
    /// A file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a scenario.
    #[error("{place}: {problem}")]
    Scenario {
        /// The file, with the line and the column where they are known.
        place: String,
        /// What is wrong there.
        problem: String,
        /// What may help.
        hint: Option<String>,
    },
    /// What an application names as its charm is none.
    #[error("charm `{charm}` of `{of}` {problem}")]
    Charm {
        /// The charm as written.
        charm: String,
        /// The application, or the name under `charms`.
        of: String,
        /// What is wrong with it, to be read after its name.
        problem: String,
        /// What may help.
        hint: Option<String>,
    },
    /// A charm archive could not be unpacked.
    #[error("cannot unpack `{}`", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// Why.
        source: zip::result::ZipError,
    },
    /// The bundle cannot be deployed.
    #[error("cannot deploy `{what}`")]
    Deploy {
        /// An application, or a relation.
        what: String,
        /// Why.
        source: SimError,
    },
    /// The simulation cannot be made.
    #[error("cannot make the simulation")]
    Simulation {
        /// Why.
        source: SimError,
    },
}

impl SimulateError {
    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Scenario { hint, .. } | Self::Charm { hint, .. } => hint.clone(),
            _ => None,
        }
    }
}

/// The one of `known` that was probably meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |other: &&str| distance(word, other) <= (word.chars().count() / 3).max(2);
    known.into_iter().filter(near).min_by_key(|other| distance(word, other))
}

/// How many letters have to be added, taken away or replaced.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (position, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], position + 1);
        for (column, found) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *found);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_meant() {
        let known = ["add-unit", "advance", "settle", "config"];
        for (word, expected) in [
            ("ad-unit", Some("add-unit")),
            ("setle", Some("settle")),
            ("Config", Some("config")),
            ("integrate", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "`{word}`");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
