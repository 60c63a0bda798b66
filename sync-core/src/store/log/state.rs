//! What a scope's log keeps beside its records.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Names;
use crate::conflict::{Clash, HubResolver, Rules};
use crate::id::SiteId;
use crate::lineage::{Cursor, Lineage};
use crate::store::{Offered, Recent, Sites, Unanswered, remembered};

/// How a replica answers the discovery that its history forked, and what it remembers for that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// Keeps its site and goes back; writes nothing under its own site.
    Hub,
    /// Takes a new site.
    Device,
}

/// The small things that a scope's log needs at hand for every request.
#[derive(Clone, Debug)]
pub(crate) struct LogState {
    pub(crate) role: Role,
    pub(crate) site: SiteId,
    pub(crate) lineage: Lineage,
    /// The last log number.
    pub(crate) head: u64,
    pub(crate) offered: Offered,
    /// What a device handed out early and nobody has answered.
    pub(crate) unanswered: Option<Unanswered>,
    /// With whom a device may be early, in this opening.
    pub(crate) recent: Option<Recent>,
    pub(crate) sites: Sites,
    pub(crate) names: Names,
    /// A device's own writes that met others before the peer had them, as long as it has not.
    pub(crate) clashes: Vec<Clash>,
    /// The rules about conflicts; `None`: not read since they last changed.
    pub(crate) rules: Option<Arc<Rules>>,
    /// Who decides about conflicts that a rule leaves to the application.
    pub(crate) resolver: HubResolver,
}

impl LogState {
    pub(crate) fn new(role: Role, site: SiteId) -> Self {
        LogState {
            role,
            site,
            lineage: Lineage::default(),
            head: 0,
            offered: Offered::default(),
            unanswered: None,
            recent: None,
            sites: Sites::default(),
            names: Names::default(),
            clashes: Vec::new(),
            rules: None,
            resolver: HubResolver::default(),
        }
    }

    /// The end of the log.
    pub(crate) fn head_cursor(&self) -> Cursor {
        remembered(&self.lineage, self.head)
    }
}

/// What is known of a peer.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PeerState {
    /// How far its log was read, staged pieces included.
    pub(crate) held: Cursor,
    /// Its openings, as announced by the session that brought `held`.
    pub(crate) lineage: Lineage,
    /// How far it holds our log.
    pub(crate) acked: Cursor,
    /// It was restored to an earlier state: up to this number of ours, nothing is left out of what
    /// it is told because it came from there. So it stays when it has that again, which it then
    /// has of us and may lose once more.
    pub(crate) resend_until: u64,
    /// The weight of the pieces that are kept aside.
    pub(crate) staged_bytes: u64,
    /// Whether a group too large to wait for is being merged in parts.
    pub(crate) streaming: bool,
}
