//! Acts a story out on real files, with a real hub.

use std::collections::BTreeMap;
use std::time::SystemTime;

use pocketsync_core::conflict::{ConflictFilter, MergeType, OnDelete, Rule, Strategy};
use pocketsync_core::rusqlite::Connection;
use pocketsync_core::rusqlite::types::ValueRef;
use pocketsync_core::session::{Admitted, Rights};
use pocketsync_core::store::sqlite::Migration;
use pocketsync_core::store::sqlite::tracking::Tables;
use pocketsync_core::value::Value;

use super::story::{Step, Story};
use crate::world::World;
use crate::world::disk::Backup;

struct Stage {
    world: World,
    devices: BTreeMap<char, usize>,
    kept: BTreeMap<String, Backup>,
}

/// Acts it out.
pub(crate) fn run(story: &Story) {
    let mut stage = Stage { world: World::empty(), devices: BTreeMap::new(), kept: BTreeMap::new() };
    // Goes on by itself from here, so that a slow disk puts no clock in the wrong.
    stage.world.clock_ms = Some(SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_millis() as u64);
    for name in cast(story) {
        let of_all = story.given.iter().filter(|(whose, _)| whose.is_none());
        let own: Vec<_> = story.given.iter().filter(|(whose, _)| *whose == Some(name)).collect();
        let schema = if own.is_empty() { of_all.collect() } else { own };
        let schema: Vec<&str> = schema.iter().map(|(_, sql)| sql.as_str()).collect();
        let n = stage.world.install(&schema.join("\n"), "WAL");
        stage.devices.insert(name, n);
    }
    for step in &story.steps {
        stage.act(step);
    }
    stage.end();
}

/// The devices that act from the beginning: two at least.
fn cast(story: &Story) -> Vec<char> {
    let first = story.steps.iter().filter_map(|step| {
        let words: Vec<&str> = step.what.split(' ').collect();
        let name = match words[..] {
            ["clock" | "rule" | "log" | "rights" | "refused", "of", name] | [name, ..] => name,
            [] => return None,
        };
        let copied = |name: &str| story.steps.iter().any(|s| s.what.ends_with(&format!("copied to {name}")));
        name.chars().next().filter(|_| name.len() == 1 && !copied(name))
    });
    let last = first.max().unwrap_or('b').max('b');
    ('a'..=last)
        .filter(|name| !story.steps.iter().any(|s| s.what.ends_with(&format!("copied to {name}"))))
        .collect()
}

impl Stage {
    fn device(&self, name: &str) -> usize {
        let found = name.chars().next().filter(|_| name.len() == 1).and_then(|name| self.devices.get(&name));
        *found.unwrap_or_else(|| panic!("no device is called {name}"))
    }

    fn act(&mut self, step: &Step) {
        // What is written later is later.
        self.world.clock_ms = self.world.clock_ms.map(|ms| ms + 1000);
        let words: Vec<&str> = step.what.split(' ').collect();
        let at = format!("line {}: {}: {}", step.line, step.what, step.rest);
        match words[..] {
            ["sync"] => self.world.settle(),
            ["all"] => {
                let online = self.devices.values().copied().filter(|n| self.world.devices[*n].online);
                online.for_each(|n| self.see(n, step, &at));
            }
            ["parked"] => {
                for n in self.devices.values().copied().filter(|n| self.world.devices[*n].online) {
                    let parked = "SELECT table_name || ' ' || reason FROM __pocketsync_parked ORDER BY 1";
                    let expected = step.expected.as_deref().unwrap_or_default();
                    assert_eq!(query(&self.world.devices[n].app, parked), expected, "device {n}: {at}");
                }
            }
            ["log", "of", "hub"] => {
                let log = self.world.hub_conflicts(&ConflictFilter::default());
                assert_eq!(Some(log.len().to_string()), step.expected, "{at}: {log:?}");
            }
            ["log", "of", name] => {
                let log = self.world.devices[self.device(name)].replica.conflicts(&ConflictFilter::default());
                let log = log.expect("a log");
                assert_eq!(Some(log.len().to_string()), step.expected, "{at}: {log:?}");
            }
            ["clock", "of", name] => {
                let n = self.device(name);
                self.world.devices[n].skew_ms = milliseconds(&step.rest);
            }
            ["rule", "of", name] => {
                let replica = &self.world.devices[self.device(name)].replica;
                replica.set_rule(&rule(&step.rest)).unwrap_or_else(|error| panic!("{at}: {error}"));
            }
            ["rights", "of", name] => {
                let n = self.device(name);
                self.world.admit(n, admitted(&step.rest));
            }
            ["refused", "of", name] => {
                let refused = self.world.refused(self.device(name));
                let shown = refused.iter().map(|row| {
                    let key: Vec<String> = row.key.iter().map(word).collect();
                    format!("{} {}", row.table, key.join(" ")).trim_end().to_owned()
                });
                let shown = shown.collect::<Vec<_>>().join(" | ");
                assert_eq!(shown, step.expected.as_deref().unwrap_or_default(), "{at}");
            }
            [name, "retries"] => {
                let replica = &self.world.devices[self.device(name)].replica;
                replica.retry_parked().unwrap_or_else(|error| panic!("{at}: {error}"));
            }
            ["hub", "is", "kept"] => drop(self.kept.insert("hub".to_owned(), self.world.back_up_hub())),
            ["hub", "is", "restored"] => self.world.restore_hub(&self.kept["hub"]),
            ["hub", "restarts"] => self.world.kill_hub(),
            [name, "is", "kept"] => {
                let kept = self.world.back_up(self.device(name));
                self.kept.insert(name.to_owned(), kept);
            }
            [name, "is", "restored"] => self.world.restore(self.device(name), &self.kept[name]),
            [name, "restarts"] => self.world.kill(self.device(name)),
            [name, "is", "offline"] => self.world.go_offline(self.device(name)),
            [name, "is", "online"] => {
                let n = self.device(name);
                self.world.devices[n].online = true;
            }
            [name, "is", "copied", "to", copy] => {
                let n = self.world.clone_file(self.device(name));
                self.devices.insert(copy.chars().next().expect("a name"), n);
            }
            [name, "fails"] => {
                let app = &self.world.devices[self.device(name)].app;
                let error = app.execute_batch(&step.rest).expect_err(&at).to_string();
                assert!(error.contains(step.expected.as_deref().unwrap_or_default()), "{at}: {error}");
            }
            [name, "migrates" | "renames"] => {
                let replica = &self.world.devices[self.device(name)].replica;
                let migration = match step.what.ends_with("renames") {
                    true => rename(&step.rest),
                    false => Migration::new(&step.rest),
                };
                replica.migrate(&migration).unwrap_or_else(|error| panic!("{at}: {error}"));
            }
            [name, "tracks"] => {
                self.world.devices[self.device(name)].replica.track(&Tables::all()).unwrap();
            }
            [name] if step.expected.is_some() => self.see(self.device(name), step, &at),
            [name] => self.world.sql(self.device(name), &step.rest),
            _ => panic!("{at}: not understood"),
        }
    }

    fn see(&self, n: usize, step: &Step, at: &str) {
        let seen = query(&self.world.devices[n].app, &step.rest);
        assert_eq!(seen, step.expected.as_deref().unwrap_or_default(), "device {n}: {at}");
    }

    /// Everyone comes online, and no file is broken.
    fn end(&mut self) {
        for n in self.devices.values() {
            self.world.devices[*n].online = true;
        }
        self.world.settle();
        for (name, n) in &self.devices {
            let app = &self.world.devices[*n].app;
            assert_eq!(query(app, "PRAGMA integrity_check"), "ok", "of {name}");
            assert_eq!(query(app, "PRAGMA foreign_key_check"), "", "of {name}");
            assert_eq!(query(app, "SELECT * FROM __pocketsync_journal"), "", "of {name}");
        }
    }
}

/// The rows of a query, as a story writes them.
fn query(app: &Connection, sql: &str) -> String {
    let mut statement = app.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let value = |at| {
            Ok(match row.get_ref(at)? {
                ValueRef::Null => "NULL".to_owned(),
                ValueRef::Integer(integer) => integer.to_string(),
                ValueRef::Real(real) => real.to_string(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                ValueRef::Blob(blob) => format!("{blob:02x?}"),
            })
        };
        Ok((0..columns).map(value).collect::<Result<Vec<_>, pocketsync_core::rusqlite::Error>>()?.join(" "))
    });
    let rows: Result<Vec<String>, _> = rows.expect("rows").collect();
    rows.unwrap_or_else(|error| panic!("{sql}: {error}")).join(" | ")
}

fn milliseconds(text: &str) -> i64 {
    let (number, unit) = text.split_once(' ').expect("a number and its unit");
    let unit = match unit {
        "days" => 86_400_000,
        "hours" => 3_600_000,
        "seconds" => 1000,
        other => panic!("no unit is called {other}"),
    };
    number.parse::<i64>().expect("a number") * unit
}

/// A rename that somebody else has done.
fn rename(text: &str) -> Migration {
    let (old, new) = text.split_once(' ').expect("an old name and a new one");
    match old.split_once('.') {
        Some((table, column)) => Migration::new("").rename_column(table, column, new),
        None => Migration::new("").rename_table(old, new),
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => other.to_string(),
    }
}

fn admitted(text: &str) -> Admitted {
    let mut rights = Rights { read: false, write: false, relay: true };
    let mut tables = None;
    for right in text.split(", ") {
        match right.split(' ').collect::<Vec<_>>()[..] {
            ["read"] => rights.read = true,
            ["write"] => rights.write = true,
            ["write", ref named @ ..] => {
                rights.write = true;
                tables = Some(named.iter().map(|name| (*name).to_owned()).collect());
            }
            ["own"] => rights.relay = false,
            _ => panic!("no right is called {right}"),
        }
    }
    let mut admitted = Admitted::new("somebody", rights);
    admitted.write_tables = tables;
    admitted
}

fn rule(text: &str) -> Rule {
    let words: Vec<&str> = text.split(' ').collect();
    let (what, delete, word) = match words[..] {
        [what, "on_delete", word] => (what, true, word),
        [what, word] => (what, false, word),
        _ => panic!("no rule: {text}"),
    };
    let mut rule = match what.split_once('.') {
        Some((table, column)) => Rule::column(table, column),
        None => Rule::table(what),
    };
    if word == "lww" {
        // As it is without a rule.
    } else if let Some(merge) = MergeType::named(word) {
        rule.merge = Some(merge);
    } else if delete {
        rule.on_delete = Some(OnDelete::named(word).expect("a word"));
    } else {
        rule.strategy = Some(Strategy::named(word).expect("a word"));
    }
    rule
}
