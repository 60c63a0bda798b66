//! The engine with real parts: SQLite files, the driver, the WebSocket adapter, on simulated hosts.

mod parts;

pub use parts::{Parts, Real};
