//! The contract between the state machines and what keeps their state.
//!
//! A machine never touches a database: it hands out a [`StoreRequest`] and is told the
//! [`StoreReply`], at once by an embedded store, later by a networked one. Everything that must
//! commit together is one request.

mod columns;
mod early;
mod echo;
mod error;
#[cfg(feature = "sqlite")]
mod hub;
mod log;
mod mark;
mod meet;
mod memory;
mod mint;
mod permit;
mod record;
mod refusal;
mod sites;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod staging;
mod verdict;

pub(crate) use columns::check_columns;
pub use early::Early;
pub(crate) use early::{CLOCK_JUMP_MS, Recent, Unanswered};
pub use echo::{is_echo, is_news_to_its_sender};
pub use error::{StoreError, StoreErrorKind};
#[cfg(feature = "sqlite")]
pub use hub::{HubStore, HubStoreOptions};
pub use mark::Mark;
pub(crate) use meet::introduced;
pub use meet::{ClockReading, Holding, Knowledge, MAX_HOLDINGS, Meet, Met, Peer, Resume};
pub use memory::{MemoryStore, Rows, States, Transaction};
pub(crate) use mint::Mint;
pub use record::{Record, RecordCell, decode_life, encode_life};
#[cfg(feature = "sqlite")]
pub(crate) use refusal::is_derived;
pub use refusal::{Judgement, Permit, RefusalReason, RefusedParts};
pub use sites::Sites;
pub use staging::{Placement, STAGING_BYTES, place};
pub(crate) use verdict::begins_again;
pub use verdict::{Offered, Parting, Verdict, remembered, resume_at, verdict};

use std::sync::Arc;

use async_trait::async_trait;

use crate::change::Changeset;
use crate::clock::{Hlc, Now};
use crate::conflict::Seen;
use crate::id::{Scope, SiteId};
use crate::lineage::{Cursor, Lineage};
use crate::value::Value;

/// What a machine asks of its store.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum StoreRequest {
    /// Who are we in this scope, and what do we hold of others? Answered by
    /// [`StoreReply::Identity`].
    Identify {
        /// The logical database.
        scope: Scope,
    },
    /// What may go out along with our introduction, before we know who answers it? What it gives counts as
    /// offered. Answered by [`StoreReply::Early`].
    Early {
        /// The logical database.
        scope: Scope,
        /// Who we are, by [`Identity`].
        site: SiteId,
        /// The clocks: whether what was found out about them is still good.
        now: Now,
        /// About how many bytes of changes to answer; at least one row is.
        max_bytes: usize,
    },
    /// A peer introduced itself. Checks both histories for forks, corrects the clock, and says
    /// from where to send. Answered by [`StoreReply::Met`].
    Meet(Meet),
    /// What does `peer` not have yet? Folds first where there is a journal, and marks durably
    /// what it hands out as offered. Answered by [`StoreReply::Extracted`], or by
    /// [`StoreReply::Ahead`].
    Extract {
        /// The logical database.
        scope: Scope,
        /// For whom; what came from this peer is left out.
        peer: SiteId,
        /// What the peer holds of us already.
        after: Cursor,
        /// About how many bytes of changes to answer; at least one row is.
        max_bytes: usize,
        /// The latest version that the peer takes, where that is known: what nobody was offered yet
        /// is not offered under a later one, which it would have for ever.
        not_after: Option<Hlc>,
    },
    /// Take these pieces in, each the next piece of a peer's log. Every completed group is one
    /// transaction (several may share one), and everything that the reply calls staged or
    /// applied is durable. Answered by [`StoreReply::Applied`], one outcome a chunk.
    Apply {
        /// The logical database.
        scope: Scope,
        /// The pieces, in the order of their arrival.
        chunks: Vec<Chunk>,
    },
    /// What of these changes may `peer` not make? Nothing is taken in. Answered by [`StoreReply::Judged`].
    Judge {
        /// The logical database.
        scope: Scope,
        /// Who brings them.
        peer: SiteId,
        /// What it may do.
        permit: Arc<Permit>,
        /// The changes, in the order of their arrival.
        changesets: Vec<Changeset>,
    },
    /// An identity comes with this site. It is bound to the first that does. Answered by [`StoreReply::Bound`].
    Bind {
        /// The logical database.
        scope: Scope,
        /// The site.
        site: SiteId,
        /// Who it is.
        identity: String,
    },
    /// `peer` does not take these changes of ours: take them out again, and keep them aside with the reason. What
    /// goes in their place is not told back to the peer. Answered by [`StoreReply::Refused`].
    Refuse {
        /// The logical database.
        scope: Scope,
        /// Who refuses them.
        peer: SiteId,
        /// Which, and why.
        refused: Vec<RefusedParts>,
        /// What the peer holds of those rows, which is merged in; `None` where we may not know: then they stay as they
        /// are, and are only not told to the peer any more.
        states: Option<Changeset>,
    },
    /// `peer` holds us durably up to `cursor`. Answered by [`StoreReply::Done`].
    Acked {
        /// The logical database.
        scope: Scope,
        /// Who acknowledged.
        peer: SiteId,
        /// Up to where.
        cursor: Cursor,
    },
    /// The wall clock was set: stamps from before say nothing about the time from now on.
    /// Answered by [`StoreReply::Done`].
    ClockJumped {
        /// The logical database.
        scope: Scope,
    },
    /// Somebody else may be speaking under our site: a clone. A device takes a log number that says
    /// nothing but under which opening it was handed out; whoever of the two hears of it last finds
    /// itself forked at its next introduction. Answered by [`StoreReply::Done`].
    Announce {
        /// The logical database.
        scope: Scope,
    },
}

impl StoreRequest {
    /// The logical database that this is about.
    pub fn scope(&self) -> &Scope {
        match self {
            StoreRequest::Identify { scope }
            | StoreRequest::Early { scope, .. }
            | StoreRequest::Extract { scope, .. }
            | StoreRequest::Apply { scope, .. }
            | StoreRequest::Judge { scope, .. }
            | StoreRequest::Refuse { scope, .. }
            | StoreRequest::Bind { scope, .. }
            | StoreRequest::Acked { scope, .. }
            | StoreRequest::ClockJumped { scope }
            | StoreRequest::Announce { scope } => scope,
            StoreRequest::Meet(meet) => &meet.scope,
        }
    }
}

/// A piece of a peer's log.
///
/// A group (one transaction of the sender, or everything that a catch-up has to say) is one or
/// more chunks, the last of which says so. Earlier chunks are staged durably until it arrives,
/// up to a bound beyond which they are applied as they come.
#[derive(Clone, PartialEq, Debug)]
pub struct Chunk {
    /// Whose log.
    pub peer: SiteId,
    /// The peer's openings, kept with the cursor.
    pub lineage: Arc<Lineage>,
    /// The piece begins after this position; it is taken only where that is what we hold.
    pub from: Cursor,
    /// The piece ends at this position.
    pub to: Cursor,
    /// Whether the group is complete with it.
    pub last: bool,
    /// What changed.
    pub changeset: Changeset,
    /// What the peer knew of our log when it made these changes.
    pub seen: Seen,
}

/// What a store answers.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum StoreReply {
    /// To [`StoreRequest::Identify`].
    Identity(Identity),
    /// To [`StoreRequest::Early`]: nothing, where the peer has to be met first.
    Early(Option<Box<Early>>),
    /// To [`StoreRequest::Meet`].
    Met(Met),
    /// To [`StoreRequest::Extract`].
    Extracted(Extracted),
    /// To [`StoreRequest::Extract`]: our own writes are later than the peer takes. The wall clock
    /// was set; nothing was offered, so meeting again corrects them.
    Ahead,
    /// To [`StoreRequest::Extract`], [`StoreRequest::Apply`], [`StoreRequest::Refuse`] and [`StoreRequest::Acked`]:
    /// we have a new site since we met this peer, which knows us by the old one. Nothing was done; meet again.
    Moved {
        /// The new site.
        site: SiteId,
    },
    /// To [`StoreRequest::Apply`]: one outcome for each chunk, in order.
    Applied(Vec<ChunkOutcome>),
    /// To [`StoreRequest::Judge`]: what is refused, if anything is.
    Judged(Option<Judgement>),
    /// To [`StoreRequest::Bind`]: whether the site is bound to this identity, and to no other.
    Bound(bool),
    /// To [`StoreRequest::Refuse`]: what that did to our own log.
    Refused(Option<Committed>),
    /// Done; there is nothing to tell.
    Done,
}

/// Who a replica is, and what it holds of others.
#[derive(Clone, PartialEq, Debug)]
pub struct Identity {
    /// The replica's site.
    pub site: SiteId,
    /// Its openings, the present one included.
    pub lineage: Lineage,
    /// The end of its log.
    pub head: Cursor,
    /// What it holds of each replica that it has met, the most recent first; bounded.
    pub holdings: Vec<Holding>,
    /// Whether it may be worth asking for something to send [early](StoreRequest::Early).
    pub may_be_early: bool,
}

/// A piece of our own log.
#[derive(Clone, PartialEq, Debug)]
pub struct Extracted {
    /// Where it ends. Equal to where it began when there is nothing new.
    pub to: Cursor,
    /// Whether it reaches the end of the log: the receiver has whole transactions then.
    pub last: bool,
    /// What changed; may be empty although `to` is ahead, when all of it came from the peer.
    pub changeset: Changeset,
    /// What we knew of the peer's log when we made our own part of it. Unknown where nothing of it is
    /// our own.
    pub seen: Seen,
}

/// What became of a [`Chunk`].
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum ChunkOutcome {
    /// Kept until its group is complete.
    Staged {
        /// What we hold of the peer now, durably.
        held: Cursor,
    },
    /// Merged.
    Applied {
        /// What we hold of the peer now, durably.
        held: Cursor,
        /// What that did to our own log; `None` when it changed nothing.
        committed: Option<Committed>,
    },
    /// The chunk does not begin where we stand; it was not taken.
    Gap {
        /// What we hold of the peer.
        held: Cursor,
    },
}

/// What a merge did to our own log.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Committed {
    /// The log before it.
    pub from: Cursor,
    /// The log after it.
    pub to: Cursor,
    /// What won, for live sessions. Empty in a replica with tables, which extracts it.
    pub delta: Changeset,
    /// The rows of user tables that look different now. Empty in a store without tables.
    pub shown: Vec<ShownRows>,
    /// Whether the merge wrote something of its own, which the peer does not have.
    pub derived: bool,
}

/// Rows of a user table that a merge changed, for the application to refresh.
#[derive(Clone, PartialEq, Debug)]
pub struct ShownRows {
    /// The table.
    pub table: String,
    /// The local primary keys of rows that were inserted or changed.
    pub changed: Vec<Box<[Value]>>,
    /// The local primary keys of rows that are gone.
    pub removed: Vec<Box<[Value]>>,
}

/// A store that answers in the calling thread: SQLite, memory.
pub trait Store: Send {
    /// Does one request.
    ///
    /// # Errors
    /// When the store could not; nothing of the request has happened then.
    fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError>;

    /// Does several requests, as if one after the other: a result each, in order.
    ///
    /// A store may have them share what one of them alone would cost, a commit above all. Then an
    /// error of that is an error of each.
    fn run_all(&mut self, requests: Vec<StoreRequest>) -> Vec<Result<StoreReply, StoreError>> {
        requests.into_iter().map(|request| self.run(request)).collect()
    }
}

/// A store that answers later: a database on the network.
#[async_trait]
pub trait AsyncStore: Send + Sync {
    /// Does one request.
    ///
    /// # Errors
    /// When the store could not; nothing of the request has happened then.
    async fn run(&self, request: StoreRequest) -> Result<StoreReply, StoreError>;

    /// Does several requests, as if one after the other, as [`Store::run_all`] does.
    async fn run_all(&self, requests: Vec<StoreRequest>) -> Vec<Result<StoreReply, StoreError>> {
        let mut replies = Vec::with_capacity(requests.len());
        for request in requests {
            replies.push(self.run(request).await);
        }
        replies
    }
}
