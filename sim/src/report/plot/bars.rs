//! Bars.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{FIRST, Frame, GRID, INK, SECOND, framed, svg};

/// How many values fall into each range of `width`.
pub(in crate::report) fn histogram(frame: &Frame, width: f64, counts: &[f64]) -> String {
    framed(frame, |chart| {
        let width = frame.x.scaled(width);
        let gap = width * 0.06;
        let bars = counts.iter().enumerate().filter(|(_, count)| **count > 0.0).map(|(bar, count)| {
            let left = bar as f64 * width;
            Rectangle::new([(left + gap, 0.0), (left + width - gap, *count)], FIRST.filled())
        });
        chart.draw_series(bars)?;
        Ok(())
    })
}

/// Bars that lie, each of two parts, with its name before it and its size behind it.
pub(in crate::report) fn stacked(title: &str, max: f64, bars: &[(String, f64, f64, String)]) -> String {
    svg(title, |area| {
        let (width, height) = area.dim_in_pixel();
        let (name_width, size_width) = (92, 84);
        let room = f64::from(width) - f64::from(name_width + size_width);
        let step = (height as i32 - 10) / bars.len().max(4) as i32;
        let scale = |value: f64| (value / max.max(1.0) * room).round() as i32;
        let text = |side| ("sans-serif", 14).into_font().color(&INK).pos(Pos::new(side, VPos::Center));
        for (index, (name, first, second, size)) in bars.iter().enumerate() {
            let middle = 5 + step * index as i32 + step / 2;
            let half = (step * 3 / 10).min(22);
            let (from, between) = (name_width, name_width + scale(*first));
            let to = between + scale(*second);
            area.draw(&Rectangle::new([(from, middle - half), (between, middle + half)], FIRST.filled()))?;
            area.draw(&Rectangle::new([(between, middle - half), (to, middle + half)], SECOND.filled()))?;
            area.draw(&PathElement::new([(from, middle - step / 2), (from, middle + step / 2)], GRID))?;
            area.draw(&Text::new(name.clone(), (name_width - 6, middle), text(HPos::Right)))?;
            area.draw(&Text::new(size.clone(), (to + 6, middle), text(HPos::Left)))?;
        }
        Ok(())
    })
}
