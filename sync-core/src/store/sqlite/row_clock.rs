//! The packed clock of a row that its table shows: who it is, when it was born, and for each
//! column when it was last written. Never values.

use crate::clock::Version;
use crate::codec::{DecodeError, Reader, Writer};
use crate::id::RowId;
use crate::merge::Life;
use crate::store::{Sites, decode_life, encode_life};

/// The versions of one shown row.
///
/// Most rows were written once: all their columns have the version and the log number of the
/// birth, and nothing is said of them one by one. Columns with a number below `base_columns`
/// have the base version unless there is an exception; columns above it were added later and are
/// at [`Version::GENESIS`], log number 0, unless there is an exception. So adding a column writes
/// nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowClock {
    /// Births and deaths; born and alive, since the row is shown.
    pub life: Life,
    /// The log number of the last change to `life`.
    pub life_seq: u64,
    /// The version of the columns without an exception.
    pub base: Version,
    /// The log number of the columns without an exception.
    pub base_seq: u64,
    /// How many column numbers there were when the base was written.
    pub base_columns: u32,
    /// Whether `__pocketsync_shadow` holds merged values of this row.
    pub shadowed: bool,
    /// The merged integer key, where the row has another one here because it was taken.
    pub hint: Option<i64>,
    /// Columns that were written apart, ascending.
    pub exceptions: Vec<ColumnClock>,
}

/// When one column was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ColumnClock {
    /// The column's number.
    pub column: u32,
    /// The version of its value.
    pub version: Version,
    /// Our log number of its last change.
    pub seq: u64,
}

impl RowClock {
    /// The clock of a row inserted in one go.
    pub fn inserted(version: Version, seq: u64, columns: u32) -> Self {
        RowClock {
            life: Life::born(version),
            life_seq: seq,
            base: version,
            base_seq: seq,
            base_columns: columns,
            shadowed: false,
            hint: None,
            exceptions: Vec::new(),
        }
    }

    /// The version and the log number of a column.
    pub fn column(&self, column: u32) -> (Version, u64) {
        match self.exceptions.binary_search_by_key(&column, |clock| clock.column) {
            Ok(index) => (self.exceptions[index].version, self.exceptions[index].seq),
            Err(_) if column < self.base_columns => (self.base, self.base_seq),
            Err(_) => (Version::GENESIS, 0),
        }
    }

    /// Gives a column a version of its own.
    pub fn set_column(&mut self, column: u32, version: Version, seq: u64) {
        let clock = ColumnClock { column, version, seq };
        match self.exceptions.binary_search_by_key(&column, |clock| clock.column) {
            Ok(index) => self.exceptions[index] = clock,
            Err(index) => self.exceptions.insert(index, clock),
        }
    }

    /// The largest log number of anything in the row.
    pub fn seq(&self) -> u64 {
        self.exceptions.iter().map(|clock| clock.seq).fold(self.life_seq.max(self.base_seq), u64::max)
    }

    /// The stored bytes.
    ///
    /// ```text
    /// flags (1 base differs from born, 2 base seq differs from life seq, 4 shadowed, 8 hint), life,
    /// life seq, [base], [base seq], base columns, [hint], then to the end: column, version, seq
    /// ```
    pub fn encode(&self, sites: &mut Sites) -> Vec<u8> {
        let mut writer = Writer::with_capacity(40 + 20 * self.exceptions.len());
        let own_base = self.life.born != Some(self.base);
        let own_seq = self.base_seq != self.life_seq;
        writer.byte(
            u8::from(own_base)
                | u8::from(own_seq) << 1
                | u8::from(self.shadowed) << 2
                | u8::from(self.hint.is_some()) << 3,
        );
        encode_life(&self.life, sites, &mut writer);
        writer.varint(self.life_seq);
        if own_base {
            sites.encode_version(self.base, &mut writer);
        }
        if own_seq {
            writer.varint(self.base_seq);
        }
        writer.varint(u64::from(self.base_columns));
        if let Some(hint) = self.hint {
            writer.signed(hint);
        }
        for clock in &self.exceptions {
            writer.varint(u64::from(clock.column));
            sites.encode_version(clock.version, &mut writer);
            writer.varint(clock.seq);
        }
        writer.into_bytes()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn decode(bytes: &[u8], sites: &Sites) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let flags = reader.byte()?;
        let life = decode_life(sites, &mut reader)?;
        let born = life.born.ok_or(DecodeError::Invalid("a shown row without a birth"))?;
        let life_seq = reader.varint()?;
        let base = if flags & 1 != 0 { sites.decode_version(&mut reader)? } else { born };
        let base_seq = if flags & 2 != 0 { reader.varint()? } else { life_seq };
        let base_columns = column_number(&mut reader)?;
        let hint = (flags & 8 != 0).then(|| reader.signed()).transpose()?;
        let mut exceptions = Vec::new();
        while reader.remaining() > 0 {
            let column = column_number(&mut reader)?;
            let version = sites.decode_version(&mut reader)?;
            exceptions.push(ColumnClock { column, version, seq: reader.varint()? });
        }
        Ok(RowClock {
            life,
            life_seq,
            base,
            base_seq,
            base_columns,
            shadowed: flags & 4 != 0,
            hint,
            exceptions,
        })
    }
}

fn column_number(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    u32::try_from(reader.varint()?).map_err(|_| DecodeError::OutOfRange)
}

/// The stored form of a surrogate or genesis id: the site's ordinal and the counter, both so that
/// ids made one after another sort one after another; or a marker and the hash.
pub fn compact_id(id: &RowId, sites: &mut Sites) -> Vec<u8> {
    if let RowId::Surrogate { site, .. } = id {
        sites.ordinal(*site);
    }
    find_compact_id(id, sites).expect("the only site in it has an ordinal now")
}

/// The same, `None` where the id names a site that was never seen: nothing is stored under it.
pub fn find_compact_id(id: &RowId, sites: &Sites) -> Option<Vec<u8>> {
    Some(match id {
        RowId::Surrogate { site, counter } => {
            let mut bytes = Vec::with_capacity(8);
            push_ordered(&mut bytes, sites.existing(*site)?);
            push_ordered(&mut bytes, *counter);
            bytes
        }
        RowId::Genesis(hash) => [&[0xff], &hash[..]].concat(),
        // Never in a clock table's id column, but in those of what is kept aside.
        RowId::Natural(_) => [&[0xfe], &id.to_bytes()[..]].concat(),
    })
}

/// Reads what [`compact_id`] wrote.
///
/// # Errors
/// When the bytes are damaged.
pub fn expand_id(bytes: &[u8], sites: &Sites) -> Result<RowId, DecodeError> {
    let mut reader = Reader::new(bytes);
    match bytes.first() {
        Some(0xff) => {
            reader.byte()?;
            Ok(RowId::Genesis(reader.array()?))
        }
        Some(0xfe) => RowId::from_bytes(&bytes[1..]),
        _ => {
            let ordinal = read_ordered(&mut reader)?;
            let site = sites.site(ordinal).ok_or(DecodeError::Invalid("unknown site ordinal"))?;
            Ok(RowId::Surrogate { site, counter: read_ordered(&mut reader)? })
        }
    }
}

/// A length byte and the significant bytes, largest first: sorts as the number does.
fn push_ordered(bytes: &mut Vec<u8>, value: u64) {
    let skip = (value.leading_zeros() / 8) as usize;
    bytes.push(8 - skip as u8);
    bytes.extend_from_slice(&value.to_be_bytes()[skip..]);
}

fn read_ordered(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let len = usize::from(reader.byte()?);
    if len > 8 {
        return Err(DecodeError::OutOfRange);
    }
    Ok(reader.slice(len)?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Hlc;
    use crate::id::SiteId;

    #[test]
    fn a_clock_survives_its_bytes() {
        let mut sites = Sites::default();
        let at = |ms, site| Version::new(Hlc::from_ms(ms), SiteId::from_bytes([site; 16]));
        let mut clock = RowClock::inserted(at(1_700_000_000_000, 1), 7, 5);
        let plain = clock.encode(&mut sites);
        assert!(plain.len() <= 13, "{} bytes for a plain insert", plain.len());
        assert_eq!(RowClock::decode(&plain, &sites).unwrap(), clock);
        clock.set_column(3, at(1_700_000_000_001, 2), 9);
        clock.set_column(6, at(1_700_000_000_002, 2), 8);
        clock.hint = Some(-3);
        clock.shadowed = true;
        assert_eq!(clock.seq(), 9);
        assert_eq!(clock.column(5), (Version::GENESIS, 0));
        assert_eq!(RowClock::decode(&clock.encode(&mut sites), &sites).unwrap(), clock);
    }

    #[test]
    fn compact_ids_sort_as_they_were_made() {
        let mut sites = Sites::default();
        let site = SiteId::from_bytes([1; 16]);
        let ids: Vec<_> = [1, 255, 256, 70_000].map(|counter| RowId::Surrogate { site, counter }).into();
        let bytes: Vec<_> = ids.iter().map(|id| compact_id(id, &mut sites)).collect();
        assert!(bytes.is_sorted());
        for (id, bytes) in ids.iter().zip(&bytes) {
            assert_eq!(expand_id(bytes, &sites).unwrap(), *id);
        }
        let genesis = RowId::Genesis([9; 16]);
        assert_eq!(expand_id(&compact_id(&genesis, &mut sites), &sites).unwrap(), genesis);
    }
}
