//! What a writer knew when it wrote.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::clock::Hlc;
use crate::codec::{DecodeError, Reader, Writer};
use crate::id::SiteId;

/// More steps than this are not told: older writes are of unknown knowledge then.
pub const MAX_STEPS: usize = 1024;

/// Other replicas whose writes one step may speak of.
const MAX_PEERS: usize = 64;

/// What the sender of changes knew of the receiver's log when it made them: a step function of the
/// sender's own clock. Travels with a push, and costs a few bytes there and nothing a cell.
///
/// A replica knows of everything that it had applied before it wrote, and a write that is made over
/// an applied value is made knowingly. Whatever the receiver has that is newer than that, and not
/// the sender's own, was written without knowledge of each other.
///
/// ```
/// use pocketsync_core::clock::Hlc;
/// use pocketsync_core::conflict::{Seen, SeenStep};
/// let mut seen = Seen::default();
/// seen.push(SeenStep { until: Hlc::from_ms(10), position: Some(4), peers: Vec::new() });
/// seen.push(SeenStep { until: Hlc::MAX, position: Some(7), peers: Vec::new() });
/// assert_eq!(seen.of(Hlc::from_ms(10)).unwrap().position, Some(4));
/// assert_eq!(seen.of(Hlc::from_ms(11)).unwrap().position, Some(7));
/// assert_eq!(Seen::from_bytes(&seen.to_bytes()), Ok(seen));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// Ascending by `until`; the last one has [`Hlc::MAX`].
    steps: Vec<SeenStep>,
}

/// One step of [`Seen`]: what was known when the sender made its writes after the step before, up to
/// and with the clock `until`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeenStep {
    /// The last of the sender's own clocks that this speaks of.
    pub until: Hlc,
    /// Up to which of its log numbers the receiver's log was known. `None`: the receiver had these
    /// writes before and has judged them.
    pub position: Option<u64>,
    /// Of which other replicas all own writes were known up to which clock, because they were met
    /// without the receiver between.
    pub peers: Vec<(SiteId, Hlc)>,
}

impl SeenStep {
    /// Whether a write by `site` at `hlc`, which the receiver has under its log number `seq`, was
    /// known.
    pub fn knows(&self, seq: u64, site: SiteId, hlc: Hlc) -> bool {
        self.position.is_none_or(|position| seq <= position)
            || self.peers.iter().any(|(peer, until)| *peer == site && hlc <= *until)
    }
}

impl Seen {
    /// Whether nothing is known of what the sender knew.
    pub fn is_unknown(&self) -> bool {
        self.steps.is_empty()
    }

    /// What the sender knew when it made the write with this clock; `None` where that is unknown.
    pub fn of(&self, hlc: Hlc) -> Option<&SeenStep> {
        self.steps.get(self.steps.partition_point(|step| step.until < hlc))
    }

    /// Adds a step after those that are there. Of two alike one is enough; one that does not reach
    /// beyond them speaks of no write, and is left out.
    pub fn push(&mut self, step: SeenStep) {
        match self.steps.last_mut() {
            Some(last) if step.until <= last.until => {}
            Some(last) if last.position == step.position && last.peers == step.peers => {
                last.until = step.until;
            }
            _ => self.steps.push(step),
        }
    }

    /// Says of the write with the clock `hlc` that no more than `position` was known to it.
    pub(crate) fn doubt(&mut self, hlc: Hlc, position: u64) {
        let at = self.steps.partition_point(|step| step.until < hlc);
        let Some(step) = self.steps.get(at).filter(|step| step.position > Some(position)) else { return };
        let mut parts = Vec::new();
        if at.checked_sub(1).is_none_or(|before| self.steps[before].until.next() < hlc) && hlc > Hlc::ZERO {
            parts.push(SeenStep { until: Hlc::from_bits(hlc.bits() - 1), ..step.clone() });
        }
        parts.push(SeenStep { until: hlc, position: Some(position), peers: Vec::new() });
        if hlc < step.until {
            parts.push(step.clone());
        }
        self.steps.splice(at..=at, parts);
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[SeenStep] {
        &self.steps
    }

    /// Lets the last step speak of everything after it too, and drops the oldest beyond
    /// [`MAX_STEPS`].
    pub(crate) fn finish(mut self) -> Self {
        let beyond = self.steps.len().saturating_sub(MAX_STEPS);
        if beyond > 0 {
            // Unknown, which only the first step can say: the writes up to it are not judged.
            let until = self.steps[beyond].until;
            self.steps.drain(..=beyond);
            self.steps.insert(0, SeenStep { until, position: None, peers: Vec::new() });
        }
        if let Some(last) = self.steps.last_mut() {
            last.until = Hlc::MAX;
        }
        self
    }

    /// The bytes: a count, then each step.
    ///
    /// ```text
    /// all but the last: the clock, less that of the step before (varint)
    /// 0, or the position and 1 (varint); count of peers, each: site (16), clock (varint)
    /// ```
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.varint(self.steps.len() as u64);
        let mut before = 0;
        for (n, step) in self.steps.iter().enumerate() {
            if n + 1 < self.steps.len() {
                writer.varint(step.until.bits() - before);
                before = step.until.bits();
            }
            writer.varint(step.position.map_or(0, |position| position.saturating_add(1)));
            writer.varint(step.peers.len() as u64);
            for (site, hlc) in &step.peers {
                writer.bytes(site.as_bytes());
                writer.varint(hlc.bits());
            }
        }
        writer.into_bytes()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// When the bytes are damaged, or say more than there may be.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let count = reader.count(2)?;
        if count > MAX_STEPS {
            return Err(DecodeError::TooLarge);
        }
        let mut steps = Vec::with_capacity(count);
        let mut before = 0u64;
        for n in 0..count {
            let until = if n + 1 < count {
                let ahead = reader.varint()?;
                if n > 0 && ahead == 0 {
                    return Err(DecodeError::OutOfRange);
                }
                before = before.checked_add(ahead).ok_or(DecodeError::OutOfRange)?;
                Hlc::from_bits(before)
            } else {
                Hlc::MAX
            };
            let position = reader.varint()?.checked_sub(1);
            let peers = reader.count(17)?;
            if peers > MAX_PEERS {
                return Err(DecodeError::TooLarge);
            }
            let mut peer = || -> Result<(SiteId, Hlc), DecodeError> {
                Ok((SiteId::from_bytes(reader.array()?), Hlc::from_bits(reader.varint()?)))
            };
            let peers = (0..peers).map(|_| peer()).collect::<Result<_, _>>()?;
            steps.push(SeenStep { until, position, peers });
        }
        reader.finish()?;
        Ok(Seen { steps })
    }
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.to_bytes())
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FromBytes;

        impl Visitor<'_> for FromBytes {
            type Value = Seen;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("what a sender knew, as bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Seen, E> {
                Seen::from_bytes(bytes).map_err(E::custom)
            }
        }

        deserializer.deserialize_bytes(FromBytes)
    }
}

/// What a log remembers of one of its numbers, as far as it concerns what its replica knew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Remembered {
    /// Our own writes, up to this clock.
    Wrote(Hlc),
    /// Something of the replica that is to be told, whose log we know up to this number since.
    HeardOfReceiver(u64),
    /// Something of another replica, whose own writes we know up to this clock since.
    HeardOfOther(SiteId, Hlc),
}

/// The steps from what a log remembers, in order, where `position` and `peers` were known when it
/// begins.
pub(crate) fn steps(
    mut position: u64,
    mut peers: std::collections::BTreeMap<SiteId, Hlc>,
    log: impl IntoIterator<Item = Remembered>,
) -> Vec<SeenStep> {
    let mut seen = Seen::default();
    for remembered in log {
        match remembered {
            Remembered::HeardOfReceiver(now) => position = now,
            Remembered::HeardOfOther(site, hlc) => {
                let known = peers.entry(site).or_default();
                *known = hlc.max(*known);
            }
            Remembered::Wrote(until) => seen.push(SeenStep {
                until,
                position: Some(position),
                peers: peers.iter().take(MAX_PEERS).map(|(site, hlc)| (*site, *hlc)).collect(),
            }),
        }
    }
    seen.steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(until: u64, position: Option<u64>) -> SeenStep {
        SeenStep { until: Hlc::from_bits(until), position, peers: Vec::new() }
    }

    #[test]
    fn one_step_costs_four_bytes() {
        let mut seen = Seen::default();
        seen.push(step(u64::MAX, Some(5000)));
        assert_eq!(seen.to_bytes().len(), 4);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let mut seen = Seen::default();
        seen.push(SeenStep { peers: vec![(SiteId::NIL, Hlc::from_ms(1))], ..step(7, Some(0)) });
        seen.push(step(9, None));
        seen.push(step(u64::MAX, Some(8)));
        let bytes = seen.to_bytes();
        assert_eq!(Seen::from_bytes(&bytes), Ok(seen));
        for cut in 0..bytes.len() {
            assert!(Seen::from_bytes(&bytes[..cut]).is_err());
        }
        assert!(Seen::from_bytes(&[3, 9, 1, 0, 0, 1, 0, 1, 0]).is_err(), "steps that do not ascend");
    }

    /// A fold of which nothing is left ends where the one before it does.
    #[test]
    fn a_step_that_reaches_no_further_is_left_out() {
        let mut seen = Seen::default();
        for (until, position) in [(7, 1), (7, 2), (5, 3), (9, 4)] {
            seen.push(step(until, Some(position)));
        }
        let seen = seen.finish();
        assert_eq!(seen.of(Hlc::from_bits(7)).unwrap().position, Some(1));
        assert_eq!(seen.of(Hlc::from_bits(8)).unwrap().position, Some(4));
        assert_eq!(Seen::from_bytes(&seen.to_bytes()), Ok(seen));
    }

    #[test]
    fn a_doubt_is_of_one_write_only() {
        for doubted in [1, 5, 7, 8, 9] {
            let mut seen = Seen::default();
            seen.push(step(7, Some(3)));
            seen.push(step(u64::MAX, Some(6)));
            seen.doubt(Hlc::from_bits(doubted), 2);
            for clock in 1..12 {
                let known = if clock <= 7 { 3 } else { 6 };
                let expected = if clock == doubted { 2 } else { known };
                assert_eq!(seen.of(Hlc::from_bits(clock)).unwrap().position, Some(expected), "{clock}");
            }
            assert_eq!(Seen::from_bytes(&seen.to_bytes()), Ok(seen));
        }
    }

    #[test]
    fn beyond_the_bound_the_oldest_are_not_judged() {
        let mut seen = Seen::default();
        (1..=MAX_STEPS as u64 + 50).for_each(|n| seen.push(step(n, Some(n))));
        let seen = seen.finish();
        assert_eq!(seen.steps().len(), MAX_STEPS);
        assert_eq!(seen.of(Hlc::from_bits(1)).unwrap().position, None);
        let last = MAX_STEPS as u64 + 50;
        assert_eq!(seen.of(Hlc::MAX).unwrap().position, Some(last));
        assert_eq!(Seen::from_bytes(&seen.to_bytes()), Ok(seen));
    }
}
