//! Correcting the clocks of writes that nobody has seen yet.

use crate::clock::Hlc;

/// A clock value that was handed out under a clock now known to be wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Stamped {
    /// The clock value.
    pub hlc: Hlc,
    /// The largest clock value that the replica had seen from others when it handed this one out.
    /// The corrected value stays above it, so that a write never loses to what it overwrote.
    pub floor: Hlc,
}

/// The corrected value of each of `stamps`, which are in ascending order: moved by `offset_ms`,
/// no later than `latest`, above its floor, and in the same order.
///
/// The order is kept strictly, so what a replica wrote later wins over what it wrote before,
/// whatever its clock did; the floor and the order go before `latest`.
///
/// ```
/// use pocketsync_core::clock::Hlc;
/// use pocketsync_core::restamp::{Stamped, restamp};
/// let stamps = [10_000, 10_500].map(|ms| Stamped { hlc: Hlc::from_ms(ms), floor: Hlc::from_ms(900) });
/// let corrected = restamp(&stamps, -9_000, Hlc::from_ms(1_200));
/// assert_eq!(corrected, [Hlc::from_ms(1_000), Hlc::from_ms(1_200)]);
/// ```
pub fn restamp(stamps: &[Stamped], offset_ms: i64, latest: Hlc) -> Vec<Hlc> {
    let mut previous = Hlc::ZERO;
    stamps
        .iter()
        .map(|stamp| {
            let moved = i64::try_from(stamp.hlc.ms()).unwrap_or(i64::MAX).saturating_add(offset_ms);
            let counter = stamp.hlc.bits() & 0xffff;
            let moved = Hlc::from_bits(Hlc::from_ms(moved.max(0) as u64).bits() | counter);
            previous = moved.min(latest).max(stamp.floor.next()).max(previous.next());
            previous
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64, floor_ms: u64) -> Stamped {
        Stamped { hlc: Hlc::from_ms(ms), floor: Hlc::from_ms(floor_ms) }
    }

    #[test]
    fn order_survives_the_bounds() {
        let corrected = restamp(&[at(100, 0), at(200, 150), at(300, 150)], 5_000, Hlc::from_ms(120));
        assert_eq!(corrected[0], Hlc::from_ms(120));
        assert_eq!(corrected[1], Hlc::from_ms(150).next());
        assert_eq!(corrected[2], Hlc::from_ms(150).next().next());
    }

    #[test]
    fn a_clock_far_behind_does_not_go_below_zero() {
        assert_eq!(restamp(&[at(10, 0)], -1_000, Hlc::MAX), [Hlc::ZERO.next()]);
    }
}
