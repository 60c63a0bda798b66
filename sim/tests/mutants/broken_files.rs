//! Real replicas that are broken on purpose: what happens to their files behind their backs.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures::stream::BoxStream;
use pocketsync_sim::pocketsync_core::change::RowChange;
use pocketsync_sim::pocketsync_core::driver::{LocalStore, Summary};
use pocketsync_sim::pocketsync_core::id::SiteId;
use pocketsync_sim::pocketsync_core::store::sqlite::Replica;
use pocketsync_sim::pocketsync_core::store::{HubStore, Store, StoreError, StoreReply, StoreRequest};
use pocketsync_sim::story::DeviceNo;
use pocketsync_sim::world::Parts;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// How a device's file is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FileMutant {
    /// A replica that applies changes as if there were no foreign keys.
    DanglingReferences,
    /// A replica whose journal gets entries about tables that are not tracked.
    JournalsTheUntracked,
    /// A replica that does not send what it added to columns that merge.
    KeepsWhatItAdded,
    /// A replica that counts what it applies twice.
    CountsTwice,
    /// Replicas that do not tell of their rules.
    KeepsItsRules,
    /// Replicas and a hub that forget what lost.
    ForgetsWhatLost,
    /// Replicas that do not pass on what they were told.
    KeepsWhatItHeard,
    /// Replicas that forget what they were told of columns that they do not have.
    ForgetsTheUnknown,
    /// A replica that never lets go of what it put aside.
    KeepsWhatIsAside,
}

impl Parts for FileMutant {
    type Device = BrokenReplica;
    type Hub = BrokenHub;

    fn device(&self, device: DeviceNo, replica: Replica) -> BrokenReplica {
        let all = [
            FileMutant::KeepsItsRules,
            FileMutant::ForgetsTheUnknown,
            FileMutant::ForgetsWhatLost,
            FileMutant::KeepsWhatItHeard,
        ];
        let how = (all.contains(self) || device == DeviceNo(1)).then_some(*self);
        BrokenReplica { how, file: replica.path().to_owned(), site: Arc::default(), inner: replica }
    }

    fn hub(&self, store: HubStore) -> BrokenHub {
        BrokenHub { forgets: *self == FileMutant::ForgetsWhatLost, inner: store }
    }
}

/// A hub that may forget what lost.
pub(crate) struct BrokenHub {
    forgets: bool,
    inner: HubStore,
}

impl Store for BrokenHub {
    fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        let reply = self.inner.run(request)?;
        if self.forgets {
            let forget = |connection: Connection| connection.execute("DELETE FROM conflicts", []);
            Connection::open(self.inner.path()).and_then(forget)?;
        }
        Ok(reply)
    }
}

/// A replica, and what is wrong with it, if anything is.
#[derive(Clone)]
pub(crate) struct BrokenReplica {
    how: Option<FileMutant>,
    file: PathBuf,
    /// Under which identity it writes, as far as it has said so to any of its handles.
    site: Arc<Mutex<Option<SiteId>>>,
    inner: Replica,
}

impl BrokenReplica {
    /// A connection to which neither foreign keys nor triggers apply.
    fn lawless(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.file)?;
        connection.pragma_update(None, "foreign_keys", false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        Ok(connection)
    }

    /// What it says to a request, with something left out.
    fn altered(&self, mut reply: StoreReply) -> StoreReply {
        let StoreReply::Extracted(extracted) = &mut reply else { return reply };
        let tables = &mut extracted.changeset.tables;
        match self.how {
            Some(FileMutant::KeepsWhatItHeard) => {
                for table in tables {
                    table.rows.retain(|row| self.is_own(row));
                }
            }
            Some(FileMutant::KeepsItsRules) => tables.retain(|table| table.name != "__pocketsync_rules"),
            Some(FileMutant::KeepsWhatItAdded) => {
                for table in tables {
                    // What a site added is in a column with its name.
                    let is_added = |column: u32| table.columns[column as usize].contains('\u{1}');
                    table.rows.iter_mut().for_each(|row| row.cells.retain(|cell| !is_added(cell.column)));
                }
            }
            _ => {}
        }
        reply
    }

    /// Whether something of a row was written here.
    fn is_own(&self, row: &RowChange) -> bool {
        let life = [row.life.born, row.life.died, row.life.undone].into_iter().flatten();
        let versions = life.chain(row.cells.iter().map(|cell| cell.version));
        let own = *self.site.lock().unwrap();
        versions.into_iter().any(|version| own.is_none_or(|own| own == version.site))
    }

    /// An entry about a table of no such number.
    fn journal_the_untracked(&self) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO __pocketsync_journal(n, t) VALUES(1 << 40, 1 << 20)";
        self.lawless()?.execute(sql, [])?;
        Ok(())
    }

    fn let_dangle(&self) -> rusqlite::Result<()> {
        let one = "SELECT min(id) FROM item WHERE list IS NOT NULL";
        self.lawless()?.execute(&format!("UPDATE item SET list = 1 << 40 WHERE id = ({one})"), [])?;
        Ok(())
    }

    /// Large pieces, of a peer that there is not.
    fn keep_aside(&self) -> rusqlite::Result<()> {
        let next = "SELECT coalesce(max(n), 0) + 1 FROM __pocketsync_staging WHERE peer = -1";
        let sql = format!(
            "INSERT INTO __pocketsync_staging(peer, n, body) VALUES(-1, ({next}), zeroblob(16 << 20))"
        );
        self.lawless()?.execute(&sql, [])?;
        Ok(())
    }
}

impl Store for BrokenReplica {
    fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        let applies = matches!(request, StoreRequest::Apply { .. });
        let reply = self.inner.run(request)?;
        if let StoreReply::Identity(identity) = &reply {
            *self.site.lock().unwrap() = Some(identity.site);
        }
        match self.how.filter(|_| applies) {
            Some(FileMutant::DanglingReferences) => self.let_dangle()?,
            Some(FileMutant::JournalsTheUntracked) => self.journal_the_untracked()?,
            Some(FileMutant::KeepsWhatIsAside) => self.keep_aside()?,
            Some(FileMutant::CountsTwice) => {
                self.lawless()?.execute("UPDATE list_size SET items = items + 1", [])?;
            }
            Some(FileMutant::ForgetsTheUnknown) => {
                self.lawless()?.execute("DELETE FROM __pocketsync_shadow", [])?;
            }
            Some(FileMutant::ForgetsWhatLost) => {
                self.lawless()?.execute("DELETE FROM __pocketsync_conflict", [])?;
            }
            Some(FileMutant::KeepsWhatItAdded | FileMutant::KeepsItsRules | FileMutant::KeepsWhatItHeard)
            | None => {}
        }
        Ok(self.altered(reply))
    }
}

impl LocalStore for BrokenReplica {
    fn changed(&mut self) -> Result<bool, StoreError> {
        LocalStore::changed(&mut self.inner)
    }

    fn committed(&self) -> BoxStream<'static, ()> {
        LocalStore::committed(&self.inner)
    }

    fn summary(&mut self) -> Result<Summary, StoreError> {
        self.inner.summary()
    }

    fn suspend(&self) {
        LocalStore::suspend(&self.inner);
    }

    fn resume(&self) {
        LocalStore::resume(&self.inner);
    }
}
