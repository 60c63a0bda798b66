//! What the story wants to happen.

use pocketsync_core::store::{Store, StoreRequest};

use super::device::{Disk, Phase};
use super::fleet::Fleet;
use super::queue::Happening;
use super::writer;
use crate::history::{Commit, Event, Fault};
use crate::story::{CrashPoint, DeviceNo, Move, Ms, Transaction};

/// The client takes less for the clock's own drift.
const JUMP_MS: u64 = 2_000;

impl Fleet<'_> {
    pub(super) fn make(&mut self, what: &Move) {
        match what {
            Move::Transact { device, transaction } => self.transact(*device, transaction),
            Move::Connect { device } => self.connect(*device),
            Move::Disconnect { device, how } => {
                if let Some(number) = self.there(*device).filter(|number| self.devices[*number].online) {
                    self.saw(&Event::Fault(Fault::Disconnected(*device)));
                    self.cut(number, *how);
                }
            }
            Move::Crash { device, point, down_ms } => {
                if let Some(number) = self.running(*device) {
                    match point {
                        CrashPoint::Now => self.crash(number, *down_ms),
                        later => self.devices[number].crash = Some((*later, *down_ms)),
                    }
                }
            }
            Move::CrashHub { point, down_ms } if self.hub.runs => match point {
                CrashPoint::Now => self.crash_hub(*down_ms),
                later => self.hub.crash = Some((*later, *down_ms)),
            },
            Move::CrashHub { .. } => {}
            Move::Backup { device } => {
                if let Some(number) = self.there(*device) {
                    self.devices[number].image = Some((self.now, self.devices[number].disk.clone()));
                    self.saw(&Event::Fault(Fault::BackedUp(*device)));
                }
            }
            Move::Restore { device } => self.restore(*device),
            Move::BackupHub => {
                self.hub.image = Some((self.now, self.hub.store.clone()));
                self.saw(&Event::Fault(Fault::HubBackedUp));
            }
            Move::RestoreHub { down_ms } => {
                if let Some((to, store)) = self.hub.image.clone() {
                    self.crash_hub(*down_ms);
                    self.hub.store = store;
                    self.saw(&Event::Fault(Fault::HubRestored { to }));
                }
            }
            Move::Clone { device, copy } => self.copy(*device, *copy),
            Move::Lose { device } => {
                if let Some(number) = self.there(*device) {
                    self.saw(&Event::Fault(Fault::Lost(*device)));
                    self.stop(number);
                    self.devices[number].lost = true;
                    self.devices[number].image = None;
                }
            }
            // There is no schema here.
            // There is a hub.
            Move::Meet { .. } => {}
            Move::Migrate { .. } => {}
            Move::SetClock { device, offset_ms } => self.set_clock(*device, *offset_ms),
        }
    }

    /// The index of a device that exists and was not destroyed.
    fn there(&self, device: DeviceNo) -> Option<usize> {
        let number = device.0 as usize;
        self.devices.get(number).is_some_and(|device| device.exists && !device.lost).then_some(number)
    }

    /// The index of a device whose process runs.
    fn running(&self, device: DeviceNo) -> Option<usize> {
        self.there(device).filter(|number| self.devices[*number].runs)
    }

    fn transact(&mut self, no: DeviceNo, transaction: &Transaction) {
        let Some(number) = self.running(no) else { return };
        if transaction.rolled_back || self.crashes(number, CrashPoint::BeforeCommit) {
            return;
        }
        let shape = self.shape;
        let device = &mut self.devices[number];
        let wall_ms = device.now(self.now).wall_ms;
        let before = device.disk.store.head(&device.scope).seq;
        let (head, effects) =
            (device.disk.store).write(&device.scope, wall_ms, |store| writer::run(shape, store, transaction));
        if head.seq != before {
            device.disk.unacked.push_back((head.seq, transaction.id));
        }
        if !effects.is_empty() {
            self.saw(&Event::Committed(Commit { device: no, tx: transaction.id, wall_ms, effects }));
        }
        self.position(number);
        if self.crashes(number, CrashPoint::AfterCommit) {
            return;
        }
        // The application says that it committed.
        self.notice_jump(number);
        self.count(number);
        let now = self.devices[number].now(self.now);
        if let Phase::Linked(link) = &mut self.devices[number].phase {
            link.up_to_date = false;
            link.session.local_changed(now);
            self.pump_device(number);
        }
        self.publish(number);
    }

    /// Whether the process was to be killed at this point, and now is.
    pub(super) fn crashes(&mut self, number: usize, here: CrashPoint) -> bool {
        match self.devices[number].crash {
            Some((point, down_ms)) if point == here => {
                self.crash(number, down_ms);
                true
            }
            _ => false,
        }
    }

    /// A device comes online.
    pub(super) fn connect(&mut self, no: DeviceNo) {
        let Some(number) = self.there(no).filter(|number| !self.devices[*number].online) else { return };
        self.devices[number].online = true;
        self.saw(&Event::Fault(Fault::Connected(no)));
        self.release(number);
        let now = self.now;
        let device = &mut self.devices[number];
        if let Phase::Away { since } = device.phase
            && device.runs
        {
            let wait = device.retry.back_after(now - since, &mut device.retry_draw);
            self.wait(number, wait);
        }
    }

    /// The process of a device is killed, and starts again later.
    pub(super) fn crash(&mut self, number: usize, down_ms: Ms) {
        self.saw(&Event::Fault(Fault::Crashed(DeviceNo(number as u32))));
        self.stop(number);
        let run = self.devices[number].run;
        self.queue.push(self.now + down_ms, Happening::Restart { device: number, run });
    }

    /// The process of a device ends, and its link with it.
    fn stop(&mut self, number: usize) {
        let now = self.now;
        let device = &mut self.devices[number];
        if !device.runs {
            device.run += 1;
            return;
        }
        device.runs = false;
        device.run += 1;
        device.crash = None;
        let was = device.status.take();
        if let Phase::Linked(mut link) = std::mem::replace(&mut device.phase, Phase::Waiting)
            && !link.dead
            && link.hub_run == self.hub.run
        {
            let at = link.wire.end(now, super::wire::Way::Up);
            self.tell_hub_lost(number, link.conn, link.hub_run, at);
        }
        self.count_live(was.as_ref(), None);
    }

    /// The process of a device starts.
    pub(super) fn start(&mut self, number: usize) {
        let (seed, between) = (self.story.seed, self.parts.device(DeviceNo(number as u32)));
        let device = &mut self.devices[number];
        device.between = between;
        let stamp = device.next_stamp(seed, number);
        device.disk.store.reopen(stamp);
        device.runs = true;
        device.retry = Default::default();
        device.last_error = None;
        device.jump_untold = false;
        device.phase = Phase::Waiting;
        self.count(number);
        self.position(number);
        self.wait(number, 0);
    }

    fn restore(&mut self, no: DeviceNo) {
        let Some(number) = self.there(no) else { return };
        let Some((to, disk)) = self.devices[number].image.clone() else { return };
        self.stop(number);
        self.devices[number].disk = disk;
        self.saw(&Event::Fault(Fault::Restored { device: no, to }));
        self.start(number);
    }

    fn copy(&mut self, of: DeviceNo, copy: DeviceNo) {
        let Some(from) = self.there(of) else { return };
        let Some(to) = self.devices.get(copy.0 as usize).filter(|copy| !copy.exists) else { return };
        debug_assert_eq!(to.scope_no, self.devices[from].scope_no, "a copy syncs what the original does");
        let disk: Disk = self.devices[from].disk.clone();
        self.devices[copy.0 as usize].disk = disk;
        self.begin(copy.0 as usize, Some(of));
    }

    fn set_clock(&mut self, no: DeviceNo, offset_ms: i64) {
        let Some(number) = self.there(no) else { return };
        let device = &mut self.devices[number];
        let before = device.now(self.now).wall_ms;
        device.set_clock(self.now, offset_ms);
        let jumped = device.now(self.now).wall_ms.abs_diff(before) > JUMP_MS;
        self.saw(&Event::Fault(Fault::ClockSet(no)));
        let device = &mut self.devices[number];
        if device.runs && jumped {
            device.jump_untold = true;
            // The client looks now and then, more often while it is connected.
            let within = if matches!(device.phase, Phase::Linked(_)) { 250 } else { 1_000 };
            let at = self.now + device.store_draw.below(within);
            self.queue.push(at, Happening::Clock { device: number, run: device.run });
        }
    }

    /// The client notices that the clock was set, which it does before anything else.
    pub(super) fn notice_jump(&mut self, number: usize) {
        let device = &mut self.devices[number];
        if !std::mem::take(&mut device.jump_untold) || !device.runs {
            return;
        }
        let scope = device.scope.clone();
        // A store in memory cannot fail.
        let _done = device.disk.store.run(StoreRequest::ClockJumped { scope });
        self.count(number);
        self.publish(number);
    }
}
