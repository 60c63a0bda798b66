//! The stored form of a row's whole state: what a hub keeps of every row, and a replica with
//! tables of the rows that its tables cannot show.

use std::collections::BTreeMap;

use super::Sites;
use crate::change::{CellChange, RowChange};
use crate::clock::Version;
use crate::codec::{DecodeError, Reader, Writer};
use crate::id::RowId;
use crate::merge::{Cell, Life, RowState};
use crate::value::Value;

/// A cell and the log number of its last change here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordCell {
    /// The register.
    pub cell: Cell,
    /// Our log number.
    pub seq: u64,
}

/// Everything known of one row. Columns are numbers that the store assigns to names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// Births and deaths.
    pub life: Life,
    /// The log number of the last change to them.
    pub life_seq: u64,
    /// Cells by column number.
    pub cells: BTreeMap<u32, RecordCell>,
}

impl Record {
    /// The log number of the last change to anything.
    pub fn seq(&self) -> u64 {
        self.cells.values().map(|cell| cell.seq).fold(self.life_seq, u64::max)
    }

    /// Forgets the cells of past lives. `keeps_dead`: not those of a row that is dead now, since
    /// its death may be taken back. Answers whether there were any.
    #[cfg(feature = "sqlite")]
    pub(crate) fn forget_past(&mut self, keeps_dead: bool) -> bool {
        let (life, before) = (self.life, self.cells.len());
        if !keeps_dead || life.is_alive() {
            self.cells.retain(|_, held| life.covers(held.cell.version));
        }
        self.cells.len() < before
    }

    /// Merges a change in under log number `seq`; `columns[n]` is the store's number for the
    /// change's column `n`. Returns what won, `None` when nothing did.
    pub fn merge(&mut self, change: RowChange, columns: &[u32], seq: u64) -> Option<RowChange> {
        let life_won = self.life.join(&change.life);
        if life_won {
            self.life_seq = seq;
        }
        let won: Vec<CellChange> = change
            .cells
            .into_iter()
            .filter(|incoming| {
                let cell = Cell { version: incoming.version, value: incoming.value.clone() };
                let column = columns[incoming.column as usize];
                match self.cells.get_mut(&column) {
                    Some(held) if held.cell >= cell => false,
                    Some(held) => {
                        *held = RecordCell { cell, seq };
                        true
                    }
                    None => {
                        self.cells.insert(column, RecordCell { cell, seq });
                        true
                    }
                }
            })
            .collect();
        let life = if life_won { self.life } else { Life::default() };
        (life_won || !won.is_empty()).then_some(RowChange { id: change.id, life, cells: won })
    }

    /// Takes parts out that a peer refuses, where they are still what they were when it was told of them. Answers
    /// them; `columns[n]` is the store's number for the change's column `n`, and the answer's columns are such.
    pub(crate) fn retract(&mut self, refused: &RowChange, columns: &[u32]) -> RowChange {
        let taken = |part: &mut Option<Version>, refused: Option<Version>| {
            part.take_if(|version| Some(*version) == refused)
        };
        let life = Life {
            born: taken(&mut self.life.born, refused.life.born),
            died: taken(&mut self.life.died, refused.life.died),
            undone: taken(&mut self.life.undone, refused.life.undone),
        };
        let mut cells = Vec::new();
        for refused in &refused.cells {
            let column = columns[refused.column as usize];
            if self.cells.get(&column).is_some_and(|held| held.cell.version == refused.version)
                && let Some(held) = self.cells.remove(&column)
            {
                let Cell { version, value } = held.cell;
                cells.push(CellChange { column, version, value });
            }
        }
        if self.life.is_empty() && self.cells.is_empty() {
            self.life_seq = 0;
        }
        RowChange { id: refused.id.clone(), life, cells }
    }

    /// The same for a peer that does not say what stands in their place: they stay, under a log number that is the
    /// peer's echo.
    pub(crate) fn keep_to_itself(&mut self, refused: &RowChange, columns: &[u32], seq: u64) -> RowChange {
        let stays = |part: Option<Version>, refused: Option<Version>| part.filter(|_| part == refused);
        let life = Life {
            born: stays(self.life.born, refused.life.born),
            died: stays(self.life.died, refused.life.died),
            undone: stays(self.life.undone, refused.life.undone),
        };
        if !life.is_empty() {
            self.life_seq = seq;
        }
        let mut cells = Vec::new();
        for refused in &refused.cells {
            let column = columns[refused.column as usize];
            if let Some(held) = self.cells.get_mut(&column)
                && held.cell.version == refused.version
            {
                held.seq = seq;
                let Cell { version, value } = held.cell.clone();
                cells.push(CellChange { column, version, value });
            }
        }
        RowChange { id: refused.id.clone(), life, cells }
    }

    /// What of this row is to be told to somebody: the parts whose log number `wanted` accepts,
    /// with store column numbers. `None` when there are none.
    ///
    /// A row whose life is told again after a death was taken back is told whole.
    pub fn changes(&self, id: &RowId, wanted: impl Fn(u64) -> bool) -> Option<RowChange> {
        let tell_life = wanted(self.life_seq) && !self.life.is_empty();
        let whole = tell_life && self.life.undone.is_some() && self.life.undone >= self.life.died;
        let cells: Vec<CellChange> = self
            .cells
            .iter()
            .filter(|(_, held)| whole || wanted(held.seq))
            .map(|(&column, held)| CellChange {
                column,
                version: held.cell.version,
                value: held.cell.value.clone(),
            })
            .collect();
        let life = if tell_life { self.life } else { Life::default() };
        (tell_life || !cells.is_empty()).then(|| RowChange { id: id.clone(), life, cells })
    }

    /// The lattice state, without log numbers.
    pub fn state(&self) -> RowState<u32> {
        let cells = self.cells.iter().map(|(&column, held)| (column, held.cell.clone())).collect();
        RowState { life: self.life, cells }
    }

    /// The stored bytes.
    ///
    /// ```text
    /// life mask (1: born, 2: died, 4: undone), the versions set, life seq,
    /// count of cells, each: column, version, seq, value
    /// ```
    pub fn encode(&self, sites: &mut Sites) -> Vec<u8> {
        let cells = self.cells.values().map(|held| 20 + held.cell.value.weight()).sum::<usize>();
        let mut writer = Writer::with_capacity(40 + cells);
        encode_life(&self.life, sites, &mut writer);
        writer.varint(self.life_seq);
        writer.varint(self.cells.len() as u64);
        for (&column, held) in &self.cells {
            writer.varint(u64::from(column));
            sites.encode_version(held.cell.version, &mut writer);
            writer.varint(held.seq);
            held.cell.value.encode(&mut writer);
        }
        writer.into_bytes()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn decode(bytes: &[u8], sites: &Sites) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let life = decode_life(sites, &mut reader)?;
        let life_seq = reader.varint()?;
        let count = reader.count(12)?;
        let mut cells = BTreeMap::new();
        for _ in 0..count {
            let column = u32::try_from(reader.varint()?).map_err(|_| DecodeError::OutOfRange)?;
            let version = sites.decode_version(&mut reader)?;
            let seq = reader.varint()?;
            let value = Value::decode(&mut reader)?;
            cells.insert(column, RecordCell { cell: Cell { version, value }, seq });
        }
        reader.finish()?;
        Ok(Record { life, life_seq, cells })
    }
}

/// Appends a life: a mask of what is set, then each version.
pub fn encode_life(life: &Life, sites: &mut Sites, writer: &mut Writer) {
    let parts = [life.born, life.died, life.undone];
    let mask = parts.iter().enumerate().fold(0, |mask, (bit, part)| mask | u8::from(part.is_some()) << bit);
    writer.byte(mask);
    for version in parts.into_iter().flatten() {
        sites.encode_version(version, writer);
    }
}

/// Reads what [`encode_life`] wrote.
///
/// # Errors
/// When the bytes are damaged.
pub fn decode_life(sites: &Sites, reader: &mut Reader<'_>) -> Result<Life, DecodeError> {
    let mask = reader.byte()?;
    if mask > 7 {
        return Err(DecodeError::UnknownTag { what: "life", tag: mask });
    }
    let mut part = |bit: u8| -> Result<Option<Version>, DecodeError> {
        (mask & bit != 0).then(|| sites.decode_version(reader)).transpose()
    };
    Ok(Life { born: part(1)?, died: part(2)?, undone: part(4)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Hlc;
    use crate::id::SiteId;

    #[test]
    fn a_record_survives_its_bytes() {
        let mut sites = Sites::default();
        let version = Version::new(Hlc::from_ms(1_700_000_000_000), SiteId::from_bytes([3; 16]));
        let mut record = Record::default();
        let change = RowChange {
            id: RowId::Genesis([1; 16]),
            life: Life::born(version),
            cells: vec![CellChange { column: 0, version, value: Value::text("x") }],
        };
        assert_eq!(record.merge(change.clone(), &[5], 9), Some(change.clone()));
        assert_eq!(record.merge(change, &[5], 10), None, "a duplicate changes nothing");
        assert_eq!(record.seq(), 9);
        let bytes = record.encode(&mut sites);
        assert_eq!(Record::decode(&bytes, &sites).unwrap(), record);
        for cut in 0..bytes.len() {
            assert!(Record::decode(&bytes[..cut], &sites).is_err());
        }
    }
}
