//! Frames on their way, and what the network does to them and to the links.

use pocketsync_core::Bytes;
use pocketsync_core::hub::ConnId;

use super::device::{Held, Phase, true_now};
use super::fleet::Fleet;
use super::queue::Happening;
use super::wire::Way;
use crate::history::{Cause, Event, Fault};
use crate::story::{Cut, DeviceNo, Ms};

impl Fleet<'_> {
    /// A device sends a frame.
    pub(super) fn send_up(&mut self, number: usize, frame: Bytes) {
        let (now, calm) = (self.now, self.quiet);
        let device = &mut self.devices[number];
        let Phase::Linked(link) = &mut device.phase else { return };
        let cause = link.wire.sorter(Way::Up).sort(&frame);
        let (conn, run, weighs) = (link.conn, link.hub_run, cause != Cause::Heartbeat);
        if link.broken || link.dead {
            return;
        }
        if let Some(held) = &mut device.held {
            held.push(Held::Up { conn, run, frame, weighs });
            return;
        }
        let transit = link.wire.take(now, Way::Up, frame.len(), calm);
        let up = |frame| Happening::Up { conn, run, frame, weighs };
        self.carried(number, true, frame.len(), cause);
        if transit.overtakes || transit.again_at.is_some() {
            self.saw(&Event::Fault(Fault::Misdelivered(DeviceNo(number as u32))));
        }
        if let Some(at) = transit.again_at {
            self.under_way(at, weighs, up(frame.clone()));
        }
        self.under_way(transit.at, weighs, up(frame));
    }

    /// The hub sends a frame.
    pub(super) fn send_down(&mut self, conn: ConnId, frame: Bytes) {
        let (now, run, bytes) = (self.now, self.hub.run, frame.len());
        let place = self.hub.conns.get(&conn).copied();
        let Some((number, links)) = place else {
            // Nobody reads, and nobody says so: the packets are taken all the same.
            return self.hub.machine.handle_sent(true_now(now), conn, bytes);
        };
        let calm = self.quiet;
        let device = &mut self.devices[number];
        let held = device.held.is_some();
        let Some(link) = device.link(links).filter(|link| !link.broken) else {
            return self.hub.machine.handle_sent(true_now(now), conn, bytes);
        };
        let cause = link.wire.sorter(Way::Down).sort(&frame);
        let weighs = cause != Cause::Heartbeat;
        if held {
            if let Some(held) = &mut device.held {
                held.push(Held::Down { link: links, frame, weighs });
            }
            return self.hub.machine.handle_sent(true_now(now), conn, bytes);
        }
        let transit = link.wire.take(now, Way::Down, bytes, calm);
        let down = |frame| Happening::Down { device: number, link: links, frame, weighs };
        self.carried(number, false, bytes, cause);
        if transit.overtakes || transit.again_at.is_some() {
            self.saw(&Event::Fault(Fault::Misdelivered(DeviceNo(number as u32))));
        }
        if transit.sent_at <= now {
            self.hub.machine.handle_sent(true_now(now), conn, bytes);
        } else {
            let queued = self.hub.queued.entry(conn).or_default();
            *queued += bytes;
            self.hub.queued_max = self.hub.queued_max.max(*queued);
            self.queue.push(transit.sent_at, Happening::Sent { conn, run, bytes });
        }
        if let Some(at) = transit.again_at {
            self.under_way(at, weighs, down(frame.clone()));
        }
        self.under_way(transit.at, weighs, down(frame));
    }

    pub(super) fn sent(&mut self, conn: ConnId, bytes: usize) {
        if let Some(queued) = self.hub.queued.get_mut(&conn) {
            *queued = queued.saturating_sub(bytes);
        }
        self.hub.machine.handle_sent(true_now(self.now), conn, bytes);
        self.pump_hub();
    }

    fn carried(&mut self, number: usize, up: bool, bytes: usize, cause: Cause) {
        self.saw(&Event::Carried { device: DeviceNo(number as u32), up, bytes, cause });
    }

    /// Puts a frame on its way.
    fn under_way(&mut self, at: Ms, weighs: bool, happening: Happening) {
        self.under_way += u64::from(weighs);
        self.queue.push(at, happening);
    }

    /// A frame reaches the hub.
    pub(super) fn arrived_up(&mut self, conn: ConnId, run: u32, frame: Bytes) {
        if self.hub.runs && self.hub.run == run && self.hub.conns.contains_key(&conn) {
            self.judge.trace_bytes(self.now, b'u', &frame);
            self.hub.machine.handle_frame(true_now(self.now), conn, frame);
            self.pump_hub();
        }
    }

    /// A frame reaches a device.
    pub(super) fn arrived_down(&mut self, number: usize, links: u32, frame: Bytes) {
        self.notice_jump(number);
        let now = self.devices[number].now(self.now);
        if let Some(link) = self.devices[number].link(links).filter(|link| !link.broken) {
            link.session.handle_frame(now, frame.clone());
            self.judge.trace_bytes(self.now, b'd', &frame);
            self.pump_device(number);
        }
    }

    /// The hub will hear that a link is gone.
    pub(super) fn tell_hub_lost(&mut self, number: usize, conn: ConnId, run: u32, at: Ms) {
        match &mut self.devices[number].held {
            Some(held) => held.push(Held::HubLost { conn, run }),
            None => self.queue.push(at, Happening::HubLost { conn, run }),
        }
    }

    /// A device will hear that its link is gone.
    pub(super) fn tell_lost(&mut self, number: usize, link: u32, at: Ms) {
        match &mut self.devices[number].held {
            Some(held) => held.push(Held::Lost { link }),
            None => self.queue.push(at, Happening::Lost { device: number, link }),
        }
    }

    pub(super) fn hub_lost(&mut self, conn: ConnId, run: u32) {
        if self.hub.runs && self.hub.run == run {
            self.hub.conns.remove(&conn);
            self.hub.machine.handle_lost(true_now(self.now), conn, "the connection was closed");
            self.pump_hub();
        }
    }

    pub(super) fn lost(&mut self, number: usize, links: u32, reason: &str) {
        let now = self.devices[number].now(self.now);
        if let Some(link) = self.devices[number].link(links).filter(|link| !link.broken) {
            link.broken = true;
            link.session.handle_lost(now, reason);
            self.pump_device(number);
        }
    }

    /// A link breaks: what is under way is lost, and both ends are told.
    pub(super) fn break_link(&mut self, number: usize) {
        let now = self.now;
        let links = self.devices[number].links;
        let Phase::Linked(link) = &mut self.devices[number].phase else { return };
        let (conn, run, at) = (link.conn, link.hub_run, link.wire.end(now, Way::Up));
        if self.hub.run == run && self.hub.conns.remove(&conn).is_some() {
            self.tell_hub_lost(number, conn, run, at);
        }
        self.lost(number, links, "the connection was reset");
    }

    /// A device goes offline.
    pub(super) fn cut(&mut self, number: usize, how: Cut) {
        self.devices[number].online = false;
        match how {
            Cut::Closed => self.break_link(number),
            Cut::Silent => {
                // Neither end is told: frames of both vanish from now on.
                if let Phase::Linked(link) = &mut self.devices[number].phase
                    && self.hub.run == link.hub_run
                {
                    self.hub.conns.remove(&link.conn);
                    link.dead = true;
                }
            }
            Cut::Held => self.devices[number].held = Some(Vec::new()),
        }
        self.publish(number);
    }

    /// The network lets go of what it held.
    pub(super) fn release(&mut self, number: usize) {
        let Some(held) = self.devices[number].held.take() else { return };
        let nature = self.story.devices[number].link;
        let mut at = self.now + Ms::from(nature.latency_min_ms);
        for item in held {
            match item {
                Held::Up { conn, run, frame, weighs } => {
                    self.under_way(at, weighs, Happening::Up { conn, run, frame, weighs });
                }
                Held::Down { link, frame, weighs } => {
                    self.under_way(at, weighs, Happening::Down { device: number, link, frame, weighs });
                }
                Held::HubLost { conn, run } => self.queue.push(at, Happening::HubLost { conn, run }),
                Held::Lost { link } => self.queue.push(at, Happening::Lost { device: number, link }),
            }
            at += u64::from(nature.latency_max_ms > nature.latency_min_ms);
        }
        // What is sent from now on comes after it.
        let links = self.devices[number].links;
        if let Some(link) = self.devices[number].link(links) {
            link.wire.not_before(at);
        }
    }
}
