//! The program: what it runs, prints, writes and shrinks.

#[cfg(feature = "program")]
mod cli;
mod fake;
mod report;
mod run;
mod shrink;
