//! Files that were restored from a backup or cloned, and peers that lost their past.

use std::sync::Arc;

use crate::device::{Device, Mirror, SOMEBODY};
use pocketsync_core::id::{RowId, Scope, SiteId};
use pocketsync_core::lineage::{Cursor, Lineage};
use pocketsync_core::store::sqlite::system::AsideReason;
use pocketsync_core::store::sqlite::{apply, identity, refs};
use pocketsync_core::store::{Chunk, Holding, Knowledge, Meet, Met, Peer, Resume};
use pocketsync_core::value::Value;

const SCHEMA: &str = "CREATE TABLE folder(id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE note(id INTEGER PRIMARY KEY, folder INT REFERENCES folder(id), title TEXT);
    CREATE TABLE pin(folder INT NOT NULL REFERENCES folder(id), n INT NOT NULL, v TEXT, PRIMARY KEY(folder, n));";
const HUB: SiteId = SiteId::from_bytes([0xbb; 16]);

fn meet(device: &mut Device, peer: SiteId, holding: Option<Holding>, resumes: Option<Cursor>) -> Met {
    let peer = Peer { site: peer, lineage: Lineage::default(), head: Cursor::ZERO };
    let request = Meet { scope: Scope::new("test").unwrap(), peer, holding, resumes, clock: None };
    device.engine.write(|engine| identity::meet(engine, request)).unwrap()
}

fn resume(met: Met) -> Resume {
    match met {
        Met::Resume(resume) => *resume,
        other => panic!("{other:?}"),
    }
}

/// What a hub that read everything of a device holds of it.
fn held_by_hub(device: &mut Device) -> (Holding, Mirror) {
    let mut hub = Mirror::default();
    hub.follow(device, usize::MAX);
    let site = device.engine.site();
    let mut knowledge = Knowledge::default();
    for ((_, id), state) in &hub.rows {
        if let RowId::Surrogate { site: of, counter } = id
            && *of == site
        {
            knowledge.counter = knowledge.counter.max(*counter);
        }
        let versions = state.life.versions().chain(state.cells.values().map(|cell| cell.version));
        for version in versions.filter(|version| version.site == site) {
            knowledge.hlc = knowledge.hlc.max(version.hlc);
        }
    }
    let lineage = device.engine.lineage.clone();
    (Holding { replica: site, cursor: hub.cursor.clone(), lineage, knowledge }, hub)
}

fn acked_at(device: &mut Device, seq: u64) {
    let cursor = device.engine.lineage.cursor_at(seq);
    acked(device, HUB, &cursor);
}

fn acked(device: &mut Device, peer: SiteId, cursor: &Cursor) {
    device.engine.write(|engine| identity::acked(engine, peer, cursor)).unwrap();
}

#[test]
fn a_peer_that_holds_our_past_goes_on_from_there() {
    let mut device = Device::new(SCHEMA);
    device.sql("INSERT INTO folder VALUES(1, 'a')");
    let (holding, _) = held_by_hub(&mut device);
    let resume = resume(meet(&mut device, HUB, Some(holding.clone()), None));
    assert_eq!(resume.send_from, holding.cursor);
    assert!(!resume.rewound);
    assert_eq!(resume.us.site, device.engine.site());
    assert_eq!(self::resume(meet(&mut device, SOMEBODY, None, None)).send_from, Cursor::ZERO);
    let identity = identity::identify(&device.engine).unwrap();
    let met: Vec<_> = identity.holdings.iter().map(|holding| holding.replica).collect();
    assert_eq!(met, [SOMEBODY, HUB], "the most recent first");
    assert_eq!(identity.head, device.engine.lineage.cursor_at(1));
}

#[test]
fn row_numbers_only_grow_whatever_each_opening_wrote() {
    let mut device = Device::new(SCHEMA);
    device.sql("INSERT INTO folder VALUES(1, 'a')");
    device.fold();
    for n in 2..12 {
        device.reopen();
        match n % 2 {
            0 => device.sql(&format!("UPDATE folder SET name = '{n}'")),
            _ => device.sql(&format!("INSERT INTO folder VALUES({n}, '{n}')")),
        }
        device.fold();
    }
    let falling = "SELECT count(*) FROM __pocketsync_log a JOIN __pocketsync_log b ON b.seq = a.seq + 1
        WHERE b.counter < a.counter";
    assert_eq!(device.number(falling), 0);
    assert_eq!(device.number("SELECT count(*) FROM __pocketsync_log"), 11);
}

#[test]
fn unfolded_writes_are_folded_before_histories_are_compared() {
    let mut device = Device::new(SCHEMA);
    device.sql("INSERT INTO folder VALUES(1, 'a')");
    let resume = resume(meet(&mut device, HUB, None, None));
    assert_eq!(resume.us.head.seq, 1);
}

/// A backup, then more writes that the hub saw; the copy is opened and written to before it meets
/// anybody. Answers with the copy, and the original with what the hub has of it.
fn restored() -> (Device, Device, Holding, Mirror) {
    let mut original = Device::new(SCHEMA);
    original.sql("INSERT INTO folder VALUES(1, 'a'), (2, 'b'); INSERT INTO note VALUES(1, 1, 'x')");
    let (_, _) = held_by_hub(&mut original);
    let mut copy = original.copy();
    original.sql("INSERT INTO folder VALUES(3, 'of the original'); UPDATE note SET title = 'original'");
    let (holding, hub) = held_by_hub(&mut original);
    copy.sql(
        "INSERT INTO folder VALUES(3, 'of the copy'); INSERT INTO note VALUES(2, 3, 'in it');
         UPDATE note SET title = 'copy' WHERE id = 1; INSERT INTO pin VALUES(3, 1, 'p'), (1, 1, 'q')",
    );
    copy.fold();
    (copy, original, holding, hub)
}

#[test]
fn a_restored_file_takes_a_new_site_for_what_only_it_has() {
    let (mut copy, original, holding, mut hub) = restored();
    let old = copy.engine.site();
    let (kept, minted) = (copy.id("folder", 1).unwrap(), copy.id("folder", 3).unwrap());
    assert_ne!(minted, original.id("folder", 3).unwrap(), "each opening numbers rows apart");
    let Met::Forked { site } = meet(&mut copy, HUB, Some(holding), None) else { panic!("no fork") };
    assert!(site != old && site == copy.engine.site());
    assert_eq!(copy.id("folder", 1), Some(kept));
    let RowId::Surrogate { site: of, .. } = copy.id("folder", 3).unwrap() else { panic!() };
    assert_eq!(of, site);
    let (_, note) = copy.clock("note", 1).unwrap();
    assert_eq!(note.life.born.unwrap().site, old);
    assert_eq!(note.column(copy.column("note", "title")).0.site, site);
    // The same question again, under the new site, has no fork in it.
    copy.reopen();
    assert!(matches!(meet(&mut copy, HUB, None, None), Met::Resume(_)));
    // The hub takes everything of the new site in: nothing of either file is lost.
    hub.cursor = Cursor::ZERO;
    hub.follow(&mut copy, 100);
    let folders: Vec<_> = hub
        .visible()
        .into_iter()
        .filter(|((table, _), _)| table == "folder")
        .map(|(_, cells)| cells["name"].clone())
        .collect();
    assert_eq!(folders.len(), 4, "{folders:?}");
    let pins = hub.visible().into_keys().filter(|(table, _)| table == "pin").count();
    assert_eq!(pins, 2);
}

#[test]
fn references_follow_what_is_minted_anew() {
    let (mut copy, _, holding, _) = restored();
    // A row that waits refers to the copy's own folder, and so does a merged value beside a row.
    let no = copy.table("note");
    let own = Value::Ref(Box::new(copy.id("folder", 3).unwrap()));
    let (id, mut clock) = copy.clock("note", 2).unwrap();
    let column = copy.column("note", "folder");
    clock.shadowed = true;
    let waiting = RowId::Natural(Box::new([own.clone()]));
    let mut record =
        pocketsync_core::store::Record { life: clock.life, life_seq: clock.life_seq, ..Default::default() };
    let cell = pocketsync_core::merge::Cell { version: clock.base, value: own.clone() };
    record.cells.insert(column, pocketsync_core::store::RecordCell { cell, seq: clock.base_seq });
    copy.engine
        .write(|engine| {
            refs::put_clock(engine, no, &[Value::Integer(2)], &id, &clock)?;
            refs::put_shadow(engine, no, &id, column, &own)?;
            refs::put_aside(engine, no, &waiting, AsideReason::Refused, Some("why"), &record)
        })
        .unwrap();
    assert!(matches!(meet(&mut copy, HUB, Some(holding), None), Met::Forked { .. }));
    let new = Value::Ref(Box::new(copy.id("folder", 3).unwrap()));
    assert_ne!(new, own);
    let id = copy.id("note", 2).unwrap();
    let mut told = Mirror::default();
    told.follow(&mut copy, usize::MAX);
    assert_eq!(told.rows[&("note".to_owned(), id)].cells["folder"].value, new);
    assert_eq!(copy.aside("note", &waiting), None);
    let (reason, record) = copy.aside("note", &RowId::Natural(Box::new([new.clone()]))).unwrap();
    assert_eq!((reason, &record.cells[&column].cell.value), (AsideReason::Refused, &new));
    assert_eq!(record.cells[&column].cell.version.site, copy.engine.site());
}

#[test]
fn a_restored_file_without_new_writes_just_takes_a_new_site() {
    let mut original = Device::new(SCHEMA);
    original.sql("INSERT INTO folder VALUES(1, 'a')");
    held_by_hub(&mut original);
    let mut copy = original.copy();
    original.sql("INSERT INTO folder VALUES(2, 'b')");
    let (holding, _) = held_by_hub(&mut original);
    let kept = copy.id("folder", 1);
    assert!(matches!(meet(&mut copy, HUB, Some(holding), None), Met::Forked { .. }));
    assert_eq!(copy.id("folder", 1), kept);
}

#[test]
fn a_copy_that_hears_of_its_own_unknown_writes_from_another_peer_forks() {
    let (mut copy, _, holding, _) = restored();
    // A peer that never met it, but has heard of its site's later rows.
    let heard = Holding { knowledge: holding.knowledge, ..Holding::none(copy.engine.site()) };
    assert!(matches!(meet(&mut copy, SOMEBODY, Some(heard), None), Met::Forked { .. }));
}

#[test]
fn a_failed_meeting_changes_nothing() {
    let (mut copy, _, holding, _) = restored();
    let (site, id) = (copy.engine.site(), copy.id("folder", 3));
    let peer = Peer { site: HUB, lineage: Lineage::default(), head: Cursor::ZERO };
    let request =
        Meet { scope: Scope::new("test").unwrap(), peer, holding: Some(holding), resumes: None, clock: None };
    let failed = copy.engine.write(|engine| {
        identity::meet(engine, request)?;
        Err::<(), _>(pocketsync_core::store::StoreError::new(
            pocketsync_core::store::StoreErrorKind::Io,
            "no",
        ))
    });
    assert!(failed.is_err());
    assert_eq!((copy.engine.site(), copy.id("folder", 3)), (site, id));
}

/// As if a group of the hub's had been merged.
fn applied(device: &mut Device, hub_seq: i64, sql: &str) -> u64 {
    device.sql(sql);
    let seq = device.fold().unwrap();
    let ordinal = device.engine.sites.ordinal(HUB) as i64;
    device
        .engine
        .write(|engine| {
            engine.conn.execute(
                "UPDATE __pocketsync_log SET peer = ?2, peer_seq = ?3, counter = NULL, clock = NULL WHERE seq = ?1",
                (seq as i64, ordinal, hub_seq),
            )?;
            Ok(())
        })
        .unwrap();
    seq
}

#[test]
fn a_hub_that_lost_its_past_is_told_again_what_it_had_brought() {
    let mut device = Device::new(SCHEMA);
    applied(&mut device, 10, "INSERT INTO folder VALUES(1, 'ten')");
    applied(&mut device, 20, "INSERT INTO folder VALUES(2, 'twenty')");
    device.sql("INSERT INTO folder VALUES(3, 'own')");
    device.fold();
    applied(&mut device, 30, "INSERT INTO folder VALUES(4, 'thirty')");
    let held = Cursor::at(30, pocketsync_core::lineage::Stamp(5));
    let first = resume(meet(&mut device, HUB, None, Some(held.clone())));
    assert_eq!(first.holding.cursor, Cursor::ZERO, "a peer cannot be ahead of what we hold");
    device
        .engine
        .write(|engine| {
            engine.conn.execute("UPDATE __pocketsync_peer SET held_seq = 30, held_stamp = 5", [])?;
            Ok(())
        })
        .unwrap();
    let echoes = device.extract(HUB, &Cursor::ZERO, usize::MAX);
    assert_eq!(echoes.changeset.row_count(), 1, "its own changes are left out");
    let head = echoes.to.clone();
    let site = device.engine.site();
    let holding =
        Holding { cursor: head.clone(), lineage: device.engine.lineage.clone(), ..Holding::none(site) };
    acked_at(&mut device, 1);
    // It was restored to its 15, and still holds all of ours.
    let back = Cursor::at(15, pocketsync_core::lineage::Stamp(5));
    let resumed = resume(meet(&mut device, HUB, Some(holding.clone()), Some(back.clone())));
    assert_eq!(resumed.holding.cursor, back);
    assert_eq!(resumed.send_from.seq, 1);
    let again = device.extract(HUB, &resumed.send_from, usize::MAX);
    assert_eq!(again.changeset.row_count(), 3);
    // The link breaks after a part of it: it is told the rest again, until it has acknowledged all.
    acked_at(&mut device, 2);
    let resumed = resume(meet(&mut device, HUB, Some(holding.clone()), Some(back.clone())));
    assert_eq!(resumed.send_from.seq, 2);
    acked(&mut device, HUB, &head);
    let resumed = resume(meet(&mut device, HUB, Some(holding), Some(back)));
    assert_eq!(resumed.send_from, head);
}

#[test]
fn the_log_stays_short() {
    let mut device = Device::new(SCHEMA);
    for n in 0..600 {
        applied(&mut device, n, &format!("INSERT INTO folder VALUES({n}, 'a')"));
        device.sql("UPDATE folder SET name = name || 'b' WHERE id = 0");
        device.fold();
    }
    let told = device.extract(HUB, &Cursor::ZERO, usize::MAX);
    acked(&mut device, HUB, &told.to);
    let left = device.number("SELECT count(*) FROM __pocketsync_log");
    assert_eq!(left, 2, "the last fold, and the last that was heard of the peer");
    assert_eq!(identity::pending(&device.engine, HUB).unwrap(), 0);
    device.sql("UPDATE folder SET name = 'c' WHERE id < 5");
    device.fold();
    assert_eq!(identity::pending(&device.engine, HUB).unwrap(), 5);
    assert_eq!(identity::pending(&device.engine, SOMEBODY).unwrap(), 600);
}

/// Takes in what a sender tells, as its whole log so far.
fn apply(device: &mut Device, sender: &mut Device) {
    let told = sender.all_after(&Cursor::ZERO);
    let chunk = Chunk {
        peer: sender.engine.site(),
        lineage: Arc::new(sender.engine.lineage.clone()),
        from: Cursor::ZERO,
        to: told.to,
        last: true,
        changeset: told.changeset,
        seen: told.seen,
    };
    device.engine.write(|engine| apply::run(engine, vec![chunk])).unwrap();
}

#[test]
fn claims_follow_what_is_minted_anew() {
    let schema = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE)";
    let (mut original, mut other) = (Device::new(schema), Device::new(schema));
    original.sql("INSERT INTO tag VALUES(1, 'a')");
    held_by_hub(&mut original);
    let mut copy = original.copy();
    // The other's is the older one: the copy's own is hidden behind it.
    other.sql("INSERT INTO tag VALUES(7, 'work')");
    other.fold();
    std::thread::sleep(std::time::Duration::from_millis(3));
    copy.sql("INSERT INTO tag VALUES(2, 'work')");
    copy.fold();
    let hidden = copy.id("tag", 2).unwrap();
    apply(&mut copy, &mut other);
    assert_eq!(copy.aside("tag", &hidden).unwrap().0, AsideReason::UniqueClaim);
    // The name belongs to somebody else.
    copy.engine.write(identity::take_new_site).unwrap();
    assert_eq!(copy.aside("tag", &hidden), None);
    let claims = "SELECT count(*) FROM __pocketsync_claim WHERE id IN
        (SELECT id FROM __pocketsync_aside UNION SELECT id FROM __pocketsync_clock_1)";
    assert_eq!(copy.number(claims), 2);
    assert_eq!(copy.number("SELECT count(*) FROM __pocketsync_claim"), 2);
}
