//! What the records know, for a judgement.

use super::{Records, row_key};
use crate::id::{RowId, SiteId};
use crate::store::permit::{Held, Known};
use crate::store::{Knowledge, StoreError};

/// The records of a scope.
pub(super) struct Here<'a, R>(pub(super) &'a R);

impl<R: Records> Known for Here<'_, R> {
    fn held(&self, table: &str, id: &RowId) -> Result<Held, StoreError> {
        let names = &self.0.state().names;
        let Some(number) = names.existing_table(table) else { return Ok(Held::default()) };
        let record = self.0.record(number, &row_key(id))?.unwrap_or_default();
        let cells = record
            .cells
            .into_iter()
            .filter_map(|(column, held)| Some((names.column_name(number, column)?.to_owned(), held.cell)));
        Ok(Held { life: record.life, cells: cells.collect(), ignores_case: false })
    }

    fn knowledge(&self, site: SiteId) -> Knowledge {
        self.0.state().sites.knowledge(site)
    }
}
