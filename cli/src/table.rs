//! Small tables for terminals.

use clap::builder::styling::Style;
use unicode_width::UnicodeWidthStr;

use crate::output::{FAINT, styled};

/// One cell: its text, how it looks, and on which side it stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    text: String,
    style: Style,
    right: bool,
}

impl Cell {
    /// A cell of text, to the left. Control characters, which would break the table, are shown.
    pub(crate) fn text(text: impl AsRef<str>) -> Self {
        let text = text.as_ref().chars().flat_map(shown).collect();
        Cell { text, ..Cell::default() }
    }

    /// A cell with a number, to the right.
    pub(crate) fn number(text: impl AsRef<str>) -> Self {
        Cell { right: true, ..Cell::text(text) }
    }

    /// The same in a style.
    pub(crate) fn styled(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// The same, cut to a number of columns.
    pub(crate) fn at_most(mut self, width: usize) -> Self {
        if self.text.width() > width {
            while self.text.width() >= width && self.text.pop().is_some() {}
            self.text.push('…');
        }
        self
    }

    fn padded(&self, width: usize, keep_trailing: bool) -> String {
        let gap = " ".repeat(width.saturating_sub(self.text.width()));
        let text = if self.text.is_empty() { String::new() } else { styled(self.style, &self.text) };
        match (self.right, keep_trailing) {
            (true, _) => format!("{gap}{text}"),
            (false, true) => format!("{text}{gap}"),
            (false, false) => text,
        }
    }
}

fn shown(c: char) -> impl Iterator<Item = char> {
    let escape = c.is_control();
    let escaped = escape.then(|| c.escape_default()).into_iter().flatten();
    escaped.chain((!escape).then_some(c))
}

/// Rows under a heading, aligned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    head: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new<'a>(head: impl IntoIterator<Item = &'a str>) -> Self {
        let head = head.into_iter().map(|text| Cell::text(text).styled(FAINT)).collect();
        Table { head, rows: Vec::new() }
    }

    /// Adds a row. Cells beyond the headings are left out.
    pub(crate) fn row(&mut self, mut cells: Vec<Cell>) {
        cells.resize(self.head.len(), Cell::default());
        self.rows.push(cells);
    }

    /// The lines, without indentation.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.render(false)
    }

    /// The lines, all of one width, to stand beside another table.
    pub(crate) fn block(&self) -> (usize, Vec<String>) {
        let widths = self.widths();
        (widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1), self.render(true))
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.head.iter().map(|cell| cell.text.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.width());
            }
        }
        widths
    }

    fn render(&self, full: bool) -> Vec<String> {
        let widths = self.widths();
        let line = |cells: &[Cell], heading: bool| -> String {
            let last = cells.len().saturating_sub(1);
            let mut parts = Vec::with_capacity(cells.len());
            for (at, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                // A heading stands over its column.
                let right = cell.right || heading && self.rows.first().is_some_and(|row| row[at].right);
                parts.push(Cell { right, ..cell.clone() }.padded(*width, full || at < last));
            }
            let text = parts.join("  ");
            if full { text } else { text.trim_end().to_owned() }
        };
        std::iter::once(line(&self.head, true)).chain(self.rows.iter().map(|row| line(row, false))).collect()
    }
}

/// Puts tables beside each other, each under its title.
pub(crate) fn beside(tables: &[(String, Table)], gap: usize) -> Vec<String> {
    let blocks: Vec<(usize, Vec<String>)> = tables
        .iter()
        .map(|(title, table)| {
            let (width, mut lines) = table.block();
            let width = width.max(title.width());
            lines.insert(0, styled(crate::output::STRONG, title) + &" ".repeat(width - title.width()));
            let (table_width, _) = table.block();
            for line in lines.iter_mut().skip(1) {
                line.push_str(&" ".repeat(width - table_width));
            }
            (width, lines)
        })
        .collect();
    let height = blocks.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0);
    let gap = " ".repeat(gap);
    (0..height)
        .map(|row| {
            let parts: Vec<String> = blocks
                .iter()
                .map(|(width, lines)| lines.get(row).cloned().unwrap_or_else(|| " ".repeat(*width)))
                .collect();
            parts.join(&gap).trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(lines: &[String]) -> String {
        anstream::adapter::strip_str(&lines.join("\n")).to_string()
    }

    #[test]
    fn columns_align_by_what_is_seen() {
        let mut table = Table::new(["name", "n"]);
        table.row(vec![Cell::text("ä").styled(Style::new().bold()), Cell::number("5")]);
        table.row(vec![Cell::text("漢字"), Cell::number("1234")]);
        assert_eq!(plain(&table.lines()), "name     n\nä        5\n漢字  1234");
    }

    #[test]
    fn control_characters_cannot_break_a_table() {
        let mut table = Table::new(["x"]);
        table.row(vec![Cell::text("a\nb\u{1b}[31m")]);
        assert_eq!(plain(&table.lines()), "x\na\\nb\\u{1b}[31m");
    }

    #[test]
    fn long_cells_are_cut_where_asked() {
        let mut table = Table::new(["x"]);
        table.row(vec![Cell::text("abcdef").at_most(4)]);
        table.row(vec![Cell::text("abcd").at_most(4)]);
        assert_eq!(plain(&table.lines()), "x\nabc…\nabcd");
    }

    #[test]
    fn tables_stand_beside_each_other() {
        let mut left = Table::new(["a"]);
        left.row(vec![Cell::text("1")]);
        left.row(vec![Cell::text("2")]);
        let mut right = Table::new(["b", "c"]);
        right.row(vec![Cell::text("x"), Cell::text("y")]);
        let lines = beside(&[("left".into(), left), ("r".into(), right)], 3);
        assert_eq!(plain(&lines), "left   r\na      b  c\n1      x  y\n2");
    }
}
