//! One thing against another.

use plotters::prelude::*;

use super::{FIRST, Frame, framed};

/// A dot each.
pub(in crate::report) fn scatter(frame: &Frame, points: &[(f64, f64)]) -> String {
    framed(frame, |chart| {
        let dots = points
            .iter()
            .map(|(x, y)| Circle::new((frame.x.scaled(*x), frame.y.scaled(*y)), 3, FIRST.mix(0.4).filled()));
        chart.draw_series(dots)?;
        Ok(())
    })
}
