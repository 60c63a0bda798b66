//! Something over time.

use plotters::prelude::*;

use super::{FIRST, Frame, SECOND, framed};
use crate::report::figures::Differing;

/// The divergence: the largest as an area, nine runs of ten as a thin line, the median as a line.
pub(in crate::report) fn divergence(frame: &Frame, series: &[Differing]) -> String {
    framed(frame, |chart| {
        let largest = series.iter().map(|point| (frame.x.scaled(point.at), point.max));
        chart.draw_series(AreaSeries::new(largest, 0.0, SECOND.mix(0.25)).border_style(SECOND.mix(0.5)))?;
        let most = series.iter().map(|point| (frame.x.scaled(point.at), point.p90));
        chart.draw_series(LineSeries::new(most, FIRST.mix(0.6).stroke_width(1)))?;
        let median = series.iter().map(|point| (frame.x.scaled(point.at), point.median));
        chart.draw_series(LineSeries::new(median, FIRST.stroke_width(3)))?;
        Ok(())
    })
}
