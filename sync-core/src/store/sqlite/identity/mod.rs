//! Who we are, whom we met, and what follows when histories do not fit.
//!
//! ```text
//! meeting    introductions: forks, rewinds, from where to send
//! peers      what is stored of each peer          folds     what the log remembers of our folds
//! former     names that we left, and who may not have all of what we wrote under them
//! fork       a new site after a restore           correct   versions that nobody has seen, corrected
//! early      what goes out before we are welcome
//! heard      what our own writes knew of each peer    visit     every stored version after a log number
//! lives      rows that were given one number twice
//! ```
//!
//! Everything runs in the transaction that is open.

mod correct;
mod early;
mod folds;
mod fork;
mod former;
mod heard;
mod lives;
mod meeting;
mod peers;
pub(super) mod visit;

pub use early::{begin_session, early};
pub(super) use folds::is_ahead;
pub(super) use former::{Before, Former, before, names as left_names, of as former};
pub(super) use heard::{Heard, acked_by, heard, known_of, seen};
pub(crate) use lives::OtherLife;
pub(super) use lives::other_life;
pub use meeting::{acked, announce, clock_jumped, identify, meet, read_again, take_new_site};
pub(super) use meeting::{hear_of, leave_after, read_others_again, told_from};
pub use peers::pending;
pub(super) use peers::{has_exchanged, held, tell_again};
