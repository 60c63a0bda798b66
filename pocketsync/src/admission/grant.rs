//! What files and tokens say of rights and scopes.

use pocketsync_core::admission::refused;
use pocketsync_core::id::Scope;
use pocketsync_core::session::Rights;
use pocketsync_core::wire::{ErrorCode, WireError};
use serde::Deserialize;

use super::ScopePattern;

/// A right, as it is written.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Right {
    Read,
    Write,
}

impl Right {
    /// The rights that a list comes to. Who may write may also bring again what others wrote: a device does after a
    /// hub was restored from a backup.
    pub(super) fn all_of(list: &[Right]) -> Rights {
        let write = list.contains(&Right::Write);
        Rights { read: list.contains(&Right::Read), write, relay: write }
    }
}

/// Refuses a scope that none of the patterns means.
pub(super) fn check_scope(patterns: &[ScopePattern], scope: &Scope) -> Result<(), WireError> {
    match patterns.iter().any(|pattern| pattern.matches(scope)) {
        true => Ok(()),
        false => Err(refused(ErrorCode::Forbidden, "the token is not for this scope")),
    }
}
