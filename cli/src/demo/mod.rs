//! `pocketsync demo`.

mod edits;
mod lists;
mod own;
mod schema;
mod view;
mod world;

use std::path::{Path, PathBuf};
use std::time::Duration;

use pocketsync::diff;

use crate::failure::{Context, Failure, Outcome, Result};
use crate::output::{FAINT, GOOD, STRONG, bytes, print, styled};
use world::{Device, Exchange};

/// The devices.
const NAMES: [&str; 3] = ["phone", "laptop", "tablet"];

/// Shows a hub and three devices that edit offline, in conflict, and come together
///
/// Everything is real: SQLite files in a temporary folder, a hub on a loopback WebSocket, and writes by plain SQL on
/// connections that know nothing of PocketSync. It takes about two seconds.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pocketsync demo                      with a small shopping list
  pocketsync demo --db app.db --keep   with copies of your own database; app.db is only read")]
pub(crate) struct Args {
    /// Uses copies of this database; it is only read
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Keeps the folder with the databases, and says where it is
    #[arg(long)]
    keep: bool,
}

/// Runs the demo.
pub(crate) fn run(args: Args) -> Result {
    if let Some(db) = &args.db
        && !db.is_file()
    {
        return Err(Failure::new(format!("{} is not a file", db.display())));
    }
    let folder =
        tempfile::Builder::new().prefix("pocketsync-demo-").tempdir().context("a temporary folder")?;
    let result = crate::asynchronous(async {
        match &args.db {
            None => lists::run(folder.path()).await,
            Some(db) => own::run(folder.path(), db).await,
        }
    });
    if args.keep {
        let kept = folder.keep();
        print(&format!("\nThe databases are in {}\n", kept.display()))?;
    }
    result
}

/// Compares the devices' files with what `pocketsync diff` uses, and says so.
fn verify(paths: &[PathBuf]) -> Result {
    let (first, others) = paths.split_first().expect("three devices");
    let mut all_same = true;
    let mut rows = 0;
    for other in others {
        let report = diff(first, other).context("diff")?;
        all_same &= report.is_same();
        rows = report.rows();
    }
    for path in paths {
        all_same &= is_sound(path)?;
    }
    let files: Vec<_> =
        paths.iter().map(|path| path.file_name().unwrap_or_default().to_string_lossy()).collect();
    let files = files.join(", ");
    if all_same {
        say(&format!(
            "   {} {files} hold the same {rows} rows {}",
            styled(GOOD, "✓"),
            styled(FAINT, "(pocketsync diff, foreign_key_check, integrity_check)")
        ))?;
        Ok(Outcome::Done)
    } else {
        say(&format!(
            "   ✗ {files} differ; run the demo with --keep and compare them with `pocketsync diff`"
        ))?;
        Ok(Outcome::No)
    }
}

fn is_sound(path: &Path) -> Result<bool> {
    let conn = world::connect(path)?;
    let integrity: String =
        conn.query_row("PRAGMA integrity_check", (), |row| row.get(0)).context("integrity_check")?;
    let dangling = conn
        .prepare("PRAGMA foreign_key_check")
        .and_then(|mut check| check.exists(()))
        .context("foreign_key_check")?;
    Ok(integrity == "ok" && !dangling)
}

fn say(line: &str) -> Result<()> {
    print(&format!("{line}\n"))
}

fn step(number: usize, what: &str) -> Result<()> {
    say(&format!("\n{} {}", styled(STRONG, &format!("{number}.")), styled(STRONG, what)))
}

/// One line about an exchange.
fn told(device: &Device, exchange: Exchange) -> String {
    let line = format!(
        "{:<7} sent {}, received {}, in sync after {}",
        device.name,
        bytes(exchange.traffic.sent),
        bytes(exchange.traffic.received),
        millis(exchange.took)
    );
    styled(FAINT, &line)
}

fn millis(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1e3)
}
