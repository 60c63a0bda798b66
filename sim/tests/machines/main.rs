//! The second engine: the bare machines in a discrete-event loop.

mod determinism;
mod faults;
mod fleet;
mod random;
mod scale;
mod support;
