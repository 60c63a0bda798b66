//! What has to hold.

use std::collections::BTreeMap;

use pocketsync_core::store::States;
use pocketsync_core::value::Value;

use super::{World, scope};

impl World {
    /// Whether everyone who is online is connected, has everything and has told everything.
    pub fn is_converged(&self) -> bool {
        let truth = self.hub.store.states(&scope());
        self.devices
            .iter()
            .filter(|device| device.online)
            .all(|device| device.live && device.caught_up && device.store.states(&scope()) == truth)
    }

    /// The same merged state everywhere, and therefore the same rows to show.
    pub fn assert_consistent(&self) {
        let states = self.hub.store.states(&scope());
        let rows = self.hub.store.rows(&scope());
        for device in self.devices.iter().filter(|device| device.online) {
            assert_eq!(device.store.states(&scope()), states);
            assert_eq!(device.store.rows(&scope()), rows);
        }
    }

    /// The values of a column of the shown rows of a table at a device, sorted.
    pub fn column(&self, n: usize, table: &str, column: &str) -> Vec<Value> {
        let rows = self.devices[n].store.rows(&scope());
        let mut values: Vec<Value> = rows
            .get(table)
            .into_iter()
            .flat_map(|rows| rows.values())
            .map(|row| row.get(column).cloned().unwrap_or(Value::Null))
            .collect();
        values.sort();
        values
    }

    /// Rows of the table `pair` are only ever written together: transactions that hold over all
    /// rows of a group say so by equal values in `tx` for the rows that share a `group`.
    pub fn assert_whole_transactions(&self, n: usize) {
        let rows = self.devices[n].store.rows(&scope());
        let mut groups: BTreeMap<Value, BTreeMap<Value, usize>> = BTreeMap::new();
        for row in rows.get("pair").into_iter().flat_map(|rows| rows.values()) {
            let (Some(group), Some(tx)) = (row.get("group"), row.get("tx")) else { continue };
            *groups.entry(group.clone()).or_default().entry(tx.clone()).or_default() += 1;
        }
        for (group, transactions) in groups {
            assert_eq!(
                transactions.len(),
                1,
                "device {n} shows half a transaction of {group}: {transactions:?}"
            );
        }
    }

    /// Everything that matters for finding out why a run does not end.
    pub fn describe(&self) -> String {
        let mut text =
            format!("hub head {:?} ends {:?}; ", self.hub.store.head(&scope()), self.hub.ends.last());
        let truth = self.hub.store.states(&scope());
        for (n, device) in self.devices.iter().enumerate() {
            text += &format!(
                "device {n}: online {} live {} caught up {} equal {} head {:?} sessions {} ends {} last {:?}; ",
                device.online,
                device.live,
                device.caught_up,
                device.store.states(&scope()) == truth,
                device.store.head(&scope()),
                device.sessions.len(),
                device.ends.len(),
                device.ends.last(),
            );
            let states = device.store.states(&scope());
            for (table, id) in
                truth.iter().chain(&states).flat_map(|(table, rows)| rows.keys().map(move |id| (table, id)))
            {
                let row = |states: &States| states.get(table).and_then(|rows| rows.get(id)).cloned();
                let (ours, theirs) = (row(&states), row(&truth));
                if ours != theirs {
                    text += &format!("{table} {id} is {ours:?}, at the hub {theirs:?}; ");
                }
            }
        }
        text
    }
}
