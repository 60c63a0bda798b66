//! Who may in: ready-made answers to a hub's question, and what an answer of your own needs.
//!
//! | admission | for |
//! |---|---|
//! | [`Open`] | tests, and hubs that only listen on the machine itself |
//! | [`SharedToken`] | one secret, everybody may everything |
//! | [`admit_with`] | a closure that asks the application's accounts |
//! | `TokenFile` (feature `token-file`) | a file with a line of rights for every token |
//! | `Jwt` (feature `jwt`) | signed tokens of an identity provider |
//!
//! The last two look at their files again by themselves: spawn what their `watch` gives beside the hub's driver,
//! and what is taken away from a token ends the sessions that are open.

#[cfg(any(feature = "token-file", feature = "jwt"))]
mod grant;
#[cfg(feature = "jwt")]
mod jwt;
#[cfg(any(feature = "token-file", feature = "jwt"))]
mod patterns;
#[cfg(any(feature = "token-file", feature = "jwt"))]
mod reload;
#[cfg(feature = "token-file")]
mod token_file;

pub use pocketsync_core::admission::*;
pub use pocketsync_core::session::{AdmitRequest, Admitted, Rights};

#[cfg(feature = "jwt")]
pub use jwt::{Jwt, JwtKeys};
#[cfg(any(feature = "token-file", feature = "jwt"))]
pub use patterns::{InvalidPattern, ScopePattern};
#[cfg(any(feature = "token-file", feature = "jwt"))]
pub use reload::ReloadError;
#[cfg(feature = "token-file")]
pub use token_file::{TokenEntry, TokenFile, parse_tokens};
