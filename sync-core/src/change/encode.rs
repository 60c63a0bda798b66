//! Writing a changeset, in one pass.

use super::layout::{FORMAT, NEW_COLUMNS, NEW_VERSION, OWN_VERSIONS, id, life};
use super::sites::SiteWriter;
use super::{CellChange, Changeset, RowChange, TableChanges, columns};
use crate::clock::Version;
use crate::codec::Writer;
use crate::id::{RowId, SiteId};
use crate::merge::Life;

impl Changeset {
    /// The bytes of this changeset: equal changesets have equal bytes.
    ///
    /// A row that is inserted, or updated next to others of its transaction, costs its values and
    /// one to four bytes; a natural key costs itself besides.
    ///
    /// ```
    /// use pocketsync_core::change::Changeset;
    /// let changeset = Changeset::default();
    /// assert_eq!(Changeset::decode(&changeset.encode())?, changeset);
    /// # Ok::<(), pocketsync_core::codec::DecodeError>(())
    /// ```
    ///
    /// # Panics
    /// When a row's cells are not in ascending order of their columns, or name a column that the
    /// table does not have.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder {
            out: Writer::new(),
            sites: SiteWriter::default(),
            version: Version::GENESIS,
            id_site: (SiteId::NIL, 0),
        };
        encoder.out.byte(FORMAT);
        encoder.out.varint(self.tables.len() as u64);
        for table in &self.tables {
            encoder.table(table);
        }
        encoder.out.into_bytes()
    }
}

struct Encoder {
    out: Writer,
    sites: SiteWriter,
    /// The version of the row before.
    version: Version,
    /// The site, and its number, of the last row with a surrogate id.
    id_site: (SiteId, usize),
}

impl Encoder {
    fn table(&mut self, table: &TableChanges) {
        self.out.length_prefixed(table.name.as_bytes());
        self.out.varint(table.columns.len() as u64);
        for column in &table.columns {
            self.out.length_prefixed(column.as_bytes());
        }
        self.out.varint(table.rows.len() as u64);
        let mut before: &[CellChange] = &[];
        for row in &table.rows {
            self.row(row, before, table.columns.len());
            before = &row.cells;
        }
    }

    fn row(&mut self, row: &RowChange, before: &[CellChange], width: usize) {
        let version = row_version(row).unwrap_or(self.version);
        let id_kind = self.id_kind(&row.id);
        let life_kind = match row.life {
            Life { born: None, died: None, undone: None } => life::NONE,
            Life { born: Some(_), died: None, undone: None } => life::BORN,
            Life { born: None, died: Some(_), undone: None } => life::DIED,
            _ => life::LISTED,
        };
        let mut head = id_kind | life_kind;
        if version != self.version {
            head |= NEW_VERSION;
        }
        let new_columns = !same_columns(before, &row.cells);
        if new_columns {
            check_columns(&row.cells, width);
            head |= NEW_COLUMNS;
        }
        let own_versions = row.cells.iter().any(|cell| cell.version != version);
        if own_versions {
            head |= OWN_VERSIONS;
        }
        self.out.byte(head);
        self.id(id_kind, &row.id);
        if version != self.version {
            self.sites.write_version(self.version, version, &mut self.out);
            self.version = version;
        }
        if life_kind == life::LISTED {
            self.life(&row.life);
        }
        if new_columns {
            columns::write(&row.cells, width, &mut self.out);
        }
        if own_versions {
            for cells in row.cells.chunks(8) {
                let own = |(bit, cell): (usize, &CellChange)| u8::from(cell.version != version) << bit;
                self.out.byte(cells.iter().enumerate().map(own).sum());
            }
        }
        let mut last_own = version;
        for cell in &row.cells {
            if cell.version != version {
                self.sites.write_version(last_own, cell.version, &mut self.out);
                last_own = cell.version;
            }
            self.sites.write_value(&cell.value, &mut self.out);
        }
    }

    fn id_kind(&mut self, id: &RowId) -> u8 {
        match id {
            RowId::Surrogate { site, counter } if *site == self.id_site.0 => {
                match counter.checked_sub(self.sites.last(self.id_site.1).row) {
                    Some(1) => id::NEXT,
                    Some(2..) => id::AHEAD,
                    _ => id::SURROGATE,
                }
            }
            RowId::Surrogate { .. } => id::SURROGATE,
            RowId::Natural(key) if key.len() == 1 => id::KEY_OF_ONE,
            RowId::Natural(_) => id::KEY,
            RowId::Genesis(_) => id::GENESIS,
        }
    }

    fn id(&mut self, kind: u8, id: &RowId) {
        match id {
            RowId::Surrogate { site, counter } => {
                if kind == id::SURROGATE {
                    self.id_site = (*site, self.sites.write(*site, &mut self.out));
                }
                let last = &mut self.sites.last(self.id_site.1).row;
                match kind {
                    id::NEXT => {}
                    id::AHEAD => self.out.varint(counter - *last - 2),
                    _ => self.out.signed(counter.wrapping_sub(*last) as i64),
                }
                *last = *counter;
            }
            RowId::Natural(key) if kind == id::KEY_OF_ONE => {
                self.sites.write_value(&key[0], &mut self.out);
            }
            RowId::Natural(key) => self.sites.write_key(key, &mut self.out),
            RowId::Genesis(hash) => self.out.bytes(hash),
        }
    }

    fn life(&mut self, life: &Life) {
        let parts = [life.born, life.died, life.undone];
        let set = |(bit, part): (usize, &Option<Version>)| u8::from(part.is_some()) << bit;
        self.out.byte(parts.iter().enumerate().map(set).sum());
        // The first is the row's version itself.
        for part in parts.into_iter().flatten().skip(1) {
            self.sites.write_version(self.version, part, &mut self.out);
        }
    }
}

/// The version that the other versions of a row are written against: most are equal to it.
fn row_version(row: &RowChange) -> Option<Version> {
    row.life.versions().next().or_else(|| row.cells.first().map(|cell| cell.version))
}

fn same_columns(a: &[CellChange], b: &[CellChange]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.column == b.column)
}

fn check_columns(cells: &[CellChange], width: usize) {
    assert!(
        cells.is_sorted_by(|a, b| a.column < b.column),
        "the cells of a row must be in ascending order of their columns"
    );
    assert!(
        cells.last().is_none_or(|cell| (cell.column as usize) < width),
        "a cell names a column that its table does not have"
    );
}
