//! A client in Python that was written from the documents alone meets a hub.
#![cfg(feature = "hub")]

mod ends;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ends::{Tcp, listen, url, world};
use pocketsync_core::admission::SharedToken;
use pocketsync_core::driver::{Client, ClientOptions, HubOptions, HubServer};
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::runtime::Runtime;
use pocketsync_core::store::MemoryStore;
use pocketsync_core::testkit::MemoryReplica;
use pocketsync_core::transport::{Connector, Transport, TransportError};
use pocketsync_core::value::Value;
use pocketsync_http::{HttpConfig, HttpHub, HttpHubOptions};
use serde_json::{Value as Json, json};

struct Links(Tcp, Arc<dyn Runtime>);

#[async_trait]
impl Connector for Links {
    async fn connect(&self) -> Result<Transport, TransportError> {
        let runtime = Arc::clone(&self.1);
        pocketsync_http::client(self.0.clone(), &url(), HttpConfig::default(), runtime).await
    }
}

fn has_python() -> bool {
    let there = Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        let message = "SKIPPED the client in Python: install python3, and have it on the PATH";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
        eprintln!("{message}");
    }
    there
}

async fn python(arguments: &[&str]) -> Json {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stranger/client.py");
    let mut command = Command::new("python3");
    command.arg(script).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_written_from_the_documents_pulls_and_pushes() {
    if !has_python() {
        return;
    }
    let runtime = world();
    let store = MemoryStore::hub(SiteId::from_bytes([99; 16]), Stamp(99));
    let admission = Arc::new(SharedToken::new("correct horse"));
    let (server, driver) = HubServer::new(store, admission, Arc::clone(&runtime), HubOptions::default());
    tokio::spawn(driver);
    let address = listen(&HttpHub::new(server, Arc::clone(&runtime), HttpHubOptions::default())).await;
    let hub = format!("http://{address}/any/path");

    let scope = Scope::new("notes").unwrap();
    let replica = MemoryReplica::new(scope.clone(), SiteId::from_bytes([1; 16]), Stamp(1));
    let options = ClientOptions::default().with_token("correct horse");
    let links = Arc::new(Links(Tcp::to(address), Arc::clone(&runtime)));
    let (client, driver) = Client::new(replica.clone(), scope.clone(), links, Arc::clone(&runtime), options);
    tokio::spawn(driver);
    // What Python stamps has to be near the hub's time.
    let wall_ms = runtime.now().wall_ms;
    replica.write(wall_ms, |tx| {
        let milk = tx.insert("note", &[("title", Value::text("Milk")), ("done", Value::Integer(0))]);
        tx.insert("note", &[("title", Value::text("Bread")), ("price", Value::Real(2.5))]);
        let gone = tx.insert("note", &[("title", Value::text("Gone"))]);
        tx.update("note", &milk, &[("done", Value::Integer(1))]);
        tx.delete("note", &gone);
        for n in 0..2_000 {
            tx.insert(
                "many",
                &[("n", Value::Integer(n * n)), ("text", Value::text("x".repeat(200).as_str()))],
            );
        }
    });
    client.sync_now().await.unwrap();

    let seen = python(&[&hub, "notes", "correct horse"]).await;
    println!("a pull of {} rows took {} requests", 2_002, seen["requests"]);
    assert!(seen["error"].is_null(), "{seen}");
    let notes = seen["rows"]["note"].as_array().unwrap();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes.contains(&json!({"title": "Milk", "done": 1})), "{notes:?}");
    assert!(notes.contains(&json!({"title": "Bread", "price": 2.5})), "{notes:?}");
    assert_eq!(seen["rows"]["many"].as_array().unwrap().len(), 2_000);

    let seen = python(&[&hub, "notes", "correct horse", "--push", "note", "title=from Python"]).await;
    assert_eq!(seen["acknowledged"], true, "{}", seen["error"]);
    let has_it = || {
        let mut titles = Vec::new();
        replica.with(|store| store.visit(&scope, "note", &["title"], |_, cells| titles.extend(cells)));
        titles.contains(&Value::text("from Python"))
    };
    for _ in 0..1_000 {
        if has_it() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(has_it(), "the device gets what Python wrote");

    let refused = python(&[&hub, "notes", "battery staple"]).await;
    assert_eq!(refused["error"], 3, "{refused}");
}
