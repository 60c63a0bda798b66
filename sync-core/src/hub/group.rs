//! Group commit: the pushes of all sessions of a scope that come in while the store is busy with
//! earlier ones go to it together, in one transaction.

use std::collections::VecDeque;

use super::ConnId;
use crate::id::Scope;
use crate::session::RequestId;
use crate::store::{Chunk, StoreError, StoreErrorKind, StoreReply, StoreRequest};

/// What a session wants merged.
#[derive(Debug)]
struct Waiting {
    conn: ConnId,
    id: RequestId,
    chunks: Vec<Chunk>,
}

/// Whose chunks a request is made of, in order.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) scope: Scope,
    pub(super) parts: Vec<Part>,
}

/// One session's share of a [`Group`].
#[derive(Debug)]
pub(super) struct Part {
    pub(super) conn: ConnId,
    pub(super) id: RequestId,
    pub(super) chunks: usize,
}

/// The pushes of one scope on their way to the store. Each session has at most one request here,
/// so what waits is bounded by the number of sessions.
#[derive(Debug, Default)]
pub(super) struct Groups {
    waiting: VecDeque<Waiting>,
    running: bool,
}

impl Groups {
    pub(super) fn add(&mut self, conn: ConnId, id: RequestId, chunks: Vec<Chunk>) {
        self.waiting.push_back(Waiting { conn, id, chunks });
    }

    /// Takes a connection's push out again that the store was not given yet.
    pub(super) fn cancel(&mut self, conn: ConnId) -> Option<RequestId> {
        let index = self.waiting.iter().position(|waiting| waiting.conn == conn)?;
        self.waiting.remove(index).map(|waiting| waiting.id)
    }

    /// The next request, unless one is running. `done` has to be called after it.
    pub(super) fn next(&mut self, scope: &Scope, max_chunks: usize) -> Option<(Group, StoreRequest)> {
        if self.running || self.waiting.is_empty() {
            return None;
        }
        self.running = true;
        let mut chunks: Vec<Chunk> = Vec::new();
        let mut parts = Vec::new();
        while let Some(next) = self.waiting.front() {
            if !chunks.is_empty() && chunks.len() + next.chunks.len() > max_chunks {
                break;
            }
            let Some(next) = self.waiting.pop_front() else { break };
            parts.push(Part { conn: next.conn, id: next.id, chunks: next.chunks.len() });
            chunks.extend(next.chunks);
        }
        let group = Group { scope: scope.clone(), parts };
        Some((group, StoreRequest::Apply { scope: scope.clone(), chunks }))
    }

    pub(super) fn done(&mut self) {
        self.running = false;
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.running && self.waiting.is_empty()
    }
}

/// What a session is told whose push was taken out before the store saw it.
pub(super) fn cancelled() -> Result<StoreReply, StoreError> {
    Err(StoreError::new(StoreErrorKind::Busy, "the session ended before its push was merged"))
}
