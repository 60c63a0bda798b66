//! What the rules of a scenario make of its schema.

use pocketsync_core::value::Value;

use super::{Scenario, ScenarioError};
use crate::model;
use crate::shape::{Kind, Merge, Role, Rule, Shape};

const KEY: &str = "rules";

impl Scenario {
    /// The shape of the schema where an application has set the rules.
    pub(super) fn ruled(&self, mut shape: Shape) -> Result<Shape, ScenarioError> {
        for (number, rule) in self.rules.iter().enumerate() {
            let same = |other: &Rule| other.target().eq_ignore_ascii_case(&rule.target());
            if self.rules[..number].iter().any(same) {
                let what = format!("there are two for {}; write them as one", rule.target());
                return Err(self.mistake(KEY, what));
            }
            apply(rule, &mut shape).map_err(|what| self.mistake(KEY, what))?;
        }
        shape.rules.clone_from(&self.rules);
        Ok(shape)
    }
}

fn apply(rule: &Rule, shape: &mut Shape) -> Result<(), String> {
    let target = rule.target();
    if (rule.strategy, rule.on_delete, rule.merge) == (None, None, None) {
        return Err(format!(
            "the one for {target} says nothing; add `strategy`, `on_delete` or `merge`, or leave it out"
        ));
    }
    let Some(table) = shape.table(&rule.table) else {
        let known: Vec<&str> = shape.tables.iter().map(|table| table.name.as_str()).collect();
        return Err(format!("the schema has no table `{}`; it has {}", rule.table, known.join(", ")));
    };
    let Some(name) = &rule.column else {
        return match rule.merge {
            Some(_) => {
                Err(format!("`merge` is for a column: add `column = \"...\"` to the one for {target}"))
            }
            None => Ok(()),
        };
    };
    if rule.on_delete.is_some() {
        return Err(format!("`on_delete` is for a whole table: leave `column` out of the one for {target}"));
    }
    let columns = &shape.tables[table].columns;
    let Some(column) = columns.iter().position(|column| column.name.eq_ignore_ascii_case(name)) else {
        let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        return Err(format!("table {} has no column `{name}`; it has {}", rule.table, known.join(", ")));
    };
    match rule.merge {
        Some(merge) => put(shape, table, column, merge),
        None => Ok(()),
    }
}

/// Makes a column one that merges.
fn put(shape: &mut Shape, table: usize, column: usize, merge: Merge) -> Result<(), String> {
    let is_claimed = model::Rules::of(shape).unique(table).contains(&column);
    let in_key = shape.tables[table].key_columns().contains(&column);
    let name = format!("{}.{}", shape.tables[table].name, shape.tables[table].columns[column].name);
    let role = &mut shape.tables[table].columns[column].role;
    let (kind, begin) = match &*role {
        _ if in_key || is_claimed => Err("is a part of a key"),
        Role::Free(kind) => Ok((*kind, Vec::new())),
        Role::Pool(values) => Ok((kind_of(values), values.clone())),
        Role::Tag => Err("tells the rows of its table apart"),
        _ => Err("refers to rows"),
    }
    .map_err(|why| format!("{name} {why}, and cannot merge; name another column"))?;
    let fits = match merge {
        Merge::Counter => matches!(kind, Kind::Integer | Kind::Real),
        Merge::Set => kind == Kind::Text,
        Merge::Max | Merge::Min => true,
    };
    if !fits {
        let wanted = if merge == Merge::Set { "TEXT" } else { "INTEGER or REAL" };
        return Err(format!("{name} cannot be a {merge}; declare the column as {wanted}"));
    }
    *role = Role::Merges { merge, kind, begin };
    let role = role.clone();
    for version in &mut shape.versions {
        let here = &mut version.tables[table].columns[column];
        if here.role != Role::Absent {
            here.role = role.clone();
        }
    }
    Ok(())
}

fn kind_of(values: &[Value]) -> Kind {
    match values.iter().find(|value| **value != Value::Null) {
        Some(Value::Integer(_)) => Kind::Integer,
        Some(Value::Real(_)) => Kind::Real,
        Some(Value::Blob(_)) => Kind::Blob,
        _ => Kind::Text,
    }
}
