//! Schemas that change on the way.

use pocketsync_core::store::sqlite::Migration;

use super::Stop;
use super::device::{Device, Life, tracked};
use super::parts::Parts;
use super::run::Run;
use crate::app;
use crate::history::Fault;
use crate::shape::{Shape, Step};
use crate::story::Migrator;

impl<P: Parts> Run<'_, P> {
    /// A device is to have that version from now on; one that does not run when it runs again.
    pub(super) fn migrate(&mut self, number: usize, to: u32, by: Migrator) -> Result<(), Stop> {
        self.devices[number].target = Some((to, by));
        self.follow(number)
    }

    /// Brings a device that runs to the version that it is to have.
    pub(super) fn follow(&mut self, number: usize) -> Result<(), Stop> {
        let device = &self.devices[number];
        let no = device.no;
        for to in device.follow(self.shape)? {
            self.fault(Fault::Migrated { device: no, to });
        }
        Ok(())
    }
}

impl Device {
    /// Runs the migrations that it lacks, and says to which versions.
    fn follow(&self, shape: &Shape) -> Result<Vec<u32>, Stop> {
        let (Some(life), Some((target, by))) = (&self.life, self.target) else { return Ok(Vec::new()) };
        self.clock.tell_thread();
        let failed = |error: rusqlite::Error| Stop::failed("an application cannot migrate", error);
        let mut reached = Vec::new();
        while let from = app::version(&life.app, shape).map_err(failed)?
            && from < target as usize
        {
            let to = from + 1;
            let Some(version) = shape.versions.get(to) else { break };
            let undeclared = version.step.undeclared();
            match by {
                Migrator::Engine => {
                    let script = Migration::new(app::script(version, to));
                    migrate(life, declared(script, &undeclared))?;
                }
                Migrator::Application => {
                    app::migrate(&life.app, version, to).map_err(failed)?;
                    if undeclared != Step::default() {
                        migrate(life, declared(Migration::new(""), &undeclared))?;
                    }
                }
            }
            let before = &shape.versions[from].tables;
            if version.tables.iter().zip(before).any(|(now, before)| now.is_here() && !before.is_here()) {
                let tracked = life.replica.track(&tracked(shape, to));
                tracked.map_err(|error| Stop::failed("cannot track new tables", error))?;
            }
            reached.push(to as u32);
        }
        Ok(reached)
    }
}

fn migrate(life: &Life, migration: Migration) -> Result<(), Stop> {
    let migrated = life.replica.migrate(&migration);
    migrated.map(drop).map_err(|error| Stop::failed("the engine cannot migrate", error))
}

fn declared(mut migration: Migration, step: &Step) -> Migration {
    for (table, old, new) in &step.columns {
        migration = migration.rename_column(table, old, new);
    }
    for (old, new) in &step.tables {
        migration = migration.rename_table(old, new);
    }
    migration
}
