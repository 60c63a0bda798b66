//! The sites of a changeset as small numbers, and what is remembered of each: a UUID is written
//! where its number appears first. Number 0 is [`SiteId::NIL`].

use std::collections::BTreeMap;

use crate::clock::{Hlc, Version};
use crate::codec::{DecodeError, Reader, Writer};
use crate::id::SiteId;

/// The last surrogate counters of one site, which the next are written against.
#[derive(Clone, Copy, Default)]
pub(super) struct Last {
    /// Of a row's own id.
    pub(super) row: u64,
    /// Of a reference.
    pub(super) reference: u64,
}

const HAS_SITE: u64 = 1;
const HAS_COUNTER: u64 = 2;

/// The encoder's side.
pub(super) struct SiteWriter {
    numbers: BTreeMap<SiteId, usize>,
    last: Vec<Last>,
    /// The site asked for last, which is mostly the one asked for next.
    recent: (SiteId, usize),
}

impl Default for SiteWriter {
    fn default() -> Self {
        SiteWriter {
            numbers: BTreeMap::from([(SiteId::NIL, 0)]),
            last: vec![Last::default()],
            recent: (SiteId::NIL, 0),
        }
    }
}

impl SiteWriter {
    /// What is remembered of a site that was written before.
    pub(super) fn last(&mut self, number: usize) -> &mut Last {
        &mut self.last[number]
    }

    /// Writes a site and returns its number.
    pub(super) fn write(&mut self, site: SiteId, out: &mut Writer) -> usize {
        if self.recent.0 != site {
            let next = self.last.len();
            let number = *self.numbers.entry(site).or_insert(next);
            self.recent = (site, number);
            if number == next {
                self.last.push(Last::default());
                out.varint(number as u64);
                out.bytes(site.as_bytes());
                return number;
            }
        }
        out.varint(self.recent.1 as u64);
        self.recent.1
    }

    /// Writes a version against another one.
    pub(super) fn write_version(&mut self, from: Version, to: Version, out: &mut Writer) {
        let ms = to.hlc.ms() as i64 - from.hlc.ms() as i64;
        let counter = i64::from(counter_of(to.hlc));
        let expected = if ms == 0 { i64::from(counter_of(from.hlc)) } else { 0 };
        let mut head = zigzag(ms) << 2;
        if to.site != from.site {
            head |= HAS_SITE;
        }
        if counter != expected {
            head |= HAS_COUNTER;
        }
        out.varint(head);
        if counter != expected {
            out.signed(counter - expected);
        }
        if to.site != from.site {
            self.write(to.site, out);
        }
    }
}

/// The decoder's side.
pub(super) struct SiteReader {
    sites: Vec<(SiteId, Last)>,
}

impl Default for SiteReader {
    fn default() -> Self {
        SiteReader { sites: vec![(SiteId::NIL, Last::default())] }
    }
}

impl SiteReader {
    /// The site with a number that was read before, and what is remembered of it.
    pub(super) fn get(&mut self, number: usize) -> &mut (SiteId, Last) {
        &mut self.sites[number]
    }

    /// Reads a site's number, and the site where the number is new.
    pub(super) fn read(&mut self, input: &mut Reader<'_>) -> Result<usize, DecodeError> {
        let number = usize::try_from(input.varint()?).map_err(|_| DecodeError::OutOfRange)?;
        if number > self.sites.len() {
            return Err(DecodeError::Invalid("site number ahead of its turn"));
        }
        if number == self.sites.len() {
            self.sites.push((SiteId::from_bytes(input.array()?), Last::default()));
        }
        Ok(number)
    }

    /// Reads a version that was written against `from`.
    pub(super) fn read_version(
        &mut self,
        from: Version,
        input: &mut Reader<'_>,
    ) -> Result<Version, DecodeError> {
        let head = input.varint()?;
        let delta = unzigzag(head >> 2);
        let ms = (from.hlc.ms() as i64).checked_add(delta).filter(|ms| (0..1 << 48).contains(ms));
        let ms = ms.ok_or(DecodeError::OutOfRange)? as u64;
        let mut counter = if delta == 0 { i64::from(counter_of(from.hlc)) } else { 0 };
        if head & HAS_COUNTER != 0 {
            counter = counter.checked_add(input.signed()?).ok_or(DecodeError::OutOfRange)?;
        }
        let counter = u16::try_from(counter).map_err(|_| DecodeError::OutOfRange)?;
        let site = if head & HAS_SITE != 0 {
            let number = self.read(input)?;
            self.sites[number].0
        } else {
            from.site
        };
        Ok(Version::new(Hlc::from_bits(ms << 16 | u64::from(counter)), site))
    }
}

fn counter_of(hlc: Hlc) -> u16 {
    hlc.bits() as u16
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}
