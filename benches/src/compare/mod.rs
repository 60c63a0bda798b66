//! The table that a sceptic runs: every contender on the same data, pass by pass in turn, each pass in a
//! process of its own.

mod figures;
mod report;
mod tables;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::Result;
use crate::contender::{Kind, Pragmas};
use crate::pass::{Order, Sample};
use crate::shape::Shape;

pub use figures::{Bound, Figure, of_samples};
pub use report::{Machine, Report};

/// What to compare.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Who; plain SQLite first.
    pub kinds: Vec<Kind>,
    /// On which tables.
    pub shapes: Vec<Shape>,
    /// With which settings.
    pub pragmas: Vec<Pragmas>,
    /// How many rows.
    pub rows: usize,
    /// How often.
    pub passes: usize,
}

/// The passes of one contender over one table.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Series {
    /// Who.
    pub kind: Kind,
    /// The table.
    pub shape: Shape,
    /// The settings.
    pub pragmas: Pragmas,
    /// Pass by pass.
    pub samples: Vec<Sample>,
}

/// The hidden command that runs one pass, told on its standard input.
pub const PASS_COMMAND: &str = "one-pass";

impl Comparison {
    /// Runs everything; `say` is told what is going on.
    ///
    /// # Errors
    /// When a pass fails, or contenders end with different tables.
    pub fn run(&self, program: &Path, say: impl Fn(&str)) -> Result<Vec<Series>> {
        let mut all: Vec<Series> = Vec::new();
        for &pragmas in &self.pragmas {
            for &shape in &self.shapes {
                for kind in &self.kinds {
                    all.push(Series { kind: kind.clone(), shape, pragmas, samples: Vec::new() });
                }
            }
        }
        for pass in 0..self.passes {
            for of_table in all.chunks_mut(self.kinds.len()) {
                // Who comes first changes, so that nobody always has the quiet moment.
                let count = of_table.len();
                of_table.rotate_left(pass % count);
                for series in of_table.iter_mut() {
                    let Series { kind, shape, pragmas, .. } = series;
                    say(&format!(
                        "pass {}: {}, {} key, {} pragmas",
                        pass + 1,
                        kind.name(),
                        shape.name(),
                        pragmas.name()
                    ));
                    let order =
                        Order { kind: kind.clone(), shape: *shape, pragmas: *pragmas, rows: self.rows };
                    let sample = in_own_process(program, &order)?;
                    series.samples.push(sample);
                }
                of_table.rotate_right(pass % count);
                same_contents(of_table)?;
            }
        }
        Ok(all)
    }
}

fn in_own_process(program: &Path, order: &Order) -> Result<Sample> {
    let mut child =
        Command::new(program).arg(PASS_COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    serde_json::to_writer(child.stdin.take().ok_or("no way to talk to the pass")?, order)?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(format!(
            "{} failed with the {} table: {}",
            order.kind.name(),
            order.shape.name(),
            output.status
        )
        .into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Runs what [`PASS_COMMAND`] is asked for.
///
/// # Errors
/// When the order cannot be read, or the pass fails.
pub fn one_pass(scratch: Option<&PathBuf>) -> Result<()> {
    let order: Order = serde_json::from_reader(std::io::stdin().lock())?;
    let dir = match scratch {
        Some(scratch) => tempfile::tempdir_in(scratch)?,
        None => tempfile::tempdir()?,
    };
    serde_json::to_writer(std::io::stdout().lock(), &crate::pass::run(&order, dir.path())?)?;
    Ok(())
}

/// Every contender must have ended with the same tables, at every moment of comparison.
fn same_contents(of_table: &[Series]) -> Result<()> {
    let Some(first) = of_table.first() else { return Ok(()) };
    for series in of_table {
        for (sample, expected) in series.samples.iter().zip(&first.samples) {
            if sample.digests != expected.digests {
                return Err(format!(
                    "{} ended with another {} table than {}: {:?}, not {:?}",
                    series.kind.name(),
                    series.shape.name(),
                    first.kind.name(),
                    sample.digests,
                    expected.digests
                )
                .into());
            }
        }
    }
    Ok(())
}
