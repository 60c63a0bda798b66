//! What the applications write, and when.

use super::draw::Draw;
use super::timeline::Life;
use super::{Act, Ms, Transaction, TxId, Write};
use crate::scenario::{Amount, Bulk, Scenario};
use crate::shape::{Shape, WriteId};

/// Draws writes for one scenario and schema.
pub(super) struct Writer<'a> {
    scenario: &'a Scenario,
    shape: &'a Shape,
    /// The weights of the tables, in the order of the shape.
    tables: Vec<f64>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(scenario: &'a Scenario, shape: &'a Shape) -> Self {
        let weight = |name: &str| scenario.workload.table_weight(name).max(0.0);
        let tables = shape
            .tables
            .iter()
            .map(|table| if table.is_written() { weight(&table.name) } else { 0.0 })
            .collect();
        Writer { scenario, shape, tables }
    }

    /// The transactions of a device in its life, by time. Their names are given later, when those
    /// of all devices are known.
    pub(super) fn transactions(&self, seed: u64, device: u32, life: &Life) -> Vec<(Ms, Transaction)> {
        if self.tables.iter().sum::<f64>() <= 0.0 {
            return Vec::new();
        }
        let mut times = Draw::new(seed, "times of writes", device.into());
        let mut draw = Draw::new(seed, "writes", device.into());
        let mut found = Vec::new();
        let (online_rate, offline_rate) = self.scenario.workload.rates_per_ms();
        let mut from = life.from;
        for online in &life.online {
            self.busy(&mut times, from, online.from, offline_rate, &mut found);
            self.busy(&mut times, online.from, online.to, online_rate, &mut found);
            from = online.to;
        }
        self.busy(&mut times, from, life.to, offline_rate, &mut found);
        let mut found: Vec<_> = found.into_iter().map(|at| (at, self.transaction(&mut draw))).collect();
        for (number, bulk) in self.scenario.workload.bulk.iter().enumerate() {
            if bulk.device == device && (life.from..life.to).contains(&bulk.at.0) {
                let mut draw = Draw::new(seed, "bulk", number as u64);
                found.push((bulk.at.0, self.import(bulk, &mut draw)));
            }
        }
        found
    }

    /// The times of transactions between two times.
    fn busy(&self, times: &mut Draw, from: Ms, to: Ms, rate: f64, found: &mut Vec<Ms>) {
        let mut at = from;
        loop {
            let wait = match self.scenario.workload.think_time {
                // Somebody who pauses, and comes into the middle of a pause.
                Some(_) if rate > 0.0 => {
                    let pause = (1.0 / rate) as u64;
                    let least = if at == from { 0 } else { pause / 2 };
                    times.between(least, pause + pause / 2).max(1)
                }
                _ => times.wait(rate),
            };
            at = at.saturating_add(wait);
            if at >= to {
                return;
            }
            found.push(at);
        }
    }

    fn transaction(&self, draw: &mut Draw) -> Transaction {
        let workload = &self.scenario.workload;
        let many = draw.amount(workload.transaction).max(1);
        let rolled_back = draw.chance(workload.rollback);
        let writes = (0..many).map(|_| self.write(draw)).collect();
        Transaction { id: TxId::UNNAMED, writes, rolled_back }
    }

    fn write(&self, draw: &mut Draw) -> Write {
        let workload = &self.scenario.workload;
        let table = draw.weighted(&self.tables);
        let act = match draw.weighted(&workload.mix.weights()) {
            0 => Act::Insert,
            1 => Act::Replace,
            2 => Act::Update(u8::try_from(draw.amount(workload.update_columns).max(1)).unwrap_or(u8::MAX)),
            3 => Act::Delete,
            4 => Act::Rekey,
            _ => Act::Upsert,
        };
        // The exponent is 1 where all rows are alike, and beyond all bounds where there is only one.
        let pick = draw.unit().powf(1.0 / (1.0 - workload.hot).max(1e-9));
        written(draw, table, act, pick, workload.value_bytes)
    }

    fn import(&self, bulk: &Bulk, draw: &mut Draw) -> Transaction {
        let table = bulk.table.as_deref().and_then(|name| self.shape.table(name));
        let bytes = bulk.value_bytes.unwrap_or(self.scenario.workload.value_bytes);
        let rows = draw.amount(bulk.rows).max(1);
        let writes = (0..rows).map(|_| {
            let table = table.unwrap_or_else(|| draw.weighted(&self.tables));
            let pick = draw.unit();
            written(draw, table, Act::Insert, pick, bytes)
        });
        Transaction { id: TxId::UNNAMED, writes: writes.collect(), rolled_back: false }
    }
}

fn written(draw: &mut Draw, table: usize, act: Act, pick: f64, bytes: Amount) -> Write {
    // Nine digits are the same after a way through JSON, and whatever the last bit of a power is.
    let pick = (pick * 1e9).floor().min(999_999_999.0) / 1e9;
    let entropy = draw.word();
    Write { id: WriteId(0), table, act, pick, entropy, value_bytes: draw.amount(bytes) }
}

impl TxId {
    /// What a transaction is called until all are known.
    const UNNAMED: TxId = TxId(0);
}
