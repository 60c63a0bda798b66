//! A hub's machine and many sessions, all stores in memory, joined without a wire.

use std::collections::{BTreeMap, VecDeque};

use pocketsync_core::Bytes;
use pocketsync_core::clock::Now;
use pocketsync_core::hub::{ConnId, Hub, HubConfig, HubOutput};
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::session::{Admitted, Output, Rights, Session, SessionConfig};
use pocketsync_core::store::{MemoryStore, Store};
use pocketsync_core::value::Value;

use crate::Result;

/// Rows of a group.
pub(super) const GROUP_ROWS: usize = 10;

const NOW: Now = Now { wall_ms: 1_700_000_000_000, mono: std::time::Duration::from_secs(1) };

struct Member {
    session: Session,
    store: MemoryStore,
    conn: ConnId,
}

/// A hub and live sessions.
pub(super) struct Links {
    scope: Scope,
    hub: Hub,
    store: MemoryStore,
    members: Vec<Member>,
    by_conn: BTreeMap<ConnId, usize>,
    to_hub: VecDeque<(ConnId, Bytes)>,
    to_members: VecDeque<(usize, Bytes)>,
}

fn site(n: usize) -> SiteId {
    let mut bytes = [3; 16];
    bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
    SiteId::from_bytes(bytes)
}

impl Links {
    /// So many sessions, the handshakes done.
    pub(super) fn new(members: usize) -> Result<Links> {
        let scope = Scope::new("bench")?;
        let mut links = Links {
            scope: scope.clone(),
            hub: Hub::new(HubConfig::default(), NOW),
            store: MemoryStore::hub(site(members + 1), Stamp(1)),
            members: Vec::new(),
            by_conn: BTreeMap::new(),
            to_hub: VecDeque::new(),
            to_members: VecDeque::new(),
        };
        for n in 0..members {
            let conn = links.hub.open(NOW, 1 << 20);
            let session = Session::connect(SessionConfig::new(scope.clone()), NOW);
            let store = MemoryStore::device(site(n), Stamp(n as u64 + 2));
            links.by_conn.insert(conn, n);
            links.members.push(Member { session, store, conn });
        }
        links.settle();
        Ok(links)
    }

    /// The first member writes a group, and everybody gets it.
    pub(super) fn push(&mut self, group: u64) {
        let member = &mut self.members[0];
        member.store.write(&self.scope, NOW.wall_ms + group, |tx| {
            for row in 0..GROUP_ROWS {
                let text = format!("row {row} of group {group}");
                tx.insert("t", &[("title", Value::text(&text)), ("rank", Value::Integer(row as i64))]);
            }
        });
        member.session.local_changed(NOW);
        self.settle();
    }

    /// Checks that everybody holds so many rows.
    pub(super) fn assert_all_have(&self, rows: usize) -> Result<()> {
        for member in &self.members {
            let count: usize = member.store.rows(&self.scope).values().map(|rows| rows.len()).sum();
            if count != rows {
                return Err(format!("{count} rows, not {rows}").into());
            }
        }
        Ok(())
    }

    /// Until nobody has anything more to say.
    fn settle(&mut self) {
        loop {
            (0..self.members.len()).for_each(|n| self.drain_member(n));
            while let Some((conn, frame)) = self.to_hub.pop_front() {
                self.hub.handle_frame(NOW, conn, frame);
            }
            self.drain_hub();
            if self.to_members.is_empty() && self.to_hub.is_empty() {
                return;
            }
            while let Some((n, frame)) = self.to_members.pop_front() {
                self.members[n].session.handle_frame(NOW, frame);
            }
        }
    }

    fn drain_member(&mut self, n: usize) {
        let Member { session, store, conn } = &mut self.members[n];
        loop {
            match session.poll_output() {
                Output::Transmit(frame) => self.to_hub.push_back((*conn, frame)),
                Output::Store(id, request) => session.handle_store(NOW, id, store.run(request)),
                Output::Wait(_) => return,
                Output::Closed(end) => panic!("a session ended: {end:?}"),
                _ => {}
            }
        }
    }

    fn drain_hub(&mut self) {
        loop {
            match self.hub.poll_output() {
                HubOutput::Transmit { conn, frame } => {
                    self.hub.handle_sent(NOW, conn, frame.len());
                    self.to_members.push_back((self.by_conn[&conn], frame));
                }
                HubOutput::Store { id, request } => {
                    let reply = self.store.run(request);
                    self.hub.handle_store(NOW, id, reply);
                }
                HubOutput::Admit { conn, .. } => {
                    let admitted = Admitted::new("somebody", Rights::ALL);
                    self.hub.handle_admission(NOW, conn, Ok(admitted));
                }
                HubOutput::Closed { end, .. } => panic!("a session ended: {end:?}"),
                HubOutput::Wait(_) => return,
                _ => {}
            }
        }
    }
}
