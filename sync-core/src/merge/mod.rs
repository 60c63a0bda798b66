//! The lattice: pure functions that merge two states of a row, the same on every replica.
//!
//! Everything here is a maximum, so the join is commutative, associative and idempotent:
//! replicas that have seen the same changes hold the same state, whatever the order, the
//! duplication or the grouping in which they saw them.
//!
//! * A row's [`Life`] is three maxima: its largest birth, its largest death, and the largest
//!   death that was taken back.
//! * A cell is a last-writer-wins register, ordered by version and then by value.
//!
//! What a column shows that merges in another way is made of several cells: see [`share`].

mod life;
mod row;
pub mod share;

pub use life::Life;
pub use row::{Cell, Joined, RowState};
