//! Wrong clocks: before, during and after the first word with somebody whose clock is right.

use crate::changes::{Peer, at, insert, int, surrogate, to};
use crate::device::{Device, SOMEBODY};
use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::Cursor;
use pocketsync_core::store::sqlite::identity;
use pocketsync_core::store::{ClockReading, Meet, Met};
use pocketsync_core::value::Value;

const NOTES: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT)";
const TEN_YEARS_MS: i64 = 10 * 365 * 86_400_000;
const DAY_MS: i64 = 86_400_000;

fn now_ms(device: &Device) -> i64 {
    device.number("SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)")
}

/// Meets a hub whose clock is right, with a device whose clock is `ahead_ms` ahead.
fn meet(device: &mut Device, ahead_ms: i64) {
    let clock = ClockReading {
        offset_ms: -ahead_ms,
        peer_wall_ms: now_ms(device) as u64,
        max_drift_ms: 60_000,
        compared_at: None,
    };
    let peer =
        pocketsync_core::store::Peer { site: SOMEBODY, lineage: Default::default(), head: Cursor::ZERO };
    let scope = Scope::new("test").unwrap();
    let request = Meet { scope, peer, holding: None, resumes: None, clock: Some(clock) };
    let met = device.engine.write(|engine| identity::meet(engine, request)).unwrap();
    assert!(matches!(met, Met::Resume(_)));
}

/// Writes with a clock that is ahead.
fn write(device: &mut Device, sql: &str, ahead_ms: i64) {
    device.sql(sql);
    device.shift_journal(ahead_ms);
    device.fold();
}

fn near(version: Version, expected_ms: i64) {
    let apart = version.hlc.ms() as i64 - expected_ms;
    assert!(apart.abs() < 10_000, "{apart} ms apart");
}

fn title(device: &Device, key: i64) -> Version {
    device.clock("note", key).unwrap().1.column(device.column("note", "title")).0
}

fn body(device: &Device, key: i64) -> Version {
    device.clock("note", key).unwrap().1.column(device.column("note", "body")).0
}

#[test]
fn a_clock_ten_years_wrong_is_corrected_in_order() {
    for ahead in [TEN_YEARS_MS, -TEN_YEARS_MS] {
        let mut device = Device::new(NOTES);
        // A week offline; its real times come out, whatever the device believed.
        write(&mut device, "INSERT INTO note VALUES(1, 'a', 'b')", ahead - 7 * DAY_MS);
        write(&mut device, "UPDATE note SET title = 'c'", ahead - 3 * DAY_MS);
        write(&mut device, "UPDATE note SET body = 'd'", ahead - DAY_MS);
        meet(&mut device, ahead);
        let now = now_ms(&device);
        let (_, clock) = device.clock("note", 1).unwrap();
        near(clock.life.born.unwrap(), now - 7 * DAY_MS);
        near(title(&device, 1), now - 3 * DAY_MS);
        near(body(&device, 1), now - DAY_MS);
        // What is written from now on is right at once.
        write(&mut device, "UPDATE note SET title = 'e'", ahead);
        near(title(&device, 1), now_ms(&device));
        // A second meeting finds nothing to correct.
        let before = device.clock("note", 1);
        meet(&mut device, ahead);
        assert_eq!(device.clock("note", 1), before);
    }
}

#[test]
fn deaths_and_rows_aside_are_corrected_too() {
    let mut device = Device::new("CREATE TABLE setting(name TEXT PRIMARY KEY NOT NULL, value)");
    write(&mut device, "INSERT INTO setting VALUES('a', 1)", TEN_YEARS_MS - 2 * DAY_MS);
    let id = device.id("setting", "a").unwrap();
    write(&mut device, "DELETE FROM setting", TEN_YEARS_MS - DAY_MS);
    meet(&mut device, TEN_YEARS_MS);
    let life = device.aside("setting", &id).unwrap().1.life;
    near(life.born.unwrap(), now_ms(&device) - 2 * DAY_MS);
    near(life.died.unwrap(), now_ms(&device) - DAY_MS);
}

#[test]
fn what_was_offered_is_never_corrected() {
    let mut device = Device::new(NOTES);
    write(&mut device, "INSERT INTO note VALUES(1, 'a', 'b')", TEN_YEARS_MS);
    // Handed out, and the acknowledgement lost.
    let told = device.all_after(&Cursor::ZERO);
    write(&mut device, "UPDATE note SET title = 'c'", TEN_YEARS_MS);
    let (_, before) = device.clock("note", 1).unwrap();
    meet(&mut device, TEN_YEARS_MS);
    let (_, after) = device.clock("note", 1).unwrap();
    assert_eq!((after.life, after.base), (before.life, before.base));
    assert_eq!(device.all_after(&Cursor::ZERO).changeset.max_hlc(), title(&device, 1).hlc);
    // Later writes stay above what was offered, or they would lose to it.
    assert!(title(&device, 1) > before.base);
    assert!(told.changeset.max_hlc() < title(&device, 1).hlc);
}

#[test]
fn a_write_over_a_remote_value_with_a_larger_time_still_wins() {
    let mut device = Device::new(NOTES);
    write(&mut device, "INSERT INTO note VALUES(1, 'a', 'b')", -TEN_YEARS_MS);
    // A remote value is merged in, from a clock two hours ahead of the right time.
    let remote = Hlc::from_ms((now_ms(&device) + 7_200_000) as u64);
    device.engine.meta.see(remote);
    write(&mut device, "UPDATE note SET title = 'mine'", -TEN_YEARS_MS);
    assert!(title(&device, 1).hlc > remote);
    meet(&mut device, -TEN_YEARS_MS);
    assert!(title(&device, 1).hlc > remote, "not below what it knowingly overwrote");
    near(device.clock("note", 1).unwrap().1.life.born.unwrap(), now_ms(&device));
}

#[test]
fn a_clock_that_goes_back_between_two_edits_keeps_their_order() {
    let mut device = Device::new(NOTES);
    device.sql("INSERT INTO note VALUES(1, 'a', 'b')");
    device.fold();
    write(&mut device, "UPDATE note SET title = 'first'", 3_600_000);
    let first = title(&device, 1);
    assert_eq!(device.engine.meta.jump, 0);
    write(&mut device, "UPDATE note SET title = 'second'", 0);
    assert!(title(&device, 1) > first);
    assert_eq!(device.engine.meta.jump, 1, "going back by an hour is a jump");
    write(&mut device, "UPDATE note SET title = 'third'", -1_000);
    assert_eq!(device.engine.meta.jump, 1, "a second is not");
    meet(&mut device, 0);
    assert!(title(&device, 1).hlc.ms() as i64 <= now_ms(&device) + 1_000, "nothing is in the future");
}

#[test]
fn a_clock_that_goes_back_within_one_fold_keeps_the_order_of_a_row() {
    let mut device = Device::new(NOTES);
    device.sql("INSERT INTO note VALUES(1, 'a', 'b')");
    device.shift_journal(3_600_000);
    device.sql("UPDATE note SET title = 'later, says the journal'");
    device.fold();
    let (_, clock) = device.clock("note", 1).unwrap();
    assert!(title(&device, 1) >= clock.life.born.unwrap());
    assert_eq!(device.engine.meta.jump, 1);
}

#[test]
fn the_offset_is_used_until_the_clock_jumps() {
    let mut device = Device::new(NOTES);
    // Day 1 to 4 with a clock a year ahead, then it is set right, and nobody was met.
    const YEAR_MS: i64 = 365 * DAY_MS;
    write(&mut device, "INSERT INTO note VALUES(1, 'a', 'b')", YEAR_MS - 4 * DAY_MS);
    write(&mut device, "INSERT INTO note VALUES(2, 'a', 'b')", -DAY_MS);
    meet(&mut device, 0);
    let now = now_ms(&device);
    assert!(title(&device, 1).hlc.ms() as i64 <= now, "bounded by the hub's clock");
    assert!(title(&device, 2) > title(&device, 1));
    // An offset that was measured, and a jump that the runtime noticed.
    let mut device = Device::new(NOTES);
    meet(&mut device, DAY_MS);
    write(&mut device, "INSERT INTO note VALUES(1, 'a', 'b')", DAY_MS);
    near(title(&device, 1), now_ms(&device));
    device.engine.write(identity::clock_jumped).unwrap();
    write(&mut device, "INSERT INTO note VALUES(2, 'a', 'b')", 2 * DAY_MS);
    near(title(&device, 2), now_ms(&device) + 2 * DAY_MS);
    meet(&mut device, 2 * DAY_MS);
    near(title(&device, 2), now_ms(&device));
}

#[test]
fn versions_of_others_are_left_alone() {
    let mut device = Device::new(NOTES);
    write(&mut device, "INSERT INTO note VALUES(1, 'a', 'b')", TEN_YEARS_MS);
    let other = Version::new(title(&device, 1).hlc, SiteId::from_bytes([3; 16]));
    let (id, mut clock) = device.clock("note", 1).unwrap();
    let (no, column) = (device.table("note"), device.column("note", "title"));
    clock.set_column(column, other, 1);
    let key = [pocketsync_core::value::Value::Integer(1)];
    device
        .engine
        .write(|engine| pocketsync_core::store::sqlite::refs::put_clock(engine, no, &key, &id, &clock))
        .unwrap();
    meet(&mut device, TEN_YEARS_MS);
    assert_eq!(title(&device, 1), other);
    near(body(&device, 1), now_ms(&device));
}

#[test]
fn what_follows_from_a_wrong_clock_is_corrected_with_it() {
    let schema = "CREATE TABLE artist(id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE album(id INTEGER PRIMARY KEY, artist INTEGER REFERENCES artist(id) ON DELETE CASCADE);
        CREATE TABLE song(id INTEGER PRIMARY KEY, album INTEGER REFERENCES album(id) ON DELETE CASCADE)";
    let mut device = Device::new(schema);
    let now = now_ms(&device) as u64;
    let mut peer = Peer::new(1);
    let row = |table: &str, n: u64, parent: &[(&str, Value)]| {
        insert(table, &surrogate(1, n), at(now, 1), &[&[("id", int(n as i64))], parent].concat())
    };
    peer.send(&mut device, &[row("artist", 1, &[])]);
    write(&mut device, "DELETE FROM artist", TEN_YEARS_MS - DAY_MS);
    // Added elsewhere, not knowing of it; the conclusion is drawn before any clock is compared.
    let album = row("album", 2, &[("artist", to(&surrogate(1, 1)))]);
    let song = row("song", 3, &[("album", to(&surrogate(1, 2)))]);
    peer.send(&mut device, &[album, song]);
    let ids = [("album", surrogate(1, 2)), ("song", surrogate(1, 3))];
    for (table, id) in &ids {
        near(device.aside(table, id).unwrap().1.life.died.unwrap(), now_ms(&device) + TEN_YEARS_MS - DAY_MS);
    }
    meet(&mut device, TEN_YEARS_MS);
    for (table, id) in &ids {
        let life = device.aside(table, id).unwrap().1.life;
        assert!(!life.is_alive(), "it stays deleted");
        assert!(life.died.unwrap().hlc.ms() as i64 <= now_ms(&device) + 10_000, "of {table}");
    }
}
