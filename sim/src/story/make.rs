//! Makes a story of a scenario and a seed.

use super::draw::Draw;
use super::timeline::{Life, online};
use super::writes::Writer;
use super::{Clock, Device, DeviceNo, Move, Ms, Planned, Story, TxId, faults, meetings, migrations};
use crate::scenario::{Range, Scenario, Span};
use crate::shape::{Shape, WriteId};

impl Scenario {
    /// What happens under this seed: the same for the same scenario, schema and seed, to the bit.
    ///
    /// The shape is that of [`Scenario::shape`]. Devices are counted from 0; clones come after all
    /// others.
    pub fn story(&self, shape: &Shape, seed: u64) -> Story {
        let quiet_at = self.length.0.max(2);
        let mut moves = Vec::new();
        let mut lives: Vec<Life> =
            (0..self.devices.max(1)).map(|device| self.life(seed, device, quiet_at)).collect();
        faults::lose(self, seed, &mut lives, &mut moves);
        faults::copy(self, seed, quiet_at, &mut lives, &mut moves);
        let mut devices: Vec<Device> =
            lives.iter().zip(0..).map(|(life, device)| self.device(seed, device, life)).collect();
        faults::strike(self, seed, quiet_at, &lives, &mut moves);
        let writer = Writer::new(self, shape);
        for (life, device) in lives.iter().zip(0..) {
            devices[device as usize].version = migrations::of(self, seed, device, life, &mut moves);
            meetings::of(self, seed, device, &lives, &mut moves);
            come_and_go(life, DeviceNo(device), quiet_at, &mut moves);
            let planned = writer.transactions(seed, device, life).into_iter().map(|(at, transaction)| {
                Planned { at, what: Move::Transact { device: DeviceNo(device), transaction } }
            });
            moves.extend(planned);
        }
        moves.sort_by_key(|planned| planned.at);
        name(&mut moves);
        Story {
            seed,
            topology: self.topology,
            devices,
            moves,
            quiet_at,
            quiet_ms: self.quiet.0,
            check_every_ms: self.check_every().0,
        }
    }

    fn life(&self, seed: u64, device: u32, quiet_at: Ms) -> Life {
        let scope = device % self.scopes.max(1);
        let mut life = Life {
            scope,
            from: 0,
            to: quiet_at,
            lost: false,
            online: online(self, seed, device, scope, quiet_at),
        };
        if device >= self.devices.saturating_sub(self.joins.devices).max(1) {
            let between = self
                .joins
                .between
                .unwrap_or(Range { from: Span(self.length.0 / 3), to: Span(self.length.0 / 3 * 2) });
            let from = Draw::new(seed, "joins", device.into()).span(between).min(quiet_at - 2);
            life.clip(from, quiet_at);
        }
        life
    }

    fn device(&self, seed: u64, device: u32, life: &Life) -> Device {
        let mut draw = Draw::new(seed, "clock", device.into());
        let wrong = draw.chance(self.clocks.wrong);
        let clock = Clock {
            offset_ms: draw.skew(self.clocks.offset),
            drift_ppm: self.clocks.drift_ppm.from.saturating_add_unsigned(
                draw.between(0, self.clocks.drift_ppm.to.abs_diff(self.clocks.drift_ppm.from).into()) as u32,
            ),
        };
        Device {
            scope: life.scope,
            from: life.from,
            online: life.online.first().is_some_and(|online| online.from == life.from),
            clock: if wrong { clock } else { Clock::default() },
            link: self.network.link(device),
            version: 0,
        }
    }
}

/// The moves of a device's link. At the end everyone is online who still is.
fn come_and_go(life: &Life, device: DeviceNo, quiet_at: Ms, moves: &mut Vec<Planned>) {
    for online in &life.online {
        if online.from > life.from {
            moves.push(Planned { at: online.from, what: Move::Connect { device } });
        }
        if online.to < life.to {
            moves.push(Planned { at: online.to, what: Move::Disconnect { device, how: online.cut } });
        }
    }
    let online_at_end = life.online.last().is_some_and(|online| online.to == life.to);
    if !life.lost && !online_at_end {
        moves.push(Planned { at: quiet_at - 1, what: Move::Connect { device } });
    }
}

/// Counts transactions and writes from 1, in the order in which they happen.
fn name(moves: &mut [Planned]) {
    let (mut transactions, mut writes) = (1.., 1..);
    for planned in moves {
        if let Move::Transact { transaction, .. } = &mut planned.what {
            transaction.id = TxId(transactions.next().unwrap_or_default());
            for write in &mut transaction.writes {
                write.id = WriteId(writes.next().unwrap_or_default());
            }
        }
    }
}
