//! Real files on both sides of a real hub, one frame at a time.

mod application;
mod bundles;
mod clocks;
mod early;
mod forks;
mod identity;
mod links;
mod merging_counters;
mod merging_types;
mod mesh;
mod new_site;
mod replicas_story;
mod rights_properties;
mod rights_replicas;
mod schema_sessions;
mod story;
mod world;
