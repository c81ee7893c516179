//! Why a scenario could not be run, and what may help.

use std::io;
use std::path::PathBuf;

use charms_reactive_sim::SimError;

/// Why a scenario could not be run.  What goes wrong in a run is told, and no error.
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
        source: Box<SimError>,
    },
    /// The simulation cannot be made.
    #[error("cannot make the simulation")]
    Simulation {
        /// Why.
        source: Box<SimError>,
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
    let near = |other: &&str| distance(word, other) <= (word.chars().count() / 3).max(1);
    known.into_iter().filter(near).min_by_key(|other| distance(word, other))
}

/// How many letters have to be added, taken away, replaced, or swapped with their neighbours.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, letter) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, found) in other.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(letter != found);
            let mut least = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == other[j - 1] && one[i - 1] == *found {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
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
        for (one, other, expected) in [("kitten", "sitting", 3), ("wbe", "web", 1), ("", "ab", 2)] {
            assert_eq!(distance(one, other), expected, "`{one}` `{other}`");
        }
    }
}
