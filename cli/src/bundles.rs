//! `pocketsync export` and `pocketsync import`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use pocketsync::bundle::{
    BundleError, BundleProgress, BundleReader, BundleStep, ExportOptions, ImportOptions,
};
use pocketsync::clock::Now;
use pocketsync::id::{Scope, SiteId};
use serde::Serialize;

use crate::failure::{Context, Failure, Outcome, Result};
use crate::output::{FAINT, bytes, count, print, print_json, styled};
use crate::progress::Progress;
use crate::replica;

/// Writes what changed into a file, to be carried to where no network is
///
/// The file is a bundle: `pocketsync import` merges it into another tracked file, as if the two had met. For anyone it
/// has everything; with --for only what that replica is not known to hold, and nothing that came from there. What a
/// replica holds is known from its own bundles: each import here acknowledges what was exported before.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pocketsync export boat.db --to /media/stick/boat.bundle              everything, for anyone
  pocketsync import office.db --from /media/stick/boat.bundle          elsewhere; says how to answer
  pocketsync export office.db --to /media/stick/office.bundle --for 0199f0c2-…
  pocketsync export boat.db --to week2.bundle --since week1.bundle     for all who took the first

Exit codes:
  0  written
  2  something is in the way; no half a bundle is left
  130, 143  ended by Ctrl-C, by SIGTERM")]
pub(crate) struct ExportArgs {
    /// The SQLite file; `pocketsync track` it first
    file: PathBuf,
    /// The bundle to write
    #[arg(long, value_name = "BUNDLE")]
    to: PathBuf,
    /// For this replica alone: its site, or the beginning of one that was met; see `pocketsync status`
    #[arg(long = "for", value_name = "SITE", conflicts_with = "since")]
    recipient: Option<String>,
    /// Only what is new after an earlier bundle of this file, which whoever imports this one has imported
    #[arg(long, value_name = "BUNDLE")]
    since: Option<PathBuf>,
    /// Which database this is: a name that all its devices share
    #[arg(long, value_name = "NAME", default_value = "main", value_parser = |name: &str| Scope::new(name))]
    scope: Scope,
    /// Writes over a file that is there
    #[arg(long)]
    force: bool,
    /// Says what was written as JSON
    #[arg(long)]
    json: bool,
}

/// Merges a bundle that `pocketsync export` wrote
///
/// Nothing is merged before the whole bundle was read and found good. Importing it twice does no harm, and an import that
/// was cut off goes on where it was. A bundle that cannot be taken now is refused with the reason and the way out.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pocketsync import office.db --from /media/stick/boat.bundle
  pocketsync import office.db --from /media/stick/boat.bundle --json | jq .changed_rows

Exit codes:
  0  merged, or it was here already
  2  the bundle is refused, or something is in the way
  130, 143  ended by Ctrl-C, by SIGTERM: import it again")]
pub(crate) struct ImportArgs {
    /// The SQLite file; `pocketsync track` it first
    file: PathBuf,
    /// The bundle
    #[arg(long, value_name = "BUNDLE")]
    from: PathBuf,
    /// Which database this is: bundles of others are refused
    #[arg(long, value_name = "NAME", default_value = "main", value_parser = |name: &str| Scope::new(name))]
    scope: Scope,
    /// Says what came of it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct ExportReport {
    bundle: String,
    sender: String,
    recipient: Option<String>,
    begins_after: u64,
    ends_at: u64,
    rows: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct ImportReport {
    sender: String,
    already_here: bool,
    rows: u64,
    changed_rows: u64,
    new_site: Option<String>,
}

/// Exports.
pub(crate) fn export(args: ExportArgs) -> Result {
    if args.to.exists() && !args.force {
        return Err(Failure::new(format!("{} is there already", args.to.display()))
            .hint("give another name, or --force to write over it"));
    }
    let replica = replica::open_tracked(&args.file)?;
    let mut options = ExportOptions::new(args.scope.clone(), now());
    if let Some(site) = &args.recipient {
        options = options.for_peer(site_of(&args, site)?);
    }
    if let Some(earlier) = &args.since {
        let file = File::open(earlier).context(earlier.display())?;
        let earlier = BundleReader::open(file).map_err(|error| refused(&error, earlier))?;
        options = options.since(earlier.to().clone());
    }
    options = options.on_progress(shown("exporting"));
    // Under another name until it is whole: a stick that is pulled out has no half of one.
    let mut unfinished = args.to.clone().into_os_string();
    unfinished.push(".part");
    let unfinished = PathBuf::from(unfinished);
    let written = write(&unfinished, |file| replica.export(file, &options));
    let exported = match written {
        Ok(exported) => exported,
        Err(error) => {
            // The failure is told; that nothing is left of it is a courtesy.
            let _gone = std::fs::remove_file(&unfinished);
            return Err(refused(&error, &args.to));
        }
    };
    std::fs::rename(&unfinished, &args.to).context(args.to.display())?;
    drop(options);
    if args.json {
        print_json(&ExportReport {
            bundle: args.to.display().to_string(),
            sender: exported.sender.to_string(),
            recipient: exported.recipient.map(|site| site.to_string()),
            begins_after: exported.from.seq,
            ends_at: exported.to.seq,
            rows: exported.rows,
            bytes: exported.bytes,
        })?;
        return Ok(Outcome::Done);
    }
    let whom = exported.recipient.map_or_else(|| "anyone".to_owned(), |site| site.to_string());
    print(&format!(
        "{}: {} for {whom}, {}\n{}\n",
        args.to.display(),
        count(exported.rows, "row", "rows"),
        bytes(exported.bytes),
        styled(FAINT, &format!("there: pocketsync import FILE --from {}", args.to.display())),
    ))?;
    Ok(Outcome::Done)
}

fn write<T>(
    path: &Path,
    export: impl FnOnce(&mut BufWriter<File>) -> std::result::Result<T, BundleError>,
) -> std::result::Result<T, BundleError> {
    let mut file = BufWriter::new(File::create(path)?);
    let exported = export(&mut file)?;
    file.flush()?;
    // On the stick, not on its way there.
    file.get_ref().sync_all()?;
    Ok(exported)
}

/// A site as it is written in full, or the only one that was met and begins so.
fn site_of(args: &ExportArgs, text: &str) -> Result<SiteId> {
    let status = replica::inspect(&args.file)?;
    let text = text.to_ascii_lowercase();
    let ours = status.site.map(|site| site.to_string());
    if ours.is_some_and(|ours| ours == text) {
        return Err(Failure::new("that is this file itself").hint("leave --for out to export for anyone"));
    }
    let met: Vec<SiteId> = status
        .peers
        .iter()
        .map(|peer| peer.site)
        .filter(|site| site.to_string().starts_with(&text))
        .collect();
    if let [site] = met[..] {
        return Ok(site);
    }
    text.parse().map_err(|_| {
        Failure::new(format!("`{text}` is no site, and not the beginning of exactly one that was met"))
            .hint(format!("pocketsync status {} lists those that were met", args.file.display()))
    })
}

/// Imports.
pub(crate) fn import(args: ImportArgs) -> Result {
    let bundle = File::open(&args.from).context(args.from.display())?;
    let replica = replica::open_tracked(&args.file)?;
    let options = ImportOptions::new(args.scope.clone(), now()).on_progress(shown("importing"));
    let imported = replica.import(bundle, &options).map_err(|error| refused(&error, &args.from))?;
    drop(options);
    if args.json {
        print_json(&ImportReport {
            sender: imported.sender.to_string(),
            already_here: imported.known,
            rows: imported.rows,
            changed_rows: imported.changed_rows,
            new_site: imported.new_site.map(|site| site.to_string()),
        })?;
        return Ok(Outcome::Done);
    }
    if let Some(site) = imported.new_site {
        eprintln!(
            "note: {} was restored from a backup or copied; it writes under the new name {site} from now on",
            args.file.display()
        );
    }
    let merged = match imported.known {
        true => "nothing new: all of it was here already".to_owned(),
        false => format!(
            "merged: {}, {} changed here",
            count(imported.rows, "row", "rows"),
            count(imported.changed_rows, "row", "rows")
        ),
    };
    let (file, sender) = (args.file.display(), imported.sender);
    let answer = format!("to answer: pocketsync export {file} --to BUNDLE --for {sender}");
    print(&format!("{merged}\n{}\n", styled(FAINT, &answer)))?;
    Ok(Outcome::Done)
}

/// Says on a line how far it is. The line goes when the options do.
fn shown(what: &'static str) -> impl Fn(BundleProgress) + Send + Sync + 'static {
    let line = Progress::new(what);
    move |progress| {
        line.say(&match (progress.step, progress.of_bytes) {
            (BundleStep::Checking, Some(of)) => format!("looking through {}", bytes(of)),
            (BundleStep::Merging, Some(of)) => format!("merging: {} of {}", bytes(progress.bytes), bytes(of)),
            _ => format!("{what}: {}", bytes(progress.bytes)),
        });
    }
}

fn refused(error: &BundleError, path: &Path) -> Failure {
    let failure = Failure::new(format!("{}: {error}", path.display()));
    match error.way_out() {
        Some(way_out) => failure.hint(way_out),
        None => failure,
    }
}

fn now() -> Now {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { wall_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX), ..Now::default() }
}
