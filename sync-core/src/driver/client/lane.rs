//! The store's work, one piece at a time, off the driver's thread.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::channel::oneshot;
use futures::future::BoxFuture;

use crate::driver::gate::Gate;
use crate::driver::local_store::{LocalStore, Summary};
use crate::id::Scope;
use crate::runtime::Runtime;
use crate::session::RequestId;
use crate::store::{StoreError, StoreErrorKind, StoreReply, StoreRequest};

/// A piece of work.
#[derive(Debug)]
pub(super) enum Job {
    /// Of the session that was opened as the `link`th.
    Request { link: u64, id: RequestId, request: Box<StoreRequest> },
    /// See whether anything was committed, which is certain if the application `noticed`; count
    /// what is to do if so, or if `summary` says to.
    Look { noticed: bool, summary: bool },
    /// The wall clock was set.
    ClockJumped { scope: Scope },
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Done {
    Request { link: u64, id: RequestId, reply: Result<StoreReply, StoreError> },
    Look(Result<Look, StoreError>),
    ClockJumped(Result<(), StoreError>),
}

/// What a look at the store showed.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) changed: bool,
    pub(super) summary: Option<Summary>,
}

impl Job {
    fn run(self, store: Result<&mut impl LocalStore, StoreError>) -> Done {
        match self {
            Job::Request { link, id, request } => {
                Done::Request { link, id, reply: store.and_then(|store| store.run(*request)) }
            }
            Job::Look { noticed, summary } => {
                Done::Look(store.and_then(|store| look(store, noticed, summary)))
            }
            Job::ClockJumped { scope } => Done::ClockJumped(
                store.and_then(|store| store.run(StoreRequest::ClockJumped { scope })).map(drop),
            ),
        }
    }
}

fn look(store: &mut impl LocalStore, noticed: bool, summary: bool) -> Result<Look, StoreError> {
    let changed = store.changed()? || noticed;
    let summary = (changed || summary).then(|| store.summary()).transpose()?;
    Ok(Look { changed, summary })
}

/// Runs jobs on clones of the store, one after the other.
pub(super) struct Lane<S> {
    store: S,
    runtime: Arc<dyn Runtime>,
    gate: Gate,
    running: Option<Running>,
}

struct Running {
    work: BoxFuture<'static, ()>,
    done: oneshot::Receiver<Done>,
    /// What to say where the work vanished.
    vanished: Done,
}

impl<S: LocalStore> Lane<S> {
    pub(super) fn new(store: S, runtime: Arc<dyn Runtime>, gate: Gate) -> Self {
        Lane { store, runtime, gate, running: None }
    }

    pub(super) fn is_free(&self) -> bool {
        self.running.is_none()
    }

    /// Begins a job; the lane must be free.
    pub(super) fn start(&mut self, job: Job) {
        debug_assert!(self.is_free(), "one job at a time");
        let vanished = job.vanished();
        let (reply, done) = oneshot::channel();
        let mut store = self.store.clone();
        let gate = self.gate.clone();
        let work = self.runtime.unblock(Box::new(move || {
            let pass = gate.enter();
            let result = match pass {
                Some(_) => job.run(Ok(&mut store)),
                None => job.run(Err::<&mut S, _>(suspended())),
            };
            drop(pass);
            // Nobody waits where the driver was dropped meanwhile; the work is done all the same.
            let _gone = reply.send(result);
        }));
        self.running = Some(Running { work, done, vanished });
    }

    /// The result of the running job; pending while there is none.
    pub(super) fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<Done> {
        let Some(running) = &mut self.running else { return Poll::Pending };
        ready!(Pin::new(&mut running.work).poll(cx));
        let finished = self.running.take().expect("it was there a line above");
        let Running { mut done, vanished, .. } = finished;
        Poll::Ready(done.try_recv().ok().flatten().unwrap_or(vanished))
    }
}

impl Job {
    /// What to say if the work panicked, or the runtime threw it away while shutting down.
    fn vanished(&self) -> Done {
        let error = StoreError::new(StoreErrorKind::Io, "the store's work did not come to an end");
        match self {
            Job::Request { link, id, .. } => Done::Request { link: *link, id: *id, reply: Err(error) },
            Job::Look { .. } => Done::Look(Err(error)),
            Job::ClockJumped { .. } => Done::ClockJumped(Err(error)),
        }
    }
}

fn suspended() -> StoreError {
    StoreError::new(StoreErrorKind::Suspended, "the client is suspended")
}
