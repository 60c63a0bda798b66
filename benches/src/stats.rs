//! Medians, spreads, and how fast something grows.

use serde::{Deserialize, Serialize};

/// The middle of some measurements, and how far they lie apart.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The smallest.
    pub low: f64,
    /// The largest.
    pub high: f64,
}

impl Spread {
    /// Of measurements, in any order; `None` of none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        Some(Spread { median, low, high })
    }

    /// Every part through a monotonic function.
    #[must_use]
    pub fn map(self, f: impl Fn(f64) -> f64) -> Spread {
        let (a, b) = (f(self.low), f(self.high));
        Spread { median: f(self.median), low: a.min(b), high: a.max(b) }
    }
}

/// The exponent `k` of the law `cost = c * size^k` that fits best, by least squares over the
/// logarithms: 0 is flat, 1 is linear. `None` where the sizes do not differ or something is not
/// positive.
pub fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    if points.iter().any(|&(size, cost)| size <= 0.0 || cost <= 0.0) {
        return None;
    }
    let logs: Vec<(f64, f64)> = points.iter().map(|&(size, cost)| (size.ln(), cost.ln())).collect();
    let count = logs.len() as f64;
    let mean = |part: fn(&(f64, f64)) -> f64| logs.iter().map(part).sum::<f64>() / count;
    let (x, y) = (mean(|log| log.0), mean(|log| log.1));
    let across: f64 = logs.iter().map(|log| (log.0 - x) * (log.0 - x)).sum();
    let along: f64 = logs.iter().map(|log| (log.0 - x) * (log.1 - y)).sum();
    (across > 1e-9).then(|| along / across)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, low: 1.0, high: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0]).unwrap().median, 2.5);
        let rate = Spread::of([0.5, 0.25, 1.0]).unwrap().map(|seconds| 1.0 / seconds);
        assert_eq!(rate, Spread { median: 2.0, low: 1.0, high: 4.0 });
    }

    #[test]
    fn exponents_of_known_laws() {
        let law = |k: f64| (1..6).map(|n| (f64::from(n), 7.0 * f64::from(n).powf(k))).collect::<Vec<_>>();
        for k in [0.0, 0.5, 1.0, 2.0] {
            assert!((exponent(&law(k)).unwrap() - k).abs() < 1e-9);
        }
        assert_eq!(exponent(&[(1.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(exponent(&[(1.0, 1.0), (2.0, 0.0)]), None);
        assert_eq!(exponent(&[]), None);
    }
}
