//! Schemas that change while devices use them.

use serde::{Deserialize, Serialize};

use super::{Range, Scenario, ScenarioError, Span};
use crate::shape::Step;

/// A migration, which each device runs at a time of its own.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Migration {
    /// Its statements.
    pub sql: String,
    /// Tables and columns that have other names afterwards: `"note=memo"`, `"note.title=heading"`, by the table's name
    /// before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rename: Vec<String>,
    /// When each device runs it; after the migration before it.
    pub between: Range<Span>,
    /// Who runs it.
    #[serde(default)]
    pub by: MigratedBy,
    /// How likely a device runs it at all, and those after it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub share: f64,
}

/// Who runs migrations.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MigratedBy {
    /// One or the other, by chance.
    #[default]
    Either,
    /// The engine, which is asked to.
    Engine,
    /// The application, on a connection of its own.
    Application,
}

fn one() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_one(share: &f64) -> bool {
    *share == 1.0
}

impl Migration {
    /// What it makes of names.
    pub(super) fn step(&self) -> Result<Step, String> {
        let mut step = Step { sql: self.sql.clone(), ..Step::default() };
        for rename in &self.rename {
            let parts = rename.split_once('=').map(|(old, new)| (old.trim(), new.trim()));
            let parts = parts.filter(|(old, new)| !old.is_empty() && !new.is_empty() && !new.contains('.'));
            let Some((old, new)) = parts else {
                return Err(format!(
                    "`{rename}` is no renaming: write \"note=memo\", or \"note.title=heading\""
                ));
            };
            match old.split_once('.') {
                Some((table, column)) => {
                    step.columns.push((table.to_owned(), column.to_owned(), new.to_owned()))
                }
                None => step.tables.push((old.to_owned(), new.to_owned())),
            }
        }
        Ok(step)
    }
}

impl Scenario {
    pub(super) fn check_migrations(&self) -> Result<(), ScenarioError> {
        for migration in &self.migrations {
            if migration.between.to >= self.length {
                let what = format!("must end before the run does, at {}", self.length);
                return Err(self.mistake("migrations.between", what));
            }
            if !(0.0..=1.0).contains(&migration.share) {
                return Err(self.mistake("migrations.share", "is a share: write a number from 0 to 1"));
            }
            migration.step().map_err(|what| self.mistake("migrations.rename", what))?;
        }
        Ok(())
    }

    pub(super) fn steps(&self) -> Result<Vec<Step>, ScenarioError> {
        let steps = self.migrations.iter().map(Migration::step);
        steps.map(|step| step.map_err(|what| self.mistake("migrations.rename", what))).collect()
    }
}
