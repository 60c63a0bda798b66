//! `pocketsync-sim report`.

use std::path::{Path, PathBuf};

use pocketsync_sim::outcome::Folder;
use pocketsync_sim::report::{beside, catch_ups_csv, divergence_csv, page, runs_csv};

use super::ended::{Ended, Failure, Result};
use super::output::print;

/// Writes one HTML page with plots, and tables for a notebook
///
/// The page needs nothing from anywhere: send it to somebody, open it on a phone. Beside it are runs.csv,
/// divergence.csv and catch_ups.csv; the outcomes themselves are in outcomes.jsonl in the folder of each scenario.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pocketsync-sim report out                          writes out/report.html
  pocketsync-sim report before after                 side by side, on the same axes
  pocketsync-sim report out/office out/flaky         two scenarios side by side
  pocketsync-sim report out --out /tmp/page.html

Exit codes:
  0  written
  2  there are no outcomes, or they cannot be read")]
pub(super) struct Args {
    /// What `run --out` wrote
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What to compare it with
    #[arg(value_name = "DIR2")]
    other: Option<PathBuf>,
    /// Where the page goes; report.html in the first folder if not said
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes.
pub(super) fn run(args: Args) -> Result {
    let paths: Vec<&PathBuf> = std::iter::once(&args.folder).chain(&args.other).collect();
    let mut loaded = Vec::new();
    for path in paths {
        loaded.push((path.display().to_string(), Folder::load_all(path)?));
    }
    let sides: Vec<_> = loaded.iter().map(|(label, folders)| (label.as_str(), &**folders)).collect();
    let out = args.out.unwrap_or_else(|| args.folder.join("report.html"));
    write(&out, &page(&beside(&sides)))?;
    let all: Vec<Folder> = loaded.into_iter().flat_map(|(_, folders)| folders).collect();
    for (name, text) in [
        ("runs.csv", runs_csv(&all)),
        ("divergence.csv", divergence_csv(&all)),
        ("catch_ups.csv", catch_ups_csv(&all)),
    ] {
        write(&out.with_file_name(name), &text)?;
    }
    print(&format!("{}\n", out.display()))?;
    Ok(Ended::Kept)
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}
