//! A process that has a store open, and may be killed at an inconvenient moment.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pocketsync_core::id::SiteId;

use super::clock::WrongClock;
use super::image::Image;
use super::records::Records;
use crate::determinism::watching_commits;
use crate::history::Event;
use crate::story::{CrashPoint, TxId};

/// One life of a process, from its start to its end.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) clock: Arc<WrongClock>,
    pub(super) file: PathBuf,
    records: Records,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Where in its next work it is to be killed.
    armed: Option<CrashPoint>,
    /// It was killed inside of its work; what is on the disk.
    killed: Option<io::Result<Image>>,
    commits: u64,
    /// What the running job saw of the store.
    seen: Vec<Event>,
    /// Under which identity the store numbers its log.
    site: Option<SiteId>,
    /// The last transaction that the application has committed.
    committed: Option<TxId>,
    /// `committed` when the running job counted what is to be sent.
    counted: Option<Option<TxId>>,
}

impl Process {
    pub(super) fn new(
        clock: &Arc<WrongClock>,
        file: PathBuf,
        records: &Records,
        committed: Option<TxId>,
    ) -> Arc<Self> {
        let state = Mutex::new(State { committed, ..State::default() });
        Arc::new(Process { clock: Arc::clone(clock), file, records: records.clone(), state })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a job of the store. `false` when the process was killed by it, or before: nobody is to
    /// hear of it.
    pub(super) fn run(self: &Arc<Self>, job: impl FnOnce()) -> bool {
        if self.lock().killed.is_some() {
            return false;
        }
        self.clock.tell_thread();
        let watching = Arc::clone(self);
        watching_commits(move || watching.committing(), job);
        let mut state = self.lock();
        let committed = std::mem::take(&mut state.commits) > 0;
        let seen = std::mem::take(&mut state.seen);
        if state.killed.is_some() {
            // Rolled back, as far as anyone will ever know.
            return false;
        }
        seen.into_iter().for_each(|event| self.records.event(event));
        if committed && state.armed == Some(CrashPoint::AfterCommit) {
            state.killed = Some(Image::take(&self.file));
            return false;
        }
        true
    }

    fn committing(&self) {
        let mut state = self.lock();
        state.commits += 1;
        if state.armed == Some(CrashPoint::BeforeCommit) && state.killed.is_none() {
            state.killed = Some(Image::take(&self.file));
        }
    }

    /// Kills it at that point of its next work.
    pub(super) fn arm(&self, point: CrashPoint) {
        self.lock().armed = Some(point);
    }

    /// Lets it live on.
    pub(super) fn disarm(&self) {
        self.lock().armed = None;
    }

    /// What is on the disk, if it was killed inside of its work.
    pub(super) fn killed(&self) -> Option<io::Result<Image>> {
        self.lock().killed.take()
    }

    /// The running job saw something.
    pub(super) fn saw(&self, event: Event) {
        self.lock().seen.push(event);
    }

    /// Under which identity the store numbers its log, as far as it has said so.
    pub(super) fn site(&self) -> Option<SiteId> {
        self.lock().site
    }

    /// The store has said under which identity it numbers its log.
    pub(super) fn writes_as(&self, site: SiteId) {
        self.lock().site = Some(site);
    }

    /// The application has committed a transaction.
    pub(super) fn wrote(&self, tx: TxId) {
        self.lock().committed = Some(tx);
    }

    /// The running job counts what is to be sent.
    pub(super) fn counting(&self) {
        let mut state = self.lock();
        state.counted = Some(state.committed);
    }

    /// The last transaction before the job that has just run counted, if it did.
    pub(super) fn take_counted(&self) -> Option<Option<TxId>> {
        self.lock().counted.take()
    }
}
