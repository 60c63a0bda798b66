//! `pocketsync-sim list`.

use std::fmt::Write as _;

use pocketsync_sim::shipped;

use super::ended::{Ended, Failure, Result};
use super::output::{FAINT, STRONG, print, styled};

/// Lists the shipped scenarios with what they attack
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pocketsync-sim list
  pocketsync-sim list office > mine.toml       the file of one, to begin your own with
  pocketsync-sim list --json | jq -r .name")]
pub(super) struct Args {
    /// Prints the file of this one
    scenario: Option<String>,
    /// As JSON, one line a scenario
    #[arg(long, conflicts_with = "scenario")]
    json: bool,
}

/// Lists.
pub(super) fn run(args: Args) -> Result {
    if let Some(name) = args.scenario {
        let text = shipped::text(&name).ok_or_else(|| {
            Failure::new(format!("{name}: no shipped scenario of that name")).hint("pocketsync-sim list")
        })?;
        print(text)?;
        return Ok(Ended::Kept);
    }
    let mut text = String::new();
    for name in shipped::names() {
        let scenario = shipped::scenario(name).expect("it was just named")?;
        let engines: Vec<_> = scenario.engines().iter().map(|kind| kind.name()).collect();
        if args.json {
            let about = serde_json::json!({
                "name": name, "devices": scenario.devices, "engines": engines, "attacks": scenario.attacks.trim(),
            });
            let _ = writeln!(text, "{about}");
        } else {
            let about = format!("{} devices, {}", scenario.devices, engines.join(" or "));
            let _ = writeln!(text, "{}  {}", styled(STRONG, name), styled(FAINT, &about));
            for line in scenario.attacks.trim().lines() {
                let _ = writeln!(text, "    {line}");
            }
        }
    }
    print(&text)?;
    Ok(Ended::Kept)
}
