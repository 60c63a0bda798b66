//! What happens to files: copies, backups, engines that are killed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pocketsync_core::clock::Now;
use pocketsync_core::hub::{Hub, HubConfig};
use pocketsync_core::rusqlite::Connection;
use pocketsync_core::store::sqlite::replica::{Replica, ReplicaOptions};
use pocketsync_core::store::sqlite::tracking::Tables;
use pocketsync_core::store::{HubStore, HubStoreOptions};
use tempfile::TempDir;

use super::{Device, World};

/// A database with its write-ahead log, copied byte by byte while it was open.
pub(crate) struct Backup {
    dir: TempDir,
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl Backup {
    fn of(path: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for suffix in ["", "-wal"] {
            if beside(path, suffix).exists() {
                std::fs::copy(beside(path, suffix), dir.path().join(format!("copy{suffix}"))).unwrap();
            }
        }
        Backup { dir }
    }

    fn put(&self, path: &Path) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(beside(path, suffix));
            let copy = self.dir.path().join(format!("copy{suffix}"));
            if copy.exists() {
                std::fs::copy(copy, beside(path, suffix)).unwrap();
            }
        }
    }
}

fn connect(path: &Path) -> Connection {
    let app = Connection::open(path).unwrap();
    app.busy_timeout(Duration::from_secs(10)).unwrap();
    app.execute_batch("PRAGMA synchronous = OFF").unwrap();
    app
}

fn open(dir: TempDir, path: PathBuf, skew_ms: i64) -> Device {
    let app = connect(&path);
    let replica = Replica::open(&path, ReplicaOptions::default()).unwrap();
    Device {
        dir,
        path,
        app,
        replica,
        skew_ms,
        online: true,
        caught_up: false,
        sent_bytes: 0,
        early: 0,
        ends: Vec::new(),
    }
}

impl World {
    /// A new device with this schema (and rows), tracked.
    pub(crate) fn install(&mut self, schema: &str, journal_mode: &str) -> usize {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.db");
        let app = connect(&path);
        app.execute_batch(&format!("PRAGMA journal_mode = {journal_mode}; {schema}")).unwrap();
        drop(app);
        let device = open(dir, path, 0);
        device.replica.track(&Tables::all()).unwrap();
        self.devices.push(device);
        self.devices.len() - 1
    }

    pub(crate) fn back_up(&self, n: usize) -> Backup {
        Backup::of(&self.devices[n].path)
    }

    /// Ends the engine and the application, and starts both on a copy.
    pub(crate) fn restore(&mut self, n: usize, backup: &Backup) {
        self.cut_all(n);
        // The old connections must be gone before the new ones open the path.
        let spare = open_nowhere();
        let Device { dir, path, app, replica, skew_ms, online, ends, .. } =
            std::mem::replace(&mut self.devices[n], spare);
        drop((app, replica));
        backup.put(&path);
        self.devices[n] = Device { online, ends, ..open(dir, path, skew_ms) };
    }

    /// Kills the engine where it stands: only what is on the disk now is there afterwards.
    pub(crate) fn kill(&mut self, n: usize) {
        let now = self.back_up(n);
        self.restore(n, &now);
    }

    /// Another device on a copy of this one's file.
    pub(crate) fn clone_file(&mut self, n: usize) -> usize {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.db");
        self.back_up(n).put(&path);
        let skew_ms = self.devices[n].skew_ms;
        self.devices.push(open(dir, path, skew_ms));
        self.devices.len() - 1
    }

    fn hub_path(&self) -> PathBuf {
        self.dir.path().join("hub.db")
    }

    pub(crate) fn back_up_hub(&self) -> Backup {
        Backup::of(&self.hub_path())
    }

    pub(crate) fn restore_hub(&mut self, backup: &Backup) {
        for link in self.links.keys().copied().collect::<Vec<_>>() {
            self.cut(link);
        }
        drop(self.store.take());
        backup.put(&self.hub_path());
        self.store = Some(HubStore::open(self.hub_path(), HubStoreOptions::default()).unwrap());
        self.hub = Hub::new(HubConfig::default(), Now::default());
    }

    pub(crate) fn kill_hub(&mut self) {
        let now = self.back_up_hub();
        self.restore_hub(&now);
    }
}

/// Stands in for a device whose file is exchanged.
fn open_nowhere() -> Device {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    connect(&path).execute_batch("CREATE TABLE t(x)").unwrap();
    open(dir, path, 0)
}
