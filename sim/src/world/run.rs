//! A story from its begin to its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pocketsync_core::driver::{State, Status};
use turmoil::Sim;

use super::clock::Time;
use super::device::{Device, Life};
use super::hub::{Hub, serve};
use super::line::HUB;
use super::meetings::{Meeting, Round};
use super::parts::Parts;
use super::records::{Record, Records};
use super::{Stop, message};
use crate::determinism::Chance;
use crate::history::{Event, Fault};
use crate::oracle::Judge;
use crate::shape::Shape;
use crate::story::{DeviceNo, Link, Move, Ms, Story};
use futures::StreamExt;

/// How long hosts run at a time.
const TICK: Duration = Duration::from_millis(10);
/// For so long after a move nothing is skipped.
const AWAKE_MS: Ms = 100;
/// For so long after a link went away nothing is skipped: who has just written finds it out.
const PARTING_MS: Ms = 2_000;
/// How long after time was skipped the devices are looked at.
const WAKING_MS: Ms = 500;
/// How many segments may wait in a socket.
const TCP_CAPACITY: usize = 1 << 12;
/// How often devices that say that they are done are looked at, at most.
const SETTLED_EVERY_MS: Ms = 1_000;
/// What a client of an honest hub over an honest link must never tell.
const NEVER: [&str; 3] = ["bad_message", "too_large", "corrupt"];

/// A run.
pub(super) struct Run<'a, P: Parts> {
    pub(super) parts: &'a Arc<P>,
    pub(super) shape: &'a Shape,
    pub(super) story: &'a Story,
    pub(super) judge: &'a mut Judge,
    pub(super) dir: PathBuf,
    pub(super) sim: Sim<'static>,
    pub(super) time: Arc<Time>,
    pub(super) records: Records,
    pub(super) devices: Vec<Device>,
    pub(super) hub: Hub,
    pub(super) meetings: Vec<Meeting>,
    pub(super) round: Round,
    /// What is left to chance on the application's side.
    pub(super) chance: Chance,
    /// Something may look different from how it did at the last look.
    pub(super) stirred: bool,
    next_move: usize,
    next_look: Ms,
    next_settled: Ms,
    awake_until: Ms,
    quiet_since: Option<Ms>,
}

/// Runs a story with files in `dir`.
pub(super) fn run<P: Parts>(
    parts: &Arc<P>,
    shape: &Shape,
    story: &Story,
    judge: &mut Judge,
    dir: &Path,
) -> Result<(), Stop> {
    let time = Arc::new(Time::default());
    let records = Records::default();
    let mut builder = turmoil::Builder::new();
    builder
        .tick_duration(TICK)
        .tcp_capacity(TCP_CAPACITY)
        .simulation_duration(Duration::from_secs(u64::from(u32::MAX)))
        .rng_seed(story.seed);
    let has_hub = story.topology.has_hub();
    let device = |(number, planned)| {
        Device::new(DeviceNo(number as u32), planned, has_hub, dir, story.seed, &time, &records)
    };
    let mut run = Run {
        parts,
        shape,
        story,
        judge,
        dir: dir.to_owned(),
        sim: builder.build(),
        devices: story.devices.iter().enumerate().map(device).collect(),
        hub: Hub::new(dir, &time),
        meetings: Vec::new(),
        round: Round::default(),
        chance: Chance::new(story.seed, "application", 0),
        stirred: true,
        next_move: 0,
        next_look: story.check_every_ms,
        next_settled: 0,
        awake_until: 0,
        quiet_since: None,
        time,
        records,
    };
    if has_hub {
        run.start_hub()?;
    }
    run.play()
}

impl<P: Parts> Run<'_, P> {
    fn play(&mut self) -> Result<(), Stop> {
        loop {
            self.do_what_is_due()?;
            self.tick()?;
            if self.quiet_since.is_some() {
                if self.has_settled()? {
                    return Ok(());
                }
            } else {
                self.skip();
            }
        }
    }

    fn do_what_is_due(&mut self) -> Result<(), Stop> {
        let now = self.time.ms();
        for number in 0..self.devices.len() {
            let device = &self.devices[number];
            let is_new = !device.exists && !device.lost && self.story.devices[number].from <= now;
            if is_new && !self.is_copy(device.no) {
                self.begin(number, None)?;
                self.stir();
            }
        }
        while let Some(planned) = self.story.moves.get(self.next_move)
            && planned.at <= now
        {
            self.next_move += 1;
            // A story may have been cut short by hand.
            if planned.at < self.story.quiet_at {
                self.do_move(&planned.what)?;
                self.stir();
                if matches!(planned.what, Move::Disconnect { .. }) {
                    self.awake_until = self.time.ms() + PARTING_MS;
                }
            }
        }
        self.restart_what_is_due(now)?;
        if self.quiet_since.is_none() && now >= self.story.quiet_at {
            self.calm_down()?;
            self.quiet_since = Some(now);
        }
        if self.quiet_since.is_none() && now >= self.next_look {
            self.next_look = now + self.story.check_every_ms.max(1);
            if std::mem::take(&mut self.stirred) {
                self.look_in_passing()?;
            }
        }
        self.unbroken()
    }

    fn stir(&mut self) {
        self.stirred = true;
        self.awake_until = self.awake_until.max(self.time.ms() + AWAKE_MS);
    }

    fn is_copy(&self, device: DeviceNo) -> bool {
        let copies = |planned: &crate::story::Planned| matches!(planned.what, Move::Clone { copy, .. } if copy == device);
        self.story.moves.iter().any(copies)
    }

    /// All hosts run for a tick, and what they have to tell is told.
    fn tick(&mut self) -> Result<(), Stop> {
        let stepped = self.sim.step();
        self.time.ran(self.sim.elapsed());
        self.tell_records();
        if let Err(error) = stepped {
            return Err(match error.downcast::<tokio::task::JoinError>() {
                Ok(error) if error.is_panic() => Stop::Panicked(message(&*error.into_panic())),
                Ok(error) => Stop::failed("a host stopped", error),
                Err(error) => Stop::failed("a host failed", error),
            });
        }
        self.bury_the_killed()?;
        self.note_copies();
        self.tell_statuses();
        self.part();
        self.unbroken()
    }

    pub(super) fn saw(&mut self, event: &Event) {
        let at = self.time.ms();
        self.judge.saw(at, event);
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.saw(&Event::Fault(fault));
    }

    fn unbroken(&self) -> Result<(), Stop> {
        match self.judge.violation() {
            Some(_) => Err(Stop::Broken),
            None => Ok(()),
        }
    }

    pub(super) fn tell_records(&mut self) {
        let at = self.time.ms();
        for record in self.records.take() {
            match record {
                Record::Event(event) => self.judge.saw(at, &event),
                Record::Frame(kind, frame) => self.judge.trace_bytes(at, kind, &frame),
            }
        }
    }

    /// Tells of clients that say something else than before.
    fn tell_statuses(&mut self) {
        for number in 0..self.devices.len() {
            let device = &self.devices[number];
            let Some((status, view)) = device.told_status(&**self.parts, &self.dir) else { continue };
            let no = device.no;
            let before = device.status.clone();
            let known = device.life.as_ref().and_then(Life::known_through);
            let acknowledged = self.by_whom_acknowledged(number, &status).zip(known);
            let acknowledged = acknowledged.filter(|ack| device.acknowledged != Some(*ack));
            if before.as_ref() != Some(&view) {
                let failed = status.last_error.as_ref().filter(|error| {
                    let is_honest = |link: &Link| link.duplicate == 0.0 && link.reorder == 0.0;
                    let others = self.devices.iter().filter(|_| !self.story.topology.has_hub());
                    let met_copy = device.life.as_ref().is_some_and(|life| life.met_copy);
                    NEVER.contains(&error.code)
                        && !met_copy
                        && is_honest(&device.line.link)
                        && others.into_iter().all(|other| is_honest(&other.line.link))
                });
                if let Some(error) = failed {
                    let promise = "nobody is told that what it sent or has stored makes no sense";
                    let at = self.time.ms();
                    self.judge.broken(at, "no_protocol_error", promise, format!("{no} is told: {error}"));
                }
                self.devices[number].status = Some(view.clone());
                self.saw(&Event::Status { device: no, status: view });
                let was_live = before.is_some_and(|before| before.state == State::Live.name());
                if status.state == State::Live && !was_live {
                    self.devices[number].caught_up = true;
                    self.saw(&Event::CaughtUp { device: no });
                }
            }
            if let Some((by, through)) = acknowledged {
                self.devices[number].acknowledged = Some((by, through));
                self.saw(&match by {
                    None => Event::Acknowledged { device: no, through },
                    Some(peer) => Event::AcknowledgedBy { device: no, peer, through },
                });
            }
        }
    }

    /// Who holds all that a device's client knows of, if somebody does; within, `None`: the hub.
    fn by_whom_acknowledged(&self, number: usize, status: &Status) -> Option<Option<DeviceNo>> {
        if self.story.topology.has_hub() {
            return (status.pending == 0).then_some(None);
        }
        // What is pending is counted for whomever the file has met last, which a client that speaks with
        // nobody does not know.
        let partner = self.partner(number).filter(|_| status.state == State::Live)?;
        (status.peer.is_some() && status.peer == partner.writes_as()).then_some(Some(partner.no))
    }

    /// Nothing fails from now on, everyone is there, and everyone is connected.
    fn calm_down(&mut self) -> Result<(), Stop> {
        self.hub.killed_by = None;
        if let Some(life) = &self.hub.life {
            life.process.disarm();
        } else if self.story.topology.has_hub() {
            self.restart_hub()?;
        }
        for number in 0..self.devices.len() {
            let device = &mut self.devices[number];
            device.line.calm_down();
            device.killed_by = None;
            if !device.exists || device.lost {
                continue;
            }
            match &device.life {
                Some(life) => life.process.disarm(),
                None => self.restart(number)?,
            }
            if !self.devices[number].online || self.devices[number].cut.is_some() {
                self.connect(number);
            }
        }
        self.saw(&Event::Quiet);
        Ok(())
    }

    /// In the quiet period: whether all is exchanged, or nobody waits for it any longer.
    fn has_settled(&mut self) -> Result<bool, Stop> {
        let now = self.time.ms();
        let over = self.quiet_since.is_some_and(|since| now >= since + self.story.quiet_ms);
        let done = |device: &Device| {
            let status = device.status.as_ref();
            status.is_some_and(|status| status.state == State::Live.name() && status.pending == 0)
        };
        let mut running = self.devices.iter().filter(|device| device.exists && !device.lost);
        let maybe = match self.story.topology.has_hub() {
            true => now >= self.next_settled && running.all(done),
            false => self.go_round()?,
        };
        if !over && !maybe {
            return Ok(false);
        }
        self.next_settled = now + SETTLED_EVERY_MS;
        let settled = self.look_closely(over)?;
        self.unbroken()?;
        Ok(settled || over)
    }

    /// Skips the time until the next move while nobody is online, or meets anybody: nothing happens then that cannot
    /// as well happen at its end.
    fn skip(&mut self) {
        let now = self.time.ms();
        let online = |device: &Device| device.life.is_some() && device.online;
        let busy = match self.story.topology.has_hub() {
            true => self.devices.iter().any(online),
            false => self.anyone_speaks(),
        };
        if now < self.awake_until || busy {
            return;
        }
        let moves = self.story.moves.get(self.next_move).map(|planned| planned.at);
        let births = self.devices.iter().enumerate().filter(|(_, device)| !device.exists && !device.lost);
        let births = births.map(|(number, _)| self.story.devices[number].from).filter(|from| *from > now);
        let restarts = self.devices.iter().filter_map(|device| device.restart_at);
        let kills = self.devices.iter().filter_map(|device| device.killed_by.map(|(at, _)| at));
        let hub = self.hub.restart_at.into_iter().chain(self.hub.killed_by.map(|(at, _)| at));
        let look = self.stirred.then_some(self.next_look);
        let next = moves.into_iter().chain(births).chain(restarts).chain(kills).chain(hub).chain(look);
        let next = next.chain([self.story.quiet_at]).min().unwrap_or(now);
        if next > now {
            self.time.skip(next - now);
            if self.stirred && self.next_look <= next {
                // Who slept hears of it before anyone looks: a link that was long dead, say.
                self.next_look = next + WAKING_MS;
                self.awake_until = self.awake_until.max(self.next_look);
            }
        }
    }

    /// Gives a device a host, or starts the one that it has anew.
    pub(super) fn run_host(&mut self, number: usize) {
        let device = &mut self.devices[number];
        let host = device.host.clone();
        if device.has_host {
            self.sim.bounce(host);
            return;
        }
        device.has_host = true;
        let slot = Arc::clone(&device.slot);
        self.sim.host(host.as_str(), move || {
            let drivers = slot.lock().expect("nobody panics while holding a slot").take();
            async move {
                if let Some(drivers) = drivers {
                    drivers.for_each_concurrent(None, |driver| driver).await;
                }
                Ok(())
            }
        });
        self.lay_ways(number);
    }

    fn start_hub(&mut self) -> Result<(), Stop> {
        self.hub.start(&**self.parts, self.story.seed, &self.time, &self.records)?;
        let (slot, time) = (Arc::clone(&self.hub.slot), Arc::clone(&self.time));
        self.sim.host(HUB, move || {
            let program = slot.lock().expect("nobody panics while holding a slot").take();
            let time = Arc::clone(&time);
            async move {
                match program {
                    Some((server, driver)) => serve(server, driver, time).await,
                    None => Ok(()),
                }
            }
        });
        Ok(())
    }
}
