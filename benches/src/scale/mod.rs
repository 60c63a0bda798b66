//! How cost grows: one thing is made larger, all else stays, and the exponent says how fast the cost
//! follows.

mod catch_up;
mod hub;
mod plot;
mod tables;

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::Result;
use crate::stats::{Spread, exponent};

pub use plot::svg;

/// A law: some cost against some size.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Law {
    /// What was measured.
    pub what: &'static str,
    /// What was made larger.
    pub size: &'static str,
    /// In what the cost is counted.
    pub unit: &'static str,
    /// The largest exponent that it should have.
    pub at_most: f64,
    /// Size and cost.
    pub points: Vec<(f64, Spread)>,
}

impl Law {
    fn new(what: &'static str, size: &'static str, unit: &'static str, at_most: f64) -> Law {
        Law { what, size, unit, at_most, points: Vec::new() }
    }

    fn push(&mut self, size: usize, costs: impl IntoIterator<Item = f64>) {
        self.points.extend(Spread::of(costs).map(|cost| (size as f64, cost)));
    }

    /// The exponent that fits the medians best.
    pub fn exponent(&self) -> Option<f64> {
        let medians: Vec<(f64, f64)> = self.points.iter().map(|(size, cost)| (*size, cost.median)).collect();
        exponent(&medians)
    }
}

/// Measures all laws. `rows` is the largest database; `say` is told what is going on.
///
/// # Errors
/// When something fails, or replicas do not hold the same.
pub fn run(program: &Path, scratch: &Path, rows: usize, say: impl Fn(&str)) -> Result<Vec<Law>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut laws = Vec::new();
    say("catch-up against the size of the database");
    laws.extend(catch_up::against_size(scratch, rows)?);
    say("catch-up against the length of the history");
    laws.extend(catch_up::against_history(scratch, rows)?);
    say("bootstrap against rows");
    laws.extend(runtime.block_on(hub::bootstrap(program, scratch, rows))?);
    say("pushes against scopes and sessions");
    laws.extend(runtime.block_on(hub::pushes(program, scratch, rows))?);
    say("writes against tracked tables");
    laws.extend(tables::writes(scratch, rows)?);
    Ok(laws)
}

/// Sizes up to `most`, each about three times the one before.
fn sizes(most: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> = std::iter::successors(Some(most), |size| Some(size / 3)).take(4).collect();
    sizes.retain(|&size| size > 0);
    sizes.reverse();
    sizes
}

/// The laws as a Markdown table.
pub fn markdown(laws: &[Law]) -> String {
    let mut text = "| cost | against | exponent, at most | sizes: costs |\n|---|---|---|---|\n".to_owned();
    for law in laws {
        let points: Vec<String> =
            law.points.iter().map(|(size, cost)| format!("{size}: {:.2}", cost.median)).collect();
        let found = law.exponent().map_or("–".to_owned(), |exponent| format!("{exponent:.2}"));
        let verdict =
            if law.exponent().is_some_and(|exponent| exponent > law.at_most) { " **missed**" } else { "" };
        let Law { what, size, unit, at_most, .. } = law;
        let _infallible = writeln!(
            text,
            "| {what}, {unit} | {size} | {found}, {at_most:.2}{verdict} | {} |",
            points.join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_law_that_grows_too_fast_is_called_out() {
        let mut flat = Law::new("catch-up", "rows", "ms", 0.25);
        let mut steep = flat.clone();
        for size in sizes(2700) {
            flat.push(size, [2.0, 2.1, 1.9]);
            steep.push(size, [size as f64]);
        }
        assert_eq!(flat.points.len(), 4);
        let text = markdown(&[flat, steep]);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert!(lines[0].contains("| 0.00, 0.25 |") && lines[0].ends_with("2700: 2.00 |"), "{text}");
        assert!(lines[1].contains("| 1.00, 0.25 **missed** |"), "{text}");
    }
}
