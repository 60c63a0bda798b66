//! Killing processes, and starting them again.
//!
//! A killed process leaves on the disk what was there at that moment. Here everything is dropped in
//! good order instead, since it all lives in one process, and SQLite tidies up when it closes a
//! file; so the files are copied first, and put back after.

use super::Stop;
use super::image::Image;
use super::line::HUB;
use super::moves::put_back;
use super::parts::Parts;
use super::run::Run;
use crate::history::Fault;
use crate::story::Ms;

impl<P: Parts> Run<'_, P> {
    /// Ends a device's process in whatever it does.
    pub(super) fn stop(&mut self, number: usize) {
        let device = &mut self.devices[number];
        if device.has_host {
            device.clock.tell_thread();
            self.sim.crash(device.host.as_str());
        }
        device.life = None;
        device.status = None;
        device.killed_by = None;
        // What never got to its host.
        drop(device.slot.lock().expect("nobody panics while holding a slot").take());
    }

    /// Ends the hub's process in whatever it does.
    pub(super) fn stop_hub(&mut self) {
        self.hub.clock.tell_thread();
        self.sim.crash(HUB);
        self.hub.life = None;
        self.hub.killed_by = None;
        drop(self.hub.slot.lock().expect("nobody panics while holding a slot").take());
    }

    /// Kills a device's process, which leaves `disk` behind, or what is there now.
    pub(super) fn kill(&mut self, number: usize, disk: Option<Image>, down_ms: Ms) -> Result<(), Stop> {
        let disk = match disk {
            Some(disk) => disk,
            None => left_behind(Image::take(&self.devices[number].file))?,
        };
        self.stop(number);
        put_back(&disk, &self.devices[number].file)?;
        self.devices[number].restart_at = Some(self.time.ms() + down_ms);
        self.fault(Fault::Crashed(self.devices[number].no));
        Ok(())
    }

    /// Kills the hub's process, which leaves `disk` behind, or what is there now.
    pub(super) fn kill_hub(&mut self, disk: Option<Image>, down_ms: Ms) -> Result<(), Stop> {
        let disk = match disk {
            Some(disk) => disk,
            None => left_behind(Image::take(&self.hub.file))?,
        };
        self.stop_hub();
        put_back(&disk, &self.hub.file)?;
        self.hub.restart_at = Some(self.time.ms() + down_ms);
        self.fault(Fault::HubCrashed);
        Ok(())
    }

    /// Ends the processes that were killed inside of their work in the last tick.
    pub(super) fn bury_the_killed(&mut self) -> Result<(), Stop> {
        for number in 0..self.devices.len() {
            let device = &self.devices[number];
            if let Some(disk) = device.life.as_ref().and_then(|life| life.process.killed()) {
                let down_ms = device.killed_by.map_or(0, |(_, down_ms)| down_ms);
                self.kill(number, Some(left_behind(disk)?), down_ms)?;
            }
        }
        if let Some(disk) = self.hub.life.as_ref().and_then(|life| life.process.killed()) {
            let down_ms = self.hub.killed_by.map_or(0, |(_, down_ms)| down_ms);
            self.kill_hub(Some(left_behind(disk)?), down_ms)?;
        }
        Ok(())
    }

    /// Starts what was down for long enough, and kills what did not get to where it was to be killed.
    pub(super) fn restart_what_is_due(&mut self, now: Ms) -> Result<(), Stop> {
        for number in 0..self.devices.len() {
            let device = &self.devices[number];
            if let Some((_, down_ms)) = device.killed_by.filter(|(at, _)| *at <= now) {
                self.kill(number, None, down_ms)?;
            }
            if self.devices[number].restart_at.is_some_and(|at| at <= now) {
                self.restart(number)?;
            }
        }
        if let Some((_, down_ms)) = self.hub.killed_by.filter(|(at, _)| *at <= now) {
            self.kill_hub(None, down_ms)?;
        }
        if self.hub.restart_at.is_some_and(|at| at <= now) {
            self.restart_hub()?;
        }
        Ok(())
    }

    pub(super) fn restart_hub(&mut self) -> Result<(), Stop> {
        self.fault(Fault::HubRestarted);
        self.hub.start(&**self.parts, self.story.seed, &self.time, &self.records)?;
        self.sim.bounce(HUB);
        Ok(())
    }
}

fn left_behind(disk: std::io::Result<Image>) -> Result<Image, Stop> {
    disk.map_err(|error| Stop::failed("cannot copy what a killed process leaves", error))
}
