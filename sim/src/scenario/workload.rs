//! What the applications write.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Amount, Rate, Span};

/// What the applications write.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workload {
    /// How many transactions a device makes while it is online, at random times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Instead of a rate: how long a device pauses after each transaction, half to one and a half
    /// times of this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub think_time: Option<Span>,
    /// How many transactions a device makes while it is offline; the same as online if not said.
    /// `"0/d"` for devices that write nothing offline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline_rate: Option<Rate>,
    /// How many writes a transaction has.
    pub transaction: Amount,
    /// How likely a transaction is rolled back at its end.
    pub rollback: f64,
    /// How much the writes gather on few rows: 0: on all alike; 0.9: mostly on the first few; 1: on
    /// one.
    pub hot: f64,
    /// How many columns an update changes.
    pub update_columns: Amount,
    /// About how large written values are, in bytes; 0: as small as they can be.
    pub value_bytes: Amount,
    /// How often which statement is chosen.
    pub mix: Mix,
    /// How often which table is chosen; tables that are not named have the weight 1.
    pub tables: BTreeMap<String, f64>,
    /// Large imports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bulk: Vec<Bulk>,
}

impl Default for Workload {
    fn default() -> Self {
        Workload {
            rate: None,
            think_time: None,
            offline_rate: None,
            transaction: Amount::between(1, 3),
            rollback: 0.02,
            hot: 0.3,
            update_columns: Amount::between(1, 2),
            value_bytes: Amount::only(0),
            mix: Mix::default(),
            tables: BTreeMap::new(),
            bulk: Vec::new(),
        }
    }
}

/// Weights of the statements: only how they relate to each other counts.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mix {
    /// `INSERT`.
    pub insert: f64,
    /// `INSERT OR REPLACE`.
    pub replace: f64,
    /// `UPDATE` of columns that are not the key.
    pub update: f64,
    /// `DELETE`.
    pub delete: f64,
    /// `UPDATE` of the key.
    pub rekey: f64,
    /// `INSERT ... ON CONFLICT DO UPDATE`, of tables with keys of their own.
    #[serde(skip_serializing_if = "is_zero")]
    pub upsert: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_zero(weight: &f64) -> bool {
    *weight == 0.0
}

impl Default for Mix {
    fn default() -> Self {
        Mix { insert: 40.0, replace: 4.0, update: 45.0, delete: 9.0, rekey: 2.0, upsert: 0.0 }
    }
}

impl Mix {
    /// The weights, in the order of the fields.
    pub(crate) fn weights(&self) -> [f64; 6] {
        [self.insert, self.replace, self.update, self.delete, self.rekey, self.upsert]
    }
}

/// A large import: one transaction that inserts many rows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// When.
    pub at: Span,
    /// On which device.
    #[serde(default)]
    pub device: u32,
    /// How many rows.
    pub rows: Amount,
    /// Into which table; into all in turn if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// About how large its values are, in bytes; as the workload's if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_bytes: Option<Amount>,
}

impl Workload {
    /// The weight of a table.
    pub fn table_weight(&self, table: &str) -> f64 {
        let named = self.tables.iter().find(|(name, _)| name.eq_ignore_ascii_case(table));
        named.map_or(1.0, |(_, weight)| *weight)
    }

    /// How many transactions a device makes in a millisecond, online and offline. Where neither a
    /// rate nor a think time is given, it is 30 a minute.
    pub(crate) fn rates_per_ms(&self) -> (f64, f64) {
        let rate = match (self.rate, self.think_time) {
            (Some(rate), _) => rate.per_ms(),
            (None, Some(pause)) => 1.0 / pause.0.max(1) as f64,
            (None, None) => Rate { times: 30.0, per: Span(60_000) }.per_ms(),
        };
        (rate, self.offline_rate.map_or(rate, |rate| rate.per_ms()))
    }
}
