//! A hub and two clients on smol, in one process, over WebSockets on the loopback device.
//!
//! `cargo run -p pocketsync --example embed_smol --features bundled,smol,ws`

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pocketsync::admission::SharedToken;
use pocketsync::runtime::SmolRuntime;
use pocketsync::rusqlite::Connection;
use pocketsync::ws::{self, SmolConnector};
use pocketsync::{Client, ClientOptions, HubOptions, HubServer, HubStore, HubStoreOptions};
use pocketsync::{Replica, ReplicaOptions, Scope, Tables};
use smol::future::FutureExt;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    smol::block_on(async {
        let address = start_hub(&dir.path().join("hub.db"))?;
        println!("a hub on {address}");
        let (mine, my_app) = start_client(&dir.path().join("mine.db"), &address)?;
        let (theirs, their_app) = start_client(&dir.path().join("theirs.db"), &address)?;

        my_app.execute("INSERT INTO note(title) VALUES('buy milk')", [])?;
        their_app.execute("INSERT INTO note(title) VALUES('feed the cat')", [])?;
        mine.sync_now().await?;
        theirs.sync_now().await?;
        mine.sync_now().await?;

        let mut query = their_app.prepare("SELECT title FROM note ORDER BY title")?;
        for title in query.query_map([], |row| row.get::<_, String>(0))? {
            println!("they have: {}", title?);
        }
        mine.shutdown().await;
        theirs.shutdown().await;
        Ok(())
    })
}

/// Starts a hub on a free port, and gives its address.
fn start_hub(file: &Path) -> Outcome<String> {
    let store = HubStore::open(file, HubStoreOptions::default())?;
    let admission = Arc::new(SharedToken::new("correct horse"));
    let (hub, driver) = HubServer::new(store, admission, Arc::new(SmolRuntime::new()), HubOptions::default());
    smol::spawn(driver).detach();

    let listener = smol::Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    let address = format!("ws://{}", listener.get_ref().local_addr()?);
    smol::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let hub = hub.clone();
            // Who says nothing must not hold a socket for ever.
            let patience = async {
                smol::Timer::after(Duration::from_secs(10)).await;
                None
            };
            let greeting = async { ws::accept(stream, ws::WsConfig::default()).await.ok() };
            smol::spawn(async move {
                if let Some(transport) = greeting.or(patience).await {
                    let _stopped = hub.serve(transport).await;
                }
            })
            .detach();
        }
    })
    .detach();
    Ok(address)
}

/// Starts to sync a file, and gives the application's own connection to it.
fn start_client(file: &Path, hub: &str) -> Outcome<(Client, Connection)> {
    let app = Connection::open(file)?;
    app.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT)")?;
    let replica = Replica::open(file, ReplicaOptions::default())?;
    replica.track(&Tables::all())?;
    let connector = Arc::new(SmolConnector::new(hub.parse()?));
    let options = ClientOptions::default().with_token("correct horse");
    let (client, driver) =
        Client::new(replica, Scope::new("notes")?, connector, Arc::new(SmolRuntime::new()), options);
    smol::spawn(driver).detach();
    Ok((client, app))
}
