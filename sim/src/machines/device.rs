//! A device: what lies on its disk, and the client that runs on it.

use std::collections::{BTreeSet, VecDeque};

use pocketsync_core::Bytes;
use pocketsync_core::clock::Now;
use pocketsync_core::hub::ConnId;
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::session::{RequestId, Session};
use pocketsync_core::store::MemoryStore;

use super::draw::{Draw, Purpose};
use super::parts::{Between, Direct};
use super::retry::Retry;
use super::wire::Wire;
use crate::history::StatusView;
use crate::story::{Clock, CrashPoint, Ms, TxId};

/// 2026-01-01T00:00:00Z, when every run begins, in milliseconds since 1970.
pub(super) const EPOCH_MS: u64 = 1_767_225_600_000;

/// The reading of a right clock.
pub(super) fn true_now(at: Ms) -> Now {
    Now { mono: std::time::Duration::from_millis(at), wall_ms: EPOCH_MS + at }
}

/// What survives the process.
#[derive(Clone)]
pub(super) struct Disk {
    pub(super) store: MemoryStore,
    /// The transactions that nobody has acknowledged, with the log numbers that they took.
    pub(super) unacked: VecDeque<(u64, TxId)>,
    /// Whether the store shows whole transactions.
    pub(super) whole: bool,
}

/// Where a client stands.
pub(super) enum Phase {
    /// The device is offline, and was since.
    Away { since: Ms },
    /// Until it is time to try.
    Waiting,
    /// A link is being opened.
    Connecting,
    /// A session runs.
    Linked(Box<Link>),
}

/// A session, and the link that it has.
pub(super) struct Link {
    pub(super) session: Session,
    pub(super) wire: Wire,
    pub(super) conn: ConnId,
    /// Which run of the hub the link leads to.
    pub(super) hub_run: u32,
    pub(super) connected_at: Option<Ms>,
    pub(super) caught_up: bool,
    pub(super) up_to_date: bool,
    /// Nothing can be read or sent any more, and the client knows it.
    pub(super) broken: bool,
    /// Frames vanish, and nobody was told.
    pub(super) dead: bool,
    pub(super) applying: BTreeSet<RequestId>,
    /// When the store has answered everything that it was asked so far.
    pub(super) store_free_at: Ms,
    /// When the session is woken next.
    pub(super) timer_at: Option<Ms>,
    /// When it wants to be.
    pub(super) deadline: Option<Ms>,
}

/// What the network holds back for a device.
pub(super) enum Held {
    Up { conn: ConnId, run: u32, frame: Bytes, weighs: bool },
    Down { link: u32, frame: Bytes, weighs: bool },
    HubLost { conn: ConnId, run: u32 },
    Lost { link: u32 },
}

/// A device.
pub(super) struct Device {
    pub(super) scope_no: u32,
    pub(super) scope: Scope,
    /// Whether it was there at some time.
    pub(super) exists: bool,
    /// Whether it was destroyed.
    pub(super) lost: bool,
    /// Whether its process runs.
    pub(super) runs: bool,
    /// Which life of its process this is.
    pub(super) run: u32,
    pub(super) disk: Disk,
    pub(super) between: Box<dyn Between>,
    pub(super) image: Option<(Ms, Disk)>,
    clock: Clock,
    /// Since when `clock` says how wrong it is.
    clock_since: Ms,
    /// The clock was set, and the client has not noticed.
    pub(super) jump_untold: bool,
    pub(super) online: bool,
    /// What the network holds back, while it does.
    pub(super) held: Option<Vec<Held>>,
    pub(super) crash: Option<(CrashPoint, Ms)>,
    pub(super) phase: Phase,
    /// Counts the links.
    pub(super) links: u32,
    /// Counts the attempts to connect.
    pub(super) attempts: u32,
    pub(super) retry: Retry,
    pub(super) retry_draw: Draw,
    pub(super) store_draw: Draw,
    pub(super) status: Option<StatusView>,
    pub(super) pending: u64,
    pub(super) last_error: Option<String>,
    openings: u64,
}

impl Device {
    pub(super) fn new(
        seed: u64,
        number: usize,
        scope_no: u32,
        scope: Scope,
        clock: Clock,
        online: bool,
    ) -> Self {
        let owner = number as u64;
        let mut draw = Draw::new(seed, Purpose::Site, owner, 0);
        let mut random = [0; 10];
        random[..8].copy_from_slice(&draw.next().to_le_bytes());
        random[8..].copy_from_slice(&draw.next().to_le_bytes()[..2]);
        let site = SiteId::new_v7(EPOCH_MS, random);
        let store = MemoryStore::device(site, stamp(seed, owner, 0));
        Device {
            scope_no,
            scope,
            exists: false,
            lost: false,
            runs: false,
            run: 0,
            disk: Disk { store, unacked: VecDeque::new(), whole: true },
            between: Box::new(Direct),
            image: None,
            clock,
            clock_since: 0,
            jump_untold: false,
            online,
            held: None,
            crash: None,
            phase: Phase::Waiting,
            links: 0,
            attempts: 0,
            retry: Retry::default(),
            retry_draw: Draw::new(seed, Purpose::Retry, owner, 0),
            store_draw: Draw::new(seed, Purpose::Store, owner, 0),
            status: None,
            pending: 0,
            last_error: None,
            openings: 0,
        }
    }

    /// The stamp of the next opening of the device's store.
    pub(super) fn next_stamp(&mut self, seed: u64, number: usize) -> Stamp {
        self.openings += 1;
        stamp(seed, number as u64, self.openings)
    }

    /// What the device's clocks read.
    pub(super) fn now(&self, at: Ms) -> Now {
        let since = i128::from(at) - i128::from(self.clock_since);
        let drift = since * i128::from(self.clock.drift_ppm) / 1_000_000;
        let wrong = i64::try_from(drift).unwrap_or(0).saturating_add(self.clock.offset_ms);
        let right = true_now(at);
        Now { wall_ms: right.wall_ms.saturating_add_signed(wrong), ..right }
    }

    pub(super) fn set_clock(&mut self, at: Ms, offset_ms: i64) {
        self.clock.offset_ms = offset_ms;
        self.clock_since = at;
    }

    /// The link with this number, if it is the present one.
    pub(super) fn link(&mut self, number: u32) -> Option<&mut Link> {
        match &mut self.phase {
            Phase::Linked(link) if self.links == number => Some(link),
            _ => None,
        }
    }

    /// The connection of its link at the hub.
    pub(super) fn conn(&self) -> Option<ConnId> {
        match &self.phase {
            Phase::Linked(link) => Some(link.conn),
            _ => None,
        }
    }

    /// What the client says of itself.
    pub(super) fn status_now(&self) -> StatusView {
        let state = match &self.phase {
            Phase::Away { .. } | Phase::Waiting => "offline",
            Phase::Connecting => "connecting",
            Phase::Linked(link) if link.broken || link.session.is_over() => "offline",
            Phase::Linked(link) if link.connected_at.is_none() => "connecting",
            Phase::Linked(link) => {
                let in_sync = link.caught_up && link.applying.is_empty() && link.up_to_date;
                if in_sync && self.pending == 0 { "live" } else { "catching_up" }
            }
        };
        StatusView {
            state,
            in_sync: state == "live",
            pending: self.pending,
            parked: 0,
            last_error: self.last_error.clone(),
        }
    }
}

fn stamp(seed: u64, owner: u64, opening: u64) -> Stamp {
    Stamp(Draw::new(seed, Purpose::Stamp, owner, opening).next().max(1))
}
