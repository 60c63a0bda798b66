//! What a researcher writes down: devices, schema, workload, network, offline patterns, faults.
//!
//! A scenario is a TOML file, or a [`Scenario`] that a program fills in. With a seed it becomes a
//! [story](crate::story::Story). Everything but its name has a default:
//!
//! ```
//! use pocketsync_sim::scenario::Scenario;
//! let scenario = Scenario::parse(
//!     r#"
//!     name = "two desks"
//!     attacks = "Two people who edit the same list at the same time."
//!     devices = 2
//!     schema = "todo"
//!     length = "30s"
//!     "#,
//!     ".".as_ref(),
//! )?;
//! let shape = scenario.shape()?;
//! let story = scenario.story(&shape, 7);
//! assert_eq!(story.devices.len(), 2);
//! assert_eq!(story, scenario.story(&shape, 7));
//! # Ok::<(), pocketsync_sim::scenario::ScenarioError>(())
//! ```

mod amount;
mod check;
mod derived;
mod devices;
mod error;
mod faults;
mod meetings;
mod migrations;
mod network;
mod quantity;
mod rules;
mod schema;
mod workload;

pub use amount::{Amount, Rarely};
pub use devices::Devices;
pub use error::ScenarioError;
pub use faults::{Clocks, Faults, Joins};
pub use meetings::Meetings;
pub use migrations::{MigratedBy, Migration};
pub use network::{HowCut, Network, OtherLink, Pattern, Presence, Window};
pub use quantity::{Range, Rate, Skew, Span};
pub use schema::Schema;
pub use workload::{Bulk, Mix, Workload};

pub use crate::shape::{Derived, Merge, OnDelete, Rule, Strategy};
pub use crate::story::Topology;

use std::path::Path;

use serde::{Deserialize, Serialize};

/// What a world is like. See the [module](self).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it attacks, in prose.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub attacks: String,
    /// The engines that it is meant for, the usual one first.
    #[serde(default = "all_engines")]
    pub engines: Vec<EngineKind>,
    /// How many devices there are, clones not counted.
    #[serde(default = "four")]
    pub devices: u32,
    /// How many scopes they are spread over; device `d` is in scope `d % scopes`.
    #[serde(default = "one")]
    pub scopes: u32,
    /// Who meets whom: a hub for all, or no hub.
    #[serde(default)]
    pub topology: Topology,
    /// The schema.
    #[serde(default)]
    pub schema: Schema,
    /// Tables that are not synced: every device has its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untracked: Vec<String>,
    /// What triggers keep that follows from the tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived: Vec<Derived>,
    /// What the application says about conflicts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// How long everything goes on before the quiet period.
    #[serde(default = "one_minute")]
    pub length: Span,
    /// How long the quiet period may last at most.
    #[serde(default = "five_minutes")]
    pub quiet: Span,
    /// How often the devices are looked at; a tenth of the length if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_every: Option<Span>,
    /// What the applications write.
    #[serde(default)]
    pub workload: Workload,
    /// The links.
    #[serde(default)]
    pub network: Network,
    /// How often devices meet, where there is no hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meetings: Option<Meetings>,
    /// Who is online when.
    #[serde(default)]
    pub presence: Presence,
    /// What goes wrong.
    #[serde(default)]
    pub faults: Faults,
    /// How wrong the clocks are.
    #[serde(default)]
    pub clocks: Clocks,
    /// Who comes late.
    #[serde(default)]
    pub joins: Joins,
    /// How the schema changes, on one device after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub migrations: Vec<Migration>,
}

/// An engine that runs stories.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// Real parts on simulated hosts.
    World,
    /// Bare machines in a discrete-event loop.
    Machines,
}

impl EngineKind {
    /// The engine's [name](crate::engine::Engine::name).
    pub const fn name(self) -> &'static str {
        match self {
            EngineKind::World => "world",
            EngineKind::Machines => "machines",
        }
    }
}

fn all_engines() -> Vec<EngineKind> {
    vec![EngineKind::World, EngineKind::Machines]
}

fn four() -> u32 {
    4
}

fn one() -> u32 {
    1
}

fn one_minute() -> Span {
    Span(60_000)
}

fn five_minutes() -> Span {
    Span(300_000)
}

impl Default for Scenario {
    fn default() -> Self {
        Scenario {
            name: "unnamed".to_owned(),
            attacks: String::new(),
            engines: all_engines(),
            devices: four(),
            scopes: one(),
            topology: Topology::default(),
            schema: Schema::default(),
            untracked: Vec::new(),
            derived: Vec::new(),
            rules: Vec::new(),
            length: one_minute(),
            quiet: five_minutes(),
            check_every: None,
            workload: Workload::default(),
            network: Network::default(),
            meetings: None,
            presence: Presence::default(),
            faults: Faults::default(),
            clocks: Clocks::default(),
            joins: Joins::default(),
            migrations: Vec::new(),
        }
    }
}

impl Scenario {
    /// Reads a scenario from a TOML file. A schema's path is relative to the file.
    ///
    /// # Errors
    /// When the file cannot be read, is not a scenario, or says something that makes no sense.
    pub fn load(path: impl AsRef<Path>) -> Result<Scenario, ScenarioError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ScenarioError::Read { file: path.to_owned(), error })?;
        Scenario::read(&text, path, path.parent().unwrap_or(Path::new("")))
    }

    /// Reads a scenario from TOML text. A schema's path is relative to `base_dir`.
    ///
    /// # Errors
    /// When it is not a scenario, or says something that makes no sense.
    pub fn parse(text: &str, base_dir: &Path) -> Result<Scenario, ScenarioError> {
        Scenario::read(text, Path::new("scenario"), base_dir)
    }

    fn read(text: &str, file: &Path, base_dir: &Path) -> Result<Scenario, ScenarioError> {
        let mut scenario: Scenario =
            toml::from_str(text).map_err(|error| ScenarioError::syntax(file, text, &error))?;
        scenario.schema.resolve(base_dir);
        scenario.check().map_err(|error| error.found_in(file, text))?;
        Ok(scenario)
    }

    /// The scenario as TOML text, every default spelled out.
    ///
    /// # Errors
    /// When a number in it is not finite.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The engines that it is meant for, the usual one first.
    pub fn engines(&self) -> &[EngineKind] {
        &self.engines
    }

    /// How often the devices are looked at.
    pub fn check_every(&self) -> Span {
        let every = self.check_every.unwrap_or(Span(self.length.0 / 10));
        Span(every.0.max(1))
    }
}
