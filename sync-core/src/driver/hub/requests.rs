//! What the hub asks of its store: in order within a scope, fair between scopes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use crate::id::Scope;
use crate::session::RequestId;
use crate::store::{AsyncStore, StoreError, StoreReply, StoreRequest};

/// A store's answer.
pub(super) type Reply = Result<StoreReply, StoreError>;

/// Requests that wait and requests that run.
pub(super) struct Requests {
    store: Arc<dyn AsyncStore>,
    /// How many may run at once, each of another scope.
    width: usize,
    /// What waits, by scope; a scope is in here while it has a request running or waiting.
    waiting: BTreeMap<Scope, VecDeque<(RequestId, StoreRequest)>>,
    /// The scopes that have something to begin with, the longest waiting first.
    turns: VecDeque<Scope>,
    running: FuturesUnordered<BoxFuture<'static, (Scope, RequestId, Reply)>>,
}

impl Requests {
    pub(super) fn new(store: Arc<dyn AsyncStore>, width: usize) -> Self {
        Requests {
            store,
            width: width.max(1),
            waiting: BTreeMap::new(),
            turns: VecDeque::new(),
            running: FuturesUnordered::new(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn push(&mut self, id: RequestId, request: StoreRequest) {
        let scope = request.scope().clone();
        if let Some(queue) = self.waiting.get_mut(&scope) {
            queue.push_back((id, request));
        } else {
            self.waiting.insert(scope.clone(), VecDeque::from([(id, request)]));
            self.turns.push_back(scope);
        }
        self.begin();
    }

    fn begin(&mut self) {
        while self.running.len() < self.width {
            let Some(scope) = self.turns.pop_front() else { return };
            let Some((id, request)) = self.waiting.get_mut(&scope).and_then(VecDeque::pop_front) else {
                continue;
            };
            let store = Arc::clone(&self.store);
            self.running.push(Box::pin(async move {
                let reply = store.run(request).await;
                (scope, id, reply)
            }));
        }
    }

    /// The next answer; pending while nothing runs.
    pub(super) fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<(RequestId, Reply)> {
        let Poll::Ready(Some((scope, id, reply))) = self.running.poll_next_unpin(cx) else {
            return Poll::Pending;
        };
        // The scope's next request takes its turn behind those of the other scopes.
        if self.waiting.get(&scope).is_some_and(|queue| !queue.is_empty()) {
            self.turns.push_back(scope);
        } else {
            self.waiting.remove(&scope);
        }
        self.begin();
        Poll::Ready((id, reply))
    }
}
