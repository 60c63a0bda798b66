//! Devices that meet where there is no hub: the one calls, both sync until nothing is left to say, and
//! they part.

use std::collections::VecDeque;
use std::sync::Arc;

use pocketsync_core::driver::{Client, State};
use pocketsync_core::id::SiteId;

use super::Stop;
use super::device::{Caller, Device};
use super::line::Dial;
use super::parts::Parts;
use super::run::Run;
use crate::history::Event;
use crate::story::{DeviceNo, Ms};

/// How long a meeting in the quiet period may last: longer than it takes to find out that a link from before
/// is dead.
const QUIET_MOST_MS: Ms = 60_000;

/// Two devices that meet.
#[derive(Debug)]
pub(super) struct Meeting {
    caller: usize,
    called: usize,
    /// In which life of its process the caller called.
    start: u64,
    until: Ms,
    /// Whether they part, and had everything then.
    parting: Option<bool>,
}

/// In the quiet period: everybody meets, round after round.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Who has to meet yet in this round.
    left: VecDeque<(usize, usize)>,
    begun: bool,
}

impl<P: Parts> Run<'_, P> {
    /// Two devices meet, if both are there and in no meeting.
    pub(super) fn meet(&mut self, caller: usize, called: usize, most_ms: Ms) -> Result<bool, Stop> {
        let free = |number: usize| {
            let lives = self.devices.get(number).is_some_and(|device| device.life.is_some());
            lives && !self.meetings.iter().any(|met| met.caller == number || met.called == number)
        };
        if self.story.topology.has_hub() || caller == called || !free(caller) || !free(called) {
            return Ok(false);
        }
        let to = self.devices[called].host.clone();
        let start = self.devices[caller].call(self.parts, to, &self.time)?;
        let (device, with) = (self.devices[caller].no, self.devices[called].no);
        self.meetings.push(Meeting {
            caller,
            called,
            start,
            until: self.time.ms().saturating_add(most_ms),
            parting: None,
        });
        self.saw(&Event::Met { device, with });
        Ok(true)
    }

    /// Remembers who meets a copy of itself, before the two have parted.
    pub(super) fn note_copies(&mut self) {
        for met in &self.meetings {
            let pair = [met.caller, met.called];
            let sites = pair.map(|number| self.devices[number].writes_as());
            for number in pair.into_iter().filter(|_| sites[0].is_some() && sites[0] == sites[1]) {
                if let Some(life) = &mut self.devices[number].life {
                    life.met_copy = true;
                }
            }
        }
    }

    /// Ends the meetings in which nothing is left to say, or whose time is over.
    pub(super) fn part(&mut self) {
        let now = self.time.ms();
        let mut index = 0;
        while let Some(met) = self.meetings.get(index) {
            let in_sync = met.parting.unwrap_or_else(|| self.is_said(met));
            let (caller, called, start) = (met.caller, met.called, met.start);
            let device = &mut self.devices[caller];
            let calling = device.life.as_mut().filter(|life| life.start == start);
            let ended = match calling.as_ref().and_then(|life| life.caller.as_ref()) {
                None => true,
                Some(caller) if met.parting.is_some() => caller.client.is_stopped(),
                Some(caller) => {
                    if in_sync || now >= met.until {
                        // What it gives is an answer that nobody waits for; the order is given.
                        drop(caller.client.shutdown());
                        self.meetings[index].parting = Some(in_sync);
                    }
                    false
                }
            };
            if !ended {
                index += 1;
                continue;
            }
            if let Some(life) = calling {
                life.caller = None;
            }
            self.meetings.remove(index);
            let (device, with) = (self.devices[caller].no, self.devices[called].no);
            self.saw(&Event::Parted { device, with, in_sync });
        }
    }

    /// Whether both have everything, as far as they can tell.
    fn is_said(&self, met: &Meeting) -> bool {
        let is_live = |of: usize, client: Option<&Client>, with: usize| {
            let status = client.map(|client| self.parts.status(self.devices[of].no, client.status()));
            let is_peer = |peer: SiteId| self.devices[with].writes_as() == Some(peer);
            status.is_some_and(|status| status.state == State::Live && status.peer.is_some_and(is_peer))
        };
        let caller = self.devices[met.caller].life.as_ref().and_then(|life| life.caller.as_ref());
        let called = self.devices[met.called].life.as_ref();
        is_live(met.caller, caller.map(|caller| &caller.client), met.called)
            && is_live(met.called, called.map(|life| &life.client), met.caller)
    }

    /// With whom a device is in a meeting.
    pub(super) fn partner(&self, number: usize) -> Option<&Device> {
        let met = self.meetings.iter().find(|met| met.caller == number || met.called == number)?;
        self.devices.get(if met.caller == number { met.called } else { met.caller })
    }

    /// Whether somebody speaks with somebody, or believes so.
    pub(super) fn anyone_speaks(&self) -> bool {
        let believes = |device: &Device| {
            device.life.as_ref().is_some_and(|life| life.client.status().state != State::Offline)
        };
        !self.meetings.is_empty() || self.devices.iter().any(believes)
    }

    /// In the quiet period: lets everybody meet, and says whether a round is over.
    pub(super) fn go_round(&mut self) -> Result<bool, Stop> {
        let mut left = std::mem::take(&mut self.round.left);
        let mut waiting = VecDeque::new();
        while let Some((caller, called)) = left.pop_front() {
            let both_run = [caller, called].iter().all(|number| self.devices[*number].life.is_some());
            if both_run && !self.meet(caller, called, QUIET_MOST_MS)? {
                waiting.push_back((caller, called));
            }
        }
        self.round.left = waiting;
        if !self.round.left.is_empty() || !self.meetings.is_empty() {
            return Ok(false);
        }
        let is_over = std::mem::replace(&mut self.round.begun, true);
        self.round.left = self.pairs();
        Ok(is_over)
    }

    /// All who meet, each pair once.
    fn pairs(&self) -> VecDeque<(usize, usize)> {
        let running = |scope: u32| -> Vec<DeviceNo> {
            let there = self.devices.iter().filter(|device| device.scope == scope && device.life.is_some());
            there.map(|device| device.no).collect()
        };
        let mut pairs = VecDeque::new();
        for device in &self.devices {
            let neighbours = self.story.topology.neighbours(device.no, &running(device.scope));
            let later = neighbours.into_iter().filter(|other| *other > device.no);
            pairs.extend(later.map(|other| (device.no.0 as usize, other.0 as usize)));
        }
        pairs
    }
}

impl Device {
    /// Calls another device, and says in which life of its process.
    fn call<P: Parts>(
        &mut self,
        parts: &Arc<P>,
        to: String,
        time: &Arc<super::clock::Time>,
    ) -> Result<u64, Stop> {
        let dial = Dial { line: Arc::clone(&self.line), parts: Arc::clone(parts), to };
        let Some(life) = &self.life else { return Ok(0) };
        let (replica, process) = (life.replica.clone(), Arc::clone(&life.process));
        let runtime = self.runtime(&process, time);
        let known = runtime.known();
        let (client, driver) = Client::new(
            self.store(parts, replica, &process),
            self.synced()?,
            Arc::new(dial),
            runtime,
            self.options()?,
        );
        let Some(life) = &mut self.life else { return Ok(0) };
        // A host that has just been killed runs nothing.
        let _ = life.drivers.unbounded_send(driver);
        life.caller = Some(Caller { client, known });
        Ok(life.start)
    }
}
