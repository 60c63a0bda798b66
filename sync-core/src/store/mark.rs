//! Positions in the middle of an extract.

use crate::codec::{DecodeError, Reader, Writer};
use crate::lineage::Cursor;

/// What [`Cursor::within`] says: how far an extract that was cut into pieces has come.
///
/// Rows are handed out in the order of their last change, and a row is stored once, so a row that
/// changed at 1 and at 9 comes at 9, with both changes. Whoever has got as far as 5 in an extract
/// that began after 0 lacks the change at 1. So a position in the middle remembers where the
/// extract began (`base`), and everything after that is told of each row that is still to come.
///
/// ```
/// use pocketsync_core::lineage::{Cursor, Stamp};
/// use pocketsync_core::store::Mark;
/// let mark = Mark { base: 0, seq: 5, table: 2, row: vec![7] };
/// let cursor = Cursor { within: mark.to_bytes(), ..Cursor::at(9, Stamp(1)) };
/// assert_eq!(Mark::of(&cursor), mark);
/// assert_eq!(Mark::of(&Cursor::at(5, Stamp(1))).base, 5);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mark {
    /// Everything up to this log number is known for certain, in every row.
    pub base: u64,
    /// The log number of the last row that was handed out.
    pub seq: u64,
    /// The store's number of that row's table; with an empty `row`, everything of `seq` was
    /// handed out.
    pub table: u32,
    /// That row's id as bytes; empty when everything of `seq` was handed out.
    pub row: Vec<u8>,
}

impl Mark {
    /// Where a cursor of ours stands. Bytes that are no mark of ours count as "nothing is known":
    /// too much is told then, and never too little.
    pub fn of(cursor: &Cursor) -> Self {
        if cursor.within.is_empty() {
            return Mark { base: cursor.seq, seq: cursor.seq, table: u32::MAX, row: Vec::new() };
        }
        Self::from_bytes(&cursor.within).unwrap_or_default()
    }

    /// The bytes for [`Cursor::within`]: never empty.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.varint(self.base);
        writer.varint(self.seq);
        writer.varint(u64::from(self.table));
        writer.bytes(&self.row);
        writer.into_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let (base, seq) = (reader.varint()?, reader.varint()?);
        let table = u32::try_from(reader.varint()?).map_err(|_| DecodeError::OutOfRange)?;
        let row = reader.slice(reader.remaining())?.to_vec();
        if base > seq {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Mark { base, seq, table, row })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineage::Stamp;

    #[test]
    fn bytes_that_are_no_mark_mean_that_nothing_is_known() {
        for within in [vec![0xff], vec![9, 5, 1], vec![1, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]] {
            assert_eq!(Mark::of(&Cursor { within, ..Cursor::at(5, Stamp(1)) }), Mark::default());
        }
    }
}
