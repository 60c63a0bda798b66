//! The rules of a scope, as the hub's records have them.

use std::sync::Arc;

use crate::conflict::{RULES_TABLE, Rule, Rules};
use crate::id::RowId;
use crate::store::StoreError;
use crate::store::log::Records;
use crate::value::Value;

/// The rules of the scope, as its records have them.
pub(super) fn rules(records: &mut impl Records) -> Result<Arc<Rules>, StoreError> {
    if let Some(rules) = &records.state().rules {
        return Ok(Arc::clone(rules));
    }
    let rules = Arc::new(read_rules(records)?);
    records.state_mut().rules = Some(Arc::clone(&rules));
    Ok(rules)
}

fn read_rules(records: &impl Records) -> Result<Rules, StoreError> {
    let names = &records.state().names;
    let Some(table) = names.existing_table(RULES_TABLE) else { return Ok(Rules::default()) };
    let columns = ["strategy", "on_delete", "merge"].map(|name| names.existing_column(table, name));
    let mut rules = Vec::new();
    records.table(table, &mut |id, record| {
        let RowId::Natural(key) = id else { return };
        let [Value::Text(table), Value::Text(column)] = &key[..] else { return };
        if !record.life.is_alive() {
            return;
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let word = |column: Option<u32>| {
            let held = record.cells.get(&column?)?;
            match &held.cell.value {
                Value::Text(word) if record.life.covers(held.cell.version) => Some(text(word)),
                _ => None,
            }
        };
        let [strategy, on_delete, merge] = columns.map(word);
        rules.push(Rule::parse(
            &text(table),
            &text(column),
            strategy.as_deref(),
            on_delete.as_deref(),
            merge.as_deref(),
        ));
    })?;
    Ok(Rules::new(rules))
}
