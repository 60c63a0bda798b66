//! When which device changes its schema.

use super::draw::Draw;
use super::timeline::Life;
use super::{DeviceNo, Migrator, Move, Planned};
use crate::scenario::{MigratedBy, Scenario};

/// The migrations of a device in its life, and the version that it begins with: what others have by then, it is
/// installed with.
pub(super) fn of(scenario: &Scenario, seed: u64, device: u32, life: &Life, moves: &mut Vec<Planned>) -> u32 {
    let (mut first, mut at) = (0, 0);
    for (migration, to) in scenario.migrations.iter().zip(1..) {
        let mut draw = Draw::new(seed, "migrations", u64::from(device) << 32 | u64::from(to));
        let runs = draw.chance(migration.share);
        at = draw.span(migration.between).max(at + 1);
        let by = match (migration.by, draw.chance(0.5)) {
            (MigratedBy::Engine, _) | (MigratedBy::Either, true) => Migrator::Engine,
            _ => Migrator::Application,
        };
        if !runs || at >= life.to {
            break;
        }
        if at <= life.from {
            first = to;
        } else {
            moves.push(Planned { at, what: Move::Migrate { device: DeviceNo(device), to, by } });
        }
    }
    first
}
