//! The conflict log in memory.

use std::collections::VecDeque;

use super::MemoryStore;
use crate::conflict::{ConflictFilter, ConflictLimits, HubResolver, LoggedConflict, Resolver};
use crate::id::Scope;

/// The conflicts of one scope, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Conflicts {
    pub(super) limits: ConflictLimits,
    entries: VecDeque<LoggedConflict>,
    last: u64,
}

impl Conflicts {
    pub(super) fn push(&mut self, conflict: LoggedConflict) {
        self.last += 1;
        let oldest = conflict.logged_ms.saturating_sub(self.limits.max_age_ms);
        self.entries.push_back(LoggedConflict { id: self.last, ..conflict });
        while self.entries.len() as u64 > self.limits.max_count
            || self.entries.front().is_some_and(|entry| entry.logged_ms < oldest)
        {
            self.entries.pop_front();
        }
    }
}

impl MemoryStore {
    /// Gives a hub's store who decides about conflicts that a rule leaves to the application.
    #[must_use]
    pub fn with_resolver(mut self, resolver: impl Resolver + 'static) -> Self {
        self.resolver = HubResolver::new(resolver);
        for scope in self.scopes.values_mut() {
            scope.state.resolver = self.resolver.clone();
        }
        self
    }

    /// Bounds the conflict log of each scope.
    #[must_use]
    pub fn with_conflict_limits(mut self, limits: ConflictLimits) -> Self {
        self.limits = limits;
        for scope in self.scopes.values_mut() {
            scope.conflicts.limits = limits;
        }
        self
    }

    /// The conflicts that a hub's store has judged in a scope, the newest first.
    pub fn conflicts(&self, scope: &Scope, filter: &ConflictFilter) -> Vec<LoggedConflict> {
        let Some(scope) = self.scopes.get(scope) else { return Vec::new() };
        let wanted = scope.conflicts.entries.iter().rev().filter(|conflict| filter.wants(conflict));
        wanted.take(filter.limit.unwrap_or(usize::MAX)).cloned().collect()
    }
}
