//! What is given on the command line: scenarios by name or path, ranges of seeds, engines.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use pocketsync_sim::engine::Engine;
use pocketsync_sim::scenario::{EngineKind, Scenario};
use pocketsync_sim::{shipped, simulation};

use super::ended::{Failure, Result};

/// An engine, as the option says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(super) enum EngineName {
    /// Real SQLite files, drivers and WebSockets on simulated hosts
    World,
    /// The bare machines with stores in memory: thousands of devices, no SQLite
    Machines,
}

impl From<EngineName> for EngineKind {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::World => EngineKind::World,
            EngineName::Machines => EngineKind::Machines,
        }
    }
}

/// The scenario of that name or path. A path wins over a name, as it does in a shell.
pub(super) fn scenario(given: &str) -> Result<Scenario> {
    let path = Path::new(given);
    if path.is_file() {
        return Ok(Scenario::load(path)?);
    }
    match shipped::scenario(given) {
        Some(scenario) => Ok(scenario?),
        None => {
            let names: Vec<_> = shipped::names().collect();
            Err(Failure::new(format!("{given}: no such file, and no shipped scenario of that name"))
                .hint(format!("shipped are {}", names.join(", "))))
        }
    }
}

/// The engine to run it on: the one that is asked for, or else the one that it is meant for.
pub(super) fn engine(scenario: &Scenario, asked: Option<EngineName>) -> Result<Arc<dyn Engine>> {
    let meant = scenario.engines();
    let kind = match asked.map(EngineKind::from) {
        Some(asked) if !meant.contains(&asked) => {
            let names: Vec<_> = meant.iter().map(|kind| kind.name()).collect();
            return Err(Failure::new(format!(
                "the scenario `{}` is not meant for the {} engine, only for {}",
                scenario.name(),
                asked.name(),
                names.join(" and ")
            ))
            .hint("leave out --engine, or change `engines` in a copy of the file"));
        }
        Some(asked) => asked,
        None => meant.first().copied().unwrap_or(EngineKind::World),
    };
    Ok(simulation::engine(kind)?)
}

/// `A..B`, or one seed.
pub(super) fn seeds(text: &str) -> std::result::Result<Range<u64>, String> {
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| format!("`{text}` is not a seed"));
    let range = match text.split_once("..") {
        Some((from, to)) => match to.strip_prefix('=') {
            Some(last) => number(from)?..number(last)?.checked_add(1).ok_or("too large")?,
            None => number(from)?..number(to)?,
        },
        None => {
            let seed = number(text)?;
            seed..seed.checked_add(1).ok_or("too large")?
        }
    };
    if range.is_empty() {
        return Err(format!(
            "there is no seed in `{text}`: the second number is the one after the last seed"
        ));
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::seeds;

    #[test]
    fn seeds_are_ranges() {
        assert_eq!(seeds("0..200"), Ok(0..200));
        assert_eq!(seeds("3..=5"), Ok(3..6));
        assert_eq!(seeds("17"), Ok(17..18));
        for wrong in ["", "5..5", "6..2", "a..b", "1..", "-1..2", "18446744073709551615"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }
}
