//! Where the schema comes from.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Scenario, ScenarioError};
use crate::shape::{Shape, builtin, builtin_names};

/// Where the schema comes from: `"todo"`, `"path/to/schema.sql"`, or `{ sql = "CREATE TABLE ..." }`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected the name of a built-in schema, a path that ends in .sql, or { sql = \"CREATE TABLE ...\" }"
)]
pub enum Schema {
    /// A built-in one, by [name](builtin), or a file, which is known by the ending `.sql`.
    Named(String),
    /// The statements themselves.
    Text {
        /// The statements.
        sql: String,
    },
}

impl Default for Schema {
    fn default() -> Self {
        Schema::Named("todo".to_owned())
    }
}

impl Schema {
    /// Makes a path relative to `base_dir` one that can be opened from here.
    pub(super) fn resolve(&mut self, base_dir: &Path) {
        if let Schema::Named(name) = self
            && Path::new(name).extension().is_some_and(|ending| ending == "sql")
        {
            *name = base_dir.join(&name).to_string_lossy().into_owned();
        }
    }
}

impl Scenario {
    /// The schema's statements.
    ///
    /// # Errors
    /// When there is no such built-in schema or file.
    pub fn sql(&self) -> Result<String, ScenarioError> {
        let name = match &self.schema {
            Schema::Text { sql } => return Ok(sql.clone()),
            Schema::Named(name) => name,
        };
        if let Some(sql) = builtin(name) {
            return Ok(sql.to_owned());
        }
        if Path::new(name).extension().is_none_or(|ending| ending != "sql") {
            let known: Vec<&str> = builtin_names().collect();
            return Err(self.mistake(
                "schema",
                format!(
                    "there is no built-in schema `{name}`; use one of {}, or a path that ends in .sql",
                    known.join(", ")
                ),
            ));
        }
        std::fs::read_to_string(name)
            .map_err(|error| ScenarioError::Read { file: PathBuf::from(name), error })
    }

    /// The shape of the schema, with the rules for it.
    ///
    /// # Errors
    /// When there is no such schema, when it cannot be simulated, when the workload or a rule names a
    /// table that it has not, or when any other value [makes no sense](Scenario::check).
    pub fn shape(&self) -> Result<Shape, ScenarioError> {
        self.check()?;
        let sql = self.sql()?;
        let wrong = |error| ScenarioError::Schema { scenario: self.name.clone(), error };
        if !self.untracked.is_empty() {
            self.check_untracked(&Shape::of_sql(&sql).map_err(wrong)?)?;
        }
        let shape = match self.migrations.is_empty() {
            true => Shape::of_tracked(&sql, &self.untracked).map_err(wrong)?,
            false => Shape::of_versions(&sql, &self.untracked, &self.steps()?).map_err(wrong)?,
        };
        let shape = self.with_derived(shape)?;
        self.check_tables(&shape)?;
        self.ruled(shape)
    }
}
