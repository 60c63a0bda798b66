//! The demo's world: a hub behind a real loopback WebSocket, and three devices with real files.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pocketsync::Replica;
use pocketsync::admission::Open;
use pocketsync::driver::{Client, ClientOptions, HubOptions, HubServer};
use pocketsync::http::{HttpHub, HttpHubOptions};
use pocketsync::id::Scope;
use pocketsync::runtime::TokioRuntime;
use pocketsync::rusqlite::Connection;
use pocketsync::store::{HubStore, HubStoreOptions};
use pocketsync::ws::{TokioConnector, WsUrl};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::failure::{Context, Failure, Result};
use crate::hub;
use crate::meter::{Meter, Metered, Traffic};

/// Nothing in the demo takes this long; if it does, it fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a device may take to let go of its file.
const SUSPEND_WITHIN: Duration = Duration::from_millis(500);

/// A running hub.
pub(crate) struct Hub {
    /// Where it listens.
    pub(crate) url: WsUrl,
    server: HubServer,
    driver: JoinHandle<()>,
    listening: JoinHandle<()>,
}

impl Hub {
    /// Starts a hub with its store in `folder`.
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        let store =
            HubStore::open(folder.join("hub.db"), HubStoreOptions::default()).context("the demo's hub")?;
        let runtime = Arc::new(TokioRuntime::current());
        let (server, driver) = HubServer::new(store, Arc::new(Open), runtime.clone(), HubOptions::default());
        let http = HttpHub::new(server.clone(), runtime, HttpHubOptions::default());
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .context("cannot listen on 127.0.0.1")?;
        let address = listener.local_addr().context("the hub's address")?;
        let url = format!("ws://{address}").parse().context("the hub's address")?;
        let listening = tokio::spawn(async move { hub::serve(&listener, &http, None).await });
        Ok(Hub { url, server, driver: tokio::spawn(driver), listening })
    }

    /// Its address for people.
    pub(crate) fn shown(&self) -> String {
        self.url.to_string().trim_end_matches('/').to_owned()
    }

    /// Stops it, and waits until it has.
    pub(crate) async fn stop(self) -> Result<()> {
        self.listening.abort();
        self.server.shutdown().await;
        self.driver.await.context("the hub's driver")
    }
}

/// A device: a file, an application that writes it, and a client that syncs it.
pub(crate) struct Device {
    /// What it is called.
    pub(crate) name: &'static str,
    /// Its file.
    pub(crate) path: PathBuf,
    /// The application's own connection. The engine has another.
    pub(crate) app: Connection,
    client: Client,
    driver: JoinHandle<()>,
    meter: Arc<Meter>,
    read: Traffic,
}

/// What one exchange took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange {
    /// Bytes over the link.
    pub(crate) traffic: Traffic,
    /// From the start of the exchange until both sides had everything.
    pub(crate) took: Duration,
}

impl Device {
    /// Begins to sync a tracked file.
    pub(crate) fn start(
        name: &'static str,
        path: PathBuf,
        replica: Replica,
        hub: &WsUrl,
        scope: &Scope,
    ) -> Result<Self> {
        let app = connect(&path)?;
        let meter = Arc::new(Meter::default());
        let connector = Metered { connector: TokioConnector::new(hub.clone()), meter: Arc::clone(&meter) };
        let (client, driver) = Client::new(
            replica,
            scope.clone(),
            Arc::new(connector),
            Arc::new(TokioRuntime::current()),
            ClientOptions::default(),
        );
        let driver = tokio::spawn(driver);
        Ok(Device { name, path, app, client, driver, meter, read: Traffic::default() })
    }

    /// Cuts the device off.
    pub(crate) async fn go_offline(&self) -> Result<()> {
        self.client.suspend(SUSPEND_WITHIN).await.context(format!("{} does not go offline", self.name))
    }

    /// Lets it back.
    pub(crate) fn come_back(&self) {
        self.client.resume();
    }

    /// Waits until the hub has everything of this device, and this device everything of the hub.
    pub(crate) async fn sync(&mut self) -> Result<Exchange> {
        let began = Instant::now();
        let done = tokio::time::timeout(PATIENCE, self.client.sync_now()).await;
        let stuck = || {
            let why = self.client.status().last_error.map(|error| format!(": {error}")).unwrap_or_default();
            Failure::new(format!("{} did not get in sync{why}", self.name))
        };
        done.map_err(|_| stuck())?.map_err(|error| Failure::new(format!("{}: {error}", self.name)))?;
        let took = began.elapsed();
        let now = self.meter.total();
        let traffic = now.since(self.read);
        self.read = now;
        Ok(Exchange { traffic, took })
    }

    /// Runs a statement as the application.
    pub(crate) fn write(&self, sql: &str) -> Result<()> {
        self.app.execute_batch(sql).context(format!("{}: {sql}", self.name))
    }

    /// Ends the device, and hands back its file.
    pub(crate) async fn stop(self) -> Result<PathBuf> {
        self.client.shutdown().await;
        self.driver.await.context("a client's driver")?;
        self.app.close().map_err(|(_, error)| error).context("closing a file")?;
        Ok(self.path)
    }
}

/// An application's connection.
pub(crate) fn connect(path: &Path) -> Result<Connection> {
    let conn = Connection::open(path).context(format!("cannot open {}", path.display()))?;
    conn.busy_timeout(PATIENCE).context("a timeout")?;
    conn.execute_batch("PRAGMA foreign_keys = ON").context("foreign keys")?;
    Ok(conn)
}
