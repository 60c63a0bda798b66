//! What the hub asks of its store: in order within a scope, fair between scopes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use crate::id::Scope;
use crate::session::RequestId;
use crate::store::{AsyncStore, StoreError, StoreErrorKind, StoreReply, StoreRequest};

/// A store's answer.
pub(super) type Reply = Result<StoreReply, StoreError>;

/// How many requests a store that does one after the other gets at a time.
const BATCH: usize = 32;

/// How requests are handed to a store.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// All that wait at once, as many as may share a commit; then the next.
    Together,
    /// So many at the same time, each of another scope.
    Abreast(usize),
}

/// The answers to what was handed over at once, and of which scopes it was.
type Done = (Vec<Scope>, Vec<(RequestId, Reply)>);

fn no_answer() -> Reply {
    Err(StoreError::new(StoreErrorKind::Io, "the store answered fewer requests than it was given"))
}

/// Requests that wait and requests that run.
pub(super) struct Requests {
    store: Arc<dyn AsyncStore>,
    pace: Pace,
    /// What waits, by scope; a scope is in here while it has a request running or waiting.
    waiting: BTreeMap<Scope, VecDeque<(RequestId, StoreRequest)>>,
    /// The scopes that have something to begin with, the longest waiting first.
    turns: VecDeque<Scope>,
    running: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Answers that were not asked for yet.
    answered: VecDeque<(RequestId, Reply)>,
}

impl Requests {
    pub(super) fn new(store: Arc<dyn AsyncStore>, pace: Pace) -> Self {
        Requests {
            store,
            pace,
            waiting: BTreeMap::new(),
            turns: VecDeque::new(),
            running: FuturesUnordered::new(),
            answered: VecDeque::new(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.answered.is_empty()
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
        let (width, batch) = match self.pace {
            Pace::Together => (1, BATCH),
            Pace::Abreast(width) => (width.max(1), 1),
        };
        while self.running.len() < width {
            let first = self.turns.len().min(batch);
            let scopes: Vec<Scope> = self.turns.drain(..first).collect();
            let (mut ids, mut requests) = (Vec::new(), Vec::new());
            // One of each scope, and one more of each, while there is room.
            loop {
                let before = requests.len();
                for scope in &scopes {
                    let next = self.waiting.get_mut(scope).filter(|_| requests.len() < batch);
                    if let Some((id, request)) = next.and_then(VecDeque::pop_front) {
                        ids.push(id);
                        requests.push(request);
                    }
                }
                if requests.len() == before {
                    break;
                }
            }
            if requests.is_empty() {
                return;
            }
            let store = Arc::clone(&self.store);
            self.running.push(Box::pin(async move {
                let mut replies = store.run_all(requests).await.into_iter();
                let answers = ids.into_iter().map(|id| (id, replies.next().unwrap_or_else(no_answer)));
                (scopes, answers.collect())
            }));
        }
    }

    /// The next answer; pending while nothing runs.
    pub(super) fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<(RequestId, Reply)> {
        if self.answered.is_empty() {
            let Poll::Ready(Some((scopes, replies))) = self.running.poll_next_unpin(cx) else {
                return Poll::Pending;
            };
            self.answered.extend(replies);
            for scope in scopes {
                // The scope's next request takes its turn behind those of the other scopes.
                if self.waiting.get(&scope).is_some_and(|queue| !queue.is_empty()) {
                    self.turns.push_back(scope);
                } else {
                    self.waiting.remove(&scope);
                }
            }
            self.begin();
        }
        self.answered.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
