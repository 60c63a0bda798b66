//! Drivers of clients and hubs, over links in memory and in virtual time.

mod clones;
mod credentials;
mod drops;
mod fan_out;
mod hub;
mod limits;
mod reconnect;
mod rights;
mod status;
mod suspend;
mod sync_now;
mod two_devices;
mod world;
