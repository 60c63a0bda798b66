//! The rules about conflicts, through the handle of a replica.

use std::path::Path;

use super::error::OpenError;
use super::handle::Replica;
use super::options::ReplicaOptions;
use crate::conflict::{RULES_TABLE, Rule, Rules};
use crate::store::sqlite::{catalog_load, connection, fold, merging, rules};
use crate::store::{StoreError, StoreErrorKind};

impl Replica {
    /// The rules about conflicts, as this replica knows them.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rules(&self) -> Result<Rules, StoreError> {
        self.with(|open| Ok(rules::read(&open.engine.conn)?))
    }

    /// The rules that a file holds, without becoming its engine.
    ///
    /// # Errors
    /// When the file is missing, not a database, or was written by a newer version.
    pub fn inspect_rules(path: impl AsRef<Path>, options: ReplicaOptions) -> Result<Rules, OpenError> {
        let path = path.as_ref();
        let conn = connection::open(path, &options)?;
        rules::read(&conn).map_err(|error| OpenError::store(path, error.into()))
    }

    /// Sets a rule in place of the one for the same table or column, as an ordinary local write:
    /// it travels to the hub and to every other device. The hub goes by what it knows when it
    /// merges a change. A column [merges](Rule::merge) here from now on, and elsewhere from when the
    /// rule arrives there.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use pocketsync_core::conflict::{MergeType, Rule, Strategy};
    /// # use pocketsync_core::store::sqlite::{Replica, ReplicaOptions, Tables};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("notes.db");
    /// # pocketsync_core::rusqlite::Connection::open(&path)?
    /// #     .execute_batch("CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, votes INTEGER DEFAULT 0)")?;
    /// let replica = Replica::open(&path, ReplicaOptions::default())?;
    /// replica.track(&Tables::all())?;
    /// let mut rule = Rule::column("note", "title");
    /// rule.strategy = Some(Strategy::HubWins);
    /// replica.set_rule(&rule)?;
    /// assert_eq!(replica.rules()?.strategy("note", "title"), Strategy::HubWins);
    ///
    /// // Votes that devices count while they are apart add up.
    /// let mut votes = Rule::column("note", "votes");
    /// votes.merge = Some(MergeType::Counter);
    /// replica.set_rule(&votes)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When no table of the file is tracked, when the rule says what only a whole table or only a
    /// column can have, when the column cannot merge (a part of a key or of a UNIQUE index, a foreign
    /// key, a generated column; text, for a counter), or when the file cannot be written.
    pub fn set_rule(&self, rule: &Rule) -> Result<(), StoreError> {
        if let Some(why) = misplaced(rule) {
            return Err(StoreError::new(StoreErrorKind::Unsupported, why));
        }
        self.with(|open| {
            if !open.engine.is_tracked() {
                let message = "no table of this file is tracked: call track first";
                return Err(StoreError::new(StoreErrorKind::Unsupported, message));
            }
            open.engine.write(|engine| {
                rules::ensure(engine)?;
                match merging::refused(&engine.catalog, rule) {
                    Some(why) => Err(StoreError::new(StoreErrorKind::Unsupported, why)),
                    None => Ok(()),
                }
            })
        })?;
        self.as_application(|conn| Ok(rules::put(conn, rule)?))?;
        self.put_in_force()
    }

    /// Takes a rule back: of a table, or of one column of it. Says whether there was one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn unset_rule(&self, table: &str, column: Option<&str>) -> Result<bool, StoreError> {
        let done = self.as_application(|conn| Ok(rules::remove(conn, table, column.unwrap_or_default())?))?;
        self.put_in_force()?;
        Ok(done)
    }

    /// The rules of this file that apply to nothing here, and why: columns that cannot merge. Whoever
    /// writes the table of the rules with SQL is not asked.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn inapplicable_rules(&self) -> Result<Vec<String>, StoreError> {
        self.with(|open| Ok(merging::inapplicable(&open.engine.catalog, &rules::read(&open.engine.conn)?)))
    }

    /// The same for a file, without becoming its engine.
    ///
    /// # Errors
    /// When the file is missing, not a database, or was written by a newer version.
    pub fn inspect_inapplicable_rules(
        path: impl AsRef<Path>,
        options: ReplicaOptions,
    ) -> Result<Vec<String>, OpenError> {
        let path = path.as_ref();
        let conn = connection::open(path, &options)?;
        let rules = rules::read(&conn).map_err(|error| OpenError::store(path, error.into()))?;
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let catalog = catalog_load::load(&conn).map_err(|error| OpenError::store(path, error))?;
        Ok(merging::inapplicable(&catalog, &rules))
    }

    /// Which columns merge is decided when the engine sees the rules; what is written after that is the
    /// difference that it makes.
    fn put_in_force(&self) -> Result<(), StoreError> {
        self.with(|open| match open.engine.is_tracked() {
            true => open.engine.write(fold::run).map(drop),
            false => Ok(()),
        })
    }
}

/// What in a rule is in the wrong place.
fn misplaced(rule: &Rule) -> Option<String> {
    if rule.table.is_empty() {
        return Some("a rule names a table".to_owned());
    }
    if rule.table.eq_ignore_ascii_case(RULES_TABLE) {
        return Some("there are no rules about the rules: the later write wins".to_owned());
    }
    match &rule.column {
        Some(column) if rule.on_delete.is_some() => Some(format!(
            "what becomes of deleted rows is a rule for the whole table {}, not for its column {column}",
            rule.table
        )),
        None if rule.merge.is_some() => {
            Some(format!("how values are merged is a rule for a column of {}, not for the table", rule.table))
        }
        _ => None,
    }
}
