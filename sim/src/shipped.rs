//! The scenarios that are shipped with the simulator, by the names of their files.

use std::path::Path;

use crate::scenario::{Scenario, ScenarioError};

const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// The names, in alphabetical order.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// The file of that name, as text: something to begin one's own with.
pub fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The scenario of that name; `None` if there is none.
///
/// ```
/// let office = pocketsync_sim::shipped::scenario("office").expect("it is shipped")?;
/// assert!(office.devices > 1);
/// # Ok::<(), pocketsync_sim::scenario::ScenarioError>(())
/// ```
pub fn scenario(name: &str) -> Option<Result<Scenario, ScenarioError>> {
    // Shipped scenarios have built-in schemas only, so nothing is looked for beside them.
    text(name).map(|text| Scenario::parse(text, Path::new("")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_shipped_makes_stories_and_says_what_it_attacks() {
        assert!(names().count() >= 3);
        for name in names() {
            let scenario = scenario(name).unwrap().unwrap_or_else(|error| panic!("{name}: {error}"));
            let shape = scenario.shape().unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(!scenario.attacks.is_empty(), "{name} does not say what it attacks");
            assert!(!scenario.story(&shape, 1).moves.is_empty(), "nothing happens in {name}");
        }
        assert!(scenario("no such thing").is_none());
    }
}
