//! The heart of PocketSync: change tracking, changesets, merge, sessions and a hub as state
//! machines. No sockets, no runtime, no threads; time comes in as an argument.
//!
//! An application that wants its SQLite file synced takes the crate `pocketsync`, which adds runtimes
//! and transports to this one. What is here is for whoever brings their own.
//!
//! # The contract
//!
//! [`Session`](session::Session) is one link between two replicas, and [`Hub`](hub::Hub) is many of
//! them on one store. Both do no I/O. Inputs are methods: a frame came (`handle_frame`), the
//! store has replied (`handle_store`), a deadline has come (`handle_timeout`), somebody committed
//! here (`local_changed`). There is one rule:
//!
//! **After every input, call `poll_output` and do what it says, until it answers `Wait` or
//! `Closed`.** Do the next input no later than the deadline of the wait.
//!
//! Requests to the store are outputs too, so an embedded store answers at once and one on a
//! network later. What depends on a commit is not handed out before the store has replied. The
//! same inputs give the same outputs, byte for byte.
//!
//! ```
//! use pocketsync_core::Bytes;
//! use pocketsync_core::clock::Now;
//! use pocketsync_core::id::{Scope, SiteId};
//! use pocketsync_core::lineage::Stamp;
//! use pocketsync_core::session::{Admitted, Output, Rights, Session, SessionConfig};
//! use pocketsync_core::store::{MemoryStore, Store};
//! use pocketsync_core::value::Value;
//!
//! /// Does all that a session asks for; answers with what to send to the other side.
//! fn drain(session: &mut Session, store: &mut MemoryStore, now: Now) -> Vec<Bytes> {
//!     let mut frames = Vec::new();
//!     loop {
//!         match session.poll_output() {
//!             Output::Transmit(frame) => frames.push(frame),
//!             Output::Store(id, request) => session.handle_store(now, id, store.run(request)),
//!             Output::Admit(_) => {
//!                 let admitted = Admitted::new("a friend", Rights::ALL);
//!                 session.handle_admission(now, Ok(admitted));
//!             }
//!             Output::Wait(_) | Output::Closed(_) => return frames,
//!             _ => {}
//!         }
//!     }
//! }
//!
//! let (now, scope) = (Now { wall_ms: 1_700_000_000_000, ..Now::default() }, Scope::new("notes")?);
//! let mut phone = MemoryStore::device(SiteId::from_bytes([1; 16]), Stamp(1));
//! let mut laptop = MemoryStore::device(SiteId::from_bytes([2; 16]), Stamp(2));
//! phone.write(&scope, now.wall_ms, |tx| tx.insert("note", &[("text", Value::text("from the phone"))]));
//! laptop.write(&scope, now.wall_ms, |tx| tx.insert("note", &[("text", Value::text("from the laptop"))]));
//!
//! let mut calling = Session::connect(SessionConfig::new(scope.clone()), now);
//! let mut called = Session::accept(SessionConfig::new(scope.clone()), now);
//! loop {
//!     let to_laptop = drain(&mut calling, &mut phone, now);
//!     let to_phone = drain(&mut called, &mut laptop, now);
//!     if to_laptop.is_empty() && to_phone.is_empty() {
//!         break;
//!     }
//!     to_laptop.into_iter().for_each(|frame| called.handle_frame(now, frame));
//!     to_phone.into_iter().for_each(|frame| calling.handle_frame(now, frame));
//! }
//! assert_eq!(phone.rows(&scope), laptop.rows(&scope));
//! # assert_eq!(phone.rows(&scope).values().map(|rows| rows.len()).sum::<usize>(), 2);
//! # Ok::<(), pocketsync_core::id::InvalidScope>(())
//! ```
//!
//! # What is where
//!
//! | module | |
//! |---|---|
//! | [`id`], [`clock`], [`value`], [`lineage`] | what rows, times, cells and log positions are called |
//! | [`change`], [`merge`] | what replicas tell each other, and the join of it: pure functions |
//! | [`store`] | what the machines ask of their stores; stores in memory and, with the feature `sqlite`, on SQLite |
//! | [`session`], [`hub`], [`admission`], [`wire`] | the machines, who is let in, and the bytes of the frames |
//! | `bundle` | changes in a file, where no network is (feature `sqlite`) |
//! | [`driver`], [`runtime`], [`transport`] | futures that join machine, store, transport and runtime |
//!
//! The feature `bundled` compiles a SQLite in; `testkit` adds links in memory, virtual time and a
//! conformance kit for transports.

#![warn(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod admission;
#[cfg(feature = "sqlite")]
pub mod bundle;
pub mod change;
pub mod clock;
pub mod codec;
pub mod conflict;
pub mod driver;
pub mod hub;
pub mod id;
pub mod lineage;
pub mod merge;
pub mod restamp;
pub mod runtime;
pub mod session;
pub mod store;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod transport;
pub mod value;
pub mod wire;

pub use bytes::Bytes;
#[cfg(feature = "sqlite")]
pub use rusqlite;
