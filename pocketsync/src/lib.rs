//! Keeps SQLite files the same across devices, offline included.
//!
//! Every device has an ordinary SQLite file that its application writes with ordinary SQL, online
//! or not. PocketSync tracks what changed, ships it through a hub or straight between two devices,
//! merges, resolves conflicts, and tells everyone in real time.
//!
//! # Embedding it in ten lines
//!
//! ```no_run
//! # #[cfg(all(feature = "sqlite", feature = "tokio", feature = "ws"))]
//! # async fn embed() -> Result<(), Box<dyn std::error::Error>> {
//! use pocketsync::{Client, ClientOptions, Replica, ReplicaOptions, Scope, Tables};
//! use pocketsync::{runtime::TokioRuntime, ws::TokioConnector};
//! use std::sync::Arc;
//!
//! let replica = Replica::open("notes.db", ReplicaOptions::default())?;
//! replica.track(&Tables::all())?;
//! let connector = Arc::new(TokioConnector::new("ws://localhost:9320".parse()?));
//! let runtime = Arc::new(TokioRuntime::current());
//! let options = ClientOptions::default().with_token("correct horse");
//! let (client, driver) = Client::new(replica, Scope::new("team-7")?, connector, runtime, options);
//! tokio::spawn(driver);
//! client.sync_now().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The application goes on to read and write `notes.db` with its own connections, through this
//! library's SQLite, or from another process through any. What comes in from others it hears of
//! from [`Replica::applied`]; how things stand, from [`Client::status_changes`].
//!
//! # Runtimes and transports
//!
//! The library spawns nothing and starts no threads: a [`Client`] comes with a [`Driver`], a
//! future that the application spawns or polls where it likes. What it needs of the world is one
//! trait, [`Runtime`]; transports are another, [`Connector`]. Features pick ready-made ones:
//!
//! | feature | what |
//! |---|---|
//! | `sqlite` (default) | the SQLite replica and hub store, with the SQLite that the application links |
//! | `bundled` | the same, with a SQLite compiled in |
//! | `tokio` | `runtime::TokioRuntime`; with `ws` also `ws::TokioConnector`, with `http` `http::TokioConnector` |
//! | `smol` | the same for smol, async-std and others: `runtime::SmolRuntime` and `SmolConnector`s |
//! | `ws` | the WebSocket transport |
//! | `http` | the HTTP transport, for networks that break WebSockets |
//! | `http-hub` | the hub's side of it: `http::HttpHub` answers both, and `/health` and `/metrics` |
//! | `axum` | the same as an axum `Router` |
//! | `tls` | TLS under either; the caller brings the rustls configuration |
//! | `token-file` | `admission::TokenFile`: a file with what every token may do |
//! | `jwt` | `admission::Jwt`: signed tokens of an identity provider |
//! | `testkit` | links in memory, virtual time, and the conformance kit for transports |
//!
//! Two copies of SQLite in one process break each other's POSIX locks: an application that links
//! SQLite itself leaves `bundled` off, and uses [`rusqlite`] from here if it wants the same one.
//!
//! # Errors
//!
//! Every operation has an error type of its own, with a stable `code()` for programs and
//! `is_retryable()`.

pub mod admission;
#[cfg(feature = "http")]
pub mod http;
pub mod runtime;
#[cfg(feature = "ws")]
pub mod ws;

#[cfg(feature = "sqlite")]
pub use pocketsync_core::rusqlite;
#[cfg(feature = "sqlite")]
pub use pocketsync_core::store::sqlite::{
    Applied, AppliedStream, DiffError, DiffReport, OpenError, Replica, ReplicaOptions, ReplicaStatus, Tables,
    TrackError, TrackedTable, diff,
};
#[cfg(feature = "sqlite")]
pub use pocketsync_core::store::{HubStore, HubStoreOptions};
#[cfg(feature = "testkit")]
pub use pocketsync_core::testkit;
pub use pocketsync_core::{
    Bytes, bundle, change, clock, conflict, driver, hub, id, lineage, merge, session, store, transport,
    value, wire,
};

pub use pocketsync_core::admission::Admission;
pub use pocketsync_core::driver::{
    Client, ClientOptions, Driver, HubDriver, HubOptions, HubServer, State, Status, SyncError,
};
pub use pocketsync_core::id::Scope;
pub use pocketsync_core::runtime::Runtime;
pub use pocketsync_core::transport::{Connector, Credentials, Transport};
pub use pocketsync_core::value::Value;
