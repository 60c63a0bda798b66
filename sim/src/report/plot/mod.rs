//! Plots as inline SVG. They are drawn in colours that stand for roles, which become variables of
//! the page's style sheet: so they follow the reader's light or dark theme.

mod bars;
mod lines;
mod scatter;

pub(super) use bars::{histogram, stacked};
pub(super) use lines::divergence;
pub(super) use scatter::scatter;

use plotters::prelude::*;

use super::html::escape;
use super::units::{Unit, short};

/// The drawing's size. Small, so that its text can be read where it is scaled to a phone.
pub(super) const SIZE: (u32, u32) = (460, 290);

const INK: RGBColor = RGBColor(1, 1, 1);
const GRID: RGBColor = RGBColor(2, 2, 2);
const FIRST: RGBColor = RGBColor(3, 3, 3);
const SECOND: RGBColor = RGBColor(4, 4, 4);

/// What each of them is called in the style sheet.
const ROLES: [(&str, &str); 4] = [
    ("#010101", "var(--ink)"),
    ("#020202", "var(--grid)"),
    ("#030303", "var(--first)"),
    ("#040404", "var(--second)"),
];

/// What a plot says besides its data.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// What it shows, for those who do not see it, too.
    pub(super) title: String,
    /// What goes to the right.
    pub(super) x: Axis,
    /// What goes up.
    pub(super) y: Axis,
}

/// An axis from 0.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) label: String,
    pub(super) max: f64,
    pub(super) unit: Unit,
}

impl Axis {
    /// Up to `max` in base units, with some room above.
    pub(super) fn new(label: &str, max: f64, unit: Unit) -> Self {
        let max = if max > 0.0 { max * 1.05 } else { 1.0 };
        Axis { label: label.to_owned(), max, unit }
    }

    fn told(&self) -> String {
        match self.unit.name {
            "" => self.label.clone(),
            unit => format!("{} ({unit})", self.label),
        }
    }

    /// In the axis' unit: round numbers of that are marked, not of the base unit.
    fn scaled(&self, value: f64) -> f64 {
        value / self.unit.size
    }

    fn tick(&self, number: f64) -> String {
        if self.unit.name.is_empty() && number.fract() != 0.0 {
            // There is no half a row.
            return String::new();
        }
        if number == 0.0 { "0".to_owned() } else { short_tick(number) }
    }
}

fn short_tick(number: f64) -> String {
    let text = short(number);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Numbers = Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Numbers>;
/// Drawing into a text does not fail.
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Draws axes, and what `draw` puts into them.
fn framed(frame: &Frame, draw: impl FnOnce(&mut Chart<'_, '_>) -> Drawn) -> String {
    svg(&frame.title, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(6)
            .margin_right(14)
            .x_label_area_size(40)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..frame.x.scaled(frame.x.max), 0.0..frame.y.scaled(frame.y.max))?;
        chart
            .configure_mesh()
            .x_labels(6)
            .y_labels(6)
            .axis_style(INK)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .label_style(("sans-serif", 13).into_font().color(&INK))
            .axis_desc_style(("sans-serif", 13).into_font().color(&INK))
            .x_desc(frame.x.told())
            .y_desc(frame.y.told())
            .x_label_formatter(&|at| frame.x.tick(*at))
            .y_label_formatter(&|at| frame.y.tick(*at))
            .draw()?;
        draw(&mut chart)
    })
}

/// A drawing with a title that screen readers read.
fn svg(title: &str, draw: impl FnOnce(&Area<'_>) -> Drawn) -> String {
    let mut text = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        draw(&area).and_then(|()| area.present())
    };
    if let Err(error) = drawn {
        return format!("<p>cannot draw this: {}</p>", escape(&error.to_string()));
    }
    for (color, role) in ROLES {
        text = text.replace(color, role);
    }
    // Wide screens show it larger; the page's style says how large.
    let (width, height) = (format!("width=\"{}\" ", SIZE.0), format!("height=\"{}\" ", SIZE.1));
    let text = text.replacen(&width, "role=\"img\" ", 1).replacen(&height, "", 1);
    match text.find('>') {
        Some(end) => format!("{}<title>{}</title>{}", &text[..=end], escape(title), &text[end + 1..]),
        None => text,
    }
}
