//! Histories, told line by line.
//!
//! ```text
//! 10 d0 t1 + list r1 w1; ~ item r2 title w3>w4; - setting k1 w5    a commit, with its effects
//! 12 d0 ack t1                                                     acknowledged through t1
//! 13 d0 lost          d0 restored 5         d2 copy of d0          what is done to devices
//! 14 hub crashed      hub restored 5                               and to the hub
//! 15 quiet
//! 16 d0 t2 ~ day k1 visits 5>7; ~ day k1 tags w1>w1+w2              what merges: numbers, elements of a set
//! 20 look d0: list r1 w1, item r2 @r1 w4 w5 | d1[behind]: -        how they look
//! 90 settled ...                                                   how they look in the end
//! ```
//!
//! Flags of a device in a look: `behind` (has not caught up), `offline` (does not claim to be in
//! sync), `pending=N`, `journal=N`, `staged=N`, `parked=N`, `clock=WORD` (has merged something
//! else), `broken` (a database with complaints), `derived=WORDS` (what follows from the tables does not), `log=list.name.w1 list.name.w2` (what its conflict log has; not looked at if not said). `xN` after a row: it is there N times. `@r1=3`: a
//! reference that no foreign key holds, and what the table itself holds there, which is all that is merged of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use pocketsync_core::value::Value;
use pocketsync_sim::history::{
    CellChange, Commit, ConflictView, DeviceView, Did, Effect, Event, Fault, Look, Phase, RowView, StatusView,
};
use pocketsync_sim::oracle::{self, Case, Judge};
use pocketsync_sim::shape::{
    Column, Key, Kind, Merge, Role, RowTag, Rule, Shape, TableShape, WriteId, stamped,
};
use pocketsync_sim::story::{Clock, Device, DeviceNo, Link, Ms, Story, TxId};

const SQL: &str = "
CREATE TABLE list(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, name TEXT);
CREATE TABLE item(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, list INTEGER REFERENCES list(id) ON DELETE CASCADE,
                  title TEXT, rank INTEGER);
CREATE TABLE shop(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, name TEXT);
CREATE TABLE sale(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, shop INTEGER REFERENCES shop(id) ON DELETE RESTRICT);
CREATE TABLE label(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, word TEXT UNIQUE, note TEXT);
CREATE TABLE setting(key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE badge(label INTEGER PRIMARY KEY REFERENCES label(id) ON DELETE CASCADE, note TEXT);
CREATE TABLE day(key TEXT PRIMARY KEY, visits INTEGER, best INTEGER, tags TEXT);
CREATE TABLE till(shop INTEGER PRIMARY KEY REFERENCES shop(id) ON DELETE RESTRICT, note TEXT);";

/// Rows that some schemas insert themselves.
const TEMPLATE: &str = "
INSERT INTO list VALUES (1, 'home', 'Home'), (2, 'work', 'Work');
INSERT INTO item VALUES (1, 'tour', 2, 'Take-the-tour', NULL);
INSERT INTO setting VALUES ('k1', 'light');";

/// What the wall clocks show when the story begins, in milliseconds since 1970.
const EPOCH_MS: u64 = 1_767_225_600_000;

fn shape() -> Shape {
    let text = Role::Free(Kind::Text);
    let table = |name: &str, columns: &[(&str, Role)]| TableShape {
        name: name.to_owned(),
        key: match columns[0].1 {
            Role::RowKey => Key::Surrogate { column: 0 },
            _ => Key::Natural { columns: vec![0] },
        },
        columns: columns
            .iter()
            .map(|(name, role)| Column { name: (*name).to_owned(), role: role.clone(), nullable: true })
            .collect(),
    };
    let words = Role::Pool(vec![Value::text("work"), Value::text("home")]);
    let (id, tag) = (("id", Role::RowKey), ("tag", Role::Tag));
    let refers = |table| Role::Reference { table, with: Vec::new() };
    let merges = |merge, kind| Role::Merges { merge, kind, begin: Vec::new() };
    Shape {
        sql: SQL.to_owned(),
        tables: vec![
            table("list", &[id.clone(), tag.clone(), ("name", text.clone())]),
            table(
                "item",
                &[
                    id.clone(),
                    tag.clone(),
                    ("list", refers(0)),
                    ("title", text.clone()),
                    ("rank", Role::Free(Kind::Integer)),
                ],
            ),
            table("shop", &[id.clone(), tag.clone(), ("name", text.clone())]),
            table("sale", &[id.clone(), tag.clone(), ("shop", refers(2))]),
            table("label", &[id, tag, ("word", words), ("note", text.clone())]),
            table("setting", &[("key", Role::KeyPart { pool: 4 }), ("value", text.clone())]),
            table("badge", &[("label", refers(4)), ("note", text.clone())]),
            table("till", &[("shop", refers(2)), ("note", text)]),
            table(
                "day",
                &[
                    ("key", Role::KeyPart { pool: 4 }),
                    ("visits", merges(Merge::Counter, Kind::Integer)),
                    ("best", merges(Merge::Max, Kind::Integer)),
                    ("tags", merges(Merge::Set, Kind::Text)),
                ],
            ),
        ],
        ..Shape::default()
    }
}

fn story() -> Story {
    let link = Link {
        latency_min_ms: 1,
        latency_max_ms: 50,
        breaks_per_minute: 0.0,
        bytes_per_second: 0,
        max_frame_bytes: 1 << 20,
        duplicate: 0.0,
        reorder: 0.0,
    };
    let device = Device { scope: 0, from: 0, online: true, clock: Clock::default(), link, version: 0 };
    Story {
        topology: Default::default(),
        seed: 0,
        devices: vec![device; 4],
        moves: Vec::new(),
        quiet_at: 800_000,
        quiet_ms: 100_000,
        check_every_ms: 1000,
    }
}

/// The oracle that finds the history wrong, and what it says; `None` where all is well.
pub(crate) fn verdict(history: &str) -> Option<(String, String)> {
    verdict_with_clocks(history, 0)
}

/// The same, with clocks that are ahead by so much.
pub(crate) fn verdict_with_clocks(history: &str, ahead_ms: u64) -> Option<(String, String)> {
    judged(shape(), history, ahead_ms)
}

/// The same, of an application that has set these rules.
pub(crate) fn verdict_with_rules(rules: &[Rule], history: &str) -> Option<(String, String)> {
    judged(Shape { rules: rules.to_vec(), ..shape() }, history, 0)
}

/// The same, of devices that all begin with the rows of [`TEMPLATE`].
pub(crate) fn verdict_with_template(history: &str) -> Option<(String, String)> {
    judged(Shape { sql: format!("{SQL}{TEMPLATE}"), ..shape() }, history, 0)
}

fn judged(shape: Shape, history: &str, ahead_ms: u64) -> Option<(String, String)> {
    let case = Case { shape: Arc::new(shape.clone()), story: Arc::new(story()) };
    let mut judge = Judge::new(case.clone(), oracle::all(&case), true);
    let teller = Teller { shape, ahead_ms };
    for line in history.lines().map(str::trim).filter(|line| !line.is_empty()) {
        teller.tell(line, &mut judge);
    }
    judge.violation().map(|violation| (violation.oracle.clone(), violation.what.clone()))
}

/// Asserts that nobody finds anything wrong.
#[track_caller]
pub(crate) fn passes(history: &str) {
    assert_eq!(verdict(history), None);
}

/// Asserts that this oracle is the one that finds the history wrong.
#[track_caller]
pub(crate) fn caught_by(oracle: &str, history: &str) {
    let found = verdict(history);
    assert_eq!(found.as_ref().map(|(name, _)| name.as_str()), Some(oracle), "{found:?}");
}

struct Teller {
    shape: Shape,
    ahead_ms: u64,
}

impl Teller {
    fn tell(&self, line: &str, judge: &mut Judge) {
        let (at, rest) = line.split_once(' ').expect("a time");
        let at: Ms = at.parse().expect("a time");
        let (who, what) = rest.split_once(' ').unwrap_or((rest, ""));
        let event = match who {
            "look" => return judge.looked(at, &self.look(Phase::During, what)),
            "settled" => return judge.looked(at, &self.look(Phase::Settled, what)),
            "quiet" => Event::Quiet,
            "hub" => match what.split_once(' ') {
                None => Event::Fault(Fault::HubCrashed),
                Some((_, to)) => Event::Fault(Fault::HubRestored { to: to.parse().expect("a time") }),
            },
            device => self.device(at, number(device), what),
        };
        judge.saw(at, &event);
    }

    fn device(&self, at: Ms, device: DeviceNo, what: &str) -> Event {
        match what.split_whitespace().collect::<Vec<_>>()[..] {
            ["started"] => Event::Started { device, copy_of: None },
            ["copy", "of", original] => Event::Started { device, copy_of: Some(number(original)) },
            ["lost"] => Event::Fault(Fault::Lost(device)),
            ["restored", to] => Event::Fault(Fault::Restored { device, to: to.parse().expect("a time") }),
            ["ack", tx, "by", peer] => {
                Event::AcknowledgedBy { device, peer: number(peer), through: TxId(digits(tx)) }
            }
            ["ack", tx] => Event::Acknowledged { device, through: TxId(digits(tx)) },
            _ => {
                let (tx, effects) = what.split_once(' ').expect("effects");
                let effects = effects.split(';').map(|effect| self.effect(effect.trim())).collect();
                let wall_ms = EPOCH_MS + at + self.ahead_ms;
                Event::Committed(Commit { device, tx: TxId(digits(tx)), wall_ms, effects })
            }
        }
    }

    fn effect(&self, text: &str) -> Effect {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["~", table, name, column, change] => {
                let row = self.tag(table, name);
                let columns = &self.shape.tables[row.table].columns;
                let column = columns.iter().position(|known| known.name == column).expect("a column");
                let (before, after) = change.split_once('>').expect("before>after");
                let value = |word| value(&columns[column].role, word);
                let cells = vec![CellChange { column, before: value(before), after: value(after) }];
                Effect { row, did: Did::Updated { cells } }
            }
            [sign @ ("+" | "-"), table, name, ..] => {
                let row = self.tag(table, name);
                let cells = self.cells(&row, &words[3..]);
                let did = if sign == "+" { Did::Inserted { cells } } else { Did::Deleted { cells } };
                Effect { row, did }
            }
            _ => panic!("not an effect: {text}"),
        }
    }

    fn tag(&self, table: &str, name: &str) -> RowTag {
        let table = self.shape.tables.iter().position(|known| known.name == table).expect("a table");
        RowTag { table, name: name.to_owned() }
    }

    fn cells(&self, row: &RowTag, words: &[&str]) -> Vec<Value> {
        let mut words = words.iter();
        let columns = self.shape.tables[row.table].columns.iter();
        let cell = |column: &Column| match column.role {
            Role::RowKey => Value::Null,
            Role::Tag | Role::KeyPart { .. } => Value::text(&row.name),
            _ => value(&column.role, words.next().expect("a cell")),
        };
        columns.map(cell).collect()
    }

    fn look(&self, phase: Phase, text: &str) -> Look {
        let devices = text.split('|').map(|device| self.view(device.trim())).collect();
        Look { phase, devices, hub: Vec::new() }
    }

    fn view(&self, text: &str) -> DeviceView {
        let (head, rows) = text.split_once(": ").expect("rows");
        let (device, flags) = head.trim_end_matches(']').split_once('[').unwrap_or((head, ""));
        let flags: BTreeMap<&str, &str> =
            flags.split(',').map(|flag| flag.split_once('=').unwrap_or((flag, ""))).collect();
        let count = |flag: &str| flags.get(flag).map_or(0, |count| count.parse().expect("a count"));
        let shown: BTreeMap<RowTag, RowView> =
            rows.split(',').filter(|row| row.trim() != "-").map(|row| self.row(row)).collect();
        let mut clocks: BTreeMap<String, String> =
            shown.iter().map(|(tag, row)| (tag.to_string(), format!("{:?}", merged(row)))).collect();
        clocks.extend(flags.get("clock").map(|word| ("?".to_owned(), (*word).to_owned())));
        let live = !flags.contains_key("offline");
        DeviceView {
            device: number(device),
            scope: 0,
            version: 0,
            rows: shown,
            parked: Some((0..count("parked")).map(|number| format!("parked {number}")).collect()),
            clocks,
            journal: Some(count("journal")),
            complaints: Some(
                flags
                    .get("broken")
                    .map(|_| "a row is missing from an index".to_owned())
                    .into_iter()
                    .collect(),
            ),
            derived: flags.get("derived").map(|what| vec![(*what).to_owned()]),
            conflicts: flags
                .get("log")
                .map(|log| log.split_whitespace().map(|entry| self.logged(entry)).collect()),
            staged_bytes: count("staged"),
            status: StatusView {
                state: if live { "live" } else { "offline" },
                in_sync: live,
                pending: count("pending"),
                parked: count("parked"),
                last_error: None,
            },
            whole: !flags.contains_key("behind"),
        }
    }

    fn logged(&self, entry: &str) -> ConflictView {
        let (table, cell) = entry.split_once('.').expect("table.column.value");
        let (column, word) = cell.split_once('.').expect("table.column.value");
        let values = vec![(column.to_owned(), value(&Role::Free(Kind::Text), word))];
        ConflictView { table: table.to_owned(), values }
    }

    fn row(&self, text: &str) -> (RowTag, RowView) {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let copies =
            words.last().and_then(|word| word.strip_prefix('x')).map(|count| count.parse().expect("a count"));
        if copies.is_some() {
            words.pop();
        }
        let tag = self.tag(words[0], words[1]);
        let (shown, held): (Vec<&str>, Vec<Option<&str>>) = words[2..]
            .iter()
            .map(|word| word.split_once('=').map_or((*word, None), |(shown, held)| (shown, Some(held))))
            .unzip();
        let cells = self.cells(&tag, &shown);
        // What has a key of its own is told by its name: the words are the cells after it.
        let first = cells.len() - held.len();
        let held = held.into_iter().enumerate().filter_map(|(at, held)| Some((first + at, held?)));
        let unheld = held.map(|(column, held)| (column, Value::Integer(held.parse().expect("an integer"))));
        (tag, RowView { cells, copies: copies.unwrap_or(1), unheld: unheld.collect() })
    }
}

/// What was merged of a row that looks like this.
fn merged(row: &RowView) -> RowView {
    let mut merged = row.clone();
    for (&column, held) in &row.unheld {
        merged.cells[column] = held.clone();
    }
    merged
}

fn value(role: &Role, word: &str) -> Value {
    match role {
        _ if word == "@-" || word == "null" => Value::Null,
        Role::Merges { merge: Merge::Set, .. } => {
            let elements: Vec<String> = word.split('+').map(|element| format!("\"{element}\"")).collect();
            Value::text(&format!("[{}]", if word == "[]" { String::new() } else { elements.join(",") }))
        }
        Role::Merges { .. } => Value::Integer(word.parse().expect("a number")),
        Role::Free(kind) if word.starts_with('w') => stamped(*kind, WriteId(digits(word)), 0),
        _ => Value::text(word.trim_start_matches('@')),
    }
}

fn number(device: &str) -> DeviceNo {
    DeviceNo(digits(device) as u32)
}

fn digits(word: &str) -> u64 {
    word[1..].parse().expect("a number after a letter")
}
