//! What a replica knows, for a judgement about a peer's changes.

use super::engine::Engine;
use super::park::row::Row;
use crate::id::{RowId, SiteId};
use crate::store::permit::{Held, Known};
use crate::store::{Knowledge, StoreError};

impl Known for Engine {
    fn held(&self, table: &str, id: &RowId) -> Result<Held, StoreError> {
        let nothing = Held { ignores_case: true, ..Held::default() };
        let renamed = || self.catalog.number(self.catalog.renames.table(table).as_ref()?);
        let Some(number) = self.catalog.number(table).or_else(renamed) else { return Ok(nothing) };
        let record = Row::load(self, &(number, id.clone()))?.record;
        let mut held = Held { life: record.life, ..nothing };
        for (column, of) in record.cells {
            if let Some(name) = self.wire_column_name(number, column)? {
                held.cells.insert(name, of.cell);
            }
        }
        Ok(held)
    }

    fn knowledge(&self, site: SiteId) -> Knowledge {
        self.sites.knowledge(site)
    }
}
