//! The laws as small plots beside each other, both axes logarithmic: a flat law is a flat line.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::Law;
use crate::Result;

const COLUMNS: usize = 3;
const CELL: (u32, u32) = (380, 260);
const LINE: RGBColor = RGBColor(31, 95, 168);
const SPREAD: RGBColor = RGBColor(150, 180, 215);

/// All laws in one drawing, as SVG.
///
/// # Errors
/// When it cannot be drawn.
pub fn svg(laws: &[Law]) -> Result<String> {
    let rows = laws.len().div_ceil(COLUMNS).max(1);
    let size = (CELL.0 * COLUMNS as u32, CELL.1 * rows as u32);
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        for (law, cell) in laws.iter().zip(area.split_evenly((rows, COLUMNS))) {
            one(law, &cell)?;
        }
        area.present().map_err(failed)?;
    }
    Ok(text)
}

fn failed(error: impl std::fmt::Display) -> Box<dyn std::error::Error + Send + Sync> {
    format!("cannot draw: {error}").into()
}

fn one(law: &Law, cell: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<()> {
    let points: Vec<(f64, f64, f64, f64)> = law
        .points
        .iter()
        .filter(|(size, cost)| *size > 0.0 && cost.low > 0.0)
        .map(|(size, cost)| (*size, cost.median, cost.low, cost.high))
        .collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Ok(()) };
    let low = points.iter().map(|point| point.2).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|point| point.3).fold(0.0, f64::max);
    // At least a decade upwards, or noise would look like a mountain.
    let (low, high) = (low / 2.0, (high * 2.0).max(low * 10.0));
    let found = law.exponent().map_or(String::new(), |exponent| format!(", exponent {exponent:.2}"));
    let title = cell.titled(law.what, ("sans-serif", 12)).map_err(failed)?;
    let mut chart = ChartBuilder::on(&title)
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(48)
        .build_cartesian_2d((first.0 * 0.8..last.0 * 1.25).log_scale(), (low..high).log_scale())
        .map_err(failed)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(4)
        .y_labels(4)
        .x_desc(format!("{}{found}", law.size))
        .y_desc(law.unit)
        .label_style(("sans-serif", 11))
        .draw()
        .map_err(failed)?;
    let spreads = points
        .iter()
        .map(|&(size, _, low, high)| PathElement::new([(size, low), (size, high)], SPREAD.stroke_width(3)));
    chart.draw_series(spreads).map_err(failed)?;
    chart
        .draw_series(LineSeries::new(points.iter().map(|point| (point.0, point.1)), LINE.stroke_width(2)))
        .map_err(failed)?;
    let dots = points.iter().map(|point| Circle::new((point.0, point.1), 3, LINE.filled()));
    chart.draw_series(dots).map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_law_has_its_place() {
        let mut law = Law::new("catch-up", "rows", "ms", 0.25);
        for size in [10, 100, 1000] {
            law.push(size, [1.0, 2.0, 1.5]);
        }
        let empty = Law::new("nothing", "rows", "ms", 0.25);
        let text = svg(&[law.clone(), empty, law.clone(), law]).unwrap();
        assert!(text.starts_with("<svg") && text.matches("catch-up").count() == 3, "{text}");
        assert_eq!(text.matches("<circle").count(), 9);
    }
}
