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
//!
//! To put your own schema, store or transport through it in a test, begin with [`Simulation`]; for
//! figures, with the program `pocketsync-sim`, whose [outcomes](outcome) and [reports](report) are
//! also at hand here.

pub mod app;
pub mod determinism;
pub mod engine;
pub mod failure;
pub mod history;
pub mod machines;
pub mod model;
pub mod oracle;
pub mod outcome;
#[cfg(feature = "report")]
pub mod report;
pub mod run;
pub mod scenario;
pub mod shape;
pub mod shipped;
pub mod shrink;
pub mod simulation;
pub mod story;
pub mod telling;
pub mod world;

pub use pocketsync_core;
pub use simulation::{Simulation, SimulationError};
