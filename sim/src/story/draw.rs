//! Chance, from a seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use crate::scenario::{Amount, Range, Skew, Span};

/// A stream of draws. Every purpose has its own, so that what is drawn for one device or purpose
/// does not depend on how much was drawn for another.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of a run for `purpose` and, say, a device.
    pub(crate) fn new(seed: u64, purpose: &str, of: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(of.to_le_bytes());
        hash.update(purpose.as_bytes());
        Draw(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// At least 0, below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        // As many bits as the fraction of a float has.
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn chance(&mut self, likely: f64) -> bool {
        self.unit() < likely
    }

    /// From `from` to `to`, both included; `from` if there is nothing between.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        let many = u128::from(to.saturating_sub(from)) + 1;
        from + ((u128::from(self.word()) * many) >> 64) as u64
    }

    /// An index below `many`, which is not 0.
    pub(crate) fn index(&mut self, many: usize) -> usize {
        self.between(0, many.saturating_sub(1) as u64) as usize
    }

    pub(crate) fn span(&mut self, range: Range<Span>) -> u64 {
        self.between(range.from.0, range.to.0)
    }

    pub(crate) fn skew(&mut self, range: Range<Skew>) -> i64 {
        range.from.0.saturating_add_unsigned(self.between(0, range.to.0.abs_diff(range.from.0)))
    }

    pub(crate) fn amount(&mut self, amount: Amount) -> u32 {
        let rarely = amount.rarely.filter(|rarely| self.chance(rarely.share));
        let range = rarely.map_or(amount.usual, |rarely| rarely.amount);
        self.between(range.from.into(), range.to.into()) as u32
    }

    /// How long until something happens that happens `rate` times in a unit of time; at least 1.
    pub(crate) fn wait(&mut self, rate: f64) -> u64 {
        let wait = -(1.0 - self.unit()).ln() / rate;
        if wait.is_finite() { (wait as u64).saturating_add(1) } else { u64::MAX }
    }

    /// The index of one of `weights`, some of which is above 0.
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        let mut last = 0;
        for (index, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            last = index;
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_their_own_and_stay_the_same() {
        let first = |seed, purpose, of| Draw::new(seed, purpose, of).word();
        assert_eq!(first(1, "writes", 0), first(1, "writes", 0));
        assert_ne!(first(1, "writes", 0), first(1, "writes", 1));
        assert_ne!(first(1, "writes", 0), first(1, "faults", 0));
        assert_ne!(first(1, "writes", 0), first(2, "writes", 0));
        // A seed means the same story in every release: a report may be years old.
        assert_eq!(first(1, "writes", 0), PINNED);
    }

    const PINNED: u64 = 8_662_640_577_770_794_404;

    #[test]
    fn draws_stay_in_their_bounds_and_reach_them() {
        let mut draw = Draw::new(3, "test", 0);
        let drawn: Vec<u64> = (0..1_000).map(|_| draw.between(2, 4)).collect();
        assert!(drawn.iter().all(|value| (2..=4).contains(value)));
        assert!([2, 3, 4].iter().all(|value| drawn.contains(value)));
        assert_eq!(draw.between(u64::MAX, 0), u64::MAX);
        assert!((0..1_000).all(|_| draw.weighted(&[0.0, 1.0, 0.0]) == 1));
        let skew = Range { from: Skew(-5), to: Skew(5) };
        assert!((0..1_000).all(|_| (-5..=5).contains(&draw.skew(skew))));
    }
}
