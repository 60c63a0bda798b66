//! What makes no sense in a scenario, and what to write instead.

use super::{Pattern, Range, Scenario, ScenarioError, Span};
use crate::shape::Shape;
use crate::story::online_ms;

/// More transactions than this do not fit into a story that anyone would want to wait for.
const MOST_TRANSACTIONS: f64 = 5e6;
/// The same for how often devices come and go.
const MOST_TURNS: f64 = 5e6;

impl Scenario {
    pub(super) fn mistake(&self, key: &str, what: impl Into<String>) -> ScenarioError {
        ScenarioError::Value { scenario: self.name.clone(), key: key.to_owned(), what: what.into() }
    }

    /// Whether everything in it makes sense; [`Scenario::load`], [`Scenario::parse`] and
    /// [`Scenario::shape`] ask this.
    ///
    /// # Errors
    /// The first thing that does not, with what to write instead.
    pub fn check(&self) -> Result<(), ScenarioError> {
        self.check_sizes()?;
        self.check_network()?;
        self.check_presence()?;
        self.check_workload()?;
        self.check_faults()?;
        self.check_meetings()?;
        self.check_migrations()
    }

    fn check_sizes(&self) -> Result<(), ScenarioError> {
        if self.devices == 0 {
            return Err(self.mistake("devices", "there must be at least one device"));
        }
        if self.scopes == 0 || self.scopes > self.devices {
            return Err(
                self.mistake("scopes", format!("must be from 1 to the number of devices, {}", self.devices))
            );
        }
        if self.engines.is_empty() {
            return Err(
                self.mistake("engines", "name at least one of \"world\", \"machines\", or leave the key out")
            );
        }
        if self.length.0 < 100 {
            return Err(self.mistake("length", "must be at least \"100ms\""));
        }
        if self.quiet.0 < 1_000 {
            return Err(self.mistake("quiet", "must be at least \"1s\": replicas need time to converge"));
        }
        if self.joins.devices >= self.devices {
            return Err(self.mistake(
                "joins.devices",
                "leaves no device that is there from the start; make it smaller than `devices`",
            ));
        }
        match self.joins.between {
            Some(between) if between.to >= self.length => {
                Err(self
                    .mistake("joins.between", format!("must end before the run does, at {}", self.length)))
            }
            _ => Ok(()),
        }
    }

    fn share(&self, key: &str, value: f64) -> Result<(), ScenarioError> {
        if (0.0..=1.0).contains(&value) {
            Ok(())
        } else {
            Err(self.mistake(key, "is a share: write a number from 0 to 1"))
        }
    }

    fn check_workload(&self) -> Result<(), ScenarioError> {
        let workload = &self.workload;
        self.share("workload.rollback", workload.rollback)?;
        self.share("workload.hot", workload.hot)?;
        for (key, amount) in [
            ("workload.transaction", workload.transaction),
            ("workload.update_columns", workload.update_columns),
            ("workload.value_bytes", workload.value_bytes),
        ] {
            self.share(key, amount.rarely.map_or(0.0, |rarely| rarely.share))?;
        }
        if workload.transaction.usual.from == 0 {
            return Err(self.mistake(
                "workload.transaction",
                "a transaction has at least one write; begin the range at 1",
            ));
        }
        let weight = |weight: f64| weight.is_finite() && weight >= 0.0;
        let weights = workload.mix.weights();
        if !weights.into_iter().all(weight) || weights.iter().sum::<f64>() <= 0.0 {
            return Err(
                self.mistake("workload.mix", "weights are numbers from 0, and one of them must be above 0")
            );
        }
        if let Some((table, _)) = workload.tables.iter().find(|(_, given)| !weight(**given)) {
            return Err(self.mistake(&format!("workload.tables.{table}"), "a weight is a number from 0"));
        }
        if workload.rate.is_some() && workload.think_time.is_some() {
            return Err(self.mistake("workload.think_time", "stands beside `rate`; keep one of the two"));
        }
        if workload.think_time.is_some_and(|time| time.0 == 0) {
            return Err(self.mistake("workload.think_time", "must be at least \"1ms\""));
        }
        for bulk in &workload.bulk {
            if bulk.at >= self.length {
                return Err(self.mistake(
                    "workload.bulk.at",
                    format!("must be before the end of the run, at {}", self.length),
                ));
            }
            if bulk.device >= self.devices {
                return Err(self.mistake(
                    "workload.bulk.device",
                    format!("device numbers go from 0 to {}", self.devices - 1),
                ));
            }
        }
        let expected = self.expected_transactions();
        if expected > MOST_TRANSACTIONS {
            return Err(self.mistake(
                "workload.rate",
                format!(
                    "would make about {expected:.0} transactions, more than the {MOST_TRANSACTIONS:.0} that fit into a \
                     run; lower `rate`, set `offline_rate`, or shorten `length`"
                ),
            ));
        }
        Ok(())
    }

    /// About how many transactions a story will have, going by a few devices.
    fn expected_transactions(&self) -> f64 {
        let some = self.devices.clamp(1, 16);
        let online: u64 = (0..some).map(|device| online_ms(self, device)).sum();
        let online = online as f64 / (f64::from(some) * self.length.0.max(1) as f64);
        let (rate, offline_rate) = self.workload.rates_per_ms();
        f64::from(self.devices) * self.length.0 as f64 * (rate * online + offline_rate * (1.0 - online))
    }

    fn check_network(&self) -> Result<(), ScenarioError> {
        for device in 0..self.devices.min(1_000) {
            let link = self.network.link(device);
            self.share("network.duplicate", link.duplicate)?;
            self.share("network.reorder", link.reorder)?;
            if !(link.breaks_per_minute.is_finite() && link.breaks_per_minute >= 0.0) {
                return Err(self.mistake("network.breaks_per_minute", "is a number from 0"));
            }
            if link.max_frame_bytes < 256 {
                return Err(self.mistake(
                    "network.max_frame_bytes",
                    "must be at least 256, the smallest frame that the protocol works with",
                ));
            }
        }
        self.check_windows("network.partitions", &self.network.partitions)
    }

    fn check_windows(&self, key: &str, windows: &[super::Window]) -> Result<(), ScenarioError> {
        match windows.iter().find(|window| window.from >= window.to) {
            Some(window) => {
                Err(self
                    .mistake(key, format!("`from` ({}) must be before `to` ({})", window.from, window.to)))
            }
            None => Ok(()),
        }
    }

    fn check_presence(&self) -> Result<(), ScenarioError> {
        let presence = &self.presence;
        self.share("presence.absent", presence.absent)?;
        self.check_windows("presence.windows", &presence.windows)?;
        let by_turns = presence.turns().is_some();
        let said = [
            ("online", presence.online.is_some()),
            ("offline", presence.offline.is_some()),
            ("together", presence.together.is_some()),
        ];
        if let Some((key, _)) = said.iter().find(|(_, said)| *said && !by_turns) {
            return Err(self.mistake(
                &format!("presence.{key}"),
                "says nothing under this pattern; use `commuter`, `field_team` or `flaky`, or leave it out",
            ));
        }
        if let Some((online, offline, _)) = presence.turns()
            && (online.to.0 == 0 || offline.to.0 == 0)
        {
            return Err(self.mistake("presence", "devices must be online, and offline, for some time by turns; for devices that always are, use `always_on`"));
        }
        if let Some((online, offline, _)) = presence.turns() {
            let middle = |range: Range<Span>| f64::midpoint(range.from.0 as f64, range.to.0 as f64);
            let turns =
                self.length.0 as f64 / (middle(online) + middle(offline)).max(1.0) * f64::from(self.devices);
            if turns > MOST_TURNS {
                return Err(self.mistake(
                    "presence.online",
                    format!("devices would come and go {turns:.0} times; make `online` or `offline` longer, or `length` shorter"),
                ));
            }
        }
        if !presence.windows.is_empty() && presence.pattern != Pattern::Windows {
            return Err(self.mistake(
                "presence.windows",
                "needs `pattern = \"windows\"`; to cut links besides, use network.partitions",
            ));
        }
        Ok(())
    }

    fn check_faults(&self) -> Result<(), ScenarioError> {
        self.share("clocks.wrong", self.clocks.wrong)?;
        let crashes = self.faults.crashes.most() + self.faults.hub_crashes.most();
        if crashes > 0 && self.faults.crash_points.is_empty() {
            return Err(self.mistake(
                "faults.crash_points",
                "name at least one of \"now\", \"before_commit\", \"after_commit\"",
            ));
        }
        Ok(())
    }

    /// Whether every table that is named exists.
    pub(super) fn check_tables(&self, shape: &Shape) -> Result<(), ScenarioError> {
        let named = self.workload.tables.keys().map(|table| (format!("workload.tables.{table}"), table));
        let bulk = self.workload.bulk.iter().filter_map(|bulk| bulk.table.as_ref());
        let bulk = bulk.map(|table| ("workload.bulk.table".to_owned(), table));
        for (key, table) in named.chain(bulk) {
            let Some(index) = shape.table(table) else {
                let known: Vec<&str> = shape.tables.iter().map(|table| table.name.as_str()).collect();
                return Err(self.mistake(
                    &key,
                    format!("the schema has no table `{table}`; it has {}", known.join(", ")),
                ));
            };
            if let Some(why) = shape.tables[index].left_alone() {
                return Err(self.mistake(&key, format!("nothing can be written to it: {why}")));
            }
        }
        let weight = |name: &str| self.workload.table_weight(name);
        if !shape.tables.iter().any(|table| table.is_written() && weight(&table.name) > 0.0) {
            return Err(
                self.mistake("workload.tables", "leaves no table to write to; give one a weight above 0")
            );
        }
        Ok(())
    }
}
