//! Drivers: futures that join the state machines with a store, a transport and a runtime.
//!
//! [`Client`] keeps one replica in step with one peer, which is a hub as a rule; [`HubServer`]
//! serves any number of connections on one store. Each comes with a driver, a plain future that
//! the embedder spawns or polls. Drivers are written against `futures` alone: they spawn
//! nothing, start no threads, and reach the world only through
//! [`Runtime`](crate::runtime::Runtime).

mod alarm;
mod backoff;
mod blocking;
mod client;
mod gate;
mod hub;
mod local_store;
mod status;
mod watch;

pub use blocking::Blocking;
pub use client::{Client, ClientOptions, Driver, SuspendError, SyncError};
pub use hub::{HubCounters, HubDriver, HubOptions, HubServer, HubStatus, HubStopped, RateLimit};
pub use local_store::{LocalStore, Summary};
pub use status::{Failure, State, Status};
