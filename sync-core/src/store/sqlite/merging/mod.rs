//! Columns that merge, in a replica with tables: see [`share`](crate::merge::share) for what they are.
//!
//! ```text
//! columns  which columns merge here, and which columns hold their shares
//! keep     the values that local differences are to, kept beside every row
//! shown    what a row's record shows in such a column
//! ```
//!
//! The triggers write no values, so what an update made of a number is known only if what was there
//! is: of a column whose type is in force here, the plain cell of every row is kept in
//! `__pocketsync_shadow`, as it is of any row that has shares. A fold compares what the table shows
//! with what is held, and the difference is the write.

mod columns;
mod keep;
mod shown;

pub(super) use columns::{Merging, SHARES_FROM, find, inapplicable, refused, words};
pub(super) use keep::{forget, refresh};
pub(super) use shown::{held, is_kept, shown};
