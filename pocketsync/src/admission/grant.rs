//! What files and tokens say of rights and scopes.

use std::collections::BTreeSet;

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
    /// The rights that a list comes to. Unless it says otherwise, who may write may also bring what others wrote: a
    /// device does after a hub was restored from a backup.
    pub(super) fn all_of(list: &[Right], relay: Option<bool>) -> Rights {
        let write = list.contains(&Right::Write);
        Rights { read: list.contains(&Right::Read), write, relay: write && relay.unwrap_or(true) }
    }
}

/// The tables that a list names, for somebody with these rights.
pub(super) fn tables(list: Option<Vec<String>>, rights: Rights) -> Result<Option<BTreeSet<String>>, String> {
    let Some(list) = list else { return Ok(None) };
    if !rights.write {
        return Err("write_tables is for who may write; give it \"write\"".to_owned());
    }
    if list.is_empty() || list.iter().any(String::is_empty) {
        return Err(
            "write_tables names no table; leave it out for all, or leave out \"write\" for none".to_owned()
        );
    }
    Ok(Some(list.into_iter().collect()))
}

/// Refuses a scope that none of the patterns means.
pub(super) fn check_scope(patterns: &[ScopePattern], scope: &Scope) -> Result<(), WireError> {
    match patterns.iter().any(|pattern| pattern.matches(scope)) {
        true => Ok(()),
        false => Err(refused(ErrorCode::Forbidden, "the token is not for this scope")),
    }
}
