//! The guard: instruction counts of the hot paths against those that are stored.
//!
//! Counts of one build do not vary, but those of two machines do: another C library copies memory with other
//! instructions, and another compiler makes other ones. So what is stored, and compared, is the count of a part
//! *through that of plain inserts* of the same rows, counted in the same run by the same build. What SQLite, the
//! compiler and the C library contribute to both cancels, by and large. A baseline says which compiler it was
//! made with; where that is another one, the gate is wider.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;

/// Rows of the tables that are counted with: callgrind is slow, and does not need many.
pub const ROWS: usize = 400;

/// What everything is divided by.
const REFERENCE: &str = "plain_insert";

/// How much more than stored a part may take, as a share of it.
const GATE: f64 = 0.05;

/// More than that is only told where it is this much of plain inserts, too: what a short part takes depends a
/// little on how many milliseconds the transaction before it took.
const SLACK: f64 = 0.03;

/// [`GATE`] where the baseline was made by another compiler.
const WIDE_GATE: f64 = 0.20;

/// What is stored.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Baseline {
    /// The compiler, as `rustc --version` has it.
    pub compiler: String,
    /// Instructions through those of plain inserts, by part.
    pub ratios: BTreeMap<String, f64>,
}

/// What the comparison says.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    /// A line a part.
    pub text: String,
    /// Whether every part is within the gate.
    pub passed: bool,
}

/// Reads the counts that a run of callgrind left in a folder, and divides them by those of plain inserts.
///
/// # Errors
/// When there are none, or they cannot be read.
pub fn counted(folder: &Path, compiler: &str) -> Result<Baseline> {
    let mut counts = BTreeMap::new();
    collect(folder, &mut counts)?;
    let reference = *counts.get(REFERENCE).ok_or_else(|| format!("no counts in {}", folder.display()))?;
    let ratios = counts.into_iter().map(|(part, count)| (part, count / reference)).collect();
    Ok(Baseline { compiler: compiler.to_owned(), ratios })
}

fn collect(folder: &Path, counts: &mut BTreeMap<String, f64>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, counts)?;
            continue;
        }
        // callgrind.<function>.<part>.out
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(name) = name.strip_prefix("callgrind.").and_then(|name| name.strip_suffix(".out")) else {
            continue;
        };
        let Some((_, part)) = name.rsplit_once('.') else { continue };
        counts.insert(part.to_owned(), total(&std::fs::read_to_string(&path)?)?);
    }
    Ok(())
}

/// The instructions in all parts of callgrind's output.
fn total(text: &str) -> Result<f64> {
    let totals = text.lines().filter_map(|line| line.strip_prefix("totals:"));
    let mut sum = 0.0;
    for line in totals {
        sum += line.split_whitespace().next().ok_or("a total without a number")?.parse::<f64>()?;
    }
    if sum > 0.0 { Ok(sum) } else { Err("callgrind counted nothing".into()) }
}

/// Compares what was counted with what is stored.
pub fn compare(stored: &Baseline, counted: &Baseline) -> Verdict {
    let same = stored.compiler == counted.compiler;
    let gate = if same { GATE } else { WIDE_GATE };
    let mut verdict = Verdict { text: String::new(), passed: true };
    if !same {
        let _infallible = writeln!(
            verdict.text,
            "the baseline is of {}, this is {}: the gate is {:.0} %",
            stored.compiler,
            counted.compiler,
            gate * 100.0
        );
    }
    for (part, &ratio) in &counted.ratios {
        let Some(&before) = stored.ratios.get(part) else {
            let _infallible = writeln!(verdict.text, "{part:<22} {ratio:8.3}  new: record it");
            verdict.passed = false;
            continue;
        };
        let change = ratio / before - 1.0;
        let fails = change > gate && ratio - before > SLACK;
        let mark = match () {
            () if fails => "  TOO MUCH",
            () if change < -gate => "  better: record it",
            () => "",
        };
        let _infallible =
            writeln!(verdict.text, "{part:<22} {before:8.3} {ratio:8.3} {:+7.1} %{mark}", change * 100.0);
        verdict.passed &= !fails;
    }
    for part in stored.ratios.keys().filter(|part| !counted.ratios.contains_key(*part)) {
        let _infallible = writeln!(verdict.text, "{part:<22} was not counted");
        verdict.passed = false;
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(compiler: &str, ratios: &[(&str, f64)]) -> Baseline {
        let ratios = ratios.iter().map(|&(part, ratio)| (part.to_owned(), ratio)).collect();
        Baseline { compiler: compiler.to_owned(), ratios }
    }

    #[test]
    fn counts_are_read_and_divided() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("parts/part.fold");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("callgrind.part.fold.out"), "events: Ir\ntotals: 300\n").unwrap();
        std::fs::write(folder.join("callgrind.part.fold.out.old"), "totals: 9999\n").unwrap();
        std::fs::write(dir.path().join("callgrind.part.plain_insert.out"), "totals: 200 7\n").unwrap();
        let counted = counted(dir.path(), "rustc 1").unwrap();
        assert_eq!(counted, baseline("rustc 1", &[("fold", 1.5), ("plain_insert", 1.0)]));
        assert!(super::counted(&dir.path().join("parts"), "rustc 1").is_err(), "nothing to divide by");
    }

    #[test]
    fn five_percent_more_is_too_much() {
        let stored = baseline("rustc 1", &[("fold", 1.0), ("apply", 2.0)]);
        assert!(compare(&stored, &baseline("rustc 1", &[("fold", 1.049), ("apply", 1.0)])).passed);
        let worse = baseline("rustc 1", &[("fold", 1.06), ("apply", 2.0)]);
        let verdict = compare(&stored, &worse);
        assert!(!verdict.passed && verdict.text.contains("TOO MUCH"), "{}", verdict.text);
        assert!(compare(&stored, &Baseline { compiler: "rustc 2".to_owned(), ..worse }).passed);
        assert!(!compare(&stored, &baseline("rustc 1", &[("fold", 1.0)])).passed, "a part is missing");
    }
}
