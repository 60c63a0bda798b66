//! The whole way: SQLite files, drivers, WebSockets, a hub in a SQLite file, on both runtimes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use pocketsync::admission::SharedToken;
use pocketsync::runtime::{Runtime, SmolRuntime, TokioRuntime};
use pocketsync::rusqlite::Connection;
use pocketsync::ws::{self, SmolConnector, TokioConnector, WsConfig, WsUrl};
use pocketsync::{
    Applied, Client, ClientOptions, Connector, HubOptions, HubServer, HubStore, HubStoreOptions,
};
use pocketsync::{Replica, ReplicaOptions, Scope, State, Tables};
use tokio_util::compat::TokioAsyncReadCompatExt;

/// What differs between the runtimes.
struct Kit {
    runtime: Arc<dyn Runtime>,
    spawn: fn(BoxFuture<'static, ()>),
    listen: fn(HubServer) -> BoxFuture<'static, WsUrl>,
    connector: fn(WsUrl) -> Arc<dyn Connector>,
}

fn on_tokio() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let kit = Kit {
        runtime: Arc::new(TokioRuntime::new(tokio.handle().clone())),
        spawn: |future| drop(tokio::spawn(future)),
        listen: |hub| {
            Box::pin(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let url = format!("ws://{}", listener.local_addr().unwrap());
                tokio::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        let transport = ws::accept(stream.compat(), WsConfig::default()).await.unwrap();
                        if hub.serve(transport).await.is_err() {
                            break;
                        }
                    }
                });
                url.parse().unwrap()
            })
        },
        connector: |url| Arc::new(TokioConnector::new(url)),
    };
    tokio.block_on(exchange(kit));
}

fn on_smol() {
    let kit = Kit {
        runtime: Arc::new(SmolRuntime::new()),
        spawn: |future| smol::spawn(future).detach(),
        listen: |hub| {
            Box::pin(async move {
                let listener = smol::Async::<std::net::TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
                let url = format!("ws://{}", listener.get_ref().local_addr().unwrap());
                smol::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        let transport = ws::accept(stream, WsConfig::default()).await.unwrap();
                        if hub.serve(transport).await.is_err() {
                            break;
                        }
                    }
                })
                .detach();
                url.parse().unwrap()
            })
        },
        connector: |url| Arc::new(SmolConnector::new(url)),
    };
    smol::block_on(exchange(kit));
}

#[test]
fn files_are_the_same_after_syncing_on_tokio() {
    on_tokio();
}

#[test]
fn files_are_the_same_after_syncing_on_smol() {
    on_smol();
}

fn open(path: &Path) -> (Connection, Replica) {
    let app = Connection::open(path).unwrap();
    app.busy_timeout(Duration::from_secs(5)).unwrap();
    app.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE list(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
         CREATE TABLE item(id INTEGER PRIMARY KEY, list INTEGER REFERENCES list(id), title TEXT);
         CREATE TABLE setting(key TEXT PRIMARY KEY, value);",
    )
    .unwrap();
    let replica = Replica::open(path, ReplicaOptions::default()).unwrap();
    replica.track(&Tables::all()).unwrap();
    (app, replica)
}

fn client(kit: &Kit, replica: &Replica, url: &WsUrl, token: &str) -> Client {
    let (client, driver) = Client::new(
        replica.clone(),
        Scope::new("lists").unwrap(),
        (kit.connector)(url.clone()),
        Arc::clone(&kit.runtime),
        ClientOptions::default().with_token(token),
    );
    (kit.spawn)(Box::pin(driver));
    client
}

/// What a user sees, keys left out where they may differ.
fn shown(app: &Connection) -> Vec<String> {
    let sql = "SELECT list.name || ': ' || coalesce(title, '') FROM item JOIN list ON list.id = item.list
               UNION ALL SELECT key || ' = ' || value FROM setting ORDER BY 1";
    let mut query = app.prepare(sql).unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

async fn until(kit: &Kit, what: &str, condition: impl Fn() -> bool) {
    let deadline = kit.runtime.now().mono + Duration::from_secs(30);
    while !condition() {
        assert!(kit.runtime.now().mono < deadline, "never: {what}");
        kit.runtime.sleep_until(kit.runtime.now().mono + Duration::from_millis(5)).await;
    }
}

async fn exchange(kit: Kit) {
    let dir = tempfile::tempdir().unwrap();
    let store = HubStore::open(dir.path().join("hub.db"), HubStoreOptions::default()).unwrap();
    let (hub, driver) = HubServer::new(
        store,
        Arc::new(SharedToken::new("right")),
        Arc::clone(&kit.runtime),
        HubOptions::default(),
    );
    (kit.spawn)(Box::pin(driver));
    let url = (kit.listen)(hub.clone()).await;

    // Both use the key 1, offline, for different rows.
    let (app_a, replica_a) = open(&dir.path().join("a.db"));
    let (app_b, replica_b) = open(&dir.path().join("b.db"));
    app_a.execute_batch("INSERT INTO list VALUES(1, 'home'); INSERT INTO item VALUES(1, 1, 'milk')").unwrap();
    app_b.execute_batch("INSERT INTO list VALUES(1, 'work'); INSERT INTO item VALUES(1, 1, 'mail')").unwrap();
    app_b.execute_batch("INSERT INTO setting VALUES('theme', 'dark')").unwrap();

    let mut applied = replica_a.applied();
    let a = client(&kit, &replica_a, &url, "right");
    let b = client(&kit, &replica_b, &url, "right");
    a.sync_now().await.unwrap();
    b.sync_now().await.unwrap();
    let all = ["home: milk", "theme = dark", "work: mail"];
    until(&kit, "both have all", || shown(&app_a) == all && shown(&app_b) == all).await;
    assert!(matches!(applied.next().await, Some(Applied::Changes(_))));

    // Live, noticed by polling: another connection commits and tells nobody.
    app_a.execute("UPDATE item SET title = 'oat milk' WHERE title = 'milk'", []).unwrap();
    until(&kit, "b has the change", || shown(&app_b).contains(&"home: oat milk".to_owned())).await;
    until(&kit, "live", || [&a, &b].iter().all(|client| client.status().is_in_sync())).await;

    // Asleep, the file is the application's alone.
    b.suspend(Duration::from_secs(2)).await.unwrap();
    app_a.execute("DELETE FROM setting", []).unwrap();
    app_b.execute("UPDATE item SET title = 'tea' WHERE title = 'mail'", []).unwrap();
    a.sync_now().await.unwrap();
    b.resume();
    b.sync_now().await.unwrap();
    let all = ["home: oat milk", "work: tea"];
    until(&kit, "both are the same again", || shown(&app_a) == all && shown(&app_b) == all).await;

    // A wrong token is told.
    let (_app_c, replica_c) = open(&dir.path().join("c.db"));
    let c = client(&kit, &replica_c, &url, "wrong");
    let refused = |c: &Client| c.status().last_error.is_some_and(|error| error.code == "unauthorized");
    until(&kit, "refused", || refused(&c)).await;
    for client in [a, b, c] {
        client.shutdown().await;
        assert_eq!(client.status().state, State::Stopped);
    }
    hub.shutdown().await;
}
