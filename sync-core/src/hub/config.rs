//! What a hub is told when it is made.

use crate::id::Scope;
use crate::session::SessionConfig;

/// The settings of a [`Hub`](super::Hub).
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct HubConfig {
    /// The settings of every session. Its scope and token play no role: the initiators choose the
    /// scope.
    pub session: SessionConfig,
    /// How many connections may be open, those not yet admitted included.
    pub max_connections: usize,
    /// How many sessions one scope may have.
    pub max_sessions_per_scope: usize,
    /// How many sessions one identity may have, in all scopes together. Does not hold where everybody has the same
    /// identity.
    pub max_sessions_per_identity: usize,
    /// How many bytes may wait in a connection's sink besides what the window allows.
    pub max_queued_bytes: usize,
    /// How many pieces of logs go to the store in one request, about.
    pub max_group_chunks: usize,
    /// When to come back after a refusal for want of room, in milliseconds.
    pub busy_retry_after_ms: u64,
}

impl Default for HubConfig {
    fn default() -> Self {
        let any = Scope::new("any").expect("a short name is a scope");
        let mut session = SessionConfig::new(any);
        session.keeps_time = true;
        session.report_acks_every = std::time::Duration::from_secs(5);
        HubConfig {
            session,
            max_connections: 10_000,
            max_sessions_per_scope: 10_000,
            max_sessions_per_identity: 1_000,
            max_queued_bytes: 1 << 20,
            max_group_chunks: 256,
            busy_retry_after_ms: 5_000,
        }
    }
}
