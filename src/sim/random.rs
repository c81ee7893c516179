//! Chance with a seed, where Juju leaves an order open.

/// A small generator: the same seed gives the same choices, in every version and on every machine.
///
/// # Source
///
/// `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").  Written out
/// here because a printed seed must replay after any update of a library.
#[derive(Clone, Debug, Default)]
pub(crate) struct Random {
    state: u64,
    script: Option<Script>,
}

/// Choices that were made before, in place of chance.
#[derive(Clone, Debug, Default)]
struct Script {
    /// What is to be chosen; the first one when there is nothing more in it.
    choices: Vec<usize>,
    /// What was chosen, of how many.
    taken: Vec<(usize, usize)>,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, script: None }
    }

    /// No chance at all: what is chosen is written.
    pub(crate) fn scripted(choices: Vec<usize>) -> Self {
        Self { state: 0, script: Some(Script { choices, taken: Vec::new() }) }
    }

    /// What was chosen by script, of how many; choices between one are none.
    pub(crate) fn taken(&self) -> &[(usize, usize)] {
        self.script.as_ref().map_or(&[], |script| &script.taken)
    }

    /// The next sixty-four bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// An index below `count`, which is not zero.
    ///
    /// The remainder prefers small indexes by less than one in 2^50 for the counts that occur here.
    pub(crate) fn index(&mut self, count: usize) -> usize {
        if let Some(script) = &mut self.script {
            if count < 2 {
                return 0;
            }
            let choice = script.choices.get(script.taken.len()).copied().unwrap_or(0).min(count - 1);
            script.taken.push((choice, count));
            return choice;
        }
        let index = self.next_u64() % count as u64;
        usize::try_from(index).expect("an index below a usize is one")
    }

    /// `count` hexadecimal digits.
    pub(crate) fn hex(&mut self, count: usize) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        (0..count).map(|_| char::from(DIGITS[self.index(DIGITS.len())])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_sequence_of_the_published_generator() {
        let mut random = Random::new(1_234_567);
        let numbers: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        // The reference values that the authors' C program prints for this seed.
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
