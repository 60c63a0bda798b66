//! A hub in its own process, two honest devices that time what they tell each other, and what a hostile client
//! needs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use pocketsync::id::SiteId;
use pocketsync::lineage::{Cursor, Lineage, Stamp};
use pocketsync::runtime::TokioRuntime;
use pocketsync::rusqlite::Connection;
use pocketsync::wire::frame::{Assembler, cut};
use pocketsync::wire::{Hello, Message, PROTOCOL, WireError};
use pocketsync::ws::{TokioConnector, WsConfig};
use pocketsync::{
    Bytes, Client, ClientOptions, Connector, Replica, ReplicaOptions, Scope, Tables, Transport,
};

use crate::processes::{Hub, expect, stdout, text};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Device {
    pub(crate) app: Connection,
    pub(crate) replica: Replica,
    pub(crate) client: Client,
}

pub(crate) struct Stage {
    folder: tempfile::TempDir,
    pub(crate) hub: Hub,
    pub(crate) honest: [Device; 2],
    probes: std::cell::Cell<u32>,
}

impl Stage {
    /// Must be called inside of a Tokio runtime.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens.toml");
        let token = |name: &str, more: &[&str]| {
            let new = ["token", "new", "--file", text(&tokens), "--name", name, "--scope", "notes"];
            let output = expect(0, new.into_iter().chain(more.iter().copied()));
            std::fs::write(folder.path().join(name), stdout(&output).trim()).unwrap();
        };
        token("honest", &["--read", "--write"]);
        token("mallory", &["--read", "--write", "--no-relay"]);
        let options = [
            ["--tokens", text(&tokens)],
            ["--handshake-timeout", "2"],
            ["--idle-timeout", "6"],
            ["--rows-per-second", "1000"],
            ["--rows-burst", "5000"],
            ["--max-row", "64K"],
            ["--max-sessions-per-identity", "200"],
        ];
        let hub = Hub::start(&folder.path().join("hub"), "127.0.0.1:0", &options.concat());
        let url = hub.url.clone();
        let secret = std::fs::read_to_string(folder.path().join("honest")).unwrap();
        let honest = ["one", "two"].map(|name| {
            let path = folder.path().join(name);
            let app = Connection::open(&path).unwrap();
            app.busy_timeout(PATIENCE).unwrap();
            app.execute_batch(
                "PRAGMA journal_mode = WAL; CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT)",
            )
            .unwrap();
            let replica = Replica::open(&path, ReplicaOptions::default()).unwrap();
            replica.track(&Tables::all()).unwrap();
            let options = ClientOptions::default().with_token(secret.clone());
            let connector = Arc::new(TokioConnector::new(url.parse().unwrap()));
            let runtime = Arc::new(TokioRuntime::current());
            let (client, driver) = Client::new(replica.clone(), scope(), connector, runtime, options);
            tokio::spawn(driver);
            Device { app, replica, client }
        });
        for device in &honest {
            device.client.sync_now().await.unwrap();
        }
        Stage { folder, hub, honest, probes: std::cell::Cell::new(0) }
    }

    pub(crate) fn token(&self, of: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(of)).unwrap()
    }

    /// How long what one honest device writes takes to be in the other's file.
    pub(crate) async fn probe(&self) -> Duration {
        let number = self.probes.get();
        self.probes.set(number + 1);
        let [one, two] = &self.honest;
        let id = format!("probe {number}");
        let began = Instant::now();
        one.app.execute("INSERT INTO note VALUES(?1, 'x')", [&id]).unwrap();
        one.replica.notify_committed();
        loop {
            let sql = "SELECT count(*) FROM note WHERE id = ?1";
            let arrived: i64 = two.app.query_row(sql, [&id], |row| row.get(0)).unwrap();
            if arrived == 1 {
                return began.elapsed();
            }
            assert!(began.elapsed() < PATIENCE, "{id} does not arrive: {:?}", one.client.status());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Bytes of memory that the hub has now, and had at most.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.hub.process.id())).unwrap_or_default();
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse::<u64>().ok()
        };
        (line("VmRSS:").unwrap_or(0) << 10, line("VmHWM:").unwrap_or(0) << 10)
    }

    /// What nobody honest writes.
    pub(crate) fn intruders(&self) -> i64 {
        let sql = "SELECT count(*) FROM note WHERE id NOT LIKE 'probe %' AND id <> 'mine'";
        self.honest[1].app.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

pub(crate) fn scope() -> Scope {
    Scope::new("notes").unwrap()
}

/// A made-up site.
pub(crate) fn site(n: u32) -> SiteId {
    let mut bytes = [0xee; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    SiteId::from_bytes(bytes)
}

pub(crate) fn lineage() -> Lineage {
    let mut lineage = Lineage::default();
    lineage.open(0, Stamp(7));
    lineage
}

/// A client that says whatever one likes.
pub(crate) struct Raw {
    pub(crate) transport: Transport,
    assembler: Assembler,
}

impl Raw {
    pub(crate) async fn connect(stage: &Stage) -> Self {
        let config = WsConfig::default().max_frame_bytes(16 << 20);
        let connector = TokioConnector::new(stage.hub.url.parse().unwrap()).with_config(config);
        Raw { transport: connector.connect().await.unwrap(), assembler: Assembler::new(64 << 20) }
    }

    pub(crate) async fn frame(&mut self, frame: Bytes) -> bool {
        self.transport.sink.send(frame).await.is_ok()
    }

    pub(crate) async fn say(&mut self, message: &Message) -> bool {
        for frame in cut(message, 1 << 20) {
            if !self.frame(frame).await {
                return false;
            }
        }
        true
    }

    /// The next message; `None` when the hub has closed.
    pub(crate) async fn hear(&mut self) -> Option<Message> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.transport.stream.next()).await;
            let frame = next.expect("the hub answers, or closes")?.ok()?;
            if let Some(message) = self.assembler.push(frame).unwrap() {
                return Some(message);
            }
        }
    }

    /// The error that the hub ends it with.
    pub(crate) async fn end(&mut self) -> Option<WireError> {
        while let Some(message) = self.hear().await {
            if let Message::Error(error) = message {
                return Some(error);
            }
        }
        None
    }

    pub(crate) fn hello(token: &str, site: SiteId, scope: Scope) -> Message {
        Message::Hello(Hello {
            protocol: PROTOCOL,
            min_protocol: 1,
            scope,
            token: Some(token.to_owned()),
            site,
            lineage: lineage(),
            head: Cursor::ZERO,
            holdings: Vec::new(),
            max_frame_bytes: 1 << 20,
            window_bytes: 1 << 20,
            compression: true,
            wall_ms: 0,
        })
    }

    /// A session that is let in.
    pub(crate) async fn join(stage: &Stage, of: &str, site: SiteId) -> Self {
        let mut raw = Raw::connect(stage).await;
        raw.say(&Raw::hello(&stage.token(of), site, scope())).await;
        let heard = raw.hear().await;
        assert!(matches!(heard, Some(Message::Welcome(_))), "{heard:?}");
        raw
    }
}
