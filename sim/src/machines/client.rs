//! The client on a device: connects, runs the session, tells how things stand. Does what the driver
//! does, without its futures.

use pocketsync_core::session::{Event as Said, Output, RequestId, Session, SessionConfig, SessionEnd};
use pocketsync_core::store::{ChunkOutcome, Mark, StoreError, StoreReply, StoreRequest};

use super::device::{Link, Phase, true_now};
use super::fleet::Fleet;
use super::queue::Happening;
use super::wire::{self, Way, Wire};
use crate::history::{Event, StatusView};
use crate::story::{CrashPoint, DeviceNo, Ms};

impl Fleet<'_> {
    /// The client will connect after a while, or when the device is back.
    pub(super) fn wait(&mut self, number: usize, wait: Ms) {
        let now = self.now;
        let device = &mut self.devices[number];
        if !device.runs {
            return;
        }
        device.attempts += 1;
        if device.online {
            device.phase = Phase::Waiting;
            let (run, attempt) = (device.run, device.attempts);
            self.queue.push(now + wait, Happening::Attempt { device: number, run, attempt });
        } else {
            device.phase = Phase::Away { since: now };
        }
        self.publish(number);
    }

    pub(super) fn attempt(&mut self, number: usize, run: u32, attempt: u32) {
        self.notice_jump(number);
        let device = &mut self.devices[number];
        if device.run != run || device.attempts != attempt || !matches!(device.phase, Phase::Waiting) {
            return;
        }
        if !device.online {
            device.phase = Phase::Away { since: self.now };
            return self.publish(number);
        }
        device.phase = Phase::Connecting;
        let takes = wire::opening(self.story.seed, number, attempt, &self.story.devices[number].link);
        self.queue.push(self.now + takes, Happening::Opened { device: number, run, attempt });
        self.publish(number);
    }

    pub(super) fn opened(&mut self, number: usize, run: u32, attempt: u32) {
        self.notice_jump(number);
        let (seed, nature) = (self.story.seed, self.story.devices[number].link);
        let device = &mut self.devices[number];
        if device.run != run || device.attempts != attempt || !matches!(device.phase, Phase::Connecting) {
            return;
        }
        if !device.online || !self.hub.runs {
            let what = if device.online { "unreachable: nobody listens" } else { "unreachable: no network" };
            device.last_error = Some(what.to_owned());
            let wait = device.retry.connect_failed(&mut device.retry_draw);
            return self.wait(number, wait);
        }
        let frame_bytes = nature.max_frame_bytes as usize;
        let mut config = SessionConfig::new(device.scope.clone());
        config.max_frame_bytes = frame_bytes;
        let conn = self.hub.machine.open(true_now(self.now), frame_bytes);
        device.links += 1;
        let links = device.links;
        self.hub.conns.insert(conn, (number, links));
        device.phase = Phase::Linked(Box::new(Link {
            session: Session::connect(config, device.now(self.now)),
            wire: Wire::new(seed, number, links, nature),
            conn,
            hub_run: self.hub.run,
            connected_at: None,
            caught_up: false,
            up_to_date: false,
            broken: false,
            dead: false,
            applying: Default::default(),
            store_free_at: self.now,
            timer_at: None,
            deadline: None,
        }));
        if let Some(after) = wire::breaks_after(seed, number, links, &nature) {
            self.queue.push(self.now + after, Happening::Break { device: number, link: links });
        }
        self.pump_hub();
        self.pump_device(number);
    }

    pub(super) fn timer(&mut self, number: usize, links: u32) {
        self.notice_jump(number);
        let at = self.now;
        let now = self.devices[number].now(at);
        let Some(link) = self.devices[number].link(links) else { return };
        if link.timer_at != Some(at) {
            // An earlier one was set after this one, and has seen to what comes next.
            return;
        }
        link.timer_at = None;
        if link.deadline.is_some_and(|deadline| deadline <= at) {
            link.session.handle_timeout(now);
        }
        self.pump_device(number);
    }

    pub(super) fn replied(
        &mut self,
        number: usize,
        links: u32,
        id: RequestId,
        reply: Result<StoreReply, StoreError>,
    ) {
        self.notice_jump(number);
        let now = self.devices[number].now(self.now);
        if let Some(link) = self.devices[number].link(links) {
            link.applying.remove(&id);
            let counts = matches!(reply, Ok(StoreReply::Done | StoreReply::Met(_)));
            link.session.handle_store(now, id, reply);
            if counts {
                self.count(number);
            }
            self.pump_device(number);
        }
    }

    /// Takes all outputs of a device's session, as its contract demands after every input.
    pub(super) fn pump_device(&mut self, number: usize) {
        loop {
            let links = self.devices[number].links;
            let Phase::Linked(link) = &mut self.devices[number].phase else { return };
            match link.session.poll_output() {
                Output::Transmit(frame) => self.send_up(number, frame),
                Output::Store(id, request) => {
                    let there = self.ask_store(number, links, id, request);
                    if !there {
                        return;
                    }
                }
                Output::Event(event) => self.heard(number, event),
                Output::Wait(deadline) => {
                    link.deadline = deadline.at.map(|at| at.as_millis() as Ms);
                    if let Some(at) = link.deadline
                        && link.timer_at.is_none_or(|timer| at < timer)
                    {
                        let at = at.max(self.now);
                        link.timer_at = Some(at);
                        self.queue.push(at, Happening::Timer { device: number, link: links });
                    }
                    return self.publish(number);
                }
                Output::Closed(end) => return self.ended(number, &end),
                // A client admits nobody, and is not asked.
                _ => {}
            }
        }
    }

    /// Does what the session wants of its store at once, and lets the answer take its time. Says
    /// whether the process is still there.
    fn ask_store(&mut self, number: usize, links: u32, id: RequestId, request: StoreRequest) -> bool {
        if self.crashes(number, CrashPoint::BeforeCommit) {
            return false;
        }
        let device = &mut self.devices[number];
        let applies = matches!(request, StoreRequest::Apply { .. });
        let reply = device.between.run(&mut device.disk.store, request);
        if let Ok(StoreReply::Applied(outcomes)) = &reply {
            self.holds(number, outcomes);
        }
        if self.crashes(number, CrashPoint::AfterCommit) {
            return false;
        }
        let device = &mut self.devices[number];
        let takes = device.store_draw.skewed(1, 12);
        let Phase::Linked(link) = &mut device.phase else { return false };
        if applies {
            link.applying.insert(id);
        }
        link.store_free_at = link.store_free_at.max(self.now) + takes;
        self.under_way += 1;
        let happening = Happening::Replied { device: number, link: links, id, reply: Box::new(reply) };
        self.queue.push(link.store_free_at, happening);
        true
    }

    fn heard(&mut self, number: usize, event: Said) {
        let no = DeviceNo(number as u32);
        let at = self.now;
        let device = &mut self.devices[number];
        let Phase::Linked(link) = &mut device.phase else { return };
        match event {
            Said::Connected { .. } => {
                link.connected_at = Some(at);
                device.last_error = None;
            }
            Said::CaughtUp => {
                link.caught_up = true;
                device.disk.whole = true;
                device.retry.succeeded();
                self.saw(&Event::CaughtUp { device: no });
                self.count(number);
            }
            Said::CatchingUp => {
                link.caught_up = false;
                device.disk.whole = false;
            }
            Said::UpToDate => {
                link.up_to_date = true;
                device.retry.succeeded();
                self.count(number);
            }
            Said::Applied(committed) => {
                // What a merge wrote of its own the hub does not have.
                if committed.derived {
                    link.up_to_date = false;
                }
                device.retry.succeeded();
                self.count(number);
            }
            Said::Acked { cursor } => {
                device.retry.succeeded();
                let held = Mark::of(&cursor).base;
                let mut through = None;
                while device.disk.unacked.front().is_some_and(|(seq, _)| *seq <= held) {
                    through = device.disk.unacked.pop_front().map(|(_, tx)| tx);
                }
                if let Some(through) = through {
                    self.saw(&Event::Acknowledged { device: no, through });
                }
            }
            _ => {}
        }
    }

    fn ended(&mut self, number: usize, end: &SessionEnd) {
        let at = self.now;
        let device = &mut self.devices[number];
        let Phase::Linked(link) = &mut device.phase else { return };
        let failed = !matches!(end, SessionEnd::Bye | SessionEnd::Forked { .. } | SessionEnd::ClockJumped);
        if failed {
            device.last_error = Some(format!("{}: {end}", end.code()));
        }
        let lived = link.connected_at.map(|since| at - since);
        let (conn, run, dead) = (link.conn, link.hub_run, link.dead);
        let gone_at = link.wire.end(at, Way::Up);
        let wait = device.retry.session_ended(end, lived, &mut device.retry_draw);
        if !dead && run == self.hub.run {
            self.tell_hub_lost(number, conn, run, gone_at);
        }
        self.count(number);
        self.wait(number, wait);
    }

    /// Counts what is not acknowledged.
    pub(super) fn count(&mut self, number: usize) {
        let hub = self.hub.site;
        let device = &mut self.devices[number];
        device.pending = device.disk.store.pending(&device.scope, hub);
    }

    /// Tells how things stand, if that is news.
    pub(super) fn publish(&mut self, number: usize) {
        let device = &mut self.devices[number];
        if !device.runs {
            return;
        }
        let status = self.parts.status(DeviceNo(number as u32), device.status_now());
        if device.status.as_ref() != Some(&status) {
            let was = device.status.replace(status.clone());
            self.count_live(was.as_ref(), Some(&status));
            self.saw(&Event::Status { device: DeviceNo(number as u32), status });
        }
    }

    /// Keeps count of the clients that claim to be in sync.
    pub(super) fn count_live(&mut self, was: Option<&StatusView>, is: Option<&StatusView>) {
        let live = |status: Option<&StatusView>| usize::from(status.is_some_and(|status| status.in_sync));
        self.live = self.live + live(is) - live(was);
    }

    fn holds(&mut self, number: usize, outcomes: &[ChunkOutcome]) {
        let no = Some(DeviceNo(number as u32));
        let scope = self.devices[number].scope_no;
        let held = outcomes.iter().rev().find_map(|outcome| match outcome {
            ChunkOutcome::Staged { held } | ChunkOutcome::Applied { held, .. } => Some(held),
            _ => None,
        });
        if let Some(held) = held {
            let (stamp, seq, of) = (held.stamp.0, Mark::of(held).base, *self.hub.site.as_bytes());
            self.saw(&Event::Holds { device: no, scope, of, stamp, seq });
        }
        self.position(number);
    }

    /// Tells where the log of a device ends.
    pub(super) fn position(&mut self, number: usize) {
        let device = &self.devices[number];
        let site = *device.disk.store.site(&device.scope).as_bytes();
        let (scope, seq) = (device.scope_no, device.disk.store.head(&device.scope).seq);
        self.saw(&Event::Position { device: Some(DeviceNo(number as u32)), scope, site, seq });
    }
}
