//! Stories as they are written.
//!
//! ```text
//! given CREATE TABLE note(…);      every device's schema; `given b …`: what b has in place of it
//!     …                            (what is indented goes on)
//! == Title                         a story; what was given before the first one holds for all
//! a: UPDATE …                      a transaction of a's application
//! a fails: INSERT … => words       SQLite refuses it, with these words in its message
//! a is offline                     and `a is online`, `a restarts`, `a is copied to c`,
//!                                  `a is kept` and later `a is restored`, `hub is kept`, `hub is restored`
//! clock of a: -3650 days           from now on; `seconds` and `hours` as well
//! rule of a: note.title hub_wins   a rule that a sets; `note on_delete last_writer_wins`; `note.n counter`
//! a migrates: ALTER TABLE …        the engine runs a script
//! a renames: note.old new          its application says what somebody's script has renamed; `note notes`
//! rights of a: read, write note    from now on; `write` alone for all tables, `own` for no changes of others
//! refused of a: => note x          what a made and the hub did not take: tables and keys
//! a retries                        writes what was refused once more
//! a tracks                         all tables that there are
//! sync                             until nobody who is online has anything more to say
//! all: SELECT … => x 1 | y NULL    what everyone who is online sees: rows, and their columns
//! a: SELECT … => …                 what a sees
//! parked: => tag unique claim      what everyone holds and does not show
//! log of hub: => 1                 how many conflicts the hub, or a device, remembers
//! ```

/// A story.
pub(crate) struct Story {
    pub(crate) title: String,
    /// Schemas: whose (`None`: everyone's), and the SQL.
    pub(crate) given: Vec<(Option<char>, String)>,
    /// The number of the line, what is to be done, and to it.
    pub(crate) steps: Vec<Step>,
}

pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) what: String,
    pub(crate) rest: String,
    /// What is expected, if anything is.
    pub(crate) expected: Option<String>,
}

/// The stories of a file.
pub(crate) fn read(text: &str) -> Vec<Story> {
    let mut background = Vec::new();
    let mut stories: Vec<Story> = Vec::new();
    for (line, text) in joined(text) {
        if let Some(title) = text.strip_prefix("== ") {
            stories.push(Story { title: title.to_owned(), given: background.clone(), steps: Vec::new() });
        } else if let Some(schema) = text.strip_prefix("given ") {
            let given = match schema.split_once(' ') {
                Some((device, sql)) if device.len() == 1 => (device.chars().next(), sql.to_owned()),
                _ => (None, schema.to_owned()),
            };
            match stories.last_mut() {
                Some(story) => story.given.push(given),
                None => background.push(given),
            }
        } else {
            let story = stories.last_mut().unwrap_or_else(|| panic!("line {line}: no story has begun"));
            story.steps.push(step(line, &text));
        }
    }
    stories
}

fn step(line: usize, text: &str) -> Step {
    let (what, rest) = match text.split_once(": ") {
        Some((what, rest)) => (what, rest),
        None => (text, ""),
    };
    let (rest, expected) = match rest.strip_prefix("=> ") {
        Some(expected) => ("", Some(expected.to_owned())),
        None => match rest.split_once(" =>") {
            Some((rest, expected)) => (rest, Some(expected.trim().to_owned())),
            None => (rest, None),
        },
    };
    Step { line, what: what.to_owned(), rest: rest.to_owned(), expected }
}

/// Lines with what goes on below them, and the number of the first; no comments.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some((_, last)) if line.starts_with(' ') => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push((at + 1, line.trim_end().to_owned())),
        }
    }
    lines
}
