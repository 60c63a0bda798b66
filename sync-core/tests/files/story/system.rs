//! The real files, and what must hold of them after everything that happens.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Once;

use pocketsync_core::id::SiteId;
use pocketsync_core::rusqlite::Connection;
use pocketsync_core::store::sqlite::diff::diff;
use pocketsync_core::store::sqlite::replica::ParkedRow;
use proptest_state_machine::StateMachineTest;

use super::ledger::{Heard, Ledger};
use super::tables::{SCHEMA, Shown, parked, shown};
use super::{DEVICES, Event, Script, Story, Victim};
use crate::world::World;
use crate::world::disk::Backup;

/// Devices and a hub, and what their applications know of them.
pub(crate) struct System {
    world: World,
    ledger: Ledger,
    /// What each device has heard of, and the hub at the end of the story.
    devices: Vec<Heard>,
    hub: Heard,
    backups: BTreeMap<usize, (Backup, Heard)>,
    hub_backup: Option<(Backup, Heard)>,
    /// How far each device has read the logs of others.
    held: BTreeMap<(usize, SiteId), u64>,
    /// Devices that may go back in them, since they or the hub were restored.
    may_go_back: BTreeSet<usize>,
    statements: usize,
}

fn in_memory() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if Path::new("/dev/shm").is_dir() {
            let _ = tempfile::env::override_temp_dir(Path::new("/dev/shm"));
        }
    });
}

fn finds(app: &Connection, pragma: &str) -> bool {
    app.prepare(&format!("SELECT 1 FROM pragma_{pragma} LIMIT 1")).unwrap().exists([]).unwrap()
}

impl System {
    fn shown(&self, device: usize) -> Shown {
        shown(&self.world.devices[device].app)
    }

    fn write(&mut self, device: usize, statements: &[super::tables::Statement], commit: bool) {
        let before = self.shown(device);
        let skew_ms = self.world.devices[device].skew_ms;
        let app = &self.world.devices[device].app;
        app.execute_batch("BEGIN IMMEDIATE").unwrap();
        let last = "SELECT coalesce(max(rowid), 0) FROM __pocketsync_journal";
        let journaled: i64 = app.query_row(last, [], |row| row.get(0)).unwrap();
        for statement in statements {
            self.statements += 1;
            // A constraint that refuses a statement is the application's own business.
            let _ = app.execute_batch(&statement.sql(self.statements));
        }
        let shift = "UPDATE __pocketsync_journal SET at = at + ?1 / 86400000.0 WHERE rowid > ?2";
        app.execute(shift, (skew_ms, journaled)).unwrap();
        app.execute_batch(if commit { "COMMIT" } else { "ROLLBACK" }).unwrap();
        let after = self.shown(device);
        if !commit {
            assert_eq!(after, before, "what was rolled back is not there");
        }
        self.ledger.write(&mut self.devices[device], &before, &after);
    }

    fn exchange(&mut self, device: usize) {
        self.world.devices[device].online = true;
        self.world.settle();
        self.world.go_offline(device);
        self.devices[device].exchange(&mut self.hub);
    }

    fn exchange_some(&mut self, device: usize, frames: usize, killed: Victim) {
        self.world.devices[device].online = true;
        self.world.connect_all();
        self.world.look();
        for _ in 0..frames {
            self.world.step();
        }
        match killed {
            Victim::Nobody => {}
            Victim::Device => self.world.kill(device),
            Victim::Hub => self.world.kill_hub(),
        }
        self.world.go_offline(device);
        self.devices[device].exchange_some(&mut self.hub);
    }

    fn meet(&mut self, a: usize, b: usize) {
        let ends = |world: &World| world.devices[a].ends.len() + world.devices[b].ends.len();
        for _ in 0..4 {
            let before = ends(&self.world);
            self.world.meet(a, b);
            let [one, other] = self.devices.get_disjoint_mut([a, b]).unwrap();
            if ends(&self.world) == before {
                return one.exchange(other);
            }
            one.exchange_some(other);
        }
    }

    fn restored(&mut self, device: usize) {
        self.world.go_offline(device);
        self.held.retain(|(reader, _), _| *reader != device);
        self.may_go_back.extend(0..self.devices.len());
    }

    fn play(&mut self, event: &Event) {
        match *event {
            Event::Write { device, ref statements, commit } => self.write(device, statements, commit),
            Event::Fold { device } => self.world.fold(device),
            Event::Exchange { device } => self.exchange(device),
            Event::CutExchange { device, frames, killed } => self.exchange_some(device, frames, killed),
            Event::Meet { a, b } => self.meet(a, b),
            Event::Kill { device } => {
                self.world.kill(device);
                self.world.go_offline(device);
            }
            Event::KillHub => self.world.kill_hub(),
            Event::BackUp { device } => {
                let backup = (self.world.back_up(device), self.devices[device].clone());
                self.backups.insert(device, backup);
            }
            Event::Restore { device } => {
                let (backup, heard) = &self.backups[&device];
                self.world.restore(device, backup);
                self.devices[device] = heard.clone();
                self.restored(device);
            }
            Event::BackUpHub => self.hub_backup = Some((self.world.back_up_hub(), self.hub.clone())),
            Event::RestoreHub => {
                let (backup, heard) = self.hub_backup.as_ref().expect("there is a backup");
                self.world.restore_hub(backup);
                self.hub = heard.clone();
                self.may_go_back.extend(0..self.devices.len());
            }
            Event::Clone { device } => {
                let clone = self.world.clone_file(device);
                self.devices.push(self.devices[device].clone());
                self.restored(clone);
            }
            Event::SetClock { device, skew_ms } => self.world.devices[device].skew_ms = skew_ms,
        }
    }

    /// Whose tables an event may change.
    fn changed_by(event: &Event) -> Vec<usize> {
        match *event {
            Event::Write { device, .. }
            | Event::Exchange { device }
            | Event::CutExchange { device, .. }
            // What is folded may free a unique key that a parked row waits for.
            | Event::Fold { device }
            | Event::Restore { device } => vec![device],
            Event::Meet { a, b } => vec![a, b],
            _ => Vec::new(),
        }
    }

    fn check_file(&self, device: usize) {
        let app = &self.world.devices[device].app;
        let ok: String = app.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(ok, "ok", "device {device}");
        assert!(!finds(app, "foreign_key_check"), "device {device} shows a reference to nothing");
    }

    fn check_cursors(&mut self, device: usize) {
        let status = self.world.devices[device].replica.status().unwrap();
        for peer in status.peers {
            let held = self.held.entry((device, peer.site)).or_default();
            let back = peer.held.seq < *held && !self.may_go_back.contains(&device);
            assert!(!back, "device {device} held {held} of {}, and now {}", peer.site, peer.held.seq);
            *held = peer.held.seq;
        }
    }

    fn finish(mut self, script: &Script) {
        let mut heard = self.devices.clone();
        heard.push(self.hub.clone());
        let devices = self.devices.len();
        // One after the other: a file and its clone are one replica to the hub until either writes,
        // and it talks with the one that came last.
        for _ in 0..3 {
            (0..devices).for_each(|device| self.exchange(device));
        }
        let fresh = self.world.install(SCHEMA, "WAL");
        self.world.settle();
        let first = self.world.devices[0].replica.status().unwrap();
        for device in 0..=fresh {
            self.check_file(device);
            let status = self.world.devices[device].replica.status().unwrap();
            assert_eq!(status.journal, 0, "device {device} is done");
            let places = |rows: &[ParkedRow]| -> BTreeSet<_> {
                rows.iter().map(|row| (row.table.clone(), row.row.clone(), row.reason.clone())).collect()
            };
            assert_eq!(places(&status.parked_rows), places(&first.parked_rows), "parked at device {device}");
            let report = diff(&self.world.devices[0].path, &self.world.devices[device].path).unwrap();
            assert!(report.is_same(), "devices 0 and {device} differ: {report:?}");
        }
        if script.is_uninformed() {
            return;
        }
        let shown = self.shown(0);
        let parked = parked(&self.world.devices[0].app);
        self.ledger.nothing_is_lost(&heard, &shown, &parked);
        if script.may_double() {
            return;
        }
        let twice = shown.iter().find(|(_, rows)| rows.len() > 1);
        assert!(twice.is_none(), "shown twice: {twice:?}");
        let mut all = Heard::default();
        heard.iter_mut().for_each(|heard| all.exchange(heard));
        self.ledger.nothing_came_back(&all, &shown);
    }
}

impl StateMachineTest for System {
    type SystemUnderTest = System;
    type Reference = Story;

    fn init_test(_: &Script) -> System {
        in_memory();
        let mut world = World::new(DEVICES, SCHEMA);
        (0..DEVICES).for_each(|device| world.go_offline(device));
        System {
            world,
            ledger: Ledger::default(),
            devices: vec![Heard::default(); DEVICES],
            hub: Heard::default(),
            backups: BTreeMap::new(),
            hub_backup: None,
            held: BTreeMap::new(),
            may_go_back: BTreeSet::new(),
            statements: 0,
        }
    }

    fn apply(mut system: System, script: &Script, event: Event) -> System {
        let before: Vec<Shown> = (0..system.devices.len()).map(|device| system.shown(device)).collect();
        let forks: Vec<usize> = (0..system.devices.len()).map(|device| system.world.forks(device)).collect();
        system.play(&event);
        let changed = System::changed_by(&event);
        for device in 0..system.devices.len() {
            let shown = system.shown(device);
            if !changed.contains(&device) && device < before.len() {
                assert_eq!(shown, before[device], "device {device} shows what it showed");
            }
            if forks.get(device).is_some_and(|forks| system.world.forks(device) > *forks) {
                system.may_go_back.insert(device);
            }
            system.ledger.see(&shown);
            if !script.may_double() {
                system.ledger.nothing_came_back(&system.devices[device], &shown);
            }
            system.check_file(device);
            system.check_cursors(device);
        }
        if let Event::Exchange { device } = event {
            system.may_go_back.remove(&device);
        }
        system
    }

    fn teardown(system: System, script: Script) {
        system.finish(&script);
    }
}
