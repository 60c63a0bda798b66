//! Schemas to begin with.

/// The schemas that come with the simulator, by name.
const SCHEMAS: [(&str, &str); 5] = [
    ("todo", include_str!("schemas/todo.sql")),
    ("inventory", include_str!("schemas/inventory.sql")),
    ("chat", include_str!("schemas/chat.sql")),
    ("relational", include_str!("schemas/relational.sql")),
    ("hotcell", include_str!("schemas/hotcell.sql")),
];

/// The statements of a schema that comes with the simulator: `todo`, `inventory`, `chat`,
/// `relational` or `hotcell`.
///
/// ```
/// use pocketsync_sim::shape::{Shape, builtin};
/// let todo = Shape::of_sql(builtin("todo").unwrap()).unwrap();
/// assert!(todo.tables.iter().any(|table| table.name == "items"));
/// assert_eq!(builtin("tood"), None);
/// ```
pub fn builtin(name: &str) -> Option<&'static str> {
    SCHEMAS.iter().find(|(known, _)| *known == name).map(|(_, sql)| *sql)
}

/// The names that [`builtin`] knows.
pub fn builtin_names() -> impl Iterator<Item = &'static str> {
    SCHEMAS.iter().map(|(name, _)| *name)
}
