//! When a link breaks.

/// Decides, frame by frame, whether a link breaks before the next one. The same seed, the same
/// fate.
#[derive(Clone, Debug)]
pub struct Fate {
    frames_left: Option<u64>,
    /// Out of 2^32.
    chance: u64,
    state: u64,
}

impl Fate {
    /// The link never breaks by itself.
    pub const fn never() -> Self {
        Fate { frames_left: None, chance: 0, state: 0 }
    }

    /// The link breaks after this many frames, counted in both directions together.
    pub const fn after(frames: u64) -> Self {
        Fate { frames_left: Some(frames), chance: 0, state: 0 }
    }

    /// Before every frame the link breaks with this chance, between 0 and 1.
    pub fn random(seed: u64, chance: f64) -> Self {
        Fate { frames_left: None, chance: (chance.clamp(0.0, 1.0) * 4_294_967_296.0) as u64, state: seed }
    }

    /// The fate of one more link of the same kind: as many frames, or the same chance.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        let mut next = self.clone();
        next.state = splitmix(&mut self.state);
        next
    }

    /// Whether the link breaks now, before the next frame.
    pub fn strikes(&mut self) -> bool {
        if let Some(left) = &mut self.frames_left {
            match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                None => return true,
            }
        }
        self.chance > 0 && (splitmix(&mut self.state) >> 32) < self.chance
    }
}

/// The splitmix64 generator: one step.
pub(super) fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_fate_lets_exactly_so_many_through() {
        let mut fate = Fate::after(3);
        assert_eq!([(); 5].map(|()| fate.strikes()), [false, false, false, true, true]);
    }

    #[test]
    fn random_fate_follows_its_seed_and_its_chance() {
        let strikes = |seed, chance| {
            let mut fate = Fate::random(seed, chance);
            (0..10_000).filter(|_| fate.strikes()).count()
        };
        assert_eq!(strikes(1, 0.25), strikes(1, 0.25));
        assert!((2_200..2_800).contains(&strikes(1, 0.25)));
        assert_eq!(strikes(1, 0.0), 0);
        assert_eq!(strikes(1, 1.0), 10_000);
    }
}
