//! A hub's store of either kind, with what happens to a file: reopening, backups.

use pocketsync_core::lineage::Stamp;
use pocketsync_core::store::{
    HubStore, HubStoreOptions, MemoryStore, Store, StoreError, StoreReply, StoreRequest,
};

use super::site;

/// Either store of a hub.
pub enum AnyHub {
    Memory { store: MemoryStore, openings: u64, backup: Option<MemoryStore> },
    File { dir: tempfile::TempDir, store: Option<HubStore> },
}

impl AnyHub {
    pub fn memory() -> Self {
        AnyHub::Memory { store: MemoryStore::hub(site(9), Stamp(900)), openings: 900, backup: None }
    }

    pub fn file() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = HubStore::open(dir.path().join("hub.db"), HubStoreOptions::default()).unwrap();
        AnyHub::File { dir, store: Some(store) }
    }

    pub fn both() -> [Self; 2] {
        [AnyHub::memory(), AnyHub::file()]
    }

    /// The engine ends and another opens.
    pub fn reopen(&mut self) {
        match self {
            AnyHub::Memory { store, openings, .. } => {
                *openings += 1;
                store.reopen(Stamp(*openings));
            }
            AnyHub::File { dir, store } => {
                drop(store.take());
                *store = Some(HubStore::open(dir.path().join("hub.db"), HubStoreOptions::default()).unwrap());
            }
        }
    }

    /// Copies the files as they are, in the middle of work: what a crash would leave.
    pub fn back_up(&mut self) {
        match self {
            AnyHub::Memory { store, backup, .. } => *backup = Some(store.clone()),
            AnyHub::File { dir, .. } => {
                for name in ["hub.db", "hub.db-wal"] {
                    std::fs::copy(dir.path().join(name), dir.path().join(format!("backup-{name}"))).unwrap();
                }
            }
        }
    }

    /// Puts the copies back and opens.
    pub fn restore(&mut self) {
        match self {
            AnyHub::Memory { store, backup, .. } => *store = backup.clone().unwrap(),
            AnyHub::File { dir, store } => {
                drop(store.take());
                for name in ["hub.db", "hub.db-wal"] {
                    std::fs::copy(dir.path().join(format!("backup-{name}")), dir.path().join(name)).unwrap();
                }
                let _ = std::fs::remove_file(dir.path().join("hub.db-shm"));
            }
        }
        self.reopen();
    }
}

impl Store for AnyHub {
    fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        match self {
            AnyHub::Memory { store, .. } => store.run(request),
            AnyHub::File { store, .. } => store.as_mut().unwrap().run(request),
        }
    }
}
