//! Every oracle lets the right histories pass and catches the wrong ones.

mod deletes;
mod parts;
mod positions;
mod state;
mod strategies;
mod sums;
mod template;
mod told;
mod writes;
