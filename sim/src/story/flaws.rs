//! What an engine may rely on in every story, also in one that was made smaller or written by hand.

use std::collections::BTreeSet;

use super::{DeviceNo, Move, Ms, Story};

impl Story {
    /// What is wrong with the story itself; empty if an engine can run it.
    ///
    /// Moves are in the order of time and end before the quiet period; devices exist when something
    /// is done to them, and nothing is done to lost ones; nothing is restored before it was backed
    /// up; copies are new devices; what goes down comes up before the quiet period; everyone who is
    /// not lost is online at its begin; nothing is done to a hub that is not there, and nobody meets where there is
    /// one; names of transactions and writes are given once.
    pub fn flaws(&self) -> Vec<String> {
        let mut check = Check::new(self);
        for planned in &self.moves {
            check.planned(planned.at, &planned.what);
        }
        check.at_the_end();
        check.flaws
    }
}

struct Check<'a> {
    story: &'a Story,
    flaws: Vec<String>,
    last: Ms,
    online: Vec<bool>,
    lost: BTreeSet<DeviceNo>,
    copies: BTreeSet<DeviceNo>,
    backed_up: BTreeSet<DeviceNo>,
    hub_backed_up: bool,
    transactions: BTreeSet<u64>,
    writes: BTreeSet<u64>,
}

impl<'a> Check<'a> {
    fn new(story: &'a Story) -> Self {
        Check {
            story,
            flaws: Vec::new(),
            last: 0,
            online: story.devices.iter().map(|device| device.online).collect(),
            lost: BTreeSet::new(),
            copies: BTreeSet::new(),
            backed_up: BTreeSet::new(),
            hub_backed_up: false,
            transactions: BTreeSet::new(),
            writes: BTreeSet::new(),
        }
    }

    fn wrong(&mut self, at: Ms, what: impl std::fmt::Display) {
        self.flaws.push(format!("at {at} ms: {what}"));
    }

    fn planned(&mut self, at: Ms, what: &Move) {
        if at < self.last {
            self.wrong(at, "comes after a later move");
        }
        self.last = at;
        if at >= self.story.quiet_at {
            self.wrong(at, "a move in the quiet period");
        }
        if let Some(device) = what.device() {
            self.touched(at, device);
        }
        if !self.story.topology.has_hub() && what.device().is_none() {
            self.wrong(at, "something is done to a hub, and there is none");
        }
        match what {
            Move::Transact { transaction, .. } => {
                if !self.transactions.insert(transaction.id.0) {
                    self.wrong(at, format_args!("{} is there twice", transaction.id));
                }
                for write in &transaction.writes {
                    if !self.writes.insert(write.id.0) {
                        self.wrong(at, format_args!("{} is there twice", write.id));
                    }
                    if !(0.0..1.0).contains(&write.pick) {
                        self.wrong(
                            at,
                            format_args!("{} picks {}, which is not in [0, 1)", write.id, write.pick),
                        );
                    }
                }
            }
            Move::Meet { device, with, .. } => self.meets(at, *device, *with),
            Move::Connect { device } => self.link(at, *device, true),
            Move::Disconnect { device, .. } => self.link(at, *device, false),
            Move::Crash { down_ms, .. } | Move::CrashHub { down_ms, .. } => self.down(at, *down_ms),
            Move::RestoreHub { down_ms } => {
                self.down(at, *down_ms);
                if !self.hub_backed_up {
                    self.wrong(at, "the hub is restored before it was backed up");
                }
            }
            Move::BackupHub => self.hub_backed_up = true,
            Move::Backup { device } => drop(self.backed_up.insert(*device)),
            Move::Restore { device } if !self.backed_up.contains(device) => {
                self.wrong(at, format_args!("{device} is restored before it was backed up"));
            }
            Move::Clone { copy, .. } => self.copied(at, *copy),
            Move::Lose { device } => drop(self.lost.insert(*device)),
            Move::Restore { .. } | Move::SetClock { .. } | Move::Migrate { .. } => {}
        }
    }

    fn meets(&mut self, at: Ms, device: DeviceNo, with: DeviceNo) {
        self.touched(at, with);
        let scope = |device: DeviceNo| self.story.devices.get(device.0 as usize).map(|device| device.scope);
        if device == with {
            self.wrong(at, format_args!("{device} meets itself"));
        } else if scope(device) != scope(with) {
            self.wrong(at, format_args!("{device} and {with} are of different scopes"));
        }
        if self.story.topology.has_hub() {
            self.wrong(at, format_args!("{device} meets {with}, where there is a hub"));
        }
    }

    fn touched(&mut self, at: Ms, device: DeviceNo) {
        match self.story.devices.get(device.0 as usize) {
            None => self.wrong(at, format_args!("there is no {device}")),
            Some(known) if at < known.from => self.wrong(at, format_args!("{device} does not exist yet")),
            Some(_) if self.lost.contains(&device) => self.wrong(at, format_args!("{device} is lost")),
            Some(_) => {}
        }
    }

    fn link(&mut self, at: Ms, device: DeviceNo, up: bool) {
        let Some(online) = self.online.get_mut(device.0 as usize) else { return };
        let was = std::mem::replace(online, up);
        if was == up {
            self.wrong(at, format_args!("{device} was {} already", if up { "online" } else { "offline" }));
        }
    }

    fn down(&mut self, at: Ms, down_ms: Ms) {
        if at + down_ms >= self.story.quiet_at {
            self.wrong(at, "what goes down here is not up before the quiet period");
        }
    }

    fn copied(&mut self, at: Ms, copy: DeviceNo) {
        match self.story.devices.get(copy.0 as usize) {
            None => self.wrong(at, format_args!("there is no {copy} to copy to")),
            Some(device) if device.from != at => {
                self.wrong(at, format_args!("the copy {copy} exists from {} ms on", device.from));
            }
            Some(_) if !self.copies.insert(copy) => self.wrong(at, format_args!("{copy} is a copy twice")),
            Some(_) => {}
        }
    }

    fn at_the_end(&mut self) {
        for device in (0..).map(DeviceNo).take(self.story.devices.len()) {
            if !self.lost.contains(&device) && !self.online[device.0 as usize] {
                self.wrong(self.story.quiet_at, format_args!("{device} is offline in the quiet period"));
            }
            if self.story.devices[device.0 as usize].from >= self.story.quiet_at {
                self.wrong(self.story.quiet_at, format_args!("{device} first appears in the quiet period"));
            }
        }
    }
}

impl Move {
    /// The device that it is done to; `None` for what is done to the hub.
    pub fn device(&self) -> Option<DeviceNo> {
        match self {
            Move::Transact { device, .. }
            | Move::Connect { device }
            | Move::Disconnect { device, .. }
            | Move::Meet { device, .. }
            | Move::Crash { device, .. }
            | Move::Backup { device }
            | Move::Restore { device }
            | Move::Clone { device, .. }
            | Move::Lose { device }
            | Move::Migrate { device, .. }
            | Move::SetClock { device, .. } => Some(*device),
            Move::CrashHub { .. } | Move::BackupHub | Move::RestoreHub { .. } => None,
        }
    }
}
