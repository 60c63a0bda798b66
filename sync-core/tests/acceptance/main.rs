//! What an application may rely on, as stories: each says what devices do, and what everyone sees
//! in the end. The stories are in `*.story` beside this file, and are read there; `--help` has filters.

mod run;
mod story;
#[path = "../files/world/mod.rs"]
mod world;

use std::path::Path;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/acceptance");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of the stories")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "story"))
        .collect();
    names.sort();
    let trials = names.iter().flat_map(|path| {
        let text = std::fs::read_to_string(path).expect("a story");
        let chapter = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        story::read(&text).into_iter().map(move |story| {
            let name = format!("{chapter}: {}", story.title);
            Trial::test(name, move || {
                run::run(&story);
                Ok(())
            })
        })
    });
    let trials: Vec<Trial> = trials.collect();
    assert!(!trials.is_empty(), "no stories in {}", folder.display());
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
