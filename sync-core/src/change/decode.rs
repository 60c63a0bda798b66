//! Reading a changeset from untrusted bytes, in one pass.

use std::collections::BTreeSet;

use super::layout::{FORMAT, NEW_COLUMNS, NEW_VERSION, OWN_VERSIONS, id, life};
use super::sites::SiteReader;
use super::value::Allowance;
use super::{CellChange, Changeset, RowChange, TableChanges, columns};
use crate::clock::Version;
use crate::codec::{DecodeError, Reader};
use crate::id::{MAX_REF_DEPTH, RowId};
use crate::merge::Life;

/// How many columns a table may have: as many as SQLite can be built to allow.
pub const MAX_COLUMNS: usize = 32_767;

/// How long the name of a table or column may be.
pub const MAX_NAME_BYTES: usize = 1024;

impl Changeset {
    /// The changeset that [`encode`](Self::encode) gave.
    ///
    /// The result is well-formed whatever the input: cells are in the order of columns that the
    /// table has, tables and columns are named once, references are at most [`MAX_REF_DEPTH`]
    /// deep. That a row appears only once is not checked; merging does not mind.
    ///
    /// # Errors
    /// When the bytes are not a changeset.
    pub fn decode(bytes: &[u8]) -> Result<Changeset, DecodeError> {
        Changeset::decode_within(bytes, usize::MAX)
    }

    /// As [`decode`](Self::decode), for a result of at most about `max_memory_bytes`.
    ///
    /// One byte can stand for a whole row, a deletion next to another one, which takes about 150
    /// in memory.
    ///
    /// # Errors
    /// When the bytes are not a changeset, or say more than fits.
    pub fn decode_within(bytes: &[u8], max_memory_bytes: usize) -> Result<Changeset, DecodeError> {
        let mut decoder = Decoder {
            input: Reader::new(bytes),
            sites: SiteReader::default(),
            version: Version::GENESIS,
            id_site: 0,
            columns: Vec::new(),
            room: Allowance(max_memory_bytes),
        };
        decoder.changeset()
    }
}

struct Decoder<'a> {
    input: Reader<'a>,
    sites: SiteReader,
    /// The version of the row before.
    version: Version,
    /// The number of the site of the last row with a surrogate id.
    id_site: usize,
    /// The columns of the row before.
    columns: Vec<u32>,
    room: Allowance,
}

impl<'a> Decoder<'a> {
    fn changeset(&mut self) -> Result<Changeset, DecodeError> {
        match self.input.byte()? {
            FORMAT => {}
            tag => return Err(DecodeError::UnknownTag { what: "changeset format", tag }),
        }
        let count = self.input.count(3)?;
        let mut names = BTreeSet::new();
        let mut tables = Vec::new();
        for _ in 0..count {
            self.room.take(1, size_of::<TableChanges>())?;
            let name = self.name()?;
            if !names.insert(name) {
                return Err(DecodeError::Invalid("a table appears twice"));
            }
            tables.push(self.table(name)?);
        }
        self.input.finish()?;
        Ok(Changeset { tables })
    }

    fn name(&mut self) -> Result<&'a str, DecodeError> {
        let name = self.input.length_prefixed()?;
        if name.len() > MAX_NAME_BYTES {
            return Err(DecodeError::Invalid("a name is too long"));
        }
        self.room.take(1, size_of::<String>() + name.len())?;
        std::str::from_utf8(name).map_err(|_| DecodeError::Invalid("a name is not UTF-8"))
    }

    fn table(&mut self, name: &str) -> Result<TableChanges, DecodeError> {
        let width = self.input.count(1)?;
        if width > MAX_COLUMNS {
            return Err(DecodeError::OutOfRange);
        }
        let mut names = BTreeSet::new();
        let mut columns = Vec::with_capacity(width);
        for _ in 0..width {
            let name = self.name()?;
            if !names.insert(name) {
                return Err(DecodeError::Invalid("a column appears twice"));
            }
            columns.push(name.to_owned());
        }
        let count = self.input.count(1)?;
        self.room.take(count, size_of::<RowChange>())?;
        let mut rows = Vec::with_capacity(count);
        self.columns.clear();
        for _ in 0..count {
            rows.push(self.row(width)?);
        }
        Ok(TableChanges { name: name.to_owned(), columns, rows })
    }

    fn row(&mut self, width: usize) -> Result<RowChange, DecodeError> {
        let head = self.input.byte()?;
        let id = self.id(head & id::MASK)?;
        if head & NEW_VERSION != 0 {
            self.version = self.sites.read_version(self.version, &mut self.input)?;
        }
        let life = self.life(head & life::MASK)?;
        if head & NEW_COLUMNS != 0 {
            columns::read(&mut self.columns, width, &mut self.input)?;
        }
        let cells = self.cells(head & OWN_VERSIONS != 0)?;
        Ok(RowChange { id, life, cells })
    }

    fn id(&mut self, kind: u8) -> Result<RowId, DecodeError> {
        Ok(match kind {
            id::NEXT | id::AHEAD | id::SURROGATE => {
                if kind == id::SURROGATE {
                    self.id_site = self.sites.read(&mut self.input)?;
                }
                let (site, last) = self.sites.get(self.id_site);
                last.row = match kind {
                    id::NEXT => last.row.checked_add(1),
                    id::AHEAD => {
                        self.input.varint()?.checked_add(2).and_then(|ahead| last.row.checked_add(ahead))
                    }
                    _ => Some(last.row.wrapping_add(self.input.signed()? as u64)),
                }
                .ok_or(DecodeError::OutOfRange)?;
                RowId::Surrogate { site: *site, counter: last.row }
            }
            id::KEY_OF_ONE => {
                self.room.take(1, size_of::<crate::value::Value>())?;
                RowId::Natural(Box::new([self.sites.read_value(
                    MAX_REF_DEPTH,
                    &mut self.input,
                    &mut self.room,
                )?]))
            }
            id::KEY => RowId::Natural(self.sites.read_key(MAX_REF_DEPTH, &mut self.input, &mut self.room)?),
            id::GENESIS => RowId::Genesis(self.input.array()?),
            tag => return Err(DecodeError::UnknownTag { what: "row id", tag }),
        })
    }

    fn life(&mut self, kind: u8) -> Result<Life, DecodeError> {
        match kind {
            life::NONE => return Ok(Life::default()),
            life::BORN => return Ok(Life::born(self.version)),
            life::DIED => return Ok(Life::died(self.version)),
            _ => {}
        }
        let mask = self.input.byte()?;
        if mask == 0 || mask > 7 {
            return Err(DecodeError::UnknownTag { what: "life", tag: mask });
        }
        let first = mask & mask.wrapping_neg();
        let mut part = |bit: u8| -> Result<Option<Version>, DecodeError> {
            if bit == first {
                return Ok(Some(self.version));
            }
            (mask & bit != 0).then(|| self.sites.read_version(self.version, &mut self.input)).transpose()
        };
        Ok(Life { born: part(1)?, died: part(2)?, undone: part(4)? })
    }

    fn cells(&mut self, own_versions: bool) -> Result<Vec<CellChange>, DecodeError> {
        let count = self.columns.len();
        let own = if own_versions { self.input.slice(count.div_ceil(8))? } else { &[] };
        columns::check_padding(own, count)?;
        if count > self.input.remaining() {
            return Err(DecodeError::Truncated);
        }
        self.room.take(count, size_of::<CellChange>())?;
        let mut cells = Vec::with_capacity(count);
        let mut last_own = self.version;
        for (index, &column) in self.columns.iter().enumerate() {
            let version = if own_versions && own[index / 8] >> (index % 8) & 1 != 0 {
                last_own = self.sites.read_version(last_own, &mut self.input)?;
                last_own
            } else {
                self.version
            };
            let value = self.sites.read_value(MAX_REF_DEPTH, &mut self.input, &mut self.room)?;
            cells.push(CellChange { column, version, value });
        }
        Ok(cells)
    }
}
