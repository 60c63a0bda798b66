//! Lists the scenarios that are shipped, and the schemas beside them, so that the program knows them by name wherever it runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() {
    let package = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let mut files = BTreeMap::new();
    for folder in ["scenarios", "scale"] {
        let folder = Path::new(&package).join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        for entry in fs::read_dir(&folder).expect("the scenarios are part of the package") {
            let path = entry.expect("a readable folder").path();
            if path.extension().is_some_and(|extension| extension == "toml" || extension == "sql") {
                let name = path.file_name().expect("it is a file").to_string_lossy().into_owned();
                files.insert(name, path);
            }
        }
    }
    let mut list = "[\n".to_owned();
    for (name, file) in files {
        writeln!(list, "    ({name:?}, include_str!({:?})),", file.display().to_string()).expect("a string");
    }
    list.push(']');
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("shipped.rs");
    fs::write(out, list).expect("cargo's own folder can be written");
}
