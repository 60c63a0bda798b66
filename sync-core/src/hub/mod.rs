//! Many sessions on one store, as a state machine.
//!
//! A [`Hub`] runs one [`Session`] a connection, each in the scope that its initiator named and
//! admission granted. It adds what only it can see: pushes that wait are merged in one store
//! transaction, what was committed goes to every other session of the scope at once and is encoded
//! once, a slow receiver falls back to extracts from where it stands, and nothing that one
//! connection does costs the others anything.
//!
//! The contract is that of a session: **after every input, call
//! [`poll_output`](Hub::poll_output) until it answers [`HubOutput::Wait`]**, and do what it says,
//! in order. Nothing that depends on a commit is handed out before the store has replied.
//!
//! ```
//! use bytes::Bytes;
//! use pocketsync_core::clock::Now;
//! use pocketsync_core::hub::{Hub, HubConfig, HubOutput};
//!
//! let now = Now::default();
//! let mut hub = Hub::new(HubConfig::default(), now);
//! let conn = hub.open(now, 1 << 20);
//! hub.handle_frame(now, conn, Bytes::from_static(b"no frame"));
//! // Whoever talks nonsense is told so, and is out.
//! assert!(matches!(hub.poll_output(), HubOutput::Transmit { .. }));
//! assert!(matches!(hub.poll_output(), HubOutput::Closed { .. }));
//! assert!(matches!(hub.poll_output(), HubOutput::Wait(_)));
//! ```

mod config;
mod event;
mod fanout;
mod group;
mod seat;

pub use config::HubConfig;
pub use event::{ConnId, HubOutput};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Now;
use crate::id::{Scope, SiteId};
use crate::session::{Admitted, Deadline, Event, Output, RequestId, Session};
use crate::store::{StoreError, StoreErrorKind, StoreReply, StoreRequest};
use crate::wire::{ErrorCode, WireError};
use group::{Group, Groups};

/// Many sessions on one store. See the [module](self) for how to run it.
#[derive(Debug)]
pub struct Hub {
    config: HubConfig,
    conns: BTreeMap<ConnId, Conn>,
    scopes: BTreeMap<Scope, ScopeState>,
    /// How many sessions each identity has.
    identities: BTreeMap<String, usize>,
    requests: BTreeMap<RequestId, Asker>,
    /// When each connection wants to be woken.
    timers: BTreeSet<(Duration, ConnId)>,
    /// Connections whose sessions may have something to say.
    touched: BTreeSet<ConnId>,
    outputs: VecDeque<HubOutput>,
    next_conn: u64,
    next_request: u64,
    shut_down: bool,
}

#[derive(Debug)]
struct Conn {
    session: Session,
    /// Where and who, once somebody asked for admission.
    place: Option<(Scope, SiteId)>,
    /// Whose session this is, where it is somebody's own.
    identity: Option<String>,
    /// What was handed out and is not sent yet.
    queued_bytes: usize,
    timer: Option<Deadline>,
}

/// What the hub knows of a scope while somebody is in it.
#[derive(Debug, Default)]
struct ScopeState {
    /// Who is admitted, by site: a replica has one session.
    members: BTreeMap<SiteId, ConnId>,
    /// Whose handshake is done.
    live: BTreeSet<ConnId>,
    groups: Groups,
}

/// Who waits for a store reply.
#[derive(Debug)]
enum Asker {
    Session(ConnId, RequestId),
    Group(Group),
    /// Somebody who may come in, if the site is its own.
    Binding(ConnId, Box<Admitted>),
}

impl Hub {
    /// A hub without connections.
    pub fn new(config: HubConfig, _now: Now) -> Hub {
        Hub {
            config,
            conns: BTreeMap::new(),
            scopes: BTreeMap::new(),
            identities: BTreeMap::new(),
            requests: BTreeMap::new(),
            timers: BTreeSet::new(),
            touched: BTreeSet::new(),
            outputs: VecDeque::new(),
            next_conn: 0,
            next_request: 0,
            shut_down: false,
        }
    }

    /// Somebody connected, over a link with frames of at most `max_frame_bytes`.
    pub fn open(&mut self, now: Now, max_frame_bytes: usize) -> ConnId {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        let mut config = self.config.session.clone();
        config.max_frame_bytes = config.max_frame_bytes.min(max_frame_bytes);
        let mut session = Session::accept_any(config, now);
        if self.shut_down {
            session.fail_with(self.busy(ErrorCode::Closing, "the hub is going down"));
        } else if self.conns.len() >= self.config.max_connections {
            session.fail_with(self.busy(ErrorCode::Overloaded, "the hub has too many connections"));
        }
        self.conns.insert(conn, Conn { session, place: None, identity: None, queued_bytes: 0, timer: None });
        self.touched.insert(conn);
        conn
    }

    /// A frame came. Frames of connections that are gone are ignored.
    pub fn handle_frame(&mut self, now: Now, conn: ConnId, frame: Bytes) {
        self.with_session(conn, |session| session.handle_frame(now, frame));
    }

    /// A connection's link is gone.
    pub fn handle_lost(&mut self, now: Now, conn: ConnId, reason: &str) {
        self.with_session(conn, |session| session.handle_lost(now, reason));
    }

    /// A connection's sink took this many bytes that were handed out for it.
    pub fn handle_sent(&mut self, _now: Now, conn: ConnId, bytes: usize) {
        if let Some(conn) = self.conns.get_mut(&conn) {
            conn.queued_bytes = conn.queued_bytes.saturating_sub(bytes);
        }
    }

    /// Ends a connection, and tells it why: its token was revoked, say.
    pub fn close(&mut self, _now: Now, conn: ConnId, why: WireError) {
        self.with_session(conn, |session| session.fail_with(why));
    }

    /// Ends all connections and takes no more.
    pub fn shutdown(&mut self, _now: Now) {
        self.shut_down = true;
        let error = self.busy(ErrorCode::Closing, "the hub is going down");
        for (conn, state) in &mut self.conns {
            state.session.fail_with(error.clone());
            self.touched.insert(*conn);
        }
    }

    /// The store's log of a scope grew otherwise than through this hub (another node's, say), or
    /// may have: its sessions extract.
    pub fn scope_changed(&mut self, now: Now, scope: &Scope) {
        let Some(state) = self.scopes.get(scope) else { return };
        for conn in &state.live {
            if let Some(member) = self.conns.get_mut(conn) {
                member.session.local_changed(now);
                self.touched.insert(*conn);
            }
        }
    }

    /// Time has passed; at the latest when [`HubOutput::Wait`] said so.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(&(at, conn)) = self.timers.first() {
            if at > now.mono {
                break;
            }
            self.timers.pop_first();
            if let Some(state) = self.conns.get_mut(&conn) {
                state.timer = None;
                state.session.handle_timeout(now);
                self.touched.insert(conn);
            }
        }
    }

    /// The store's reply to a request.
    pub fn handle_store(&mut self, now: Now, id: RequestId, reply: Result<StoreReply, StoreError>) {
        match self.requests.remove(&id) {
            Some(Asker::Session(conn, id)) => {
                self.with_session(conn, |session| session.handle_store(now, id, reply));
            }
            Some(Asker::Group(group)) => self.handle_group(now, group, reply),
            Some(Asker::Binding(conn, admitted)) => self.handle_bound(now, conn, *admitted, reply),
            None => {}
        }
    }

    fn handle_group(&mut self, now: Now, group: Group, reply: Result<StoreReply, StoreError>) {
        let wanted = group.parts.iter().map(|part| part.chunks).sum::<usize>();
        let reply = match reply {
            Ok(StoreReply::Applied(outcomes)) if outcomes.len() == wanted => Ok(outcomes),
            Ok(_) => {
                Err(StoreError::new(StoreErrorKind::Unsupported, "the store did not answer every chunk"))
            }
            Err(error) => Err(error),
        };
        match reply {
            Ok(outcomes) => {
                self.fan_out(now, &group, &outcomes);
                let mut outcomes = outcomes.into_iter();
                for part in &group.parts {
                    let share = outcomes.by_ref().take(part.chunks).collect();
                    let reply = Ok(StoreReply::Applied(share));
                    self.with_session(part.conn, |session| session.handle_store(now, part.id, reply));
                }
            }
            Err(error) => {
                for part in &group.parts {
                    let reply = Err(error.clone());
                    self.with_session(part.conn, |session| session.handle_store(now, part.id, reply));
                }
            }
        }
        if let Some(state) = self.scopes.get_mut(&group.scope) {
            state.groups.done();
        }
        // The sessions that just got their answer put in what they have next before the next group
        // is made.
        self.settle();
        self.start_group(&group.scope);
        self.forget_if_empty(&group.scope);
    }

    /// What to do next. Call until it answers [`HubOutput::Wait`].
    pub fn poll_output(&mut self) -> HubOutput {
        self.settle();
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        match self.timers.first() {
            Some(&(at, conn)) => {
                let reason = self.conns.get(&conn).and_then(|conn| conn.timer).map(|timer| timer.reason);
                HubOutput::Wait(Deadline { at: Some(at), reason: reason.unwrap_or("a session's timer") })
            }
            None => HubOutput::Wait(Deadline { at: None, reason: "no connection has a timer" }),
        }
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.conns.len()
    }

    fn with_session(&mut self, conn: ConnId, input: impl FnOnce(&mut Session)) {
        if let Some(state) = self.conns.get_mut(&conn) {
            input(&mut state.session);
            self.touched.insert(conn);
        }
    }

    /// Takes in what the sessions have to say, until they have nothing more.
    fn settle(&mut self) {
        while let Some(conn) = self.touched.pop_first() {
            while self.take_one(conn) {}
        }
    }

    /// Takes one output of a session. Says whether there may be more.
    fn take_one(&mut self, id: ConnId) -> bool {
        let Some(conn) = self.conns.get_mut(&id) else { return false };
        match conn.session.poll_output() {
            Output::Transmit(frame) => {
                conn.queued_bytes += frame.len();
                let allowed = self.config.max_queued_bytes + conn.session.in_flight_bytes();
                let overfull = conn.queued_bytes > allowed;
                self.outputs.push_back(HubOutput::Transmit { conn: id, frame });
                if overfull {
                    let error = self.busy(ErrorCode::Overloaded, "the connection does not read");
                    self.with_session(id, |session| session.fail_with(error));
                }
            }
            Output::Store(request_id, StoreRequest::Apply { scope, chunks }) => {
                let state = self.scopes.entry(scope.clone()).or_default();
                state.groups.add(id, request_id, chunks);
                self.start_group(&scope);
            }
            Output::Store(request_id, request) => {
                self.ask(Asker::Session(id, request_id), request);
            }
            Output::Admit(request) => {
                conn.place = Some((request.scope.clone(), request.site));
                self.outputs.push_back(HubOutput::Admit { conn: id, request });
            }
            Output::Event(event) => {
                if let (Event::Connected { .. }, Some((scope, _))) = (&event, &conn.place) {
                    self.scopes.entry(scope.clone()).or_default().live.insert(id);
                }
                self.outputs.push_back(HubOutput::Event { conn: id, event });
            }
            Output::Wait(deadline) => {
                if conn.timer != Some(deadline) {
                    if let Some(at) = conn.timer.and_then(|timer| timer.at) {
                        self.timers.remove(&(at, id));
                    }
                    if let Some(at) = deadline.at {
                        self.timers.insert((at, id));
                    }
                    conn.timer = Some(deadline);
                }
                return self.leave(id);
            }
            Output::Closed(end) => {
                self.leave(id);
                if let Some(conn) = self.conns.remove(&id) {
                    if let Some(at) = conn.timer.and_then(|timer| timer.at) {
                        self.timers.remove(&(at, id));
                    }
                    if let Some((scope, _)) = conn.place {
                        self.forget_if_empty(&scope);
                    }
                }
                self.outputs.push_back(HubOutput::Closed { conn: id, end });
                return false;
            }
        }
        true
    }

    fn start_group(&mut self, scope: &Scope) {
        let Some(state) = self.scopes.get_mut(scope) else { return };
        if let Some((group, request)) = state.groups.next(scope, self.config.max_group_chunks) {
            self.ask(Asker::Group(group), request);
        }
    }

    fn ask(&mut self, asker: Asker, request: StoreRequest) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.requests.insert(id, asker);
        self.outputs.push_back(HubOutput::Store { id, request });
    }

    fn forget_if_empty(&mut self, scope: &Scope) {
        let empty =
            |state: &ScopeState| state.members.is_empty() && state.live.is_empty() && state.groups.is_idle();
        if self.scopes.get(scope).is_some_and(empty) {
            self.scopes.remove(scope);
        }
    }

    fn busy(&self, code: ErrorCode, message: &str) -> WireError {
        WireError { code, message: message.to_owned(), retry_after_ms: Some(self.config.busy_retry_after_ms) }
    }
}
