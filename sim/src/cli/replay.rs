//! `pocketsync-sim replay`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use pocketsync_sim::failure::tell;
use pocketsync_sim::oracle::Case;
use pocketsync_sim::run::Trial;
use pocketsync_sim::story::Story;
use pocketsync_sim::telling::seconds;

use super::ended::{Ended, Failure, Result};
use super::given::{self, EngineName};
use super::output::{BAD, GOOD, print, styled};

/// Runs one seed again, and tells what happens
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pocketsync-sim replay office --seed 17
  pocketsync-sim replay office --seed 17 --trace | less        every frame
  pocketsync-sim replay office --seed 17 --story out/office/seed-17.story.json

Exit codes:
  0  every promise was kept
  1  a promise was broken
  2  wrong usage, or the world itself failed")]
pub(super) struct Args {
    /// A shipped scenario's name, or a TOML file
    scenario: String,
    /// The seed
    #[arg(long)]
    seed: u64,
    /// Runs that story in place of the seed's: a smaller one that `run` has saved
    #[arg(long, value_name = "FILE")]
    story: Option<PathBuf>,
    /// The engine; the one that the scenario is meant for if not said
    #[arg(long)]
    engine: Option<EngineName>,
    /// Prints everything that happens, frames included
    #[arg(long)]
    trace: bool,
}

/// Runs and tells.
pub(super) fn run(args: Args) -> Result {
    let scenario = given::scenario(&args.scenario)?;
    let trial = Trial::of(given::engine(&scenario, args.engine)?);
    let shape = Arc::new(scenario.shape()?);
    let story = match &args.story {
        Some(path) => saved(path)?,
        None => scenario.story(&shape, args.seed),
    };
    let case = Case { shape, story: Arc::new(story) };
    let violation = if args.trace {
        let mut stdout = std::io::BufWriter::new(std::io::stdout());
        // Whoever reads no further has seen enough.
        let outcome = trial.run_traced(&case, move |at, line| drop(writeln!(stdout, "{at:>10} {line}")))?;
        outcome.violation
    } else {
        let (violation, told) = tell(&trial, &case)?;
        print(&(told.join("\n") + "\n"))?;
        violation
    };
    match violation {
        None => {
            print(&format!("{}\n", styled(GOOD, "every promise was kept")))?;
            Ok(Ended::Kept)
        }
        Some(broken) => {
            let what = format!("at {} `{}` objects", seconds(broken.at), broken.oracle);
            print(&format!("{}: {}\nthe promise: {}\n", styled(BAD, &what), broken.what, broken.promise))?;
            Ok(Ended::Broken)
        }
    }
}

fn saved(path: &PathBuf) -> Result<Story> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::new(format!("{}: not a story: {error}", path.display())))
}
