//! The pure parts: merges, clocks' order, and the wire format.

mod attack_index;
mod generators;
mod merge_laws;
mod merge_small_world;
mod merging_shares;
mod small_world;
mod wire_changeset;
mod wire_frames;
mod wire_golden;
mod wire_hostile;
mod wire_size;
