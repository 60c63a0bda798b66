//! How large a story is.

use std::fmt;

use crate::story::{Clock, Move, Ms, Story};

/// How large a story is, the most telling first: stories are compared by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Size {
    /// Things that are done to devices and hub.
    pub faults: usize,
    /// Transactions of applications.
    pub transactions: usize,
    /// Statements in them.
    pub writes: usize,
    /// Devices.
    pub devices: usize,
    /// Clocks that are wrong, links that break, double or reorder, values that are padded,
    /// transactions that are rolled back.
    pub oddities: usize,
    /// Until the quiet period.
    pub length_ms: Ms,
}

impl Size {
    /// The size of a story.
    pub fn of(story: &Story) -> Self {
        let mut size = Size {
            faults: 0,
            transactions: 0,
            writes: 0,
            devices: story.devices.len(),
            oddities: 0,
            length_ms: story.quiet_at,
        };
        for device in &story.devices {
            size.oddities += usize::from(device.clock != Clock::default());
            for odd in [device.link.breaks_per_minute, device.link.duplicate, device.link.reorder] {
                size.oddities += usize::from(odd > 0.0);
            }
        }
        for planned in &story.moves {
            match &planned.what {
                Move::Transact { transaction, .. } => {
                    size.transactions += 1;
                    size.writes += transaction.writes.len();
                    size.oddities += usize::from(transaction.rolled_back);
                    size.oddities += transaction.writes.iter().filter(|write| write.value_bytes > 0).count();
                }
                _ => size.faults += 1,
            }
        }
        size
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
        write!(
            f,
            "{}, {} with {}, {}, {:.1} s",
            count(self.devices, "device", "devices"),
            count(self.transactions, "transaction", "transactions"),
            count(self.writes, "write", "writes"),
            count(self.faults, "fault", "faults"),
            self.length_ms as f64 / 1000.0
        )
    }
}
