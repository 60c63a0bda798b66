//! Stores side by side: in memory and on SQLite, devices and hubs.

mod conflict_hub;
mod conflict_properties;
mod conflict_resolver;
mod conflict_worlds;
mod merging_properties;
mod store_conformance;
mod store_device;
mod store_differential;
mod store_histories;
mod store_hub_file;
mod store_quota;
mod store_support;
mod store_together;
