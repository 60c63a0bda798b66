//! The first engine: real hubs, devices and files in a simulated network.

mod converges;
mod faults;
mod parts;
mod references;
mod support;
mod without_a_hub;
