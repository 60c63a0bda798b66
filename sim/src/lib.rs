//! A deterministic simulator for PocketSync.
//!
//! A *scenario* says what the world is like. With a seed it becomes a [story](story::Story): every
//! write, every fault, every outage, spelled out. An [engine](engine::Engine) runs the story and
//! tells a [judge](oracle::Judge) what it sees, and [oracles](oracle::Oracle), one a promise, say
//! what is wrong. What comes out is an [outcome](outcome::Outcome), from which reports are made.
//!
//! ```text
//! scenario + seed ─▶ story ─▶ engine (world | machines) ─▶ history ─▶ oracles ─▶ outcome ─▶ report
//!                      ▲                                                 │
//!                      └──────────────── shrink ◀────────────────────────┘
//! ```

pub mod app;
pub mod determinism;
pub mod engine;
pub mod history;
pub mod oracle;
pub mod outcome;
pub mod scenario;
pub mod shape;
pub mod story;
pub mod world;

pub use pocketsync_core;
