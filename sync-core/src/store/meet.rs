//! What two replicas tell each other when they meet, and what a store makes of it.

use serde::{Deserialize, Serialize};

use crate::clock::{Hlc, Now};
use crate::id::{Scope, SiteId};
use crate::lineage::{Cursor, Lineage};
use crate::store::Sites;

/// What one replica knows of another: how far it has read its log, and what it has heard of its
/// writes from anyone. Sent to that other replica, it is how that finds out that it was restored
/// from a backup.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Holding {
    /// Of whom.
    pub replica: SiteId,
    /// How far its log was read; staged pieces included.
    pub cursor: Cursor,
    /// Its openings, as announced by the session that brought the cursor.
    pub lineage: Lineage,
    /// What is known of its writes.
    pub knowledge: Knowledge,
}

impl Holding {
    /// Nothing held of a replica.
    pub fn none(replica: SiteId) -> Self {
        Holding {
            replica,
            cursor: Cursor::ZERO,
            lineage: Lineage::default(),
            knowledge: Knowledge::default(),
        }
    }
}

/// How many [`Holding`]s an introduction may list.
pub const MAX_HOLDINGS: usize = 64;

/// What a replica holds of others, as it introduces itself: of the replicas that it `met`, the
/// latest first, and then of those whose writes others have brought, so that one restored from a
/// backup finds out whomever it meets.
pub(crate) fn introduced(us: SiteId, met: impl Iterator<Item = Holding>, sites: &Sites) -> Vec<Holding> {
    let mut holdings: Vec<Holding> = met.take(MAX_HOLDINGS).collect();
    for (site, knowledge) in sites.iter().filter(|(site, _)| *site != SiteId::NIL && *site != us) {
        if holdings.len() == MAX_HOLDINGS {
            break;
        }
        if !holdings.iter().any(|holding| holding.replica == site) {
            holdings.push(Holding { knowledge, ..Holding::none(site) });
        }
    }
    holdings
}

/// The largest counter and clock that were seen from a site, whoever brought them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Knowledge {
    /// The largest surrogate row counter.
    pub counter: u64,
    /// The largest clock.
    pub hlc: Hlc,
}

/// How a replica introduces itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Peer {
    /// Its site.
    pub site: SiteId,
    /// Its openings, the present one included.
    pub lineage: Lineage,
    /// The end of its log.
    pub head: Cursor,
}

/// The request behind [`StoreRequest::Meet`](super::StoreRequest::Meet).
#[derive(Clone, PartialEq, Debug)]
pub struct Meet {
    /// The logical database.
    pub scope: Scope,
    /// Who introduced itself.
    pub peer: Peer,
    /// What the peer holds of us; `None` when it never met us.
    pub holding: Option<Holding>,
    /// Where the peer will begin to send, when it has said so; earlier than what we hold where
    /// its own history is shorter, because it was restored.
    pub resumes: Option<Cursor>,
    /// What our clock reads against the peer's, where the peer's is to be trusted (a hub's).
    pub clock: Option<ClockReading>,
}

/// A comparison of our wall clock with one that is to be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockReading {
    /// Add this to our wall clock, in milliseconds, to get the peer's.
    pub offset_ms: i64,
    /// The peer's wall clock, in milliseconds since 1970.
    pub peer_wall_ms: u64,
    /// How far in the future, in milliseconds, the peer accepts versions.
    pub max_drift_ms: u64,
    /// Our own clocks at the comparison, if the peer takes early pushes.
    pub compared_at: Option<Now>,
}

/// What came of a meeting.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Met {
    /// The histories fit, or were made to fit by going back to where they did.
    Resume(Box<Resume>),
    /// We were restored from a backup or cloned: the store has taken a new site, and has minted
    /// anew what nobody has seen. Introduce yourself again.
    Forked {
        /// Our new site.
        site: SiteId,
    },
}

/// How to go on after meeting.
#[derive(Clone, PartialEq, Debug)]
pub struct Resume {
    /// Who we are.
    pub us: Peer,
    /// What we hold of the peer.
    pub holding: Holding,
    /// Where to begin to send.
    pub send_from: Cursor,
    /// Whether the peer held more of us than we have: our history was restored to an earlier
    /// state, and `send_from` is where the two part. Only a hub goes on so; a device takes a new
    /// site instead ([`Met::Forked`]).
    pub rewound: bool,
}
