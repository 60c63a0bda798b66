//! A hub in a process of its own, on the SQLite store that ships.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use pocketsync::admission::Open;
use pocketsync::runtime::TokioRuntime;
use pocketsync::ws::{self, WsConfig, WsUrl};
use pocketsync::{HubOptions, HubServer, HubStore, HubStoreOptions};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::Result;
use crate::meter::Process;

/// The hidden command that is a hub: it says where it listens, and ends with its standard input.
pub const HUB_COMMAND: &str = "hub-process";

/// A hub in a process of its own; ends when dropped.
#[derive(Debug)]
pub struct HubProcess {
    child: Child,
    /// Where it listens.
    pub url: WsUrl,
    /// What the system says of it.
    pub process: Process,
    /// Its store.
    pub database: PathBuf,
}

impl HubProcess {
    /// Starts one on a store in a folder.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(program: &Path, dir: &Path) -> Result<HubProcess> {
        let database = dir.join("hub.db");
        let mut child = Command::new(program)
            .arg(HUB_COMMAND)
            .arg(&database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no way to hear the hub")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).await?;
        let url = line.trim().parse().map_err(|error| format!("the hub did not start: {error}"))?;
        let process = Process::with_id(child.id().ok_or("the hub has ended")?);
        Ok(HubProcess { child, url, process, database })
    }

    /// Ends it in peace.
    ///
    /// # Errors
    /// When it failed.
    pub async fn end(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("the hub failed: {status}").into()) }
    }
}

/// Is a hub, until its standard input ends.
///
/// # Errors
/// When the store cannot be opened, or no port is free.
pub async fn serve(database: &Path) -> Result<()> {
    let store = HubStore::open(database, HubStoreOptions::default())?;
    let runtime = Arc::new(TokioRuntime::current());
    let (hub, driver) = HubServer::new(store, Arc::new(Open), runtime, HubOptions::default());
    let driver = tokio::spawn(driver);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}", listener.local_addr()?);
    let accepting = hub.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let hub = accepting.clone();
            tokio::spawn(async move {
                // Frames are whole messages: waiting for more to send only delays them.
                let _delayed = stream.set_nodelay(true);
                if let Ok(transport) = ws::accept(stream.compat(), WsConfig::default()).await {
                    let _stopped = hub.serve(transport).await;
                }
            });
        }
    });
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    hub.shutdown().await;
    Ok(driver.await?)
}
