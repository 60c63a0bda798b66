//! Rules about conflicts are data: written by API and plain SQL, the same on every replica, and
//! not among an application's own tables.

use crate::replica_support::Device;
use pocketsync_core::conflict::{MergeType, OnDelete, Rule, Strategy};
use pocketsync_core::rusqlite::Connection;
use pocketsync_core::store::sqlite::{Tables, diff};

const SCHEMA: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT)";

const RULES: &str = "CREATE TABLE __pocketsync_rules(
  tbl TEXT NOT NULL, col TEXT NOT NULL DEFAULT '', strategy TEXT, on_delete TEXT, merge TEXT,
  PRIMARY KEY(tbl, col)) WITHOUT ROWID";

fn hub_wins(column: &str) -> Rule {
    let mut rule = Rule::column("note", column);
    rule.strategy = Some(Strategy::HubWins);
    rule
}

fn objects(app: &Connection) -> i64 {
    app.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_rule_set_on_one_device_is_known_to_another() {
    let (a, b) = (Device::new(SCHEMA), Device::new(SCHEMA));
    a.replica.set_rule(&hub_wins("title")).unwrap();
    let mut table = Rule::table("note");
    table.on_delete = Some(OnDelete::LastWriterWins);
    a.replica.set_rule(&table).unwrap();
    b.pull(&a);
    let rules = b.replica.rules().unwrap();
    assert_eq!(rules, a.replica.rules().unwrap());
    assert_eq!(rules.strategy("NOTE", "Title"), Strategy::HubWins);
    assert_eq!(rules.on_delete("note"), OnDelete::LastWriterWins);

    assert!(b.replica.unset_rule("Note", Some("TITLE")).unwrap());
    assert!(!b.replica.unset_rule("note", Some("title")).unwrap());
    a.pull(&b);
    assert_eq!(a.replica.rules().unwrap().strategy("note", "title"), Strategy::LastWriteWins);
    // The one for the table is left.
    assert_eq!(a.replica.rules().unwrap().iter().count(), 1);
}

#[test]
fn plain_sql_sets_rules_too() {
    let (a, b) = (Device::new(SCHEMA), Device::new(SCHEMA));
    a.app.execute_batch(RULES).unwrap();
    a.app.execute("INSERT INTO __pocketsync_rules(tbl, strategy) VALUES('note', 'client_wins')", []).unwrap();
    b.pull(&a);
    assert_eq!(b.replica.rules().unwrap().strategy("note", "body"), Strategy::ClientWins);
    b.app.execute("UPDATE __pocketsync_rules SET strategy = 'resolver'", []).unwrap();
    a.pull(&b);
    assert_eq!(a.replica.rules().unwrap().strategy("note", "body"), Strategy::Resolver);
}

#[test]
fn a_rule_is_replaced_whatever_the_case_of_its_names() {
    let a = Device::new(SCHEMA);
    a.replica.set_rule(&hub_wins("title")).unwrap();
    let mut other = Rule::column("NOTE", "Title");
    other.strategy = Some(Strategy::ClientWins);
    a.replica.set_rule(&other).unwrap();
    let rules = a.replica.rules().unwrap();
    assert_eq!(rules.iter().count(), 1);
    assert_eq!(rules.strategy("note", "title"), Strategy::ClientWins);
}

#[test]
fn what_is_in_the_wrong_place_is_refused_and_nothing_is_made() {
    let a = Device::new(SCHEMA);
    let before = objects(&a.app);
    let mut rule = hub_wins("title");
    rule.on_delete = Some(OnDelete::LastWriterWins);
    assert!(a.replica.set_rule(&rule).unwrap_err().message.contains("whole table note"));
    let mut rule = Rule::table("note");
    rule.merge = Some(MergeType::Counter);
    assert!(a.replica.set_rule(&rule).is_err());
    assert!(a.replica.set_rule(&Rule::table("__pocketsync_rules")).is_err());
    assert!(!a.replica.unset_rule("note", None).unwrap());
    assert_eq!(objects(&a.app), before);
    let untracked = Device::untracked(SCHEMA);
    assert!(untracked.replica.set_rule(&hub_wins("title")).is_err());
}

/// Files without rules have nothing of them, and files with rules show only their own tables.
#[test]
fn the_table_of_the_rules_is_none_of_the_users() {
    let (a, b) = (Device::new(SCHEMA), Device::new(SCHEMA));
    let before = objects(&a.app);
    a.app.execute("INSERT INTO note(title) VALUES('x')", []).unwrap();
    b.pull(&a);
    assert_eq!(objects(&a.app), before);

    a.replica.set_rule(&hub_wins("title")).unwrap();
    let status = a.replica.status().unwrap();
    let names: Vec<&str> = status.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!((names.as_slice(), status.untracked.len()), (&["note"][..], 0));
    let tracked = a.replica.track(&Tables::all()).unwrap();
    assert_eq!(tracked.len(), 1);
    let report = diff(&a.path, &b.path).unwrap();
    assert!(report.is_same(), "{report:?}");

    a.replica.untrack().unwrap();
    assert_eq!(objects(&a.app), 1);
}

#[test]
fn rules_outlive_a_migration_of_the_users_tables() {
    let (a, b) = (Device::new(SCHEMA), Device::new(SCHEMA));
    a.replica.set_rule(&hub_wins("title")).unwrap();
    a.app.execute_batch("ALTER TABLE note ADD COLUMN done INTEGER").unwrap();
    a.app.execute("INSERT INTO note(title) VALUES('x')", []).unwrap();
    b.pull(&a);
    assert_eq!(a.replica.rules().unwrap(), b.replica.rules().unwrap());
    assert_eq!(b.replica.rules().unwrap().iter().count(), 1);
}

#[test]
fn rules_that_were_there_before_the_file_was_tracked_are_in_force_everywhere() {
    let (a, b) = (Device::untracked(SCHEMA), Device::new(SCHEMA));
    a.app.execute_batch(RULES).unwrap();
    a.app.execute("INSERT INTO __pocketsync_rules(tbl, strategy) VALUES('note', 'client_wins')", []).unwrap();
    let tracked = a.replica.track(&Tables::all()).unwrap();
    assert_eq!(tracked.len(), 1, "the application's own");
    b.pull(&a);
    assert_eq!(b.replica.rules().unwrap().strategy("note", "body"), Strategy::ClientWins);
    a.app.execute("UPDATE __pocketsync_rules SET strategy = 'resolver'", []).unwrap();
    b.pull(&a);
    assert_eq!(b.replica.rules().unwrap().strategy("note", "body"), Strategy::Resolver);
}

/// There is nothing in a table that was not there.
#[test]
fn the_first_rule_is_no_reason_to_read_everything_again() {
    for in_sql in [true, false] {
        let (a, b) = (Device::new(SCHEMA), Device::new(SCHEMA));
        a.app.execute("INSERT INTO note(title) VALUES('x')", []).unwrap();
        b.pull(&a);
        a.pull(&b);
        let sites = (a.site(), b.site());
        if in_sql {
            a.app.execute_batch(RULES).unwrap();
            a.app
                .execute("INSERT INTO __pocketsync_rules(tbl, strategy) VALUES('note', 'client_wins')", [])
                .unwrap();
        } else {
            a.replica.set_rule(&hub_wins("title")).unwrap();
        }
        b.pull(&a);
        a.pull(&b);
        assert_eq!(b.replica.rules().unwrap().iter().count(), 1);
        assert_eq!((a.site(), b.site()), sites);
    }
}
