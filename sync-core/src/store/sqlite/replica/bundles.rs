//! Changes in files, out of a replica and into it.

use std::io::{Read, Seek, Write};

use super::handle::Replica;
use super::requests::ensure_tracked;
use crate::bundle::{self, BundleError, ExportOptions, Exported, ImportOptions, Imported};
use crate::change::Changeset;
use crate::id::SiteId;
use crate::lineage::Cursor;
use crate::store::sqlite::identity;
use crate::store::{Meet, Met, StoreError};

impl Replica {
    /// Writes a bundle: what one replica does not have yet, or everything, for a file that somebody carries. The
    /// file may go on to be written meanwhile; the bundle ends with a whole state of it.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::io::Cursor;
    /// use pocketsync_core::bundle::{ExportOptions, ImportOptions};
    /// use pocketsync_core::clock::Now;
    /// use pocketsync_core::id::Scope;
    /// use pocketsync_core::store::sqlite::{Replica, ReplicaOptions, Tables};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let mut replicas = Vec::new();
    /// # for name in ["boat.db", "office.db"] {
    /// #     let app = pocketsync_core::rusqlite::Connection::open(dir.path().join(name))?;
    /// #     app.execute_batch("CREATE TABLE catch(id INTEGER PRIMARY KEY, fish TEXT)")?;
    /// #     let replica = Replica::open(dir.path().join(name), ReplicaOptions::default())?;
    /// #     replica.track(&Tables::all())?;
    /// #     replicas.push((app, replica));
    /// # }
    /// # let [(app, boat), (_, office)] = &replicas[..] else { unreachable!() };
    /// # let now = Now { wall_ms: 4_000_000_000_000, ..Now::default() };
    /// app.execute("INSERT INTO catch(fish) VALUES('cod')", [])?;
    /// let scope = Scope::new("catches")?;
    /// let mut stick = Vec::new(); // a file, as a rule
    /// let exported = boat.export(&mut stick, &ExportOptions::new(scope.clone(), now))?;
    /// let imported = office.import(Cursor::new(&stick), &ImportOptions::new(scope.clone(), now))?;
    /// assert_eq!((exported.rows, imported.changed_rows), (1, 1));
    ///
    /// // The answer says what has arrived, so the next bundle has only what is new.
    /// let mut answer = Vec::new();
    /// office.export(&mut answer, &ExportOptions::new(scope.clone(), now).for_peer(imported.sender))?;
    /// let answered = boat.import(Cursor::new(&answer), &ImportOptions::new(scope.clone(), now))?;
    /// let next = boat.export(&mut stick, &ExportOptions::new(scope, now).for_peer(answered.sender))?;
    /// assert_eq!(next.rows, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the replica cannot be read, the bundle not written, or a row is larger than 64 MiB. When the position that
    /// it was to begin at is not of this replica.
    pub fn export(&self, out: impl Write, options: &ExportOptions) -> Result<Exported, BundleError> {
        let mut from = self.with(|open| {
            ensure_tracked(&open.engine)?;
            match options.recipient() {
                Some(site) => identity::told_from(&open.engine, site),
                None => Ok(Cursor::ZERO),
            }
        })?;
        if let Some(position) = options.position() {
            let is_ours =
                self.with(|open| Ok(open.engine.lineage.contains(open.engine.meta.head as u64, position)))?;
            if !is_ours || !position.within.is_empty() {
                return Err(BundleError::UnknownPosition);
            }
            from = position.clone();
        }
        bundle::export(&mut self.clone(), from, out, options)
    }

    /// Merges a bundle, as if its sender had been met. Nothing is merged before all of it was read and found whole;
    /// importing it again does nothing, and goes on where it was cut off. See [`export`](Self::export).
    ///
    /// # Errors
    /// When it is no whole bundle, not for this replica, or its sender has to hear of something first:
    /// [`BundleError::way_out`] says what. When the file cannot be written; what was merged before stays then.
    pub fn import(&self, input: impl Read + Seek, options: &ImportOptions) -> Result<Imported, BundleError> {
        let imported = bundle::import(&mut self.clone(), input, options);
        // A client at work has something to pass on, also where the import was cut off.
        self.notify_committed();
        imported
    }

    /// Looks at what a peer has written of itself and of us.
    pub(crate) fn hear_of(&self, peer: Meet) -> Result<Met, StoreError> {
        self.engaged(|engine| identity::hear_of(engine, peer))
    }

    /// The earliest sign in these changes that this file has another life.
    pub(crate) fn other_life(&self, changes: &Changeset) -> Result<Option<identity::OtherLife>, StoreError> {
        self.with(|open| identity::other_life(&open.engine, changes))
    }

    /// Takes a new site, having had two lives.
    pub(crate) fn leave_after(&self, life: identity::OtherLife) -> Result<SiteId, StoreError> {
        self.with(|open| open.engine.write(|engine| identity::leave_after(engine, life)))
    }
}
