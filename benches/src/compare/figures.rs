//! The figures that have a target, each a line.

use serde::Serialize;

use super::Series;
use crate::contender::{Kind, Pragmas};
use crate::pass::Sample;
use crate::shape::Shape;
use crate::stats::Spread;

/// What a figure should be.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
}

/// A measured figure, and its target if it has one.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// In what it is counted; empty for a ratio.
    pub unit: &'static str,
    /// What it should be.
    pub target: Option<Bound>,
    /// What it was.
    pub measured: Spread,
}

impl Figure {
    /// A figure with its target.
    pub fn new(what: impl Into<String>, unit: &'static str, target: Bound, measured: Spread) -> Figure {
        Figure { what: what.into(), unit, target: Some(target), measured }
    }

    /// A figure without a target.
    pub fn plain(what: impl Into<String>, unit: &'static str, measured: Spread) -> Figure {
        Figure { what: what.into(), unit, target: None, measured }
    }

    /// Whether the median is as it should be; `None` without a target.
    pub fn is_met(&self) -> Option<bool> {
        Some(match self.target? {
            Bound::AtMost(most) => self.measured.median <= most,
            Bound::AtLeast(least) => self.measured.median >= least,
        })
    }
}

/// The passes of PocketSync beside those of plain SQLite that were run together.
struct Pair<'a> {
    plain: &'a [Sample],
    ours: &'a [Sample],
    title: &'static str,
}

fn cpu(sample: &Sample, step: &str) -> Option<f64> {
    Some(sample.laps.get(step)?.lap.cpu)
}

impl Pair<'_> {
    fn spread(&self, of: impl Fn(&Sample, &Sample) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.plain.iter().zip(self.ours).filter_map(|(plain, ours)| of(plain, ours)))
    }

    /// Processor time of ours through that of plain SQLite.
    fn ratio(&self, ours_steps: &[&str], plain_step: &str) -> Option<Spread> {
        self.spread(|plain, ours| {
            let mut sum = 0.0;
            for step in ours_steps {
                sum += cpu(ours, step)?;
            }
            Some(sum / cpu(plain, plain_step)?)
        })
    }

    fn rate(&self, step: &str) -> Option<Spread> {
        self.spread(|_, ours| Some(ours.laps.get(step)?.rows as f64 / cpu(ours, step)?))
    }

    fn overhead(&self, what: &str) -> Option<Spread> {
        self.spread(|_, ours| {
            let rows = ours.laps.get(what)?.rows as f64;
            Some(
                (ours.bytes.get(&format!("wire {what}"))? - ours.bytes.get(&format!("values {what}"))?)
                    / rows,
            )
        })
    }
}

/// The figures with a target that one process alone can measure; those that follow from `series`, with
/// tuned pragmas.
pub fn of_samples(all: &[Series]) -> Vec<Figure> {
    let find = |kind: &Kind, shape: Shape| {
        all.iter()
            .find(|series| series.kind == *kind && series.shape == shape && series.pragmas == Pragmas::Tuned)
            .map(|series| &series.samples[..])
    };
    let mut figures = Vec::new();
    for shape in [Shape::Text, Shape::Integer] {
        let (Some(plain), Some(ours)) = (find(&Kind::Plain, shape), find(&Kind::PocketSync, shape)) else {
            continue;
        };
        let title = if shape == Shape::Text { "TEXT key" } else { "INTEGER key" };
        of_table(&Pair { plain, ours, title }, shape, &mut figures);
        for series in all {
            let is_crsqlite = series.kind.name().replace('-', "") == "crsqlite";
            if is_crsqlite && series.shape == shape && series.pragmas == Pragmas::Tuned {
                let pair = Pair { plain: &series.samples, ours, title };
                let times = pair
                    .spread(|theirs, ours| Some(cpu(theirs, "apply insert")? / cpu(ours, "apply insert")?));
                let what = format!("{title}: apply inserts, times as fast as {}", series.kind.name());
                figures.extend(times.map(|times| Figure::new(what, "", Bound::AtLeast(10.0), times)));
            }
        }
    }
    figures
}

fn of_table(pair: &Pair<'_>, shape: Shape, figures: &mut Vec<Figure>) {
    use Bound::{AtLeast, AtMost};
    let is_text = shape == Shape::Text;
    let either = |text: f64, integer: f64| if is_text { text } else { integer };
    let mut add = |what: &str, unit: &'static str, target: Bound, measured: Option<Spread>| {
        let what = format!("{}: {what}", pair.title);
        figures.extend(measured.map(|measured| Figure::new(what, unit, target, measured)));
    };
    for (step, what, most) in [
        ("insert", "capture, insert", either(1.6, 2.2)),
        ("update 1", "capture, update of 1 column", either(1.5, 1.6)),
        ("update 5", "capture, update of 5 columns", 1.6),
        ("delete", "capture, delete", either(1.6, 1.5)),
        ("autocommit insert", "capture, autocommit inserts", 1.5),
    ] {
        add(what, "", AtMost(most), pair.ratio(&[step], step));
    }
    let whole = pair.ratio(&["insert", "fold insert", "extract insert"], "insert");
    add("capture + fold + extract of inserts", "", AtMost(either(2.5, 3.0)), whole);
    add("fold of inserts", "rows/s", AtLeast(either(400e3, 800e3)), pair.rate("fold insert"));
    add("fold of updates", "rows/s", AtLeast(either(175e3, 350e3)), pair.rate("fold update 1"));
    add("extract of inserts", "rows/s", AtLeast(800e3), pair.rate("extract insert"));
    add("extract of 1-column updates", "rows/s", AtLeast(1e6), pair.rate("extract update 1"));
    add("apply inserts in one transaction", "", AtMost(1.6), pair.ratio(&["apply insert"], "insert"));
    add("apply 1-column updates", "", AtMost(1.2), pair.ratio(&["apply update 1"], "update 1"));
    add("apply a duplicate changeset", "rows/s", AtLeast(600e3), pair.rate("apply duplicates"));
    add("apply a losing changeset", "rows/s", AtLeast(600e3), pair.rate("apply losing"));
    add("wire, an inserted row beyond its values", "bytes", AtMost(4.0), pair.overhead("insert"));
    let update = pair.overhead("update 1");
    add("wire, a 1-column update beyond its value", "bytes", AtMost(either(20.0, 4.0)), update);
    let disk = pair.spread(|plain, ours| Some(ours.bytes.get("disk")? / plain.bytes.get("disk")?));
    add("file after inserts and updates", "", AtMost(1.25), disk);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Lap;
    use crate::pass::Step;

    fn sample(step: &str, cpu: f64) -> Sample {
        let mut sample = Sample::default();
        sample.laps.insert(step.to_owned(), Step { lap: Lap { wall: 9.0, cpu }, rows: 100 });
        sample
    }

    #[test]
    fn ratios_are_of_the_same_pass() {
        let series = |kind, times: [f64; 3]| Series {
            kind,
            shape: Shape::Text,
            pragmas: Pragmas::Tuned,
            samples: times.map(|cpu| sample("insert", cpu)).to_vec(),
        };
        // The machine was twice as slow in the second pass, for both.
        let all = [series(Kind::Plain, [1.0, 2.0, 1.0]), series(Kind::PocketSync, [1.5, 3.0, 1.7])];
        let figures = of_samples(&all);
        assert_eq!(figures.len(), 1, "what was not measured has no line");
        assert_eq!(figures[0].measured, Spread { median: 1.5, low: 1.5, high: 1.7 });
        assert_eq!(figures[0].target, Some(Bound::AtMost(1.6)));
        assert_eq!(figures[0].is_met(), Some(true));
    }
}
