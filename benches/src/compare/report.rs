//! What was found, in Markdown for people and in JSON for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Bound, Figure, Series, tables};

/// On what it was measured.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Machine {
    /// The processor.
    pub processor: String,
    /// How many of it.
    pub cores: usize,
    /// The operating system.
    pub system: String,
    /// The version of SQLite.
    pub sqlite: String,
    /// How many programs wanted the processor while this began, over the last minute.
    pub load: Option<f64>,
}

impl Machine {
    /// This one, now.
    pub fn this() -> Machine {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo");
        let processor = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let kernel = read("/proc/sys/kernel/osrelease");
        Machine {
            processor: processor
                .map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            system: format!("{} {}", std::env::consts::OS, kernel.trim()).trim().to_owned(),
            sqlite: rusqlite::version().to_owned(),
            load: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()),
        }
    }
}

/// All that a comparison found.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// How many rows a table of six columns had.
    pub rows: usize,
    /// How often each contender ran.
    pub passes: usize,
    /// How many contenders there are for each table.
    pub contenders: usize,
    /// The figures that have targets, and those beside them.
    pub figures: Vec<Figure>,
    /// Everything, pass by pass.
    pub series: Vec<Series>,
}

impl Report {
    /// The report as a page.
    pub fn markdown(&self) -> String {
        let Machine { processor, cores, system, sqlite, load } = &self.machine;
        let mut text = format!(
            "{processor}, {cores} cores, {system}, SQLite {sqlite}; {} rows, {} passes",
            self.rows, self.passes
        );
        if let Some(load) = load {
            let _infallible = write!(text, "; load {load} at the beginning");
        }
        text.push_str(".\n\n");
        text.push_str(&figures(&self.figures));
        text.push_str(&tables::markdown(&self.series, self.contenders));
        text
    }
}

/// Figures as a Markdown table.
pub(super) fn figures(figures: &[Figure]) -> String {
    if figures.is_empty() {
        return String::new();
    }
    let mut text = "| figure | target: measured | spread | |\n|---|---|---|---|\n".to_owned();
    for figure in figures {
        let Figure { what, unit, target, measured } = figure;
        let aim = match target {
            Some(Bound::AtMost(most)) => format!("target ≤ {}: ", number(*most)),
            Some(Bound::AtLeast(least)) => format!("target ≥ {}: ", number(*least)),
            None => String::new(),
        };
        let verdict = match figure.is_met() {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "",
        };
        let space = if unit.is_empty() { "" } else { " " };
        let _infallible = writeln!(
            text,
            "| {what} | {aim}{}{space}{unit} | {} – {} | {verdict} |",
            number(measured.median),
            number(measured.low),
            number(measured.high)
        );
    }
    text
}

/// A number with as many digits as say something.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 10_000.0 {
        // 1 234 567, so that magnitudes can be told apart.
        let digits = format!("{:.0}", value.abs());
        let groups: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
        return format!("{}{}", if value < 0.0 { "-" } else { "" }, groups.join(" "));
    }
    let text = if size >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Spread;

    #[test]
    fn numbers_can_be_read() {
        for (value, text) in [
            (1.6, "1.6"),
            (1.734, "1.73"),
            (0.0, "0"),
            (99.999, "100"),
            (437.2, "437"),
            (9999.0, "9999"),
            (1_234_567.0, "1 234 567"),
            (-10_050.4, "-10 050"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_line_says_target_and_measure() {
        let measured = Spread { median: 1.73, low: 1.6, high: 2.0 };
        let all = [
            Figure::new("capture", "", Bound::AtMost(1.6), measured),
            Figure::new("fold", "rows/s", Bound::AtLeast(800e3), measured.map(|it| it * 1e6)),
            Figure::plain("latency, 99th of 100", "ms", measured),
        ];
        let lines = figures(&all);
        let lines: Vec<&str> = lines.lines().skip(2).collect();
        assert_eq!(lines[0], "| capture | target ≤ 1.6: 1.73 | 1.6 – 2 | **missed** |");
        assert_eq!(lines[1], "| fold | target ≥ 800 000: 1 730 000 rows/s | 1 600 000 – 2 000 000 | met |");
        assert_eq!(lines[2], "| latency, 99th of 100 | 1.73 ms | 1.6 – 2 |  |");
    }
}
