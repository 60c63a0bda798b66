//! A client in an application on Tokio, for a hub that runs elsewhere.
//!
//! `cargo run -p pocketsync --example embed_tokio --features bundled,tokio,ws -- notes.db ws://127.0.0.1:9320 notes`
//!
//! The application need not know of this at all: run this beside one that writes the file with
//! sqlx, diesel or Python in a process of its own, and its tables are synced as they are. In one
//! process with sqlx, let both use one SQLite: leave the feature `bundled` off here, so that the
//! library links the one that sqlx brings.

use std::sync::Arc;

use futures::StreamExt;
use pocketsync::runtime::TokioRuntime;
use pocketsync::ws::TokioConnector;
use pocketsync::{Applied, Client, ClientOptions, Replica, ReplicaOptions, Scope, Tables};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(path), Some(hub), Some(scope)) = (args.next(), args.next(), args.next()) else {
        return Err("usage: embed_tokio FILE HUB-URL SCOPE".into());
    };

    // Opening and tracking read and write the file: that belongs where blocking is allowed.
    let replica = tokio::task::spawn_blocking(move || -> Result<Replica, String> {
        let replica = Replica::open(path, ReplicaOptions::default()).map_err(|error| error.to_string())?;
        replica.track(&Tables::all()).map_err(|error| error.to_string())?;
        Ok(replica)
    })
    .await??;

    let (client, driver) = Client::new(
        replica.clone(),
        Scope::new(scope)?,
        Arc::new(TokioConnector::new(hub.parse()?)),
        Arc::new(TokioRuntime::current()),
        ClientOptions::default(),
    );
    let driver = tokio::spawn(driver);

    let mut statuses = client.status_changes();
    let mut applied = replica.applied();
    loop {
        tokio::select! {
            status = statuses.next() => match status {
                Some(status) => println!("{}, {} to send", status.state, status.pending),
                None => break,
            },
            merge = applied.next() => match merge {
                Some(Applied::Changes(tables)) => {
                    for table in tables {
                        println!("{}: {} rows to show anew", table.table, table.changed.len());
                    }
                }
                _ => println!("too much changed to say: read everything again"),
            },
            _ = tokio::signal::ctrl_c() => {
                // Sent is sent: what is left goes with the next start.
                client.shutdown().await;
                break;
            }
        }
    }
    driver.await?;
    Ok(())
}
