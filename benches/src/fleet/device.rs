//! A device: a tracked file, and the application's connection to it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pocketsync::runtime::TokioRuntime;
use pocketsync::ws::WsUrl;
use pocketsync::{Client, ClientOptions, Replica, ReplicaOptions, Scope, Tables};

use super::counted::CountedConnector;
use crate::Result;
use crate::contender::{Pragmas, SqliteFile, Write};
use crate::shape::Shape;

/// A device: a tracked file, and the application's connection to it.
#[derive(Debug)]
pub struct Device {
    /// The application's side.
    pub file: SqliteFile,
    /// The engine.
    pub replica: Replica,
}

/// A running client.
pub(crate) struct Online {
    pub(crate) client: Client,
    driver: tokio::task::JoinHandle<()>,
    bytes: Arc<AtomicU64>,
}

impl Online {
    /// The bytes on the wire so far, both ways.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) async fn end(self) -> Result<()> {
        self.client.shutdown().await;
        Ok(self.driver.await?)
    }
}

impl Device {
    /// A new file with tuned pragmas, tracked.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(dir: &Path, name: &str, shape: Shape) -> Result<Device> {
        let file = SqliteFile::create(dir, name, shape, Pragmas::Tuned)?;
        // The engine has the settings that applications have: the pragma of a connection is its own.
        let options = ReplicaOptions::default()
            .with_on_connect(|conn| conn.execute_batch("PRAGMA synchronous = NORMAL"));
        let replica = Replica::open(&file.path, options)?;
        replica.track(&Tables::all())?;
        Ok(Device { file, replica })
    }

    /// Rows `from..to` in one transaction.
    pub(crate) fn insert(&self, shape: Shape, from: usize, to: usize) -> Result<()> {
        self.file.write(&Write::Insert((from..to).map(|n| shape.row(n)).collect()), true)
    }

    /// Connects; must be called inside of a Tokio runtime.
    pub(crate) fn connect(&self, url: &WsUrl, scope: &str) -> Result<Online> {
        let connector = CountedConnector::new(url.clone());
        let bytes = connector.bytes();
        let (client, driver) = Client::new(
            self.replica.clone(),
            Scope::new(scope)?,
            Arc::new(connector),
            Arc::new(TokioRuntime::current()),
            ClientOptions::default(),
        );
        Ok(Online { client, driver: tokio::spawn(driver), bytes })
    }
}
