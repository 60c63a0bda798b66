//! `pocketsync-sim run`.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use pocketsync_sim::failure::Failure as Told;
use pocketsync_sim::oracle::Case;
use pocketsync_sim::outcome::{FolderWriter, Outcome, Record, RunInfo};
use pocketsync_sim::run::{Campaign, Cancel, SAME_EVERY_TIME, Trial, peak_rss_bytes};
use pocketsync_sim::scenario::Scenario;
use pocketsync_sim::shrink::Limits;
use pocketsync_sim::simulation;

use super::ended::{Ended, Failure, Result};
use super::given::{self, EngineName};
use super::output::{BAD, GOOD, print, rough, styled};
use super::signals;

/// Runs scenarios with a range of seeds
///
/// The first broken promise ends it: its story is made smaller, told, and the command that shows it again is printed.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pocketsync-sim run office
  pocketsync-sim run office mine.toml --seeds 0..200 --jobs 4 --out out
  pocketsync-sim run office --seeds 0..1000 --keep-going --json | jq -c '[.seed, .violation.oracle]'
  pocketsync-sim run field_team_two_weeks --engine machines
  pocketsync-sim run office --seeds 0..2 --twice

Exit codes:
  0    every promise was kept
  1    a promise was broken
  2    wrong usage, a scenario that makes no sense, or the world itself failed
  130  ended early by Ctrl-C; what there is was written")]
pub(super) struct Args {
    /// Shipped scenarios by name (see `pocketsync-sim list`), or TOML files
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// The seeds: A..B without B, A..=B with it, or one
    #[arg(long, value_name = "A..B", default_value = "0..20", value_parser = given::seeds)]
    seeds: Range<u64>,
    /// How many to run at a time; as many as there are processors if not said
    #[arg(long, short, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Writes outcomes and stories here, a folder a scenario
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The engine; the one that each scenario is meant for if not said
    #[arg(long)]
    engine: Option<EngineName>,
    /// Goes on after a broken promise
    #[arg(long, short)]
    keep_going: bool,
    /// Runs every seed twice: two runs that are not the same, to the byte, are a broken promise
    #[arg(long)]
    twice: bool,
    /// How long to look for a smaller story that breaks the same promise
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    shrink_seconds: u64,
    /// Prints each outcome as a line of JSON on stdout; what is for people goes to stderr
    #[arg(long)]
    json: bool,
}

/// One scenario of several.
struct Plan<'a> {
    args: &'a Args,
    given: &'a str,
    scenario: Scenario,
    trial: Trial,
    jobs: NonZeroUsize,
    cancel: Cancel,
}

/// Runs them one after the other.
pub(super) fn run(args: Args) -> Result {
    let cancel = signals::cancels()?;
    let jobs = args.jobs.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let mut plans = Vec::new();
    for given in &args.scenarios {
        let scenario = given::scenario(given)?;
        let trial = Trial::of(given::engine(&scenario, args.engine)?).twice(args.twice);
        if plans.iter().any(|plan: &Plan<'_>| plan.scenario.name() == scenario.name()) {
            return Err(Failure::new(format!("two scenarios are called `{}`", scenario.name())));
        }
        plans.push(Plan { args: &args, given, scenario, trial, jobs, cancel: cancel.clone() });
    }
    let mut ended = Ended::Kept;
    for plan in &plans {
        match plan.run()? {
            Ended::Kept => {}
            Ended::Broken if args.keep_going => ended = Ended::Broken,
            end => return Ok(end),
        }
    }
    Ok(ended)
}

impl Plan<'_> {
    fn run(&self) -> Result {
        let case_of = simulation::cases(self.scenario.clone())?;
        let seeds = self.args.seeds.clone();
        let mut info = RunInfo {
            scenario: self.scenario.name().to_owned(),
            given: self.given.to_owned(),
            engine: self.trial.engine().name().to_owned(),
            first_seed: seeds.start,
            end_seed: seeds.end,
            wall_ms: 0,
            jobs: self.jobs.get(),
            peak_rss_bytes: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let folder = self.args.out.as_ref().map(|out| out.join(file_name(self.scenario.name())));
        let mut folder = folder.map(|path| FolderWriter::create(&path, &info)).transpose()?;
        let bar = bar(self.scenario.name(), seeds.end - seeds.start);
        let since = Instant::now();
        let campaign = Campaign::new(self.trial.clone(), seeds.clone())
            .jobs(self.jobs)
            .keep_going(self.args.keep_going)
            .cancelled_by(&self.cancel);
        let mut sums = Sums::default();
        let mut failed = None;
        for ran in campaign.start(simulation::cases(self.scenario.clone())?).in_order(seeds.start) {
            let outcome = ran.outcome.map_err(|error| {
                bar.finish_and_clear();
                Failure::new(format!("{}, seed {}: {error}", self.scenario.name(), ran.seed))
            })?;
            bar.inc(1);
            sums.add(&outcome);
            let record = Record { scenario: self.scenario.name().to_owned(), outcome };
            if let Some(folder) = &mut folder {
                folder.put(&record)?;
            }
            if self.args.json {
                print(&record.line())?;
            }
            if record.outcome.violation.is_some() {
                failed.get_or_insert(record.outcome);
            }
        }
        bar.finish_and_clear();
        info.wall_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        info.peak_rss_bytes = peak_rss_bytes();
        let memory = info.peak_rss_bytes.map_or_else(String::new, |bytes| {
            let mib = bytes as f64 / f64::from(1 << 20);
            format!(" · {} MiB of memory at most", rough(mib))
        });
        self.say(&format!("{}{memory}\n", sums.told(self.scenario.name(), since.elapsed())))?;
        let interrupted = self.cancel.is_cancelled();
        if let Some(outcome) = failed.as_ref().filter(|_| !interrupted) {
            self.explain(&case_of(outcome.seed), outcome, folder.as_ref())?;
        }
        if let Some(folder) = folder {
            folder.end(&info)?;
        }
        Ok(match (interrupted, failed) {
            (true, _) => Ended::Interrupted,
            (false, Some(_)) => Ended::Broken,
            (false, None) => Ended::Kept,
        })
    }

    /// Makes the story of a failure smaller, saves it, and tells it.
    fn explain(&self, case: &Case, outcome: &Outcome, folder: Option<&FolderWriter>) -> Result<()> {
        let Some(violation) = &outcome.violation else { return Ok(()) };
        let until = Instant::now().checked_add(Duration::from_secs(self.args.shrink_seconds));
        let limits = Limits { runs: u32::MAX, until };
        let spinner = ProgressBar::new_spinner();
        spinner.enable_steady_tick(Duration::from_millis(120));
        let cancel = self.cancel.clone();
        let told = Told::explain(
            &self.trial,
            self.scenario.name(),
            case,
            violation,
            limits,
            move || cancel.is_cancelled(),
            |progress| {
                let said = format!("looking for a smaller story: {} ({} runs)", progress.size, progress.runs);
                spinner.set_message(said);
            },
        );
        spinner.finish_and_clear();
        let told = told?;
        let replay = format!(
            "pocketsync-sim replay {} --seed {} --engine {}",
            quoted(self.given),
            outcome.seed,
            outcome.engine
        );
        let mut replays = vec![replay.clone()];
        if violation.oracle == SAME_EVERY_TIME {
            // One run alone has nothing that it could differ from.
            let (given, seed) = (quoted(self.given), outcome.seed);
            replays = vec![format!(
                "pocketsync-sim run {given} --seeds {seed} --engine {} --twice",
                outcome.engine
            )];
        } else if let Some(folder) = folder {
            let story = serde_json::to_string_pretty(&told.story)?;
            let path = folder.file(&format!("seed-{}.story.json", outcome.seed), &story)?;
            replays.push(format!("{replay} --story {}", quoted(&path.display().to_string())));
        }
        self.say(&format!("\n{}", told.replayed_by(replays)))
    }

    /// Says something to a person.
    fn say(&self, text: &str) -> Result<()> {
        if self.args.json {
            anstream::eprint!("{text}");
            return Ok(());
        }
        print(text)
    }
}

/// What all runs of a scenario came to.
#[derive(Default)]
struct Sums {
    runs: u64,
    broken: u64,
    simulated_ms: u64,
    faults: u64,
    rows: u64,
}

impl Sums {
    fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.broken += u64::from(outcome.violation.is_some());
        self.simulated_ms += outcome.measures.simulated_ms;
        self.faults += outcome.measures.faults.values().sum::<u64>();
        self.rows += outcome.measures.rows_written;
    }

    fn told(&self, scenario: &str, wall: Duration) -> String {
        let seconds = wall.as_secs_f64().max(0.001);
        let verdict = match self.broken {
            0 => styled(GOOD, &format!("{} seeds kept every promise", self.runs)),
            broken => styled(BAD, &format!("{broken} of {} seeds broke a promise", self.runs)),
        };
        format!(
            "{scenario}: {verdict} · {} seeds/s · {} simulated s/s · {} faults · {} rows written",
            rough(self.runs as f64 / seconds),
            rough(self.simulated_ms as f64 / 1000.0 / seconds),
            self.faults,
            self.rows
        )
    }
}

fn bar(scenario: &str, seeds: u64) -> ProgressBar {
    // On stderr, and silent where that is no terminal.
    let bar = ProgressBar::new(seeds).with_message(scenario.to_owned());
    let template = "{msg} [{wide_bar}] {pos}/{len} seeds, {per_sec}, {eta} left";
    bar.set_style(ProgressStyle::with_template(template).expect("a constant template").progress_chars("=> "));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// A scenario's name as the name of a folder.
fn file_name(scenario: &str) -> String {
    let plain = |char: char| if char.is_alphanumeric() || "-_.".contains(char) { char } else { '_' };
    let name: String = scenario.chars().map(plain).collect();
    if name.trim_matches('.').is_empty() { "scenario".to_owned() } else { name }
}

/// As a shell takes it.
fn quoted(text: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./".contains(char);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}
