//! `pocketsync migrate`.

use std::path::{Path, PathBuf};

use pocketsync::store::sqlite::{Migration, MigrationReport};
use serde::Serialize;

use crate::failure::{Context, Failure, Outcome, Result};
use crate::output::{FAINT, ODD, count, print, print_json, styled};
use crate::replica;

/// Runs a migration of the schema, so that nothing of it goes unseen
///
/// The script runs in one transaction (BEGIN and COMMIT in it are passed over), or not at all. Triggers and clocks
/// follow; renames are told to all devices, and those that have not migrated yet go on under the old names.
/// An application may run its migrations itself as well; this is for those that rebuild tables and change values
/// meanwhile, and to say what a rebuild does not.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pocketsync migrate app.db add_stars.sql
  pocketsync migrate app.db rebuild.sql --rename note.title=heading
  pocketsync migrate app.db --rename note.title=heading      the application has rebuilt it already
  pocketsync migrate app.db --rename-table note=memo
  pocketsync migrate app.db rebuild.sql --dry-run

Exit codes:
  0  done, nothing is open
  1  done, and something is open: read the notes
  2  it did not run; the file is as it was")]
pub(crate) struct Args {
    /// The SQLite file
    file: PathBuf,
    /// The script, - for standard input; none, to declare renames only
    script: Option<PathBuf>,
    /// A column that a rebuild has given a new name; may be repeated
    #[arg(long, value_name = "TABLE.OLD=NEW")]
    rename: Vec<String>,
    /// A table that a script has put in the place of another; may be repeated
    #[arg(long, value_name = "OLD=NEW")]
    rename_table: Vec<String>,
    /// Tells what would become of it, and takes it back
    #[arg(long)]
    dry_run: bool,
    /// As JSON, on one line
    #[arg(long)]
    json: bool,
}

/// Migrates.
pub(crate) fn run(args: Args) -> Result {
    if args.script.is_none() && args.rename.is_empty() && args.rename_table.is_empty() {
        return Err(Failure::new("there is nothing to do: give a script, or --rename, or --rename-table"));
    }
    let mut migration = Migration::new(args.script.as_deref().map(read).transpose()?.unwrap_or_default());
    for rename in &args.rename {
        let parts = rename.split_once('=').and_then(|(old, new)| Some((old.split_once('.')?, new)));
        let ((table, old), new) =
            parts.ok_or_else(|| Failure::new(format!("--rename {rename}: it is written TABLE.OLD=NEW")))?;
        migration = migration.rename_column(table, old, new);
    }
    for rename in &args.rename_table {
        let (old, new) = rename
            .split_once('=')
            .ok_or_else(|| Failure::new(format!("--rename-table {rename}: it is written OLD=NEW")))?;
        migration = migration.rename_table(old, new);
    }
    let replica = replica::open_tracked(&args.file)?;
    let report = replica.migrate(&migration.dry_run(args.dry_run)).context("the migration did not run")?;
    if args.json {
        print_json(&Report::of(&report, args.dry_run))?;
    } else {
        print(&told(&report, args.dry_run))?;
    }
    Ok(if report.warnings.is_empty() { Outcome::Done } else { Outcome::No })
}

fn read(path: &Path) -> Result<String> {
    if path == Path::new("-") {
        return std::io::read_to_string(std::io::stdin()).context("cannot read standard input");
    }
    std::fs::read_to_string(path).context(path.display())
}

fn told(report: &MigrationReport, dry_run: bool) -> String {
    let mut lines = Vec::new();
    let statements = count(report.statements, "statement", "statements");
    lines.push(match dry_run {
        true => format!("{statements} ran, and everything was taken back"),
        false => format!("{statements} ran"),
    });
    if !report.rebuilt.is_empty() {
        let changed = count(report.changed_rows, "row has", "rows have");
        lines.push(format!("rebuilt: {}; {changed} other values than before", report.rebuilt.join(", ")));
    }
    for (new, old) in &report.renamed {
        lines.push(format!("{new} was {old}; {}", styled(FAINT, "other devices go on under the old name")));
    }
    for warning in &report.warnings {
        lines.push(format!("{} {warning}", styled(ODD, "note:")));
    }
    lines.push(String::new());
    lines.join("\n")
}

#[derive(Serialize)]
struct Report {
    dry_run: bool,
    statements: u64,
    rebuilt: Vec<String>,
    changed_rows: u64,
    renamed: Vec<Renamed>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Renamed {
    old: String,
    new: String,
}

impl Report {
    fn of(report: &MigrationReport, dry_run: bool) -> Self {
        let renamed = report.renamed.iter().map(|(new, old)| Renamed { old: old.clone(), new: new.clone() });
        Report {
            dry_run,
            statements: report.statements,
            rebuilt: report.rebuilt.clone(),
            changed_rows: report.changed_rows,
            renamed: renamed.collect(),
            warnings: report.warnings.iter().map(ToString::to_string).collect(),
        }
    }
}
