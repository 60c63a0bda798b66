//! The driver's loop: joins connections, the hub, admission, the store and the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::{AbortHandle, Abortable, BoxFuture};
use futures::stream::{FuturesUnordered, SelectAll};

use super::Arrival;
use super::connection::{Connection, Happened, Order};
use super::control::Control;
use super::counters::Counters;
use super::options::HubOptions;
use super::rate::{Rates, too_fast};
use super::requests::{Pace, Requests};
use crate::admission::{Admission, refused};
use crate::clock::Now;
use crate::driver::alarm::Alarm;
use crate::hub::{ConnId, Hub, HubOutput};
use crate::runtime::Runtime;
use crate::session::{AdmitRequest, Admitted, Event};
use crate::store::AsyncStore;
use crate::wire::{ErrorCode, WireError};

/// After so many steps in a row the driver lets other tasks of its thread have a turn.
const STEPS_A_TURN: usize = 16;
/// How much is taken from one source before the others have a turn.
const EVENTS_A_STEP: usize = 32;

type Verdict = Result<Admitted, WireError>;

/// A connection can do what its token allows at most so long after that is over, if the wall clock is set meanwhile.
const LOOK_FOR_EXPIRED: Duration = Duration::from_secs(30);

pub(super) struct Engine {
    hub: Hub,
    admission: Arc<dyn Admission>,
    runtime: Arc<dyn Runtime>,
    close_timeout: Duration,
    control: Arc<Control>,
    arriving: mpsc::Receiver<Arrival>,
    /// Only connections on which something happens are polled.
    connections: SelectAll<Connection>,
    /// Of the connections whose sessions are not over.
    open: BTreeMap<ConnId, Open>,
    admitting: FuturesUnordered<Abortable<BoxFuture<'static, (ConnId, Verdict)>>>,
    requests: Requests,
    rates: Rates,
    /// Whose rights end when, in wall milliseconds.
    expiries: BTreeSet<(u64, ConnId)>,
    deadline: Option<Duration>,
    alarm: Alarm,
    shutting_down: bool,
}

struct Open {
    /// Whom the host of the transport took it for.
    presented: Option<String>,
    orders: mpsc::UnboundedSender<Order>,
    /// What it asked for, once it did.
    request: Option<AdmitRequest>,
    /// Gives up the question who it is.
    admission: Option<AbortHandle>,
    /// What admission answered.
    admitted: Option<Admitted>,
}

impl Open {
    /// Whose share of the rows this connection's count to.
    fn spender(&self) -> Option<String> {
        let (admitted, request) = (self.admitted.as_ref()?, self.request.as_ref()?);
        Some(if admitted.binds_site { admitted.identity.clone() } else { request.site.to_string() })
    }
}

impl Engine {
    pub(super) fn new(
        store: Arc<dyn AsyncStore>,
        pace: Pace,
        admission: Arc<dyn Admission>,
        runtime: Arc<dyn Runtime>,
        options: HubOptions,
        control: Arc<Control>,
        arriving: mpsc::Receiver<Arrival>,
    ) -> Self {
        Engine {
            rates: Rates::new(options.rate),
            hub: Hub::new(options.hub, runtime.now()),
            admission,
            close_timeout: options.close_timeout,
            control,
            arriving,
            connections: SelectAll::new(),
            open: BTreeMap::new(),
            admitting: FuturesUnordered::new(),
            requests: Requests::new(store, pace),
            expiries: BTreeSet::new(),
            deadline: None,
            alarm: Alarm::new(Arc::clone(&runtime)),
            runtime,
            shutting_down: false,
        }
    }

    /// Does what can be done now. Says whether it was anything.
    fn step(&mut self, now: Now, cx: &mut Context<'_>) -> bool {
        let mut progress = self.take_orders(now);
        progress |= self.take_arrivals(now, cx);
        progress |= self.take_happenings(now, cx);
        progress |= self.take_verdicts(now, cx);
        progress |= self.take_replies(now, cx);
        progress |= self.end_expired(now);
        if self.deadline.is_some_and(|at| at <= now.mono) {
            self.hub.handle_timeout(now);
            self.drain();
            progress = true;
        }
        progress
    }

    fn take_orders(&mut self, now: Now) -> bool {
        let orders = self.control.take();
        let progress =
            orders.shutdown || orders.readmit || !orders.revoked.is_empty() || !orders.changed.is_empty();
        for identity in &orders.revoked {
            let is_revoked = |open: &Open| open.admitted.as_ref().is_some_and(|it| it.identity == *identity);
            let revoked = self.open.iter().filter(|(_, open)| is_revoked(open));
            for conn in revoked.map(|(conn, _)| *conn).collect::<Vec<_>>() {
                self.hub.close(now, conn, refused(ErrorCode::Unauthorized, "the rights were taken away"));
            }
        }
        if orders.readmit || !orders.revoked.is_empty() {
            // An answer that is on its way may be from before.
            let asked = self.open.iter().filter(|(_, open)| orders.readmit || open.admission.is_some());
            for conn in asked.map(|(conn, _)| *conn).collect::<Vec<_>>() {
                self.ask_admission(conn);
            }
        }
        for scope in orders.changed {
            self.hub.scope_changed(now, &scope);
        }
        if orders.shutdown && !self.shutting_down {
            self.shutting_down = true;
            self.arriving.close();
            self.hub.shutdown(now);
        }
        if progress {
            self.drain();
        }
        progress
    }

    fn take_arrivals(&mut self, now: Now, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        for _ in 0..EVENTS_A_STEP {
            let Poll::Ready(Some(arrival)) = self.arriving.poll_next_unpin(cx) else { break };
            let Arrival { transport, identity: presented } = arrival;
            // Beyond its limit, and while it goes down, the hub itself answers why not.
            let conn = self.hub.open(now, transport.max_frame_bytes);
            let runtime = Arc::clone(&self.runtime);
            let (connection, orders) = Connection::new(conn, transport, runtime, self.close_timeout);
            let open = Open { presented, orders, request: None, admission: None, admitted: None };
            self.open.insert(conn, open);
            Counters::add(&self.control.counters.sessions, 1);
            self.connections.push(connection);
            self.drain();
            progress = true;
        }
        progress
    }

    fn take_happenings(&mut self, now: Now, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        for _ in 0..EVENTS_A_STEP {
            let Poll::Ready(Some((conn, happened))) = self.connections.poll_next_unpin(cx) else { break };
            match happened {
                Happened::Received(frame) => {
                    self.control.counters.received(frame.len());
                    self.hub.handle_frame(now, conn, frame);
                }
                Happened::Sent(bytes) => {
                    Counters::add(&self.control.counters.bytes_sent, bytes);
                    self.hub.handle_sent(now, conn, bytes);
                }
                Happened::Lost(reason) => self.hub.handle_lost(now, conn, &reason),
            }
            self.drain();
            progress = true;
        }
        progress
    }

    fn take_verdicts(&mut self, now: Now, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        for _ in 0..EVENTS_A_STEP {
            let Poll::Ready(Some(answer)) = self.admitting.poll_next_unpin(cx) else { break };
            // Nobody waits for an answer about a connection that is gone.
            let Ok((conn, verdict)) = answer else { continue };
            self.take_verdict(now, conn, verdict);
            self.drain();
            progress = true;
        }
        progress
    }

    fn take_verdict(&mut self, now: Now, conn: ConnId, verdict: Verdict) {
        let Some(open) = self.open.get_mut(&conn) else { return };
        open.admission = None;
        let before = match &verdict {
            Ok(admitted) => open.admitted.replace(admitted.clone()),
            Err(_) => open.admitted.take(),
        };
        if let Some(at) = before.as_ref().and_then(|before| before.expires_at_ms) {
            self.expiries.remove(&(at, conn));
        }
        if let Some(at) = open.admitted.as_ref().and_then(|admitted| admitted.expires_at_ms) {
            self.expiries.insert((at, conn));
        }
        let waits = open.spender().and_then(|who| self.rates.wait(&who, now.mono));
        match (before, verdict) {
            (None, verdict) => {
                let verdict =
                    verdict.and_then(|admitted| waits.map_or(Ok(admitted), |wait| Err(too_fast(wait))));
                self.hub.handle_admission(now, conn, verdict);
            }
            (Some(_), Err(why)) => self.hub.close(now, conn, why),
            (Some(before), Ok(admitted)) => {
                if (&before.identity, before.rights, &before.write_tables)
                    != (&admitted.identity, admitted.rights, &admitted.write_tables)
                {
                    let mut why =
                        refused(ErrorCode::Closing, "what the token may do was changed; connect again");
                    why.retry_after_ms = Some(0);
                    self.hub.close(now, conn, why);
                }
            }
        }
    }

    /// Ends the sessions whose rights were given for a time that is over.
    fn end_expired(&mut self, now: Now) -> bool {
        let mut progress = false;
        while let Some(&(at, conn)) = self.expiries.first() {
            if at > now.wall_ms {
                break;
            }
            self.expiries.pop_first();
            self.hub.close(now, conn, refused(ErrorCode::Unauthorized, "the token has expired"));
            self.drain();
            progress = true;
        }
        progress
    }

    /// When time alone makes a difference.
    fn due_at(&self, now: Now) -> Option<Duration> {
        let expiry = self.expiries.first().map(|&(at, _)| {
            let left = Duration::from_millis(at.saturating_sub(now.wall_ms));
            now.mono + left.min(LOOK_FOR_EXPIRED)
        });
        [self.deadline, expiry].into_iter().flatten().min()
    }

    fn take_replies(&mut self, now: Now, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        for _ in 0..EVENTS_A_STEP {
            let Poll::Ready((id, reply)) = self.requests.poll_reply(cx) else { break };
            self.hub.handle_store(now, id, reply);
            self.drain();
            progress = true;
        }
        progress
    }

    /// Takes all outputs of the hub, as its contract demands after every input.
    fn drain(&mut self) {
        loop {
            match self.hub.poll_output() {
                HubOutput::Transmit { conn, frame } => {
                    Counters::add(&self.control.counters.frames_sent, 1);
                    self.order(conn, Order::Frame(frame));
                }
                HubOutput::Store { id, request } => self.requests.push(id, request),
                HubOutput::Admit { conn, mut request } => {
                    if let Some(open) = self.open.get_mut(&conn) {
                        request.identity = open.presented.clone();
                        open.request = Some(request);
                    }
                    self.ask_admission(conn);
                }
                HubOutput::Event { conn, event } => {
                    if let Event::Received { rows, .. } = event {
                        Counters::add(&self.control.counters.rows_received, rows);
                        self.spend(conn, rows);
                    }
                    tracing::trace!(%conn, ?event, "session");
                }
                HubOutput::Closed { conn, end } => {
                    tracing::debug!(%conn, %end, "a session ended");
                    self.order(conn, Order::Finish);
                    if let Some(open) = self.open.remove(&conn) {
                        if let Some(asking) = open.admission {
                            asking.abort();
                        }
                        if let Some(at) = open.admitted.and_then(|admitted| admitted.expires_at_ms) {
                            self.expiries.remove(&(at, conn));
                        }
                    }
                }
                HubOutput::Wait(deadline) => {
                    self.deadline = deadline.at;
                    break;
                }
            }
        }
    }

    /// Somebody has brought rows; with too many in a time it has to come back.
    fn spend(&mut self, conn: ConnId, rows: usize) {
        let Some(who) = self.open.get(&conn).and_then(Open::spender) else { return };
        let now = self.runtime.now();
        self.rates.spend(&who, rows, now.mono);
        if let Some(wait) = self.rates.wait(&who, now.mono) {
            self.hub.close(now, conn, too_fast(wait));
        }
    }

    fn order(&mut self, conn: ConnId, order: Order) {
        if let Some(open) = self.open.get(&conn) {
            // A link that is lost takes no orders; its session hears of it by itself.
            let _lost = open.orders.unbounded_send(order);
        }
    }

    /// Asks admission about a connection; a question that is still open is asked anew, by the rules of now.
    fn ask_admission(&mut self, conn: ConnId) {
        let Some(open) = self.open.get_mut(&conn) else { return };
        let Some(request) = open.request.clone() else { return };
        let admission = Arc::clone(&self.admission);
        let asking: BoxFuture<'static, _> = Box::pin(async move {
            let verdict = admission.admit(&request).await;
            (conn, verdict)
        });
        let (handle, registration) = AbortHandle::new_pair();
        if let Some(earlier) = open.admission.replace(handle) {
            earlier.abort();
        }
        self.admitting.push(Abortable::new(asking, registration));
    }

    fn has_ended(&self) -> bool {
        self.shutting_down && self.open.is_empty() && self.connections.is_empty() && self.requests.is_idle()
    }
}

impl Future for Engine {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.control.driver.register(cx.waker());
        for _ in 0..STEPS_A_TURN {
            let now = this.runtime.now();
            let progress = this.step(now, cx);
            if this.has_ended() {
                this.control.end();
                return Poll::Ready(());
            }
            let (connections, is_stopping) = (this.open.len(), this.shutting_down);
            this.control.status.update(|status| {
                status.connections = connections;
                status.is_stopping = is_stopping;
            });
            if !progress && !this.alarm.poll(this.due_at(now), cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Engine {
    /// Tells the handles that nobody is at work any more.
    fn drop(&mut self) {
        self.control.end();
    }
}
