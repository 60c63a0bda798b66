//! `pocketsync track`.

use std::path::PathBuf;

use pocketsync::store::sqlite::IdentityKind;
use pocketsync::{Tables, TrackError, TrackedTable};

use crate::failure::{Context, Failure, Outcome, Result};
use crate::output::{ODD, grouped, print, styled};
use crate::replica::{self, Tracked};
use crate::table::{Cell, Table};

/// Begins to track a file's tables
///
/// Puts triggers on the tables, which note what changes, whoever changes it. Columns and rows stay as they are, and
/// `pocketsync untrack` takes every trace away again. Doing it twice does no harm; new tables are added.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pocketsync track app.db                     every table that can be tracked
  pocketsync track app.db notes tags          these two
  pocketsync track app.db --natural events    equal integer keys in `events` mean the same row everywhere

Rows with an integer key are told apart by a global id, so that two devices may insert the same integer while
offline, and foreign keys follow their rows.")]
pub(crate) struct Args {
    /// The SQLite file
    file: PathBuf,
    /// The tables; all where none is named
    tables: Vec<String>,
    /// A table whose integer keys are the same on every device (snowflake ids); may be repeated
    #[arg(long, value_name = "TABLE")]
    natural: Vec<String>,
}

/// Tracks.
pub(crate) fn run(args: Args) -> Result {
    let replica = replica::open(&args.file)?;
    let status = replica.status().context("cannot read the schema")?;
    if status.tables.is_empty() && status.untracked.is_empty() {
        return Err(Failure::new(format!("{} has no tables to track", args.file.display()))
            .hint("let the application create its tables first"));
    }
    let tracked = if args.tables.is_empty() && args.natural.is_empty() {
        replica::track_all(&replica)?
    } else {
        let tables = match args.tables.is_empty() {
            true => Tables::all(),
            false => Tables::only(args.tables),
        };
        let tables = args.natural.into_iter().fold(tables, Tables::natural_key);
        Tracked { tables: replica.track(&tables).map_err(refusal)?, refused: Vec::new() }
    };
    let mut table = Table::new(["table", "rows", "rows are told apart by"]);
    for tracked in &tracked.tables {
        table.row(vec![
            Cell::text(&tracked.name),
            Cell::number(grouped(tracked.rows)),
            Cell::text(told_apart_by(tracked.identity)),
        ]);
    }
    let mut text = table.lines().join("\n");
    text.push('\n');
    for line in tracked.tables.iter().flat_map(warnings) {
        text.push_str(&format!("{} {line}\n", styled(ODD, "note:")));
    }
    for refused in &tracked.refused {
        text.push_str(&format!("{} {refused}\n", styled(ODD, "not tracked:")));
    }
    print(&text)?;
    Ok(Outcome::Done)
}

fn warnings(table: &TrackedTable) -> impl Iterator<Item = String> {
    table.warnings.iter().map(|warning| format!("{}: {warning}", table.name))
}

fn refusal(error: TrackError) -> Failure {
    Failure::new(error.to_string())
}

/// An identity in words.
pub(crate) fn told_apart_by(identity: IdentityKind) -> &'static str {
    match identity {
        IdentityKind::Natural => "their primary key",
        IdentityKind::Surrogate => "a global id (integer key)",
    }
}
