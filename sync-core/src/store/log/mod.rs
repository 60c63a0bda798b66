//! The log over records: what a store of whole row states makes of each request, wherever the
//! states are kept. Memory and the hub's SQLite file differ in [`Records`] only.

mod apply;
mod changeset;
mod early;
mod extract;
mod judge;
mod key;
mod known;
mod meet;
mod names;
mod refuse;
mod state;

pub(crate) use apply::apply;
pub(crate) use changeset::ChangesetBuilder;
pub(crate) use early::early;
pub(crate) use extract::extract;
pub(crate) use key::{row_key, row_of};
pub(crate) use meet::{acked, identify, meet};
#[cfg(feature = "sqlite")]
pub(crate) use names::Name;
pub(crate) use names::Names;
pub(crate) use state::{LogState, PeerState, Role};

use super::permit::judge;
use super::{ClockReading, Mark, Record, RefusedParts, StoreError, StoreReply, StoreRequest};
use crate::change::Changeset;
use crate::clock::Hlc;
use crate::conflict::{LoggedConflict, Seen};
use crate::id::{RowId, SiteId};

/// Told of each row by [`Records::scan`]: log number, table, row key, state. Says whether to
/// go on.
pub(crate) type Visit<'v> = dyn FnMut(u64, u32, &[u8], Record) -> Result<bool, StoreError> + 'v;

/// Where one scope's records and log are kept.
pub(crate) trait Records {
    /// The small things that are always at hand.
    fn state(&self) -> &LogState;
    /// The same, to change.
    fn state_mut(&mut self) -> &mut LogState;

    /// A row's state.
    fn record(&self, table: u32, row: &[u8]) -> Result<Option<Record>, StoreError>;
    /// Keeps the state of a row, of which there was one before (`known`) or not.
    fn put_record(&mut self, table: u32, row: &[u8], record: &Record, known: bool) -> Result<(), StoreError>;
    /// The rows after a position, by log number, table and row key.
    fn scan(&self, after: &Mark, visit: &mut Visit<'_>) -> Result<(), StoreError>;

    /// What is known of a peer.
    fn peer(&self, site: SiteId) -> Result<Option<PeerState>, StoreError>;
    /// Keeps what is known of a peer, which becomes the most recent one.
    fn put_peer(&mut self, site: SiteId, peer: &PeerState) -> Result<(), StoreError>;
    /// The peers, the most recent first.
    fn peers(&self, limit: usize) -> Result<Vec<(SiteId, PeerState)>, StoreError>;

    /// Which peer a log number came from; `None` for our own.
    fn origin(&self, seq: u64) -> Result<Option<SiteId>, StoreError>;
    /// Notes that `seq` came from `peer`, whose log is known up to `told` since, where that is known
    /// for certain.
    fn put_origin(&mut self, seq: u64, peer: SiteId, told: Option<u64>) -> Result<(), StoreError>;
    /// Of `peer`'s log, nothing after `position` is known any more: it has another history.
    fn unlearn(&mut self, _peer: SiteId, _position: u64) -> Result<(), StoreError> {
        Ok(())
    }
    /// What was known of `peer`'s log when our own writes after `base` were made; and those from
    /// `oldest` on, which go to `peer` along with them.
    fn seen(&self, _peer: SiteId, _base: u64, _oldest: Hlc) -> Result<Seen, StoreError> {
        Ok(Seen::default())
    }
    /// Forgets which numbers up to `through` came from `peer`, where that is needed no more.
    fn forget_origins(&mut self, peer: SiteId, through: u64) -> Result<(), StoreError>;

    /// How much of `peer`'s log was known at the end of our log number `at`.
    fn told(&self, _peer: SiteId, _at: u64) -> Result<u64, StoreError> {
        Ok(0)
    }
    /// The rows of a table, in the order of their keys.
    fn table(&self, table: u32, visit: &mut dyn FnMut(RowId, Record)) -> Result<(), StoreError>;
    /// Remembers a conflict, under the next number.
    fn log_conflict(&mut self, conflict: LoggedConflict) -> Result<(), StoreError>;

    /// To whom a site belongs: to this identity, if it is the first that comes with it.
    fn bind(&mut self, site: SiteId, identity: &str) -> Result<String, StoreError>;
    /// Keeps changes of our own that a peer did not take. A hub has none.
    fn keep_refused(&mut self, _refused: RefusedParts) {}

    /// Keeps a piece of an incomplete group.
    fn stage(&mut self, peer: SiteId, changeset: Changeset) -> Result<(), StoreError>;
    /// The pieces that were kept, in order; they are kept no more.
    fn take_staged(&mut self, peer: SiteId) -> Result<Vec<Changeset>, StoreError>;

    /// A device takes a new site, and mints anew what it wrote after `kept`.
    fn fork(&mut self, kept: u64) -> Result<SiteId, StoreError>;
    /// Corrects the clocks of writes that nobody was offered.
    fn correct_clock(&mut self, reading: ClockReading) -> Result<(), StoreError>;
    /// Whether a device has writes that nobody was offered and that are later than that.
    fn is_ahead(&self, latest: Hlc) -> bool;
    /// The wall clock was set.
    fn clock_jumped(&mut self) -> Result<(), StoreError>;
    /// A device takes a log number with nothing in it.
    fn announce(&mut self) -> Result<(), StoreError>;
}

/// Does one request in the scope that `records` keeps.
pub(crate) fn run(records: &mut impl Records, request: StoreRequest) -> Result<StoreReply, StoreError> {
    Ok(match request {
        StoreRequest::Identify { .. } => StoreReply::Identity(identify(records)?),
        StoreRequest::Early { site, now, max_bytes, .. } => {
            StoreReply::Early(early(records, site, now, max_bytes)?.map(Box::new))
        }
        StoreRequest::Meet(request) => StoreReply::Met(meet(records, request)?),
        StoreRequest::Extract { not_after: Some(latest), .. } if records.is_ahead(latest) => {
            StoreReply::Ahead
        }
        StoreRequest::Extract { peer, after, max_bytes, .. } => {
            StoreReply::Extracted(extract(records, peer, &after, max_bytes)?)
        }
        StoreRequest::Apply { scope, chunks } => StoreReply::Applied(apply(records, &scope, chunks)?),
        StoreRequest::Judge { peer, permit, changesets, .. } => {
            let known = known::Here(&*records);
            StoreReply::Judged(judge(&known, peer, &permit, &changesets)?)
        }
        StoreRequest::Bind { site, identity, .. } => {
            StoreReply::Bound(records.bind(site, &identity)? == identity)
        }
        StoreRequest::Refuse { peer, refused, states, .. } => {
            StoreReply::Refused(refuse::refuse(records, peer, refused, states)?)
        }
        StoreRequest::Acked { peer, cursor, .. } => {
            acked(records, peer, cursor)?;
            StoreReply::Done
        }
        StoreRequest::ClockJumped { .. } => {
            records.clock_jumped()?;
            StoreReply::Done
        }
        StoreRequest::Announce { .. } => {
            // A hub keeps its site whoever uses it.
            if records.state().role == Role::Device {
                records.announce()?;
            }
            StoreReply::Done
        }
    })
}
