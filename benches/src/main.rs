//! The program: measures, and prints what it found. See `docs/performance.md`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use pocketsync_benches::compare::{self, Comparison, Machine, Report};
use pocketsync_benches::contender::{Kind, Pragmas};
use pocketsync_benches::fleet::{self, Fleet, Live};
use pocketsync_benches::shape::Shape;
use pocketsync_benches::{Result, guard, scale};

/// Measures what PocketSync costs
#[derive(Parser)]
#[command(name = "pocketsync-benches", version)]
struct Cli {
    /// Where databases are made while it measures [default: the folder for temporary files]
    #[arg(long, global = true, value_name = "DIR", env = "POCKETSYNC_BENCH_SCRATCH")]
    scratch: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// PocketSync beside plain SQLite and its peers, and every figure that has a target
    Compare(CompareArgs),
    /// How cost grows: catching up, bootstraps, pushes and writes, with exponents and a plot
    Scale(ScaleArgs),
    /// Many live devices of one scope on one hub: how long a write of one takes to reach the others, and what
    /// each of them costs
    Live(LiveArgs),
    /// Compares the instructions that callgrind counted with those that are stored; `benches/guard.sh` runs it
    CheckInstructions {
        /// What callgrind left
        counts: PathBuf,
        /// What is stored
        baseline: PathBuf,
        /// Stores what was counted
        #[arg(long)]
        record: bool,
    },
    #[command(name = compare::PASS_COMMAND, hide = true)]
    OnePass,
    #[command(name = fleet::HUB_COMMAND, hide = true)]
    Hub { database: PathBuf },
    #[command(name = fleet::BOOTSTRAP_COMMAND, hide = true)]
    Bootstrap { dir: PathBuf, table: Word<Shape>, url: String },
    #[command(name = fleet::PUSHERS_COMMAND, hide = true)]
    Pushers { url: String, devices: usize, scopes: usize, pushes: usize },
    #[command(name = fleet::LISTENERS_COMMAND, hide = true)]
    Listeners { url: String, devices: usize, writes: usize, every_ms: u64 },
}

#[derive(Args)]
struct CompareArgs {
    /// Rows of the tables of six columns
    #[arg(long, default_value_t = 100_000)]
    rows: usize,
    /// How often everybody runs
    #[arg(long, default_value_t = 5)]
    passes: usize,
    /// Only these tables
    #[arg(long, value_delimiter = ',', default_values_t = Shape::ALL.map(Word))]
    tables: Vec<Word<Shape>>,
    /// Only these settings
    #[arg(long, value_delimiter = ',', default_values_t = Pragmas::ALL.map(Word))]
    pragmas: Vec<Word<Pragmas>>,
    /// An extension to load into SQLite and measure too: crsqlite or cloudsync, or any other together with a
    /// file of statements that make it track the table `t`
    #[arg(
        long,
        value_name = "NAME=PATH[,SETUP.sql]",
        env = "POCKETSYNC_BENCH_EXTENSIONS",
        value_delimiter = ';'
    )]
    extension: Vec<String>,
    /// Rows of the database that is synced over a real hub [default: ten times --rows]; 0 leaves the hub out
    #[arg(long)]
    hub_rows: Option<usize>,
    /// Writes the report, as Markdown
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Writes everything that was measured, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Args)]
struct LiveArgs {
    /// Devices that listen
    #[arg(long, default_value_t = 2_000)]
    devices: usize,
    /// Writes of the one that writes
    #[arg(long, default_value_t = 100)]
    writes: usize,
    /// Milliseconds from one write to the next
    #[arg(long, default_value_t = 250)]
    every: u64,
}

#[derive(Args)]
struct ScaleArgs {
    /// Rows of the largest database
    #[arg(long, default_value_t = 300_000)]
    rows: usize,
    /// Writes the plot, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Writes the table, as Markdown
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Writes everything that was measured, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A value that clap spells.
#[derive(Clone, Copy)]
struct Word<T>(T);

impl<T: clap::ValueEnum> std::fmt::Display for Word<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.to_possible_value().as_ref().map_or("", |value| value.get_name()))
    }
}

impl<T: clap::ValueEnum> std::str::FromStr for Word<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        T::from_str(text, false).map(Word)
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.command {
        Command::Compare(args) => compare(args, &scratch(&cli)),
        Command::Scale(args) => measure_scale(args, &scratch(&cli)),
        Command::CheckInstructions { counts, baseline, record } => {
            check_instructions(counts, baseline, *record)
        }
        Command::Hub { database } => asynchronous(fleet::serve(database)),
        Command::Bootstrap { dir, table, url } => {
            asynchronous(async { tell(&fleet::bootstrap_device(dir, table.0, &url.parse()?).await?) })
        }
        Command::Pushers { url, devices, scopes, pushes } => asynchronous(async {
            tell(&fleet::push_devices(&url.parse()?, *devices, *scopes, *pushes).await?)
        }),
        Command::Listeners { url, devices, writes, every_ms } => asynchronous(async {
            let live = Live { devices: *devices, writes: *writes, every_ms: *every_ms };
            tell(&fleet::listen(&url.parse()?, live).await?)
        }),
        Command::Live(args) => measure_live(args, &scratch(&cli)),
        Command::OnePass => compare::one_pass(cli.scratch.as_ref()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn scratch(cli: &Cli) -> PathBuf {
    cli.scratch.clone().unwrap_or_else(std::env::temp_dir)
}

/// Answers the process that started this one.
fn tell(what: &impl serde::Serialize) -> Result<()> {
    Ok(serde_json::to_writer(std::io::stdout().lock(), what)?)
}

fn asynchronous(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(work);
    // Whoever is still reading its standard input is not waited for.
    runtime.shutdown_background();
    outcome
}

fn extension(text: &str) -> Result<Kind> {
    let (name, rest) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=PATH"))?;
    let (path, setup) = match rest.split_once(',') {
        Some((path, setup)) => (path, Some(PathBuf::from(setup))),
        None => (rest, None),
    };
    let path = PathBuf::from(path).canonicalize().map_err(|error| format!("{path}: {error}"))?;
    Ok(Kind::Extension { name: name.to_owned(), path, setup })
}

fn say(what: &str) {
    eprintln!("{what}");
}

fn compare(args: &CompareArgs, scratch: &Path) -> Result<()> {
    let mut kinds = Kind::built_in();
    for text in &args.extension {
        kinds.push(extension(text)?);
    }
    let machine = Machine::this();
    let contenders = kinds.len();
    let comparison = Comparison {
        kinds,
        shapes: args.tables.iter().map(|word| word.0).collect(),
        pragmas: args.pragmas.iter().map(|word| word.0).collect(),
        rows: args.rows.max(1),
        passes: args.passes.max(1),
    };
    let program = std::env::current_exe()?;
    let series = comparison.run(&program, say)?;
    let mut figures = compare::of_samples(&series);
    let hub_rows = args.hub_rows.unwrap_or(comparison.rows * 10);
    if hub_rows > 0 {
        figures.extend(Fleet::of(hub_rows).run(&program, scratch, say)?);
    }
    let report =
        Report { machine, rows: comparison.rows, passes: comparison.passes, contenders, figures, series };
    finish(args, &report)
}

fn measure_live(args: &LiveArgs, scratch: &Path) -> Result<()> {
    let live = Live { devices: args.devices.max(1), writes: args.writes.max(1), every_ms: args.every };
    let (program, dir) = (std::env::current_exe()?, tempfile::tempdir_in(scratch)?);
    asynchronous(async move {
        for figure in live.run(&program, dir.path()).await? {
            println!("{}: {:.1} {}", figure.what, figure.measured.median, figure.unit);
        }
        Ok(())
    })
}

fn measure_scale(args: &ScaleArgs, scratch: &Path) -> Result<()> {
    let laws = scale::run(&std::env::current_exe()?, scratch, args.rows.max(1), say)?;
    let text = scale::markdown(&laws);
    std::io::stdout().lock().write_all(text.as_bytes())?;
    if let Some(path) = &args.out {
        std::fs::write(path, &text)?;
    }
    if let Some(path) = &args.svg {
        std::fs::write(path, scale::svg(&laws)?)?;
    }
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_vec_pretty(&laws)?)?;
    }
    Ok(())
}

fn check_instructions(counts: &Path, baseline: &Path, record: bool) -> Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc).arg("--version").output()?.stdout;
    let counted = guard::counted(counts, String::from_utf8_lossy(&version).trim())?;
    if record {
        std::fs::write(baseline, serde_json::to_string_pretty(&counted)? + "\n")?;
        println!("recorded {} parts in {}", counted.ratios.len(), baseline.display());
        return Ok(());
    }
    let verdict = guard::compare(&serde_json::from_slice(&std::fs::read(baseline)?)?, &counted);
    print!("{}", verdict.text);
    if verdict.passed {
        return Ok(());
    }
    Err("some parts take more instructions than stored; if that is on purpose: benches/guard.sh --record"
        .into())
}

fn finish(args: &CompareArgs, report: &Report) -> Result<()> {
    let text = report.markdown();
    std::io::stdout().lock().write_all(text.as_bytes())?;
    if let Some(path) = &args.out {
        std::fs::write(path, &text)?;
    }
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_vec_pretty(report)?)?;
    }
    Ok(())
}
