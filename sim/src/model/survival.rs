//! What was legally lost: with a device, with a file that was put back.

use std::collections::BTreeMap;

use super::{Commitment, Row, Scope};
use crate::story::{DeviceNo, Ms, TxId};

/// Who is still there, and what was lost with the others.
#[derive(Default)]
pub struct Survival {
    devices: BTreeMap<DeviceNo, Files>,
    places: BTreeMap<TxId, (DeviceNo, usize)>,
    hub_restores: Vec<Parted>,
    /// Whose file a device began with.
    originals: BTreeMap<DeviceNo, DeviceNo>,
}

/// A device's file, and the copies of it.
#[derive(Default)]
struct Files {
    committed: usize,
    life: u32,
    runs: bool,
    /// Up to how many commits were acknowledged, when, and by whom.
    acks: Vec<Ack>,
    /// When what was committed after some time was gone from it.
    parted: Vec<Parted>,
    /// When copies were made of it that were used: by being put back, or by another device.
    copied: Vec<Ms>,
}

/// At `at`, `by` had everything up to `covered`.
#[derive(Clone, Copy)]
struct Ack {
    at: Ms,
    covered: usize,
    /// `None`: the hub.
    by: Option<DeviceNo>,
}

/// At `at`, what was committed after `to` was gone.
#[derive(Clone, Copy)]
struct Parted {
    at: Ms,
    to: Ms,
}

impl Files {
    /// When a commit was gone from the file.
    fn gone_at(&self, commit: &Commitment) -> Option<Ms> {
        let goes = |parted: &&Parted| parted.at >= commit.at && parted.to <= commit.at;
        self.parted.iter().find(goes).map(|parted| parted.at)
    }

    /// When a commit was acknowledged, and by whom, while it was in the file.
    fn acks_of(&self, commit: &Commitment) -> impl Iterator<Item = Ack> {
        let (place, gone) = (commit.place, self.gone_at(commit).unwrap_or(Ms::MAX));
        self.acks.iter().copied().filter(move |ack| ack.covered > place && ack.at <= gone)
    }
}

impl Survival {
    pub(super) fn committed(&mut self, _at: Ms, device: DeviceNo, tx: TxId) -> (u32, usize) {
        let files = self.devices.entry(device).or_default();
        let place = files.committed;
        files.committed += 1;
        self.places.insert(tx, (device, place));
        (files.life, place)
    }

    pub(super) fn acknowledged(&mut self, at: Ms, through: TxId, by: Option<DeviceNo>) {
        // A copy of a device's file speaks of the transactions of that device.
        let Some(&(author, place)) = self.places.get(&through) else { return };
        let covered = place + 1;
        // Said again, it counts only where whoever says so has begun again since.
        let told = self.devices.get(&author).is_some_and(|files| {
            let since = |ack: &&Ack| self.partings(by).iter().all(|parted| parted.at < ack.at);
            files.acks.iter().filter(|ack| ack.by == by && ack.covered >= covered).any(|ack| since(&ack))
        });
        if !told {
            self.devices.entry(author).or_default().acks.push(Ack { at, covered, by });
        }
    }

    pub(super) fn started(&mut self, at: Ms, device: DeviceNo, copy_of: Option<DeviceNo>) {
        self.devices.entry(device).or_default().runs = true;
        if let Some(original) = copy_of {
            self.originals.insert(device, original);
            self.copied(original, at);
        }
    }

    pub(super) fn lost(&mut self, at: Ms, device: DeviceNo) {
        let files = self.devices.entry(device).or_default();
        files.runs = false;
        files.parted.push(Parted { at, to: 0 });
    }

    pub(super) fn restored(&mut self, at: Ms, device: DeviceNo, to: Ms) {
        let files = self.devices.entry(device).or_default();
        files.life += 1;
        files.parted.push(Parted { at, to });
        self.copied(device, to);
    }

    /// A copy of a file was made that is used: of what its device wrote, and those whose file it began with.
    fn copied(&mut self, device: DeviceNo, at: Ms) {
        let mut of = Some(device);
        while let Some(device) = of {
            self.devices.entry(device).or_default().copied.push(at);
            of = self.originals.get(&device).copied();
        }
    }

    pub(super) fn hub_restored(&mut self, at: Ms, to: Ms) {
        self.hub_restores.push(Parted { at, to });
    }

    /// The devices that were started and are not destroyed.
    pub fn devices(&self) -> impl Iterator<Item = DeviceNo> {
        self.devices.iter().filter(|(_, files)| files.runs).map(|(device, _)| *device)
    }

    /// When the hub, or a device, has forgotten something.
    fn partings(&self, of: Option<DeviceNo>) -> &[Parted] {
        match of {
            None => &self.hub_restores,
            Some(device) => self.devices.get(&device).map_or(&[], |files| &files.parted),
        }
    }

    /// In which life a device's file is.
    pub fn life(&self, device: DeviceNo) -> u32 {
        self.devices.get(&device).map_or(0, |files| files.life)
    }

    /// Whether a commit must still be there in the end: its device still has it, or the hub, or where
    /// there is none another device, acknowledged it and has not forgotten that since.
    pub fn survives(&self, commit: &Commitment) -> bool {
        let Some(files) = self.devices.get(&commit.device) else { return true };
        files.gone_at(commit).is_none() || self.is_acknowledged(commit)
    }

    /// Whether the hub, or another device, has acknowledged a commit, and its file was not put back to a
    /// copy from before that since, nor destroyed.
    pub fn is_acknowledged(&self, commit: &Commitment) -> bool {
        let Some(files) = self.devices.get(&commit.device) else { return false };
        files.acks_of(commit).any(|ack| {
            let forgets = |parted: &Parted| parted.at >= ack.at && parted.to <= ack.at;
            !self.partings(ack.by).iter().any(forgets)
        })
    }

    /// Whether anybody had acknowledged a commit by then, so that others may have it.
    pub fn was_acknowledged(&self, commit: &Commitment, by: Ms) -> bool {
        let files = self.devices.get(&commit.device);
        files.is_some_and(|files| files.acks_of(commit).any(|ack| ack.at <= by))
    }

    /// How many copies of a file that were used had a commit that nobody had acknowledged when they
    /// were made. Those who go on with them may each take it for theirs.
    pub fn copies_unseen(&self, commit: &Commitment) -> u32 {
        let Some(files) = self.devices.get(&commit.device) else { return 0 };
        let acked = files.acks_of(commit).map(|ack| ack.at).min();
        let unseen = |copied: &&Ms| **copied >= commit.at && acked.is_none_or(|acked| acked >= **copied);
        files.copied.iter().filter(unseen).count() as u32
    }

    /// Whether a row may be there twice, by right: a copy of the file that it was inserted in was
    /// made before anybody had acknowledged it, and used. Both may then have taken it for theirs
    /// alone. So may a file that was put back, where the hub's was put back as well.
    pub fn may_be_doubled(&self, scope: &Scope, row: &Row) -> bool {
        row.inserts.iter().any(|&insert| {
            let insert = scope.commitment(insert);
            let Some(files) = self.devices.get(&insert.device) else { return false };
            if files.copied.is_empty() {
                return false;
            }
            let acked = files.acks_of(insert).map(|ack| ack.at).next();
            let unseen = |&copied: &Ms| copied >= insert.at && acked.is_none_or(|acked| acked >= copied);
            files.copied.iter().any(unseen) || (!self.hub_restores.is_empty() && !files.copied.is_empty())
        })
    }
}
