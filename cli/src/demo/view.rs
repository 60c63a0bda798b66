//! What the demo shows of its devices: their rows beside each other, with what is new in colour.

use std::collections::BTreeMap;

use crate::output::{FAINT, ODD};
use crate::table::{Cell, Table, beside};

/// An item as the demo shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    /// The integer key on this device.
    pub(crate) id: i64,
    /// Its name.
    pub(crate) name: String,
    /// How many.
    pub(crate) qty: String,
    /// Whether it was bought.
    pub(crate) done: String,
    /// Where it is bought.
    pub(crate) shop: String,
}

impl Row {
    fn cells(&self) -> [String; 5] {
        [self.id.to_string(), self.name.clone(), self.qty.clone(), self.done.clone(), self.shop.clone()]
    }
}

/// Remembers what each device showed last, to mark what has changed since.
#[derive(Debug, Default)]
pub(crate) struct View {
    last: BTreeMap<String, Vec<Row>>,
}

impl View {
    /// The devices' rows beside each other, each line indented.
    pub(crate) fn show(&mut self, devices: Vec<(String, Vec<Row>)>) -> Vec<String> {
        let tables: Vec<(String, Table)> = devices
            .into_iter()
            .map(|(name, rows)| {
                let table = table(&rows, self.last.get(&name));
                self.last.insert(name.clone(), rows);
                (name, table)
            })
            .collect();
        beside(&tables, 3).into_iter().map(|line| format!("   {line}").trim_end().to_owned()).collect()
    }
}

/// Cells that were not in any row of that integer before are marked. Nothing is, at first sight.
fn table(rows: &[Row], before: Option<&Vec<Row>>) -> Table {
    let mut table = Table::new(["id", "name", "qty", "done", "shop"]);
    for row in rows {
        let old = before.map(|rows| {
            rows.iter()
                .find(|old| old.id == row.id && (old.name == row.name || old.qty == row.qty))
                .map(Row::cells)
        });
        let cells = row.cells().into_iter().enumerate().map(|(at, text)| {
            let cell = if matches!(at, 0 | 2) { Cell::number(&text) } else { Cell::text(&text) };
            match &old {
                Some(Some(old)) if old[at] == text => cell,
                Some(_) => cell.styled(ODD),
                None if at == 0 => cell.styled(FAINT),
                None => cell,
            }
        });
        table.row(cells.collect());
    }
    table
}
