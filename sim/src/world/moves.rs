//! What happens to devices and to the hub.

use super::Stop;
use super::device::Backup;
use super::image::{self, Image};
use super::parts::Parts;
use super::run::Run;
use crate::app;
use crate::history::{Commit, Event, Fault};
use crate::story::{CrashPoint, Cut, DeviceNo, Move, Ms, Transaction};

/// How likely an application says that it has committed something.
const NOTIFIES: f64 = 0.5;
/// How likely a device hears from its operating system that there is a network again.
const HEARS_OF_NETWORK: f64 = 0.5;
/// A process that was to be killed at some point of its work is killed after so long even if it
/// did not get there.
const KILL_AFTER_MS: Ms = 5_000;

impl<P: Parts> Run<'_, P> {
    pub(super) fn do_move(&mut self, what: &Move) -> Result<(), Stop> {
        match what {
            Move::Transact { device, transaction } => {
                self.on(*device, |run, number| run.transact(number, transaction))
            }
            Move::Connect { device } => self.on(*device, |run, number| {
                run.connect(number);
                Ok(())
            }),
            Move::Disconnect { device, how } => self.on(*device, |run, number| {
                run.disconnect(number, *how);
                Ok(())
            }),
            Move::Meet { device, with, most_ms } => {
                self.on(*device, |run, number| run.meet(number, with.0 as usize, *most_ms).map(drop))
            }
            Move::BackupHub | Move::RestoreHub { .. } if !self.story.topology.has_hub() => Ok(()),
            Move::Crash { device, point, down_ms } => {
                self.on(*device, |run, number| run.crash_at(number, *point, *down_ms))
            }
            Move::CrashHub { point, down_ms } => self.crash_hub_at(*point, *down_ms),
            Move::Backup { device } => self.on(*device, |run, number| run.back_up(number)),
            Move::Restore { device } => self.on(*device, |run, number| run.restore(number)),
            Move::BackupHub => self.back_up_hub(),
            Move::RestoreHub { down_ms } => self.restore_hub(*down_ms),
            Move::Clone { device, copy } => self.on(*device, |run, number| run.copy(number, *copy)),
            Move::Lose { device } => self.on(*device, Self::lose),
            Move::Migrate { device, to, by } => self.on(*device, |run, number| run.migrate(number, *to, *by)),
            Move::SetClock { device, offset_ms } => self.on(*device, |run, number| {
                run.devices[number].clock.set(*offset_ms);
                run.fault(Fault::ClockSet(run.devices[number].no));
                Ok(())
            }),
        }
    }

    /// Does it to a device, if there is one.
    fn on(
        &mut self,
        device: DeviceNo,
        what: impl FnOnce(&mut Self, usize) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let number = device.0 as usize;
        match self.devices.get(number) {
            Some(device) if device.exists && !device.lost => what(self, number),
            _ => Ok(()),
        }
    }

    fn transact(&mut self, number: usize, transaction: &Transaction) -> Result<(), Stop> {
        let device = &mut self.devices[number];
        let Some(life) = &device.life else { return Ok(()) };
        let now = device.clock.tell_thread();
        let done = app::transact(&life.app, self.shape, transaction)
            .map_err(|error| Stop::failed("an application cannot write", error))?;
        // What looks as it did is in the journal too, and has to be sent: oracles need to know.
        let Some(effects) = done else { return Ok(()) };
        device.written = Some(transaction.id);
        life.process.wrote(transaction.id);
        if self.chance.happens(NOTIFIES) {
            life.replica.notify_committed();
        }
        let commit = Commit { device: device.no, tx: transaction.id, wall_ms: now.wall_ms, effects };
        self.saw(&Event::Committed(commit));
        Ok(())
    }

    /// A device is there for the first time, new or as a copy.
    pub(super) fn begin(&mut self, number: usize, copy_of: Option<DeviceNo>) -> Result<(), Stop> {
        self.start(number)?;
        let device = self.devices[number].no;
        self.saw(&Event::Started { device, copy_of });
        Ok(())
    }

    fn start(&mut self, number: usize) -> Result<(), Stop> {
        self.devices[number].start(self.parts, self.shape, &self.time, &self.records)?;
        self.follow(number)?;
        self.run_host(number);
        Ok(())
    }

    /// Its process runs again.
    pub(super) fn restart(&mut self, number: usize) -> Result<(), Stop> {
        self.fault(Fault::Restarted(self.devices[number].no));
        self.start(number)
    }

    pub(super) fn connect(&mut self, number: usize) {
        let device = &mut self.devices[number];
        let was_online = std::mem::replace(&mut device.online, true);
        if was_online && device.cut.is_none() {
            return;
        }
        self.cut_packets(number, None);
        let device = &self.devices[number];
        device.line.set_up(true);
        if let Some(life) = &device.life
            && self.chance.happens(HEARS_OF_NETWORK)
        {
            // What it gives is an answer that nobody waits for; the order is given.
            drop(life.client.sync_now());
        }
        self.fault(Fault::Connected(self.devices[number].no));
    }

    fn disconnect(&mut self, number: usize, how: Cut) {
        let device = &mut self.devices[number];
        if !std::mem::replace(&mut device.online, false) {
            return;
        }
        match how {
            Cut::Closed => device.line.set_up(false),
            Cut::Silent | Cut::Held => self.cut_packets(number, Some(how)),
        }
        self.fault(Fault::Disconnected(self.devices[number].no));
    }

    fn crash_at(&mut self, number: usize, point: CrashPoint, down_ms: Ms) -> Result<(), Stop> {
        let now = self.time.ms();
        let device = &mut self.devices[number];
        let Some(life) = &device.life else { return Ok(()) };
        if point == CrashPoint::Now {
            return self.kill(number, None, down_ms);
        }
        life.process.arm(point);
        device.killed_by = Some((now + KILL_AFTER_MS, down_ms));
        Ok(())
    }

    fn crash_hub_at(&mut self, point: CrashPoint, down_ms: Ms) -> Result<(), Stop> {
        let Some(life) = &self.hub.life else { return Ok(()) };
        if point == CrashPoint::Now {
            return self.kill_hub(None, down_ms);
        }
        life.process.arm(point);
        self.hub.killed_by = Some((self.time.ms() + KILL_AFTER_MS, down_ms));
        Ok(())
    }

    fn back_up(&mut self, number: usize) -> Result<(), Stop> {
        let at = self.time.ms();
        let device = &mut self.devices[number];
        let image = copy_of(&device.file)?;
        device.backup = Some(Backup { at, image, written: device.written });
        self.fault(Fault::BackedUp(self.devices[number].no));
        Ok(())
    }

    fn back_up_hub(&mut self) -> Result<(), Stop> {
        self.hub.backup = Some((self.time.ms(), copy_of(&self.hub.file)?));
        self.fault(Fault::HubBackedUp);
        Ok(())
    }

    fn restore(&mut self, number: usize) -> Result<(), Stop> {
        let Some(Backup { at, image, written }) = self.devices[number].backup.take() else { return Ok(()) };
        self.stop(number);
        put_back(&image, &self.devices[number].file)?;
        let device = &mut self.devices[number];
        (device.written, device.acknowledged, device.caught_up) = (written, None, false);
        device.backup = Some(Backup { at, image, written });
        let no = device.no;
        self.fault(Fault::Restored { device: no, to: at });
        self.start(number)
    }

    fn restore_hub(&mut self, down_ms: Ms) -> Result<(), Stop> {
        let Some((at, image)) = self.hub.backup.take() else { return Ok(()) };
        self.stop_hub();
        put_back(&image, &self.hub.file)?;
        self.hub.backup = Some((at, image));
        self.hub.restart_at = Some(self.time.ms() + down_ms);
        self.fault(Fault::HubRestored { to: at });
        Ok(())
    }

    fn copy(&mut self, number: usize, copy: DeviceNo) -> Result<(), Stop> {
        let (of, caught_up) = (self.devices[number].no, self.devices[number].caught_up);
        let to = copy.0 as usize;
        if self.devices.get(to).is_none_or(|copy| copy.exists) {
            return Ok(());
        }
        put_back(&copy_of(&self.devices[number].file)?, &self.devices[to].file)?;
        self.devices[to].caught_up = caught_up;
        self.devices[to].target = self.devices[number].target;
        self.begin(to, Some(of))
    }

    fn lose(&mut self, number: usize) -> Result<(), Stop> {
        self.stop(number);
        let device = &mut self.devices[number];
        device.lost = true;
        device.restart_at = None;
        image::remove(&device.file)
            .map_err(|error| Stop::failed("cannot remove a lost device's file", error))?;
        self.fault(Fault::Lost(self.devices[number].no));
        Ok(())
    }
}

fn copy_of(file: &std::path::Path) -> Result<Image, Stop> {
    Image::take(file).map_err(|error| Stop::failed("cannot copy a file", error))
}

pub(super) fn put_back(image: &Image, file: &std::path::Path) -> Result<(), Stop> {
    image.put_back(file).map_err(|error| Stop::failed("cannot put a copy in a file's place", error))
}
