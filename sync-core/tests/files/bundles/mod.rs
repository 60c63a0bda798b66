//! Changes in files that somebody carries: real SQLite files, no network.

mod converge;
mod exchange;
mod format;
mod stick;
