//! The scenarios that are shipped with the simulator, by the names of their files.

use std::path::Path;

use crate::scenario::{Scenario, ScenarioError, Schema};

const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// The names, in alphabetical order.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().filter_map(|(file, _)| file.strip_suffix(".toml"))
}

/// The scenario of that name, or the schema beside it (`template.sql`), as text: something to begin
/// one's own with.
pub fn text(name: &str) -> Option<&'static str> {
    let is_meant = |file: &str| file == name || file.strip_suffix(".toml") == Some(name);
    FILES.iter().find(|(file, _)| is_meant(file)).map(|(_, text)| *text)
}

/// The scenario of that name; `None` if there is none.
///
/// ```
/// let office = pocketsync_sim::shipped::scenario("office").expect("it is shipped")?;
/// assert!(office.devices > 1);
/// # Ok::<(), pocketsync_sim::scenario::ScenarioError>(())
/// ```
pub fn scenario(name: &str) -> Option<Result<Scenario, ScenarioError>> {
    let text = names().find(|known| *known == name).and_then(text)?;
    Some(Scenario::parse(text, Path::new("")).map(|mut scenario| {
        // The program may run where the file is not.
        if let Schema::Named(file) = &scenario.schema
            && let Some(sql) = FILES.iter().find(|(known, _)| known == file).map(|(_, sql)| *sql)
        {
            scenario.schema = Schema::Text { sql: sql.to_owned() };
        }
        scenario
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_shipped_has_a_schema_and_says_what_it_attacks() {
        assert!(names().count() >= 3);
        for name in names() {
            let scenario = scenario(name).unwrap().unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(scenario.shape().is_ok_and(|shape| !shape.tables.is_empty()), "{name}");
            assert!(!scenario.attacks.is_empty(), "{name} does not say what it attacks");
        }
        assert!(scenario("no such thing").is_none() && scenario("template.sql").is_none());
        assert!(text("template.sql").is_some_and(|sql| sql.contains("CREATE TABLE")));
    }
}
