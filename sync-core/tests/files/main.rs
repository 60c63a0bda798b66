//! Real files on both sides of a real hub, one frame at a time.

mod application;
mod bundles;
mod clocks;
mod forks;
mod identity;
mod links;
mod merging_counters;
mod merging_types;
mod mesh;
mod replicas_story;
mod schema_sessions;
mod story;
mod world;
