//! The conflict log in a hub's file.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::HubStore;
use super::error::{damaged, failed};
use crate::conflict::{ConflictFilter, ConflictLimits, HubResolver, LoggedConflict, Resolver};
use crate::id::Scope;
use crate::store::StoreError;

/// Adds a conflict to the log of a scope, and takes out what is over the bounds.
pub(super) fn put(
    conn: &Connection,
    scope: i64,
    limits: &ConflictLimits,
    conflict: &LoggedConflict,
) -> rusqlite::Result<()> {
    let last: i64 = conn
        .prepare_cached("SELECT ifnull(max(id), 0) FROM conflicts WHERE scope = ?1")?
        .query_row([scope], |row| row.get(0))?;
    conn.prepare_cached("INSERT INTO conflicts VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        scope,
        last + 1,
        conflict.logged_ms as i64,
        conflict.encode()
    ])?;
    let beyond = i64::try_from(limits.max_count).unwrap_or(i64::MAX);
    conn.prepare_cached("DELETE FROM conflicts WHERE scope = ?1 AND id <= ?2")?
        .execute(params![scope, (last + 1).saturating_sub(beyond)])?;
    let oldest = conflict.logged_ms.saturating_sub(limits.max_age_ms) as i64;
    // Numbers and times ascend together, so the oldest are the first.
    let kept: Option<i64> = conn
        .prepare_cached("SELECT id FROM conflicts WHERE scope = ?1 AND logged_ms >= ?2 ORDER BY id LIMIT 1")?
        .query_row(params![scope, oldest], |row| row.get(0))
        .optional()?;
    conn.prepare_cached("DELETE FROM conflicts WHERE scope = ?1 AND id < ?2")?
        .execute(params![scope, kept.unwrap_or_default()])?;
    Ok(())
}

fn read(
    conn: &Connection,
    path: &Path,
    scope: &str,
    filter: &ConflictFilter,
) -> Result<Vec<LoggedConflict>, StoreError> {
    let sql = |error: rusqlite::Error| failed(path, &error);
    let mut statement = conn
        .prepare_cached(
            "SELECT c.id, c.logged_ms, c.body FROM conflicts c JOIN scopes s ON s.id = c.scope
             WHERE s.name = ?1 AND c.logged_ms >= ?2 ORDER BY c.id DESC",
        )
        .map_err(sql)?;
    let since = i64::try_from(filter.since_ms.unwrap_or_default()).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![scope, since]).map_err(sql)?;
    let mut found = Vec::new();
    while found.len() < filter.limit.unwrap_or(usize::MAX) {
        let Some(row) = rows.next().map_err(sql)? else { break };
        let number = |column| row.get::<_, i64>(column).map(|number| number as u64).map_err(sql);
        let body: Vec<u8> = row.get(2).map_err(sql)?;
        let conflict = LoggedConflict::decode(number(0)?, number(1)?, &body);
        let conflict = conflict.map_err(|error| damaged(path, "conflict", &error))?;
        if filter.wants(&conflict) {
            found.push(conflict);
        }
    }
    Ok(found)
}

impl HubStore {
    /// Gives the store who decides about conflicts that a rule leaves to the application.
    #[must_use]
    pub fn with_resolver(mut self, resolver: impl Resolver + 'static) -> Self {
        self.resolver = HubResolver::new(resolver);
        self
    }

    /// The conflicts that were judged in a scope, the newest first, as far as the log goes back.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn conflicts(
        &self,
        scope: &Scope,
        filter: &ConflictFilter,
    ) -> Result<Vec<LoggedConflict>, StoreError> {
        read(&self.conn, &self.path, scope.as_str(), filter)
    }

    /// The same from a hub's file, by scope, beside a hub that has it open. Changes nothing.
    ///
    /// # Errors
    /// When the file is no hub's, or cannot be read.
    pub fn inspect_conflicts(
        path: impl AsRef<Path>,
        filter: &ConflictFilter,
    ) -> Result<Vec<(Scope, Vec<LoggedConflict>)>, StoreError> {
        let path = path.as_ref();
        let sql = |error: rusqlite::Error| failed(path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags).map_err(sql)?;
        super::schema::check_is_hub(&conn, path)?;
        let has_log = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'conflicts'";
        if !conn.prepare(has_log).and_then(|mut statement| statement.exists([])).map_err(sql)? {
            return Ok(Vec::new());
        }
        let mut statement = conn.prepare("SELECT name FROM scopes ORDER BY name").map_err(sql)?;
        let names = statement.query_map([], |row| row.get::<_, String>(0)).map_err(sql)?;
        let mut scopes = Vec::new();
        for name in names {
            let name = name.map_err(sql)?;
            let conflicts = read(&conn, path, &name, filter)?;
            if let Ok(scope) = Scope::new(name) {
                scopes.push((scope, conflicts));
            }
        }
        Ok(scopes)
    }
}
