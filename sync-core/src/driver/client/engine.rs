//! The driver's loop: joins orders, the local store, the link and the clock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::stream::{BoxStream, Fuse};
use futures::{FutureExt, StreamExt};

use super::control::Control;
use super::lane::Lane;
use super::link::{Link, failure_of};
use super::local::{JumpDetector, LookSchedule};
use super::options::ClientOptions;
use super::phase::{Attempt, ConnectFailed, Phase};
use super::retry::Retry;
use super::waiters::Waiters;
use crate::admission::Admission;
use crate::clock::Now;
use crate::driver::alarm::Alarm;
use crate::driver::local_store::{LocalStore, Summary};
use crate::driver::status::Failure;
use crate::id::Scope;
use crate::runtime::Runtime;
use crate::session::{Event, SessionConfig, SessionEnd};
use crate::transport::{Connector, Transport};

/// After so many steps in a row the driver lets other tasks of its thread have a turn.
const STEPS_A_TURN: usize = 32;

/// An application that commits without a pause must not keep the driver busy with hearing of it.
const NOTICES_A_STEP: usize = 64;

pub(super) struct Engine<S> {
    pub(super) scope: Scope,
    pub(super) connector: Arc<dyn Connector>,
    /// Who decides about those that call us; `None` where we call.
    pub(super) admission: Option<Arc<dyn Admission>>,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) options: ClientOptions,
    pub(super) control: Arc<Control>,
    pub(super) lane: Lane<S>,
    pub(super) committed: Fuse<BoxStream<'static, ()>>,
    pub(super) schedule: LookSchedule,
    pub(super) clock: JumpDetector,
    /// The store has to be told that the clock was set.
    pub(super) jump_untold: bool,
    /// The application said that it committed, and nobody has looked since.
    pub(super) noticed: bool,
    /// The lane's last job was a look.
    pub(super) looked: bool,
    pub(super) phase: Phase,
    /// Counts the links, so that what the store answers finds the right one.
    pub(super) links: u64,
    pub(super) retry: Retry,
    pub(super) waiters: Waiters,
    pub(super) summary: Summary,
    /// Whether `summary` may be out of date on the side of optimism.
    pub(super) unsure: bool,
    pub(super) last_error: Option<Failure>,
    /// Whether `last_error` tells of a failed look, and goes with the next that succeeds.
    pub(super) look_failed: bool,
    pub(super) last_sync_ms: Option<u64>,
    pub(super) retry_at_ms: Option<u64>,
    pub(super) shutting_down: bool,
    pub(super) alarm: Alarm,
}

impl<S: LocalStore> Engine<S> {
    pub(super) fn new(
        store: S,
        scope: Scope,
        connector: Arc<dyn Connector>,
        admission: Option<Arc<dyn Admission>>,
        runtime: Arc<dyn Runtime>,
        options: ClientOptions,
        control: Arc<Control>,
    ) -> Self {
        let now = runtime.now();
        Engine {
            committed: store.committed().fuse(),
            lane: Lane::new(store, Arc::clone(&runtime), control.gate.clone()),
            schedule: LookSchedule::new(options.poll_active, options.poll_idle, options.poll_offline, now),
            clock: JumpDetector::new(now),
            jump_untold: false,
            noticed: false,
            looked: false,
            phase: Phase::Waiting { until: now.mono },
            links: 0,
            retry: Retry::new(options.backoff_min, options.backoff_max),
            waiters: Waiters::default(),
            summary: Summary::default(),
            unsure: true,
            last_error: None,
            look_failed: false,
            last_sync_ms: None,
            retry_at_ms: None,
            shutting_down: false,
            alarm: Alarm::new(Arc::clone(&runtime)),
            scope,
            connector,
            admission,
            runtime,
            options,
            control,
        }
    }

    /// Does what can be done now. Says whether it was anything.
    fn step(&mut self, now: Now, cx: &mut Context<'_>) -> bool {
        if self.clock.jumped(now) {
            self.jump_untold = true;
            self.schedule.look_now(now);
        }
        let mut progress = self.take_orders(now);
        progress |= self.poll_notices(now, cx);
        if let Poll::Ready(done) = self.lane.poll_done(cx) {
            self.handle_done(now, done);
            progress = true;
        }
        progress |= self.poll_phase(now, cx);
        progress |= self.feed_lane(now);
        self.answer_waiters();
        progress
    }

    fn poll_notices(&mut self, now: Now, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        for _ in 0..NOTICES_A_STEP {
            let Poll::Ready(Some(())) = self.committed.poll_next_unpin(cx) else { break };
            self.noticed = true;
            self.unsure = true;
            self.schedule.look_now(now);
            progress = true;
        }
        progress
    }

    fn poll_phase(&mut self, now: Now, cx: &mut Context<'_>) -> bool {
        match &mut self.phase {
            Phase::Asleep | Phase::Ended => false,
            Phase::Waiting { until } => {
                if now.mono < *until {
                    return false;
                }
                self.phase = Phase::connect(
                    Arc::clone(&self.connector),
                    Arc::clone(&self.options.credentials),
                    self.retry.refused_token(),
                    match self.admission {
                        // Nobody may call for days.
                        Some(_) => Duration::MAX,
                        None => now.mono + self.options.connect_timeout,
                    },
                );
                true
            }
            Phase::Connecting { attempt, give_up } => {
                let outcome = match attempt.poll_unpin(cx) {
                    Poll::Ready(outcome) => outcome,
                    Poll::Pending if now.mono >= *give_up => Err(ConnectFailed::timeout()),
                    Poll::Pending => return false,
                };
                self.handle_attempt(now, outcome);
                true
            }
            Phase::Linked(link) => {
                let polled = link.poll(now, cx);
                while let Some(event) = self.phase.next_event() {
                    self.handle_event(now, event);
                }
                match polled {
                    Poll::Pending => false,
                    Poll::Ready(Ok(())) => true,
                    Poll::Ready(Err(end)) => {
                        self.handle_end(now, &end);
                        true
                    }
                }
            }
        }
    }

    fn handle_attempt(&mut self, now: Now, outcome: Attempt) {
        match outcome {
            Ok((transport, token)) => {
                self.retry.trying(token.clone());
                self.retry_at_ms = None;
                let config = self.session_config(&transport, token);
                self.links += 1;
                let admission = self.admission.clone();
                let link = Link::new(transport, config, admission, self.options.close_timeout, now);
                self.phase = Phase::Linked(Box::new(link));
            }
            Err(failed) => {
                tracing::debug!(error = %failed.failure, "cannot connect");
                self.last_error = Some(failed.failure);
                if failed.hopeless {
                    self.phase = Phase::Ended;
                } else {
                    let random = self.random();
                    let wait = self.retry.connect_failed(random);
                    self.wait(now, wait);
                }
            }
        }
    }

    fn session_config(&self, transport: &Transport, token: Option<String>) -> SessionConfig {
        let mut config =
            self.options.session.clone().unwrap_or_else(|| SessionConfig::new(self.scope.clone()));
        config.scope = self.scope.clone();
        config.token = token;
        config.max_frame_bytes = transport.max_frame_bytes;
        config
    }

    fn handle_event(&mut self, now: Now, event: Event) {
        match event {
            Event::Connected { peer, .. } => {
                tracing::debug!(%peer, "connected");
                self.last_error = None;
                self.schedule.set_online(now, true);
            }
            Event::CaughtUp | Event::UpToDate => {
                self.retry.succeeded();
                self.schedule.want_summary(now, true);
            }
            Event::Applied(_) | Event::Acked { .. } => {
                self.retry.succeeded();
                self.schedule.activity(now);
                self.schedule.want_summary(now, false);
            }
            Event::Refused { rows } => {
                tracing::warn!(
                    rows,
                    "the hub did not take changes that this device may not make; they are parked"
                );
                self.schedule.want_summary(now, true);
            }
            _ => {}
        }
    }

    fn handle_end(&mut self, now: Now, end: &SessionEnd) {
        tracing::debug!(%end, "the session ended");
        if let Some(failure) = failure_of(end) {
            self.last_error = Some(failure);
        }
        let lived = match &self.phase {
            Phase::Linked(link) => link.connected_at.map(|at| now.mono.saturating_sub(at)),
            _ => None,
        };
        self.leave_link(now);
        if self.shutting_down {
            self.phase = Phase::Ended;
        } else {
            let random = self.random();
            let wait = self.retry.session_ended(end, lived, random);
            // Whoever calls has to wait where a session failed; who is called only listens.
            let wait = if self.admission.is_some() { Duration::ZERO } else { wait };
            self.wait(now, wait);
        }
    }

    fn wait(&mut self, now: Now, wait: Duration) {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.retry_at_ms = Some(now.wall_ms.saturating_add(wait_ms));
        self.phase = Phase::Waiting { until: now.mono + wait };
    }

    /// There is no link any more.
    pub(super) fn leave_link(&mut self, now: Now) {
        self.waiters.link_ended();
        self.schedule.set_online(now, false);
        self.schedule.want_summary(now, true);
    }

    fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended) && self.lane.is_free()
    }

    /// When time alone makes a difference.
    fn due_at(&self) -> Option<Duration> {
        let look = match self.phase {
            Phase::Asleep | Phase::Ended => None,
            // A busy lane wakes the driver when it is free.
            _ => self.lane.is_free().then(|| self.schedule.due_at()),
        };
        [self.phase.due_at(), look].into_iter().flatten().min()
    }

    fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        self.runtime.entropy(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

// Nothing in it is pinned in place.
impl<S> Unpin for Engine<S> {}

impl<S: LocalStore> Future for Engine<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.control.driver.register(cx.waker());
        for _ in 0..STEPS_A_TURN {
            let now = this.runtime.now();
            let progress = this.step(now, cx);
            this.publish(now);
            if this.has_ended() {
                this.control.end();
                return Poll::Ready(());
            }
            let due_at = this.due_at();
            if !progress && !this.alarm.poll(due_at, cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S> Drop for Engine<S> {
    /// Tells the handles that nobody is at work any more.
    fn drop(&mut self) {
        if !self.control.has_ended() {
            self.control.end();
        }
        let stopped = self.control.stopped();
        for reply in self.waiters.drain() {
            let _gone = reply.send(Err(stopped.clone()));
        }
    }
}
