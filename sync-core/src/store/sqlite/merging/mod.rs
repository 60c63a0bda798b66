//! Columns that merge, in a replica with tables: see [`share`](crate::merge::share) for what they are.
//!
//! ```text
//! columns  which columns merge here, and which columns hold their shares
//! keep     the values that local differences are to, kept beside every row
//! shown    what a row's record shows in such a column
//! before   what own shares were, for the day when a copy of the file takes a new site
//! births   shares that follow the corrected birth of their row
//! ```
//!
//! The triggers write no values, so what an update made of a number is known only if what was there
//! is: of a column whose type is in force here, the plain cell of every row is kept in
//! `__pocketsync_shadow`, as it is of any row that has shares. A fold compares what the table shows
//! with what is held, and the difference is the write.

pub(super) mod before;
pub(super) mod births;
mod columns;
mod keep;
mod shown;

pub(super) use columns::{Merging, SHARES_FROM, find, inapplicable, learn, refused, words};
pub(super) use keep::{forget, refresh};
pub(super) use shown::{held, is_kept, shown};
