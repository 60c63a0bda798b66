//! Random numbers, derived from the seed of the story and from what they are for.

/// What a stream of numbers is for. Each has its own, so that leaving a move out of a story changes
/// nothing that has nothing to do with it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Site = 1,
    Stamp = 2,
    Store = 3,
    Retry = 4,
    Up = 5,
    Down = 6,
    Breaks = 7,
}

/// A stream of numbers: SplitMix64.
#[derive(Clone, Debug)]
pub(super) struct Draw(u64);

impl Draw {
    /// The stream for a purpose of one `owner` (a device, say), the `index`th of its kind.
    pub(super) fn new(seed: u64, purpose: Purpose, owner: u64, index: u64) -> Self {
        let mut draw = Draw(seed);
        for part in [purpose as u64, owner, index] {
            draw = Draw(draw.next() ^ part.wrapping_mul(0xd6e8_feb8_6659_fd93));
        }
        Draw(draw.next())
    }

    /// The stream that a story itself names.
    pub(super) fn of(entropy: u64) -> Self {
        Draw(entropy)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Whether something happens that is this likely.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && ((self.next() >> 11) as f64) < probability * (1u64 << 53) as f64
    }

    /// A number in `min..=max`, more of them near `min`: a uniform one, squared. All in integers,
    /// which are the same everywhere.
    pub(super) fn skewed(&mut self, min: u64, max: u64) -> u64 {
        let part = self.next() >> 32;
        let squared = (part * part) >> 32;
        min + ((max.saturating_sub(min) + 1).saturating_mul(squared) >> 32)
    }

    /// A number in `0..bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skewed_numbers_stay_in_range_and_are_mostly_small() {
        let mut draw = Draw::new(1, Purpose::Up, 0, 0);
        let numbers: Vec<u64> = (0..1_000).map(|_| draw.skewed(10, 50)).collect();
        assert!(numbers.iter().all(|number| (10..=50).contains(number)));
        assert!(numbers.iter().filter(|number| **number < 20).count() > 400);
    }

    #[test]
    fn streams_differ_by_purpose_owner_and_index() {
        let first = |purpose, owner, index| Draw::new(7, purpose, owner, index).next();
        let all = [
            first(Purpose::Up, 0, 0),
            first(Purpose::Down, 0, 0),
            first(Purpose::Up, 1, 0),
            first(Purpose::Up, 0, 1),
        ];
        assert!((0..all.len()).all(|n| !all[..n].contains(&all[n])));
    }
}
