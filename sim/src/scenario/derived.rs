//! Whether what is said to be derived from a schema's tables can be asked for.

use rusqlite::Connection;

use super::{Scenario, ScenarioError};
use crate::shape::{Derived, Shape};

impl Scenario {
    /// The shape of the schema, of which some tables are not synced, and some things are derived.
    pub(super) fn with_derived(&self, mut shape: Shape) -> Result<Shape, ScenarioError> {
        let wrong = |what: String| self.mistake("derived", what);
        let sqlite = Connection::open_in_memory().map_err(|error| wrong(error.to_string()))?;
        sqlite.execute_batch(&shape.sql).map_err(|error| wrong(error.to_string()))?;
        for derived in &self.derived {
            let Derived { what, kept, anew, check } = derived;
            if kept.is_some() != anew.is_some() || kept.is_none() && check.is_none() {
                return Err(wrong(format!(
                    "{what}: write both `kept` and `anew`, two queries that agree, or `check`, a statement that fails \
                     where it is wrong"
                )));
            }
            for (key, sql) in [("kept", kept), ("anew", anew)] {
                let Some(sql) = sql else { continue };
                let prepared =
                    sqlite.prepare(sql).map_err(|error| wrong(format!("{what}: `{key}`: {error}")))?;
                if !prepared.readonly() || prepared.column_count() == 0 {
                    return Err(wrong(format!("{what}: `{key}` is no query; begin it with SELECT")));
                }
            }
            if let Some(sql) = check {
                sqlite.execute_batch(sql).map_err(|error| wrong(format!("{what}: `check`: {error}")))?;
            }
        }
        shape.derived.clone_from(&self.derived);
        Ok(shape)
    }

    /// The tables that are not synced, each of which must exist.
    pub(super) fn check_untracked(&self, all: &Shape) -> Result<(), ScenarioError> {
        let unknown = |name: &&String| all.table(name).is_none();
        match self.untracked.iter().find(unknown) {
            None => Ok(()),
            Some(name) => {
                let known: Vec<&str> = all.tables.iter().map(|table| table.name.as_str()).collect();
                Err(self.mistake(
                    "untracked",
                    format!("the schema has no table `{name}`; it has {}", known.join(", ")),
                ))
            }
        }
    }
}
