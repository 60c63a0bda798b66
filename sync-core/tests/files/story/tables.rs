//! An application: its tables, what it writes, and what it sees.

use std::collections::{BTreeMap, BTreeSet};

use pocketsync_core::rusqlite::Connection;
use proptest::prelude::*;

/// Integer keys with references and a unique name, a text key whose case does not count, and a join
/// table of the two. Rows that two devices may mean differently carry a `mark` that is never written
/// again; every `note` is written once in the world.
pub(crate) const SCHEMA: &str = "
CREATE TABLE person(id INTEGER PRIMARY KEY, mark TEXT NOT NULL, name TEXT COLLATE NOCASE UNIQUE,
  boss INTEGER REFERENCES person(id) ON DELETE SET NULL ON UPDATE CASCADE, note TEXT);
CREATE TABLE tag(name TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, note TEXT);
CREATE TABLE task(id INTEGER PRIMARY KEY AUTOINCREMENT, mark TEXT NOT NULL,
  owner INTEGER REFERENCES person(id) ON DELETE CASCADE ON UPDATE CASCADE,
  tag TEXT REFERENCES tag(name) ON DELETE SET NULL ON UPDATE CASCADE, note TEXT);
CREATE TABLE member(person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE ON UPDATE CASCADE,
  tag TEXT NOT NULL REFERENCES tag(name) ON DELETE CASCADE ON UPDATE CASCADE, note TEXT,
  PRIMARY KEY(person, tag)) WITHOUT ROWID;
";

/// One statement. A number picks one of the rows that are there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Statement {
    AddPerson { name: &'static str, boss: u8 },
    AddPersonWithId { id: u8 },
    ReplacePerson { name: &'static str },
    NotePerson(u8),
    RenamePerson(u8, &'static str),
    SetBoss(u8, u8),
    MovePerson(u8),
    DropPerson(u8),
    AddTag(&'static str),
    UpsertTag(&'static str),
    ReplaceTag(&'static str),
    NoteTag(u8),
    RenameTag(u8, &'static str),
    DropTag(u8),
    AddTask { owner: u8, tag: u8 },
    NoteTask(u8),
    AssignTask(u8, u8),
    DropTask(u8),
    Join { person: u8, tag: u8 },
    NoteMember(u8),
    Leave(u8),
}

pub(crate) fn statement() -> impl Strategy<Value = Statement> {
    use Statement::*;
    let pick = || 0..4u8;
    let name = || prop_oneof![Just("ann"), Just("Ann"), Just("bob"), Just("carl"), Just("dora")];
    let tag = || prop_oneof![Just("x"), Just("X"), Just("y"), Just("z")];
    prop_oneof![
        4 => (name(), pick()).prop_map(|(name, boss)| AddPerson { name, boss }),
        1 => (1..4u8).prop_map(|id| AddPersonWithId { id }),
        1 => name().prop_map(|name| ReplacePerson { name }),
        2 => pick().prop_map(NotePerson),
        1 => (pick(), name()).prop_map(|(at, name)| RenamePerson(at, name)),
        1 => (pick(), pick()).prop_map(|(at, boss)| SetBoss(at, boss)),
        1 => pick().prop_map(MovePerson),
        1 => pick().prop_map(DropPerson),
        2 => tag().prop_map(AddTag),
        1 => tag().prop_map(UpsertTag),
        1 => tag().prop_map(ReplaceTag),
        2 => pick().prop_map(NoteTag),
        1 => (pick(), tag()).prop_map(|(at, name)| RenameTag(at, name)),
        1 => pick().prop_map(DropTag),
        4 => (pick(), pick()).prop_map(|(owner, tag)| AddTask { owner, tag }),
        2 => pick().prop_map(NoteTask),
        1 => (pick(), pick()).prop_map(|(at, owner)| AssignTask(at, owner)),
        1 => pick().prop_map(DropTask),
        2 => (pick(), pick()).prop_map(|(person, tag)| Join { person, tag }),
        1 => pick().prop_map(NoteMember),
        1 => pick().prop_map(Leave),
    ]
}

fn nth(table: &str, n: u8) -> String {
    let (key, order) = if table == "tag" { ("name", "name COLLATE BINARY") } else { ("id", "mark") };
    format!(
        "(SELECT {key} FROM {table} ORDER BY {order} LIMIT 1 OFFSET {n} % max(1, (SELECT count(*) FROM {table})))"
    )
}

impl Statement {
    /// As SQL; `n` is what no other statement in the world has.
    pub(crate) fn sql(self, n: usize) -> String {
        use Statement::*;
        let (mark, note) = (format!("'<r{n}>'"), format!("'<w{n}>'"));
        let person = |at| nth("person", at);
        let tag = |at| nth("tag", at);
        let task = |at| nth("task", at);
        let member = |at| {
            format!(
                "(person, tag) IN (SELECT person, tag FROM member ORDER BY 1, 2 COLLATE BINARY
                   LIMIT 1 OFFSET {at} % max(1, (SELECT count(*) FROM member)))"
            )
        };
        match self {
            AddPerson { name, boss } => format!(
                "INSERT INTO person(mark, name, boss, note) VALUES({mark}, '{name}', {}, {note})",
                person(boss)
            ),
            AddPersonWithId { id } => {
                format!("INSERT INTO person(id, mark, note) VALUES({id}, {mark}, {note})")
            }
            ReplacePerson { name } => {
                format!("INSERT OR REPLACE INTO person(mark, name, note) VALUES({mark}, '{name}', {note})")
            }
            NotePerson(at) => format!("UPDATE person SET note = {note} WHERE id = {}", person(at)),
            RenamePerson(at, name) => format!("UPDATE person SET name = '{name}' WHERE id = {}", person(at)),
            SetBoss(at, boss) => {
                format!("UPDATE person SET boss = {} WHERE id = {}", person(boss), person(at))
            }
            MovePerson(at) => format!("UPDATE person SET id = id + 10 WHERE id = {}", person(at)),
            DropPerson(at) => format!("DELETE FROM person WHERE id = {}", person(at)),
            AddTag(name) => format!("INSERT INTO tag VALUES('{name}', {note})"),
            UpsertTag(name) => format!(
                "INSERT INTO tag VALUES('{name}', {note}) ON CONFLICT(name) DO UPDATE SET note = excluded.note"
            ),
            ReplaceTag(name) => format!("REPLACE INTO tag VALUES('{name}', {note})"),
            NoteTag(at) => format!("UPDATE tag SET note = {note} WHERE name = {}", tag(at)),
            RenameTag(at, name) => {
                format!("UPDATE tag SET name = '{name}', note = {note} WHERE name = {}", tag(at))
            }
            DropTag(at) => format!("DELETE FROM tag WHERE name = {}", tag(at)),
            AddTask { owner, tag: at } => format!(
                "INSERT INTO task(mark, owner, tag, note) VALUES({mark}, {}, {}, {note})",
                person(owner),
                tag(at)
            ),
            NoteTask(at) => format!("UPDATE task SET note = {note} WHERE id = {}", task(at)),
            AssignTask(at, owner) => {
                format!("UPDATE task SET owner = {} WHERE id = {}", person(owner), task(at))
            }
            DropTask(at) => format!("DELETE FROM task WHERE id = {}", task(at)),
            Join { person: who, tag: at } => {
                format!("INSERT INTO member VALUES({}, {}, {note})", person(who), tag(at))
            }
            NoteMember(at) => format!("UPDATE member SET note = {note} WHERE {}", member(at)),
            Leave(at) => format!("DELETE FROM member WHERE {}", member(at)),
        }
    }
}

/// A row as people know it, whatever its integer.
pub(crate) type Name = String;

/// A row that is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub(crate) note: Option<String>,
    /// The rows that take it with them when they are deleted.
    pub(crate) parents: BTreeSet<Name>,
    /// What no other row of its table may have.
    pub(crate) key: Option<String>,
}

/// The rows that are shown, each as often as it is there.
pub(crate) type Shown = BTreeMap<Name, Vec<Row>>;

pub(crate) fn shown(app: &Connection) -> Shown {
    let mut statement = app
        .prepare_cached(
            "SELECT 'person ' || mark, note, NULL, NULL, lower(name) FROM person
             UNION ALL SELECT 'tag ' || name, note, NULL, NULL, lower(name) FROM tag
             UNION ALL SELECT 'task ' || t.mark, t.note, 'person ' || p.mark, NULL, NULL
               FROM task t LEFT JOIN person p ON p.id = t.owner
             UNION ALL SELECT 'member ' || p.mark || m.tag, m.note, 'person ' || p.mark, 'tag ' || t.name, NULL
               FROM member m LEFT JOIN person p ON p.id = m.person LEFT JOIN tag t ON t.name = m.tag",
        )
        .unwrap();
    let mut shown = Shown::new();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let parents: [Option<Name>; 2] = [row.get(2).unwrap(), row.get(3).unwrap()];
        let parents = parents.into_iter().flatten().collect();
        let name: Option<Name> = row.get(0).unwrap();
        let name = name.expect("what is shown has its parents");
        shown.entry(name).or_default().push(Row {
            note: row.get(1).unwrap(),
            parents,
            key: row.get(4).unwrap(),
        });
    }
    shown
}

/// The marks and notes of rows that are held and cannot be shown.
pub(crate) fn parked(app: &Connection) -> BTreeSet<String> {
    let mut statement =
        app.prepare_cached("SELECT state FROM __pocketsync_aside WHERE reason <> 'deleted'").unwrap();
    let mut found = BTreeSet::new();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let state = String::from_utf8_lossy(row.get_ref(0).unwrap().as_blob().unwrap()).into_owned();
        for part in state.split('<').skip(1) {
            if let Some((inside, _)) = part.split_once('>') {
                found.insert(format!("<{inside}>"));
            }
        }
    }
    found
}
